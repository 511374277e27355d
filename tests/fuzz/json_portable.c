/* The filter without short ways and without SIMD, for json.c. */
#define AVITO_WITH_SHORTCUTS 0
#define AVITO_WITH_SIMD      0
#include "filter.h"

void filter_portable(const struct filter_job *job, struct filter_result *result);
void filter_portable(const struct filter_job *job, struct filter_result *result)
{
    filter_run(job, result);
}

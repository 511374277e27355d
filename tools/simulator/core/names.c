/* names.c - words for the constants of simulator.h. */
#include "core.h"

const char *sim_operation_name(sim_operation op)
{
    static const char *const names[SIM_OPERATION_COUNT] = {"none",
#define NAME_(name, word) word,
                                                           SIM_OPERATIONS(NAME_)
#undef NAME_
    };
    return (int)op >= 0 && op < SIM_OPERATION_COUNT ? names[op] : "none";
}

const char *sim_type_name(sim_type type)
{
    static const char *const names[SIM_TYPE_COUNT] = {"text",     "image",   "link",  "item",
                                                      "location", "call",    "voice", "system",
                                                      "deleted",  "appCall", "file",  "video"};
    return (int)type >= 0 && type < SIM_TYPE_COUNT ? names[type] : "unknown";
}

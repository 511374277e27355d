/* program.h - the program avito (tools/avito), run as a person does. */
#ifndef DEMO_PROGRAM_H
#define DEMO_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/* A folder of its own for its state and configuration; program_forget() removes it. */
bool program_prepare(void);
void program_forget(void);

/* Runs build/avito with these words, as a shell would read them; its output becomes lines of the
 * story. Returns its exit status; *lines (optional): how many lines it printed. */
int program_run(const char *words, int *lines);

#endif

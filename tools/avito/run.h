/* run.h - one function per command, or part of one, in a file of the command's name. They return an
 * exit_status. */
#ifndef AVITO_TOOLS_RUN_H
#define AVITO_TOOLS_RUN_H

#include "command.h"
#include "avito_messenger.h"

int run_login(const arguments *a);
int run_whoami(const arguments *a);
int run_chats(const arguments *a);
int run_chat(const arguments *a);
int run_messages(const arguments *a);
int run_send(const arguments *a);
int run_read(const arguments *a);
int run_delete(const arguments *a);
int run_block(const arguments *a);
int run_voice(const arguments *a);
int run_watch(const arguments *a);
int run_export(const arguments *a);
int run_confirm(const arguments *a);
int run_webhook_list(const arguments *a);
int run_webhook_add(const arguments *a);
int run_webhook_remove(const arguments *a);
int run_webhook_serve(const arguments *a);
int run_gateway(const arguments *a);
int run_help(const arguments *a);
int run_manual(const arguments *a);
int run_version(void);
int run_completion(const arguments *a);

void print_command_help(const command *c);

#define AVITO_PROGRAM_VERSION AVITO_VERSION

#endif

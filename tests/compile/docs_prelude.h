/* Declarations that the text around the documents' code blocks takes for granted. tools/docs.py
 * compiles every block after this file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AVITO_WITH_POSIX 1
#include "avito_messenger.h"

static avito_account account;
static avito_client client;
static avito_arena arena, mem;
static avito_transport transport;
static avito_tcp tcp;
static avito_chats chats;
static avito_chat chat;
static avito_messages messages;
static avito_message message;
static avito_chats_query chats_query;
static avito_event event;
static int64_t user_id;
static const char *chat_id, *text;
static int result;
static char window[1024], room[8192];

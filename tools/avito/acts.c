/* acts.c - the commands that are one call: whoami, read, delete, block. */
#include "format.h"
#include "jsonl.h"
#include "run.h"
#include "session.h"
#include "show.h"

#include <stdio.h>
#include <string.h>

static int act_whoami(session *s)
{
    avito_self self;
    const int result = avito_get_self(&s->avito.client, &s->avito.arena, &self);

    if (result == AVITO_OK && has_option(s->arguments, OPTION_JSON)) {
        json_self(stdout, &self);
    } else if (result == AVITO_OK && has_option(s->arguments, OPTION_FORMAT)) {
        const format_field fields[] = {{"id", number_text(self.id)},
                                       {"name", self.name},
                                       {"email", self.email},
                                       {"phone", self.phone},
                                       {"url", self.profile_url}};

        print_format(s->arguments->values[OPTION_FORMAT], fields, sizeof fields / sizeof *fields);
    } else if (result == AVITO_OK) {
        show_text(stdout, self.name, SIZE_MAX);
        printf("\n%s\n", number_text(self.id).ptr);
        show_text(stdout, self.email, SIZE_MAX);
        fputs("\n", stdout);
    }
    return session_status(s, result);
}

int run_whoami(const arguments *a)
{
    return session_run(a, true, act_whoami);
}

static int act_read(session *s)
{
    return session_report(
        s, avito_mark_chat_as_read(&s->avito.client, s->user_id, s->arguments->words[0]), true,
        TEXT("Marked as read.", "Отмечен прочитанным."));
}

int run_read(const arguments *a)
{
    return session_run(a, true, act_read);
}

static int act_delete(session *s)
{
    return session_report(s,
                          avito_delete_message(&s->avito.client, s->user_id, s->arguments->words[0],
                                               s->arguments->words[1]),
                          true, TEXT("Deleted.", "Удалено."));
}

int run_delete(const arguments *a)
{
    return session_run(a, true, act_delete);
}

static avito_blacklist_reason reason_of(const char *word)
{
    static const char *const words[] = {"", "spam", "fraud", "insult", "other"};
    int reason = AVITO_REASON_OTHER;

    for (int i = AVITO_REASON_SPAM; word != NULL && i <= AVITO_REASON_OTHER; i++) {
        reason = strcmp(word, words[i]) == 0 ? i : reason;
    }
    return (avito_blacklist_reason)reason;
}

static int act_block(session *s)
{
    const arguments *a = s->arguments;
    avito_blacklist_user user;
    int64_t items[VALUES_PER_OPTION] = {0};

    memset(&user, 0, sizeof user);
    if (!id_of(a->words[0], &user.user_id) || !items_of(a, items)) {
        return EXIT_USAGE;
    }
    user.item_id = items[0];
    user.reason = reason_of(a->values[OPTION_REASON]);
    return session_report(s, avito_add_to_blacklist(&s->avito.client, s->user_id, &user, 1), true,
                          TEXT("Blocked.", "Заблокирован."));
}

int run_block(const arguments *a)
{
    if (a->items_count > 1) {
        complain(TEXT("avito block takes one --item\n", "у avito block бывает один --item\n"));
        return EXIT_USAGE;
    }
    return session_run(a, true, act_block);
}

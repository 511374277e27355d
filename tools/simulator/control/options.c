/* options.c - the options of the service that can be changed while it runs. */
#include "door.h"

#include <string.h>

typedef struct option {
    const char *name;
    uint32_t *number;
    bool *flag;
    size_t *size;
    int max; /* of an enumeration: 0 to max */
} option;

#define OPTIONS 26

/* The live options that can be set; enumerations are numbers in the order of simulator.h. */
static void list_options(sim_options *o, option out[OPTIONS])
{
    const option all[OPTIONS] = {
        {.name = "rate_per_minute", .number = &o->rate_per_minute},
        {.name = "token_lifetime_s", .number = &o->token_lifetime_s},
        {.name = "visible_after_ms", .number = &o->visible_after_ms},
        {.name = "idle_close_ms", .number = &o->idle_close_ms},
        {.name = "requests_per_connection", .number = &o->requests_per_connection},
        {.name = "webhook_delay_ms", .number = &o->webhook_delay_ms},
        {.name = "webhook_copies", .number = &o->webhook_copies},
        {.name = "bare_array", .flag = &o->bare_array},
        {.name = "nulls", .flag = &o->nulls},
        {.name = "ids_as_strings", .flag = &o->ids_as_strings},
        {.name = "trim_text", .flag = &o->trim_text},
        {.name = "webhook_probe", .flag = &o->webhook_probe},
        {.name = "rate_headers", .flag = &o->rate_headers},
        {.name = "no_meta", .flag = &o->no_meta},
        {.name = "token_kills_former", .flag = &o->token_kills_former},
        {.name = "token_errors_as_200", .flag = &o->token_errors_as_200},
        {.name = "empty_read_answer", .flag = &o->empty_read_answer},
        {.name = "empty_as_array", .flag = &o->empty_as_array},
        {.name = "webhook_listings", .flag = &o->webhook_listings},
        {.name = "chunk_size", .size = &o->chunk_size},
        {.name = "head_padding", .size = &o->head_padding},
        {.name = "tariff", .max = SIM_TARIFF_402},
        {.name = "framing", .max = SIM_FRAMING_CLOSE},
        {.name = "webhook_form", .max = SIM_WEBHOOK_MARKED},
        {.name = "foreign_body", .max = SIM_BODY_COUNT - 1},
        {.name = "retry_after", .max = SIM_RETRY_AFTER_DATE}};
    memcpy(out, all, sizeof all);
}

/* What each does, in the order of list_options(). */
static const char *const says[OPTIONS] = {
    /* rate_per_minute */ "requests in a minute of the clock, the next one gets 429; 0: any number",
    /* token_lifetime_s */ "of the tokens that are given from now on",
    /* visible_after_ms */ "what is sent through the API is shown so much later",
    /* idle_close_ms */ "a connection on which nothing comes is closed after it; 0: never",
    /* requests_per_connection */ "the last one is answered with Connection: close; 0: any number",
    /* webhook_delay_ms */ "each notification is late by 0 to so much",
    /* webhook_copies */ "each notification comes so often; 0: none comes",
    /* bare_array */ "flag: lists of messages as the official description has them",
    /* nulls */ "flag: contents have all other members as null",
    /* ids_as_strings */ "flag: ids of users, authors and listings in quotes",
    /* trim_text */ "flag: blanks around a sent text are not stored",
    /* webhook_probe */ "flag: {} is sent when somebody subscribes",
    /* rate_headers */ "flag: X-RateLimit-Limit and X-RateLimit-Remaining",
    /* no_meta */ "flag: lists have no meta",
    /* token_kills_former */ "flag: a new token ends the former ones",
    /* token_errors_as_200 */ "flag: a token that is refused has status 200",
    /* empty_read_answer */ "flag: marking as read is answered without a body",
    /* empty_as_array */ "flag: an empty object is written []",
    /* webhook_listings */ "flag: a listing in a message is as complete as that of a chat",
    /* chunk_size */ "bytes of a chunk, where answers come in chunks; 0: 4096",
    /* head_padding */ "bytes by which heads of answers are longer",
    /* tariff */
    "0 paid; 1 no texts, what writes gets 402; 2 all but chats get 402",
    /* framing */ "0 or 1 Content-Length; 2 chunks; 3 the end of the connection",
    /* webhook_form */
    "0 envelope; 1 without a type; 2 the message alone; 3 envelope after a BOM",
    /* foreign_body */
    "of a refusal that no token cures: 0 the usual, or a place in the bodies",
    /* retry_after */ "header of a 429: 0 none; 1 seconds; 2 a date"};

static int get_word(const sim_options *o, const char *name)
{
    return strcmp(name, "tariff") == 0         ? (int)o->tariff
           : strcmp(name, "framing") == 0      ? (int)o->framing
           : strcmp(name, "webhook_form") == 0 ? (int)o->webhook_form
           : strcmp(name, "foreign_body") == 0 ? (int)o->foreign_body
                                               : (int)o->retry_after;
}

static void set_word(sim_options *o, const char *name, int n)
{
    if (strcmp(name, "tariff") == 0) {
        o->tariff = (sim_tariff)n;
    } else if (strcmp(name, "framing") == 0) {
        o->framing = (sim_framing)n;
    } else if (strcmp(name, "webhook_form") == 0) {
        o->webhook_form = (sim_webhook_form)n;
    } else if (strcmp(name, "foreign_body") == 0) {
        o->foreign_body = (sim_body)n;
    } else {
        o->retry_after = (sim_retry_after)n;
    }
}

bool options_set(sim_options *o, const char *name, int64_t n)
{
    option all[OPTIONS];
    list_options(o, all);
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strcmp(all[i].name, name) != 0) {
            continue;
        }
        if (n < 0 || n > UINT32_MAX || (all[i].max != 0 && n > all[i].max)) {
            return false;
        }
        if (all[i].number != NULL) {
            *all[i].number = (uint32_t)n;
        } else if (all[i].flag != NULL) {
            *all[i].flag = n != 0;
        } else if (all[i].size != NULL) {
            *all[i].size = (size_t)n;
        } else {
            set_word(o, name, (int)n);
        }
        return true;
    }
    return false;
}

void options_put(control *c, simi_buf *b)
{
    option all[OPTIONS];
    sim_options *o = sim_live(c->service);
    list_options(o, all);
    simi_puts(b, "{");
    for (size_t i = 0; i < OPTIONS; i++) {
        simi_putf(b, "%s\"%s\":", i == 0 ? "" : ",", all[i].name);
        if (all[i].flag != NULL) {
            simi_puts(b, *all[i].flag ? "true" : "false");
        } else {
            simi_put_int(b, all[i].number != NULL ? (int64_t)*all[i].number
                            : all[i].size != NULL ? (int64_t)*all[i].size
                                                  : get_word(o, all[i].name));
        }
    }
    simi_puts(b, "}");
}

void options_help(simi_buf *b)
{
    option all[OPTIONS];
    sim_options none = sim_options_default();
    list_options(&none, all);
    for (size_t i = 0; i < OPTIONS; i++) {
        simi_putf(b, "  %-23s %s\n", all[i].name, says[i]);
    }
}

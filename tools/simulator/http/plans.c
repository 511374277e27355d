/* plans.c - faults that are planned as text: see sim_plan_fault(). */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sim_body body_named(const char *word)
{
    static const char *const words[SIM_BODY_COUNT] = {"",
#define WORD_(name, word, status) word,
                                                      SIM_BODIES(WORD_)
#undef WORD_
    };
    for (int i = 1; i < SIM_BODY_COUNT; i++) {
        if (strcmp(words[i], word) == 0) {
            return (sim_body)i;
        }
    }
    return SIM_BODY_DEFAULT;
}

typedef enum setting {
    SET_FLAG, /* one or more flags */
    SET_NUMBER,
    SET_TEXT
} setting;

/* A fault that is one word. False: there is none of this name. */
static bool set_flag(sim_fault *f, const char *word)
{
    const struct {
        const char *word;
        bool *flags[2];
    } known[] = {{"stored", {&f->stored, NULL}},
                 {"no_answer", {&f->no_answer, NULL}},
                 {"stored_no_answer", {&f->stored, &f->no_answer}},
                 {"stall", {&f->stall, NULL}},
                 {"stored_stall", {&f->stored, &f->stall}},
                 {"early", {&f->early, NULL}},
                 {"chunk_extras", {&f->chunk_extras, NULL}},
                 {"close", {&f->close, NULL}},
                 {"close_silently", {&f->close_silently, NULL}},
                 {"reset", {&f->reset, NULL}}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].word, word) == 0) {
            *known[i].flags[0] = true;
            *(known[i].flags[1] != NULL ? known[i].flags[1] : known[i].flags[0]) = true;
            return true;
        }
    }
    if (strcmp(word, "until_close") == 0) {
        f->framing = SIM_FRAMING_CLOSE;
    } else if (strcmp(word, "length") == 0) {
        f->framing = SIM_FRAMING_LENGTH;
    } else if (strcmp(word, "chunked") == 0) {
        f->framing = SIM_FRAMING_CHUNKED;
    } else if (strcmp(word, "huge_head") == 0) {
        f->head_padding = 32768;
    } else if (strcmp(word, "redirect") == 0) {
        f->status = 302;
        f->location = f->location != NULL ? f->location : "https://www.avito.ru/";
    } else {
        return false;
    }
    return true;
}

/* A fault with a number. False: there is none of this name, or the number is wrong. */
static bool set_number(sim_fault *f, const char *word, const char *text)
{
    int64_t n = 0;
    if (!simi_parse_int(text, &n) || (n < 0 && strcmp(word, "wrong_length") != 0)) {
        return false;
    }
    if (strcmp(word, "status") == 0 && n >= 100 && n <= 999) {
        f->status = (int)n;
    } else if (strcmp(word, "delay") == 0) {
        f->delay_ms = (uint32_t)n;
    } else if (strcmp(word, "interim") == 0) {
        f->interim = (unsigned)n;
    } else if (strcmp(word, "chunked") == 0) {
        f->framing = SIM_FRAMING_CHUNKED;
        f->chunk_size = (size_t)n;
    } else if (strcmp(word, "huge_head") == 0) {
        f->head_padding = (size_t)n;
    } else if (strcmp(word, "wrong_length") == 0) {
        f->wrong_length = n;
    } else if (strcmp(word, "cut") == 0) {
        f->cut = true;
        f->cut_at = (size_t)n;
    } else if (strcmp(word, "corrupt") == 0) {
        f->corrupt = true;
        f->corrupt_at = (size_t)n;
    } else {
        return false;
    }
    return true;
}

/* A fault with a text, or with two numbers. False: there is none of this name, or the value is wrong. */
static bool set_text(sim *s, sim_fault *f, const char *word, const char *text)
{
    unsigned long byte = 0, ms = 0;
    if (strcmp(word, "body") == 0) {
        f->body = body_named(text);
        return f->body != SIM_BODY_DEFAULT;
    }
    if (strcmp(word, "location") == 0) {
        f->location = simi_keep_text(&s->arena, text);
    } else if (strcmp(word, "retry_after") == 0) {
        f->retry_after = simi_keep_text(&s->arena, text);
    } else if (strcmp(word, "pause") == 0 && sscanf(text, "%lu+%lu", &byte, &ms) == 2) {
        f->pause_at = byte;
        f->pause_ms = (uint32_t)ms;
    } else if (strcmp(word, "slow") == 0 && sscanf(text, "%lu+%lu", &byte, &ms) == 2 && byte != 0) {
        f->slow_bytes = byte;
        f->slow_ms = (uint32_t)ms;
    } else {
        return false;
    }
    return true;
}

static bool set_one(sim *s, sim_fault *f, char *word)
{
    char *equals = strchr(word, '=');
    if (equals == NULL) {
        return set_flag(f, word);
    }
    *equals = '\0';
    return set_number(f, word, equals + 1) || set_text(s, f, word, equals + 1);
}

static bool find_operation(const char *word, sim_operation *out)
{
    for (int op = SIM_NO_OPERATION; op < SIM_OPERATION_COUNT; op++) {
        if (strcmp(word, sim_operation_name((sim_operation)op)) == 0) {
            *out = (sim_operation)op;
            return op != SIM_NO_OPERATION;
        }
    }
    *out = SIM_NO_OPERATION;
    return strcmp(word, "*") == 0;
}

/* ":COUNT" and ":SKIP" stand at the end; a URL or a date before them may have colons, too. */
static void take_counts(char *text, unsigned counts[2], size_t *given)
{
    unsigned found[2];
    *given = 0;
    while (*given < 2) {
        char *colon = strrchr(text, ':');
        int64_t n = 0;
        if (colon == NULL || !simi_parse_int(colon + 1, &n) || n < 0) {
            break;
        }
        *colon = '\0';
        found[(*given)++] = (unsigned)n;
    }
    for (size_t i = 0; i < *given; i++) {
        counts[i] = found[*given - 1 - i];
    }
}

bool sim_plan_fault(sim *s, const char *plan)
{
    char text[512];
    unsigned counts[2] = {1, 0};
    size_t given = 0;
    simi_plan p;
    memset(&p, 0, sizeof p);
    if (strlen(plan) >= sizeof text) {
        return false;
    }
    (void)strcpy(text, plan);
    char *faults = strchr(text, ':');
    if (faults == NULL) {
        return false;
    }
    *faults++ = '\0';
    if (!find_operation(text, &p.op)) {
        return false;
    }
    take_counts(faults, counts, &given);
    for (char *word = faults; word != NULL;) {
        char *comma = strchr(word, ',');
        if (comma != NULL) {
            *comma++ = '\0';
        }
        if (!set_one(s, &p.fault, word)) {
            return false;
        }
        word = comma;
    }
    p.text = simi_keep_text(&s->arena, plan);
    p.left = counts[0];
    p.forever = counts[0] == 0;
    p.skip = counts[1];
    SIMI_GROW(s->plans, s->plan_count, s->plan_cap);
    s->plans[s->plan_count++] = p;
    return true;
}

bool sim_plan_at(sim *s, size_t i, sim_plan_info *out)
{
    for (size_t at = 0; at < s->plan_count; at++) {
        const simi_plan *p = &s->plans[at];
        if ((p->left == 0 && !p->forever) || i-- != 0) {
            continue;
        }
        out->plan = p->text;
        out->left = p->left;
        out->skip = p->skip;
        out->forever = p->forever;
        return true;
    }
    return false;
}

void sim_clear_faults(sim *s)
{
    s->plan_count = 0;
}

static bool is_none(const sim_fault *f)
{
    static const sim_fault none;
    return f->status == 0 && f->body == SIM_BODY_DEFAULT && !f->stored && !f->no_answer &&
           !f->stall && f->raw == NULL && !f->early && f->delay_ms == 0 && f->pause_ms == 0 &&
           f->slow_bytes == 0 && f->interim == 0 && f->framing == none.framing &&
           f->chunk_size == 0 && !f->chunk_extras && f->head_padding == 0 && f->wrong_length == 0 &&
           !f->cut && !f->corrupt && !f->close && !f->close_silently && !f->reset &&
           f->location == NULL && f->retry_after == NULL;
}

sim_fault simi_fault_for(sim *s, const sim_request_info *info)
{
    sim_fault none;
    memset(&none, 0, sizeof none);
    if (s->o.fault != NULL) {
        sim_fault f = s->o.fault(s->o.ctx, info);
        if (!is_none(&f)) {
            s->stats.faults++;
            return f;
        }
    }
    for (size_t i = 0; i < s->plan_count; i++) {
        simi_plan *p = &s->plans[i];
        if ((p->op != SIM_NO_OPERATION && p->op != info->op) || (p->left == 0 && !p->forever)) {
            continue;
        }
        if (p->skip != 0) {
            p->skip--;
            continue;
        }
        p->left -= p->left != 0;
        s->stats.faults++;
        return p->fault;
    }
    return none;
}

/* people.c - people who write, read and delete; what the service is told to do wrong;
 * notifications. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t service_clock(void *ctx)
{
    return ((world *)ctx)->now;
}

/* ---------------------------------------------------------------- texts */

static const char *fresh_text(world *w)
{
    static const char *const words[] = {"Добрый день", "Ещё продаётся?", "  а торг?  ",
                                        "\"да\"",      "👍🏽 ок",  "Где посмотреть\r\nможно"};
    static char text[6000];
    size_t at = (size_t)snprintf(text, sizeof text, "%s %llu", words[below(w, 6)],
                                 (unsigned long long)++w->text_number);
    if (chance(w, 30)) {
        for (uint64_t n = below(w, 900); n > 0; n--) {
            at += (size_t)snprintf(text + at, sizeof text - at, "%s", chance(w, 300) ? "🏠" : "ы");
        }
    }
    return text;
}

/* ---------------------------------------------------------------- writing */

static const char *some_chat(world *w)
{
    return w->chats[below(w, w->chat_count)];
}

static void new_chat(world *w)
{
    if (w->chat_count == w->chat_cap) {
        w->chat_cap = w->chat_cap * 2 + 16;
        w->chats = realloc((void *)w->chats, w->chat_cap * sizeof *w->chats);
    }
    w->chats[w->chat_count++] = sim_add_chat(w->service, NULL);
}

/* The form in which the service writes the next notification. */
static void another_form(world *w)
{
    const uint64_t chosen = hash_text(w->texts, 0) ^ (w->seed + w->note_count);
    sim_live(w->service)->webhook_form = (sim_webhook_form)(w->plan.forms ? chosen % 4 : 0);
}

static void buyer_writes(world *w, const char *chat)
{
    sim_message_options o;
    another_form(w);
    memset(&o, 0, sizeof o);
    o.author = SIM_BUYER;
    o.text = fresh_text(w);
    if (chance(w, 150)) {
        o.type = (sim_type)below(w, SIM_TYPE_COUNT);
        o.type = o.type == SIM_DELETED ? SIM_TEXT : o.type;
        o.text = "https://www.avito.ru/1";
    }
    if (w->plan.late && chance(w, 250)) {
        o.visible_after_ms = 1 + (uint32_t)below(w, w->plan.late_max_ms);
        happened(w, F_LATE, -1);
    }
    (void)sim_write(w->service, chat, &o);
}

static void burst(world *w, const char *chat, uint64_t count)
{
    happened(w, F_BURST, -1);
    for (; count > 0; count--) {
        buyer_writes(w, chance(w, 800) ? chat : some_chat(w));
    }
}

static void app_reads(world *w, const char *chat)
{
    happened(w, F_APP_READS, -1);
    say(w, "a person reads %s", chat);
    check_sync(w);
    for (size_t i = w->done_before; i < w->note_count; i++) {
        if (strcmp(w->notes[i].chat, chat) == 0 && w->notes[i].visible_ms <= w->now) {
            w->notes[i].was_read = true;
        }
    }
    (void)sim_app_reads(w->service, chat);
}

/* Any job, but preferably one that is on its way or in doubt. */
static job *some_job(world *w)
{
    job *j = &w->jobs[below(w, w->job_count)];
    for (size_t i = 0; w->plan.at_once && i < w->job_count; i++) {
        const job_state state = w->jobs[i].state;
        if ((state == JOB_SENDING || state == JOB_UNSURE || state == JOB_CONFIRMING) &&
            chance(w, 500)) {
            return &w->jobs[i];
        }
    }
    return j;
}

/* A person answers with the very text that the bot is about to send, or has just sent. */
static void app_writes_same(world *w)
{
    sim_message_options o;
    job *j;
    if (w->job_count == 0) {
        return;
    }
    j = some_job(w);
    memset(&o, 0, sizeof o);
    o.author = SIM_APP;
    o.type = j->picture > 0 ? SIM_IMAGE : SIM_TEXT; /* one picture looks like another */
    o.text = j->text;
    for (size_t i = 0; i < w->job_count; i++) {
        if (strcmp(w->jobs[i].chat, j->chat) == 0 && strcmp(w->jobs[i].text, j->text) == 0 &&
            (w->jobs[i].picture > 0) == (j->picture > 0)) {
            w->jobs[i].rivalled = true;
        }
    }
    happened(w, F_APP_SAME, -1);
    say(w, "a person answers with the %s of job %d", j->picture > 0 ? "kind" : "text",
        (int)(j - w->jobs));
    app_reads(w, j->chat);
    (void)sim_write(w->service, j->chat, &o);
}

static void delete_note(world *w, note *n)
{
    say(w, "%s is deleted", n->id);
    n->deleted = true;
    check_looks_reset(w, n->chat);
    n->gone = n->gone || (w->plan.vanish && !n->own && n->visible_ms <= w->now);
    (void)sim_delete(w->service, n->id);
}

static void delete_one(world *w)
{
    if (w->note_count > 0) {
        happened(w, F_DELETED, -1);
        delete_note(
            w, &w->notes[w->note_count - 1 - below(w, w->note_count < 30 ? w->note_count : 30)]);
    }
}

/* When the second page is asked for, rows of the first one vanish and all others slide up. */
static void rows_slide(world *w, const sim_request_info *r)
{
    sim_chat_info chat;
    unsigned count = 2 + (unsigned)below(w, 3);
    if (!(r->op == SIM_CHATS ? w->plan.people : w->plan.vanish) || !chance(w, 500)) {
        return;
    }
    happened(w, F_SLID, 0);
    for (size_t i = 0; r->op == SIM_CHATS && i < count && sim_chat_at(w->service, i, &chat); i++) {
        app_reads(w, chat.id);
    }
    for (size_t i = w->note_count; r->op == SIM_MESSAGES && i > 0 && count > 0; i--) {
        note *n = &w->notes[i - 1];
        if (!n->own && !n->deleted && n->visible_ms <= w->now && strcmp(n->chat, r->chat_id) == 0) {
            delete_note(w, n);
            count--;
        }
    }
}

/* A person does something. */
static void person(world *w)
{
    const char *chat = some_chat(w);
    const uint64_t what = below(w, 100);
    if (what < 55 || !w->plan.people) {
        buyer_writes(w, chat);
    } else if (what < 63) {
        burst(w, chat, 2 + below(w, 5));
    } else if (what < 65) {
        burst(w, chat, 15 + below(w, 20));
    } else if (what < 72) {
        app_reads(w, chat);
    } else if (what < 80) {
        app_reads(w, chat);
        happened(w, F_APP_WRITES, -1);
        (void)sim_app_writes(w->service, chat, fresh_text(w));
    } else if (what < 88) {
        app_writes_same(w);
    } else if (what < 95) {
        delete_one(w);
    } else if (w->chat_count < 40) {
        new_chat(w);
        buyer_writes(w, w->chats[w->chat_count - 1]);
    }
}

/* ---------------------------------------------------------------- rows that are odd */

static uint64_t row_hash(const world *w, const char *id)
{
    return hash_text(id, strlen(id)) ^ w->seed;
}

/* The service shows a wrong time for it. */
bool people_odd(const world *w, const char *id)
{
    return w->plan.odd_times && row_hash(w, id) % 12 == 0;
}

/* Shows wrong times, to the inbox only: the bot's lanes have other promises to keep. A message's
 * time is in milliseconds or years ahead; a chat's may also be missing. */
static int64_t time_shown(void *ctx, const char *id, int64_t seconds)
{
    world *w = ctx;
    const bool chat = strncmp(id, "u2i", 3) == 0;
    if (!w->to_inbox || !people_odd(w, id)) {
        return seconds;
    }
    switch (row_hash(w, id) / 12 % (chat ? 4 : 2)) {
        case 0:
            return seconds * 1000;
        case 1:
            return seconds + 200000000;
        case 2:
            return INT64_MIN;
        default:
            return seconds + 100000;
    }
}

static size_t chat_in_row(void *ctx, size_t row, size_t count)
{
    const world *w = ctx;
    switch (w->plan.odd_rows) {
        case 1: /* the one that is last stays on top */
            return row == 0 ? count - 1 : row - 1;
        case 2:
            return count - 1 - row;
        case 3:
            return (row + count / 2) % count;
        default:
            return row;
    }
}

/* ---------------------------------------------------------------- the service's moods */

static void unpaid(world *w, sim_tariff tariff, int64_t ms)
{
    sim_live(w->service)->tariff = tariff;
    w->unpaid_until = w->now + ms;
    say(w, "the tariff is not paid: %s", tariff == SIM_TARIFF_402 ? "402" : "texts are hidden");
}

/* The service changes its mood: refuses everything for a while, drops tokens, lacks the tariff. */
static void moods(world *w)
{
    static const int statuses[] = {401, 403, 429, 500, 502, 503};
    sim_options *o = sim_live(w->service);
    if (w->plan.storms && chance(w, 120)) {
        w->storm_status = statuses[below(w, 6)];
        w->storm_until = w->now + 1 + (int64_t)around(w, 8000);
        say(w, "a storm of %d", w->storm_status);
    }
    if (w->plan.tokens && chance(w, 80)) {
        const bool revoked = chance(w, 500);
        happened(w, revoked ? F_REVOKED : F_EXPIRED, -1);
        say(w, "tokens %s", revoked ? "are revoked" : "expire");
        revoked ? sim_revoke_tokens(w->service) : sim_expire_tokens(w->service);
    }
    if (w->plan.tariff && chance(w, 80)) {
        unpaid(w, chance(w, 500) ? SIM_TARIFF_402 : SIM_TARIFF_PLACEHOLDER,
               1 + (int64_t)around(w, w->plan.soak ? 8000 : 40000));
    }
    if (w->plan.trim) {
        o->trim_text = chance(w, 500);
    }
    if (w->plan.late) {
        o->visible_after_ms = chance(w, 700) ? 0 : (uint32_t)below(w, 25000);
    }
}

int64_t people_due(world *w)
{
    int64_t due = w->calm ? INT64_MAX : w->next_person;
    for (size_t i = 0; i < w->event_count; i++) {
        due = earliest(due, w->events[i].due);
    }
    return due;
}

void people_act(world *w)
{
    if (w->calm || w->now >= w->unpaid_until) {
        sim_live(w->service)->tariff = SIM_TARIFF_PAID;
    }
    if (w->calm) {
        sim_live(w->service)->visible_after_ms = 0;
        sim_live(w->service)->rate_per_minute = 0;
        w->storm_until = 0;
        return;
    }
    if (w->now >= w->next_person) {
        person(w);
        moods(w);
        w->next_person = w->now + 1 + (int64_t)around(w, (uint64_t)w->plan.people_s * 1000);
    }
}

/* ---------------------------------------------------------------- faults of answers */

static const char *retry_after(world *w)
{
    static const char *const texts[] = {"1",  "7",    "20", "0",
                                        "-5", "soon", "",   "Mon, 11 Aug 2025 12:00:00 GMT"};
    const time_t at = (time_t)(w->now / 1000) + (time_t)below(w, 40);
    struct tm tm;
    if (chance(w, 200) && gmtime_r(&at, &tm) != NULL) {
        (void)strftime(w->texts, sizeof w->texts, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        return w->texts;
    }
    return w->plan.soak && chance(w, 2) ? "99999999" : texts[below(w, 8)];
}

static fault fault_of(int status)
{
    return status == 401   ? F_S401
           : status == 402 ? F_S402
           : status == 403 ? F_S403
           : status == 429 ? F_S429
                           : F_S5XX;
}

/* The answer is a refusal with this status, in one of the forms that were seen. */
static void refuse(world *w, sim_fault *f, const sim_request_info *r, int status, int lane)
{
    static const sim_body said[] = {SIM_BODY_SPEC, SIM_BODY_MESSAGES, SIM_BODY_ERRORS,
                                    SIM_BODY_MESSAGE_CODE, SIM_BODY_OAUTH_SHORT};
    f->status = status;
    f->early = r->op == SIM_UPLOAD && chance(w, 700);
    f->stored = status >= 500 && !f->early && chance(w, 300);
    if (f->early) {
        happened(w, F_EARLY, lane);
    }
    if (status == 403) {
        f->body = chance(w, 700) ? SIM_BODY_EXPIRED : SIM_BODY_FIREWALL;
    } else if (status == 429 && w->plan.retry_headers) {
        f->retry_after = retry_after(w);
    } else if (status >= 500 && r->op != SIM_TOKEN && !f->early && chance(w, 400)) {
        f->status = 200; /* but the body says no */
        f->body = said[below(w, sizeof said / sizeof said[0])];
    } else if (status >= 500 && chance(w, 300)) {
        f->body = SIM_BODY_CUT_JSON;
    }
    happened(w, fault_of(status), lane);
}

/* The answer is right, in a framing that is rare. */
static void strange_framing(world *w, sim_fault *f)
{
    switch (below(w, 6)) {
        case 0:
            f->framing = SIM_FRAMING_CHUNKED;
            f->chunk_size = 1 + below(w, 300);
            f->chunk_extras = chance(w, 300);
            break;
        case 1:
            f->framing = SIM_FRAMING_CLOSE;
            break;
        case 2:
            f->interim = 1 + (unsigned)below(w, 3);
            break;
        case 3:
            f->close = true;
            break;
        case 4:
            f->close_silently = true;
            break;
        default:
            f->head_padding = below(w, 3000);
            break;
    }
}

static void lose(world *w, sim_fault *f, int lane)
{
    f->stored = chance(w, 600);
    f->stall = chance(w, 300);
    f->no_answer = !f->stall;
    f->reset = chance(w, 300);
    happened(w, F_LOST_ANSWER, lane);
}

/* Chooses one fault for the answer to this request. */
static void one_fault(world *w, sim_fault *f, const sim_request_info *r, int lane)
{
    static const int statuses[] = {401, 403, 429, 500, 503, 400, 402, 413};
    switch (below(w, 7)) {
        case 0:
            lose(w, f, lane);
            if (r->op == SIM_SEND && w->plan.tariff && !w->plan.soak && chance(w, 700)) {
                unpaid(w, SIM_TARIFF_PLACEHOLDER, 60000 + (int64_t)below(w, 60000));
            }
            break;
        case 1:
            refuse(w, f, r,
                   statuses[below(w, r->op == SIM_TOKEN    ? 5
                                     : r->op == SIM_UPLOAD ? 8
                                                           : 7)],
                   lane);
            break;
        case 2:
            f->cut = true;
            f->cut_at = below(w, (uint64_t)1 << below(w, 14));
            f->reset = chance(w, 300);
            happened(w, F_CUT_ANSWER, lane);
            break;
        case 3:
            f->delay_ms = (uint32_t)around(w, 4000);
            happened(w, F_DELAY, lane);
            break;
        case 4:
            f->pause_at = below(w, 3000);
            f->pause_ms = (uint32_t)around(w, 5000);
            happened(w, F_DELAY, lane);
            break;
        case 5:
            if (w->plan.corrupt && r->op != SIM_SEND_IMAGE &&
                r->refusal != 429 && /* a changed Retry-After would be believed */
                !(w->plan.same_texts && r->op == SIM_SEND)) { /* the id is needed */
                f->corrupt = true;
                f->corrupt_at = below(w, 100000);
                if (lane == 0 && (r->op == SIM_CHATS || r->op == SIM_MESSAGES)) {
                    f->corrupt_bits =
                        (unsigned char)(1u << below(w, 8)); /* one digit for another */
                }
                happened(w, F_CORRUPT, lane);
            }
            break;
        default:
            strange_framing(w, f);
            break;
    }
}

/* Finds which send a request belongs to, and what the service answers. */
static void note_request(world *w, const struct link *k, const sim_request_info *r)
{
    if (k->wire.job < 0) {
        return;
    }
    if (w->served_count == w->served_cap) {
        w->served_cap = w->served_cap * 2 + 64;
        w->served = realloc(w->served, w->served_cap * sizeof *w->served);
    }
    w->served[w->served_count].request = r->number;
    w->served[w->served_count++].job = k->wire.job;
}

/* A look at a chat: its first page is its time, and one byte changed in any answer spoils it, also
 * in the answer for a single message. */
static void note_look(world *w, const sim_request_info *r, const sim_fault *f)
{
    const bool first =
        strstr(r->target, "limit=20") != NULL && strstr(r->target, "offset=") == NULL;
    size_t i = 0;
    while (i < w->look_count && strcmp(w->looks[i].chat, r->chat_id) != 0) {
        i++;
    }
    if (i == w->look_count) {
        if (w->look_count == w->look_cap) {
            w->look_cap = w->look_cap * 2 + 16;
            w->looks = realloc(w->looks, w->look_cap * sizeof *w->looks);
        }
        memset(&w->looks[w->look_count++], 0, sizeof *w->looks);
        (void)snprintf(w->looks[i].chat, sizeof w->looks[i].chat, "%s", r->chat_id);
    }
    w->looks[i].ms = first ? w->now : w->looks[i].ms;
    if (first) {
        check_looks(w, r->chat_id);
    }
    if (f->status != 0 || f->corrupt || f->no_answer || f->stall || f->cut || r->refusal != 0) {
        check_looks_reset(w, NULL); /* after a failure its chat is read again, and others wait */
    }
    w->looks[i].spoilt = f->corrupt || (!first && w->looks[i].spoilt);
    if (f->status == 403 || f->status == 404 || r->refusal == 403 || r->refusal == 404) {
        w->looks[i].refused_ms = w->now;
    }
}

/* Notes what a request that the service carries out means for later checks. */
static void note_served(world *w, const sim_request_info *r, const struct link *k)
{
    const int lane = k != NULL ? k->lane : 99;
    mix(w, r->number * 31u + (uint64_t)r->op);
    if ((r->op == SIM_SEND || r->op == SIM_SEND_IMAGE) && k != NULL) {
        note_request(w, k, r);
    }
    if (lane < 0 && r->op == SIM_READ) { /* the client gave it up long ago: nobody's promise */
        check_sync(w);
        for (size_t i = w->done_before; i < w->note_count; i++) {
            if (strcmp(w->notes[i].chat, r->chat_id) == 0 &&
                w->notes[i].stored_ms >= k->orphan_until - 20000) {
                w->notes[i].was_read = true;
            }
        }
    }
    if (lane != 0) {
        return;
    }
    w->device.served++;
    if (r->op == SIM_MESSAGES) {
        w->tariff_read = sim_live(w->service)->tariff;
        w->tariff_read_ms = w->now;
        w->sentence_by = w->tariff_read == SIM_TARIFF_PAID ? 0 : w->sentence_by;
    }
    if (r->op == SIM_CHATS && !w->state_saved && impl_starts(&w->device.inbox) &&
        strstr(r->target, "offset=") == NULL) {
        check_start_list(w);
    }
    if (r->op == SIM_READ) {
        check_marked(w, r->chat_id);
    }
}

static sim_fault draw_fault(world *w, const sim_request_info *request, int lane)
{
    static const sim_body words[] = {SIM_BODY_SPEC,     SIM_BODY_EMPTY,    SIM_BODY_FIREWALL,
                                     SIM_BODY_IP_BLOCK, SIM_BODY_MESSAGES, SIM_BODY_PLAIN,
                                     SIM_BODY_NULL_JSON};
    sim_fault f;
    memset(&f, 0, sizeof f);
    if (lane == 0 && request->op == SIM_MESSAGES && w->plan.broken != 0 &&
        (!w->calm || w->plan.broken_for_ever) && strcmp(request->chat_id, w->chats[0]) == 0) {
        happened(w, F_BROKEN, lane);
        f.status = w->plan.broken;
        f.body =
            w->plan.foreign ? words[below(w, sizeof words / sizeof words[0])] : SIM_BODY_DEFAULT;
        return f;
    }
    if (w->calm) {
        return f;
    }
    if (lane == 0 && w->plan.refused_200 &&
        (request->op == SIM_CHATS || request->op == SIM_MESSAGES) && chance(w, 60)) {
        happened(w, F_REFUSED_200, lane);
        f.status = 200;
        f.body = chance(w, 500)   ? SIM_BODY_SPEC
                 : chance(w, 500) ? SIM_BODY_EXPIRED
                                  : SIM_BODY_NULL_JSON;
        return f;
    }
    if (w->now < w->storm_until && chance(w, 900) &&
        (request->op != SIM_TOKEN || w->storm_status >= 429)) {
        refuse(w, &f, request, w->storm_status, lane);
    } else if (w->plan.answers &&
               chance(w, w->plan.answer_rate * (request->op == SIM_UPLOAD ? 2 : 1))) {
        one_fault(w, &f, request, lane);
    }
    return f;
}

sim_fault people_fault(void *ctx, const sim_request_info *request)
{
    world *w = ctx;
    struct link *k = net_find(w, request->connection);
    const bool own = k != NULL && k->lane == 0 && w->device.lanes[0].act != ACT_NONE;
    const int lane = k != NULL && k->lane >= 0 && !own ? k->lane : (int)w->plan.lanes;
    sim_fault f;
    if (lane == 0 && request->op == SIM_CHATS && w->plan.supply && !w->calm && chance(w, 300)) {
        happened(w, F_SUPPLY, -1);
        buyer_writes(w, some_chat(w));
    }
    w->to_inbox = lane == 0;
    note_served(w, request, own ? NULL : k);
    if (lane == 0 && !w->calm && strstr(request->target, "&offset=") != NULL) {
        rows_slide(w, request);
    }
    f = draw_fault(w, request, lane);
    if (request->refusal == 413) { /* of the length that its head announces */
        happened(w, F_EARLY, lane);
    } else if (request->refusal == 402) {
        happened(w, F_S402, lane);
    }
    if (f.corrupt) {
        say(w, "lane %d: a byte of the answer is changed", lane);
    }
    w->device.spoilt = w->device.spoilt || (lane == 0 && f.corrupt);
    if (k != NULL) {
        k->wire.spoilt = f.corrupt;
    }
    if (k != NULL && k->lane >= 0 && f.corrupt) {
        w->device.lanes[k->lane].spoilt = true;
    }
    if (lane == 0 && request->op == SIM_MESSAGES) {
        note_look(w, request, &f);
    }
    return f;
}

/* ---------------------------------------------------------------- notifications */

static void later_event(world *w, const char *body, size_t len, int64_t due)
{
    event *e;
    if (w->event_count == w->event_cap) {
        w->event_cap = w->event_cap * 2 + 16;
        w->events = realloc(w->events, w->event_cap * sizeof *w->events);
    }
    e = &w->events[w->event_count++];
    e->due = due;
    e->len = len;
    e->body = malloc(len + 1);
    memcpy(e->body, body, len + 1);
}

static void due_events(world *w)
{
    for (size_t i = 0; i < w->event_count;) {
        event e = w->events[i];
        if (e.due > w->now) {
            i++;
            continue;
        }
        w->events[i] = w->events[--w->event_count];
        if (w->device.up && !device_notify(w, e.body, e.len)) { /* the service tries again */
            later_event(w, e.body, e.len, w->now + 3000);
        }
        free(e.body);
    }
}

void people_notify(world *w)
{
    sim_webhook hook;
    due_events(w);
    while (w->check == NULL && sim_next_webhook(w->service, &hook)) {
        const uint64_t fate = w->calm ? 999 : below(w, 1000);
        if (strncmp(hook.body, "{\"id\":", 6) != 0 ||
            strstr(hook.body, "\"payload\":{\"type\"") == NULL) {
            happened(w, F_HOOK_FORM, -1);
        }
        if (!w->device.up || fate < 200) {
            happened(w, F_HOOK_LOST, -1);
            sim_webhook_answered(w->service, hook.id, fate < 100 ? 200 : 0);
            continue;
        }
        if (fate < 350) {
            happened(w, F_HOOK_LATE, -1);
            later_event(w, hook.body, hook.body_len, w->now + (int64_t)around(w, 20000));
        } else {
            if (fate < 500) {
                happened(w, F_HOOK_TWICE, -1);
                later_event(w, hook.body, hook.body_len, w->now + (int64_t)below(w, 5000));
            }
            later_event(w, hook.body, hook.body_len, w->now);
        }
        sim_webhook_answered(w->service, hook.id, 200);
    }
    due_events(w);
}

/* ---------------------------------------------------------------- the beginning */

void people_begin(world *w)
{
    sim_options *o = &w->service_options;
    uint64_t chats = chance(w, 150) ? 9 + below(w, 8) : chance(w, 50) ? 0 : 1 + below(w, 5);
    o->seed = draw(w);
    o->clock_ms = service_clock;
    o->fault = people_fault;
    o->time_shown = time_shown;
    o->chat_in_row = w->plan.odd_rows != 0 ? chat_in_row : NULL;
    o->ctx = w;
    o->token_lifetime_s = w->plan.token_lifetime_s;
    o->token_kills_former = chance(w, 300);
    o->no_meta = chance(w, 100);
    o->bare_array = chance(w, 300);
    o->ids_as_strings = chance(w, 100);
    o->nulls = chance(w, 100);
    o->rate_per_minute = chance(w, 150) ? 60 + (uint32_t)below(w, 200) : 0;
    o->retry_after = (sim_retry_after)below(w, 3);
    o->rate_headers = chance(w, 300);
    o->idle_close_ms = chance(w, 300) ? 1000 + (uint32_t)below(w, 60000) : 0;
    o->requests_per_connection = chance(w, 200) ? 1 + (uint32_t)below(w, 20) : 0;
    o->upload_max = chance(w, 200) ? 3000 + below(w, 20000) : 0;
    o->webhook_delay_ms = (uint32_t)below(w, 3000);
    o->webhook_probe = chance(w, 500);
    o->deleted_vanish = w->plan.vanish;
    o->webhook_listings = w->plan.forms;
    o->empty_as_array = w->seed % 5 == 2 || w->plan.soak;
    w->service = sim_create(o);
    for (; chats > 0; chats--) {
        new_chat(w);
        for (uint64_t n = below(w, 4); n > 0; n--) {
            buyer_writes(w, w->chats[w->chat_count - 1]);
        }
        if (chance(w, 400)) {
            (void)sim_app_writes(w->service, w->chats[w->chat_count - 1], fresh_text(w));
        }
        w->now += (int64_t)around(w, 100000);
    }
    if (w->chat_count == 0) { /* an empty account: the first chat comes later */
        new_chat(w);
    }
    w->next_person = w->now + (int64_t)around(w, (uint64_t)w->plan.people_s * 1000);
    w->end += w->now - w->start;
    w->start = w->now;
}

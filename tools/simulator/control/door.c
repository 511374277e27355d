/* door.c - the requests of the control side: one table, JSON in and out. control_help() prints
 * it. */
#include "door.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct room {
    const char *method, *path;
    bool (*run)(control *c, cJSON *o);
    /* Names of members, or of parameters after "?": "!" required, "#" a number (or true), "{" an
     * object, "[" an array, else text. "*": any. */
    const char *takes;
    bool in_story;
    const char *says; /* what it does */
} room;

static const room rooms[] = {
    {"POST", "/chat", act_chat,
     "type buyer_name item_title price_string chat_id buyer_id# item_id# foreign#", true,
     "a new buyer; what is left out is made up. Gives chat_id. type: u2i (default), u2u, a2u. "
     "foreign: "
     "true for a chat that is somebody else's"},
    {"POST", "/message", act_message,
     "chat_id! author type text quote_id media_id content{ visible_after_ms#", true,
     "writes. Gives message_id. author: buyer (default), app, avito; type: text (default), image, "
     "voice, location, item, link, call, system ...; content: in place of what the type has"},
    {"POST", "/media", act_media, "data!", true,
     "a picture or a sound in base64, for /message. Gives media_id"},
    {"POST", "/read", act_read, "chat_id! by", true, "by: app (default) or buyer"},
    {"POST", "/delete", act_delete, "message_id!", true, "by whoever wrote it"},
    {"POST", "/fault", act_fault, "plan clear#", true,
     "what is to go wrong; {\"clear\":true}: nothing"},
    {"POST", "/tokens", act_tokens, "do!", true, "do: expire or revoke, all that were given"},
    {"POST", "/code", act_code, "scope", false, "an authorization code. Gives code"},
    {"POST", "/option", act_option, "*", true, "sets any of the options below; /state shows them"},
    {"POST", "/reset", act_reset, "chats#", false, "starts over, with this many chats"},
    {"POST", "/story", act_story, "story!# complete# steps[ wait_ms# write_answers# reset#", false,
     "plays what GET /story gave: waits up to wait_ms (10000) for each answer of the account, or "
     "with write_answers writes it itself; with reset starts over first, without chats. How it "
     "goes: story in /state"},
    {"GET", "/story", look_story, "", false, "all that was done, and the answers that came"},
    {"GET", "/state", look_state, "", false, "everything but messages, and the id for /changes"},
    {"GET", "/changes", look_changes, "after!", false,
     "events after that id; reset: ask /state again. /events: the same as server-sent events"},
    {"GET", "/messages", look_messages, "chat_id! limit", false,
     "of a chat: the newest 200, oldest first"},
    {"GET", "/request", look_request, "number!", false, "bodies of a request and its answer"},
    {"GET", "/stats", look_stats, "", false, "counters"},
    {"GET", "/chats", look_chats, "", false, "every chat"},
    {"GET", "/store", look_store, "", false, "every message, deleted and not yet visible ones too"},
    {"GET", "/uploads", look_uploads, "", false, "every image that was uploaded"}};

#define ROOMS (sizeof rooms / sizeof *rooms)

static const char help_head[] =
    "The control side of the simulated Avito service. The page is at /page/.\n"
    "\n"
    "POST takes a JSON object with Content-Type: application/json, GET takes parameters. Answers "
    "are\n"
    "JSON; one that is refused is {\"error\":\"why\"} with status 400. \"!\" marks what must be "
    "given.\n"
    "Host must be a name of this machine (option --name adds one), Origin this page or absent.\n"
    "\n";

static const char help_tail[] =
    "  GET  /events    server-sent events: chat, message, request, webhook, subscriptions, "
    "tokens,\n"
    "                  faults, options, story; and reset: ask /state again\n"
    "  GET  /media/ID  a picture or a voice message\n"
    "\n"
    "Faults: OPERATION:FAULT[,FAULT...][:COUNT[:SKIP]], for the next COUNT requests (1; 0: all) of "
    "the\n"
    "operation (* for any), after SKIP that go well. FAULT is one of\n"
    "  status=N body=NAME stored no_answer stored_no_answer stall stored_stall redirect "
    "location=URL\n"
    "  retry_after=TEXT early delay=MS pause=BYTE+MS slow=BYTES+MS interim=N length chunked[=N]\n"
    "  chunk_extras until_close huge_head[=N] wrong_length=N cut=N corrupt=N close close_silently "
    "reset\n"
    "Operations:";

/* What body=NAME can say; simulator.h shows them. */
#define BODY_NAME(name, word, status) word,
static const char *const bodies[] = {SIM_BODIES(BODY_NAME)};
#undef BODY_NAME

/* Lines of at most 100 characters, indented. */
static void put_wrapped(simi_buf *b, const char *text)
{
    size_t column = 100;
    for (const char *p = text; *p != '\0';) {
        size_t n = strcspn(p, " ");
        if (column + 1 + n > 100) {
            simi_puts(b, "\n                 ");
            column = 17;
        }
        simi_putf(b, " %.*s", (int)n, p);
        column += 1 + n;
        p += n + (p[n] == ' ' ? 1 : 0);
    }
    simi_puts(b, "\n");
}

void control_help(simi_buf *b)
{
    simi_puts(b, help_head);
    for (size_t i = 0; i < ROOMS; i++) {
        simi_putf(b, "  %-4s %s", rooms[i].method, rooms[i].path);
        for (const char *p = rooms[i].takes; *p != '\0' && *p != '*';) {
            size_t n = strcspn(p, " ");
            simi_putf(b, " %.*s%s", (int)strcspn(p, " !#{["), p,
                      memchr(p, '!', n) != NULL ? "!" : "");
            p += n + (p[n] == ' ' ? 1 : 0);
        }
        put_wrapped(b, rooms[i].says);
    }
    simi_puts(b, help_tail);
    for (int op = SIM_NO_OPERATION + 1; op < SIM_OPERATION_COUNT; op++) {
        simi_putf(b, "%s%s", op % 5 == 1 ? "\n  " : " ", sim_operation_name((sim_operation)op));
    }
    simi_puts(b, "\nBodies, in their order:");
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        simi_putf(b, "%s%s", i % 9 == 0 ? "\n  " : " ", bodies[i]);
    }
    simi_puts(b, "\n\nOptions, whole numbers; a flag is 0 or 1 (or false, true):\n");
    options_help(b);
}

/* ---------------------------------------------------------------- from a request to its room */

static const char *find_taken(const char *takes, const char *name, size_t len)
{
    for (const char *p = takes; *p != '\0';) {
        size_t n = strcspn(p, " "), word = strcspn(p, " !#{[");
        if (word == len && memcmp(p, name, len) == 0) {
            return p;
        }
        p += n + (p[n] == ' ' ? 1 : 0);
    }
    return NULL;
}

static bool fits(const char *taken, const cJSON *v)
{
    const char *mark = taken + strcspn(taken, " !#{[");
    mark += *mark == '!' ? 1 : 0;
    return *mark == '#'   ? value_is_whole(v)
           : *mark == '{' ? cJSON_IsObject(v)
           : *mark == '[' ? cJSON_IsArray(v)
                          : cJSON_IsString(v);
}

static bool wrong_member(control *c, const char *name, const char *what)
{
    simi_putf(&c->reply, "%s: %.60s", what, name);
    return control_refuse(c, "");
}

/* Members that are null count as absent, so that scripts can leave things out. */
static bool check_members(control *c, const room *r, cJSON *o)
{
    cJSON *next;
    if (strcmp(r->takes, "*") == 0) {
        return true;
    }
    for (cJSON *v = o->child; v != NULL; v = next) {
        next = v->next;
        const char *taken = find_taken(r->takes, v->string, strlen(v->string));
        if (cJSON_IsNull(v)) {
            cJSON_Delete(cJSON_DetachItemViaPointer(o, v));
        } else if (taken == NULL) {
            return wrong_member(c, v->string, "not known here (see /)");
        } else if (!fits(taken, v)) {
            return wrong_member(c, v->string, "of another type than it must be");
        }
    }
    for (const char *p = r->takes; *p != '\0';) {
        size_t n = strcspn(p, " "), word = strcspn(p, " !#{[");
        char name[32];
        (void)snprintf(name, sizeof name, "%.*s", (int)word, p);
        if (p[word] == '!' && !cJSON_HasObjectItem(o, name)) {
            return wrong_member(c, name, "must be given");
        }
        p += n + (p[n] == ' ' ? 1 : 0);
    }
    return true;
}

/* The parameters of a GET as an object of texts. NULL: not well-formed. */
static cJSON *parameters(const char *query)
{
    cJSON *o = cJSON_CreateObject();
    while (query != NULL && *query != '\0') {
        size_t n = strcspn(query, "&"), name = strcspn(query, "=");
        char *text = simi_alloc(NULL, 2 * n + 2), *value = text + n + 1;
        bool good = name < n && simi_percent_decode(query, name, true, text) &&
                    simi_percent_decode(query + name + 1, n - name - 1, true, value);
        if (good) {
            (void)cJSON_AddStringToObject(o, text, value);
        }
        free(text);
        if (!good) {
            cJSON_Delete(o);
            return NULL;
        }
        query += n + (query[n] == '&' ? 1 : 0);
    }
    return o;
}

static bool run_room(control *c, const room *r, cJSON *o)
{
    c->reply.len = 0;
    simi_put(&c->reply, "", 0);
    c->why = "not a JSON object";
    return cJSON_IsObject(o) && check_members(c, r, o) && r->run(c, o);
}

/* The id in {"chat_id":"..."} and its like; "" if there is none. */
static const char *given_id(control *c)
{
    cJSON *reply = cJSON_ParseWithLength(c->reply.p, c->reply.len);
    const char *id = reply != NULL && cJSON_IsString(reply->child) ? reply->child->valuestring : "";
    (void)snprintf(c->gave, sizeof c->gave, "%s", id);
    cJSON_Delete(reply);
    return c->gave;
}

const char *control_post(control *c, const char *path, cJSON *body)
{
    for (size_t i = 0; i < ROOMS; i++) {
        if (strcmp(rooms[i].path, path) != 0 || strcmp(rooms[i].method, "POST") != 0) {
            continue;
        }
        const char *id = NULL;
        if (run_room(c, &rooms[i], body)) {
            id = given_id(c);
            if (rooms[i].in_story) {
                story_record_answers(&c->story, c->service);
                story_record(&c->story, path, body, id);
            }
        }
        cJSON_Delete(body);
        return id;
    }
    cJSON_Delete(body);
    c->why = "no such path";
    return NULL;
}

static const char *media_type(const char *type)
{
    static const char *const pictures[][2] = {{"jpeg", "image/jpeg"},
                                              {"png", "image/png"},
                                              {"gif", "image/gif"},
                                              {"bmp", "image/bmp"},
                                              {"heic", "image/heic"}};
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) {
        if (strcmp(pictures[i][0], type) == 0) {
            return pictures[i][1];
        }
    }
    return type;
}

static control_answer json_answer(control *c, int status)
{
    return (control_answer){status, "application/json; charset=utf-8", c->reply.p, c->reply.len,
                            false};
}

static control_answer error_answer(control *c, int status, const char *why)
{
    simi_buf text = {0};
    simi_puts(&text, why[0] != '\0' ? why : c->reply.p);
    c->reply.len = 0;
    simi_puts(&c->reply, "{\"error\":");
    simi_put_json(&c->reply, text.p);
    simi_puts(&c->reply, "}");
    simi_free(&text);
    return json_answer(c, status);
}

static control_answer media_answer(control *c, const char *id)
{
    sim_media_info m;
    if (!sim_find_media(c->service, id, &m)) {
        return error_answer(c, 404, "no such picture or voice message is kept");
    }
    return (control_answer){200, media_type(m.type), m.bytes, m.len, true};
}

control_answer control_ask(control *c, const char *method, const char *target, const char *body,
                           size_t body_len)
{
    const char *query = strchr(target, '?');
    size_t len = query != NULL ? (size_t)(query - target) : strlen(target);
    bool known = false;
    if (strncmp(target, "/media/", 7) == 0 && strcmp(method, "GET") == 0) {
        return media_answer(c, target + 7);
    }
    for (size_t i = 0; i < ROOMS; i++) {
        const room *r = &rooms[i];
        if (strlen(r->path) != len || memcmp(r->path, target, len) != 0) {
            continue;
        }
        known = true;
        if (strcmp(r->method, method) != 0) {
            continue;
        }
        bool post = strcmp(method, "POST") == 0;
        if (post) {
            bool good = control_post(c, r->path, cJSON_ParseWithLength(body, body_len)) != NULL;
            return good ? json_answer(c, 200) : error_answer(c, 400, c->why);
        }
        cJSON *o = parameters(query != NULL ? query + 1 : NULL);
        bool good = run_room(c, r, o);
        cJSON_Delete(o);
        return good ? json_answer(c, 200) : error_answer(c, 400, c->why);
    }
    return known ? error_answer(c, 405, "another method is for this path, see /")
                 : error_answer(c, 404, "no such path, see /");
}

/* ---------------------------------------------------------------- time */

static const char *run_step(void *ctx, const char *path, cJSON *body, const char **why)
{
    control *c = ctx;
    const char *id = control_post(c, path, body);
    *why = c->why[0] != '\0' ? c->why : c->reply.p;
    return id;
}

void control_tick(control *c)
{
    story_record_answers(&c->story, c->service);
    if (story_tick(&c->story, c->service, simi_now(c->service), run_step, c)) {
        story_put_state(&c->story, feed_add(&c->feed, "story"));
    }
}

int64_t control_next_ms(const control *c)
{
    return c->story.state == STORY_PLAYING && c->story.deadline_ms != 0 ? c->story.deadline_ms
                                                                        : INT64_MAX;
}

/* simulator_client.h - requests to the simulator, written by hand and read without the client under
 * test: http-parser reads the answers, cJSON their bodies. For simulator_*_test.c. */
#ifndef SIMULATOR_CLIENT_H
#define SIMULATOR_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <http_parser.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/simulator/simulator.h"

#define ACCOUNT  "350000001"
#define START_MS 1754916287000 /* 2025-08-11T12:44:47Z */
#define FORM     "application/x-www-form-urlencoded"
#define JSON     "application/json"

typedef struct world {
    sim *service;
    sim_conn *conn;
    int64_t now;
    char token[2000];
    const char *chat;
    size_t split; /* bytes at a time; 0: all at once */
} world;

typedef struct reply {
    int status;
    char *body; /* without the framing; NUL-terminated */
    size_t len;
    char *raw; /* as it came */
    size_t raw_len;
    bool complete, keep_alive;
    char header[128]; /* value of the header that was asked for, see want_header */
    cJSON *json;      /* NULL if the body is not JSON */
} reply;

static const char *want_header = "";

static int64_t world_clock(void *ctx)
{
    return ((world *)ctx)->now;
}

/* ---------------------------------------------------------------- reading answers */

typedef struct reading {
    reply *r;
    char name[128];
} reading;

static int rd_field(http_parser *p, const char *at, size_t len)
{
    reading *g = p->data;
    (void)snprintf(g->name, sizeof g->name, "%.*s", (int)len, at);
    return 0;
}

static int rd_value(http_parser *p, const char *at, size_t len)
{
    reading *g = p->data;
    if (strcmp(g->name, want_header) == 0) {
        (void)snprintf(g->r->header, sizeof g->r->header, "%.*s", (int)len, at);
    }
    return 0;
}

static int rd_body(http_parser *p, const char *at, size_t len)
{
    reply *r = ((reading *)p->data)->r;
    r->body = realloc(r->body, r->len + len + 1);
    memcpy(r->body + r->len, at, len);
    r->len += len;
    r->body[r->len] = '\0';
    return 0;
}

static int rd_complete(http_parser *p)
{
    reply *r = ((reading *)p->data)->r;
    if (p->status_code >= 200) {
        r->complete = true;
        r->status = (int)p->status_code;
        r->keep_alive = http_should_keep_alive(p) != 0;
        http_parser_pause(p, 1);
    }
    return 0;
}

/* Reads r->raw; `ended`: the connection was closed after it. */
static void read_reply(reply *r, bool ended)
{
    http_parser parser;
    http_parser_settings s;
    reading g = {r, ""};
    memset(&s, 0, sizeof s);
    s.on_header_field = rd_field;
    s.on_header_value = rd_value;
    s.on_body = rd_body;
    s.on_message_complete = rd_complete;
    http_parser_init(&parser, HTTP_RESPONSE);
    parser.data = &g;
    r->body = calloc(1, 1);
    (void)http_parser_execute(&parser, &s, r->raw, r->raw_len);
    if (!r->complete && ended && HTTP_PARSER_ERRNO(&parser) == HPE_OK) {
        (void)http_parser_execute(&parser, &s, r->raw, 0);
    }
    if (!r->complete) {
        r->status = (int)parser.status_code;
    }
    r->json = cJSON_Parse(r->body);
}

static void reply_free(reply *r)
{
    cJSON_Delete(r->json);
    free(r->body);
    free(r->raw);
    memset(r, 0, sizeof *r);
}

/* ---------------------------------------------------------------- exchanging bytes */

static void take_bytes(world *w, reply *r)
{
    char bytes[997];
    size_t n;
    size_t cap = w->split != 0 && w->split < sizeof bytes ? w->split : sizeof bytes;
    while ((n = sim_conn_send(w->conn, bytes, cap)) != 0) {
        r->raw = realloc(r->raw, r->raw_len + n + 1);
        memcpy(r->raw + r->raw_len, bytes, n);
        r->raw_len += n;
        r->raw[r->raw_len] = '\0';
    }
}

/* Sends on the world's connection, which is opened if there is none, and dropped if it ended. */
static reply send_bytes(world *w, const void *bytes, size_t len)
{
    reply r;
    memset(&r, 0, sizeof r);
    if (w->conn == NULL) {
        w->conn = sim_conn_open(w->service);
    }
    size_t step = w->split != 0 ? w->split : len;
    for (size_t i = 0; i < len; i += step) {
        (void)sim_conn_receive(w->conn, (const char *)bytes + i, len - i < step ? len - i : step);
    }
    take_bytes(w, &r);
    bool ended = sim_conn_state(w->conn) != SIM_CONN_OPEN;
    if (r.raw_len != 0) {
        read_reply(&r, ended);
    }
    if (ended) {
        sim_conn_close(w->conn);
        w->conn = NULL;
    }
    return r;
}

static reply send_text(world *w, const char *text)
{
    return send_bytes(w, text, strlen(text));
}

/* One request with the world's token. type NULL: no body. */
static reply ask(world *w, const char *method, const char *target, const char *type,
                 const char *body)
{
    size_t cap = strlen(target) + strlen(w->token) + (body != NULL ? strlen(body) : 0) + 400;
    char *text = malloc(cap);
    int n = snprintf(text, cap, "%s %s HTTP/1.1\r\nHost: api.avito.ru\r\n", method, target);
    if (w->token[0] != '\0') {
        n += snprintf(text + n, cap - (size_t)n, "Authorization: Bearer %s\r\n", w->token);
    }
    if (type != NULL) {
        n += snprintf(text + n, cap - (size_t)n, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                      type, strlen(body));
    } else if (strcmp(method, "POST") == 0) {
        n += snprintf(text + n, cap - (size_t)n, "Content-Length: 0\r\n");
    }
    n += snprintf(text + n, cap - (size_t)n, "\r\n%s", body != NULL ? body : "");
    reply r = send_bytes(w, text, (size_t)n);
    free(text);
    return r;
}

static reply get(world *w, const char *target)
{
    return ask(w, "GET", target, NULL, NULL);
}

static reply post(world *w, const char *target, const char *json)
{
    return ask(w, "POST", target, json != NULL ? JSON : NULL, json);
}

/* "/messenger/VERSION/accounts/ACCOUNT/REST"; "%s" in REST becomes the world's chat. Good until
 * the next call but three. */
static const char *path(world *w, const char *version, const char *rest)
{
    static char texts[4][512];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    const char *chat = strstr(rest, "%s");
    int before = chat != NULL ? (int)(chat - rest) : (int)strlen(rest);
    (void)snprintf(text, sizeof texts[0], "/messenger/%s/accounts/" ACCOUNT "/%.*s%s%s", version,
                   before, rest, chat != NULL ? w->chat : "", chat != NULL ? chat + 2 : "");
    return text;
}

/* ---------------------------------------------------------------- looking into answers */

/* "chats.0.last_message.id" */
static const cJSON *at(const cJSON *json, const char *where)
{
    char key[64];
    while (json != NULL && *where != '\0') {
        size_t n = strcspn(where, ".");
        (void)snprintf(key, sizeof key, "%.*s", (int)n, where);
        json = cJSON_IsArray(json) ? cJSON_GetArrayItem(json, atoi(key))
                                   : cJSON_GetObjectItemCaseSensitive(json, key);
        where += n + (where[n] == '.' ? 1 : 0);
    }
    return json;
}

static const char *text_at(const reply *r, const char *where)
{
    const cJSON *v = at(r->json, where);
    return cJSON_IsString(v) ? v->valuestring : "(none)";
}

static double number_at(const reply *r, const char *where)
{
    const cJSON *v = at(r->json, where);
    return cJSON_IsNumber(v) ? v->valuedouble : -1e300;
}

static size_t count_at(const reply *r, const char *where)
{
    return (size_t)cJSON_GetArraySize(at(r->json, where));
}

#define assert_status(r, expected)                                                                 \
    do {                                                                                           \
        if ((r).status != (expected)) {                                                            \
            print_error("status %d, not %d: %s\n", (r).status, (expected), (r).body);              \
        }                                                                                          \
        assert_int_equal((r).status, (expected));                                                  \
        assert_true((r).complete);                                                                 \
    } while (0)

/* Sends the request; the status must be this one and, if `field` is not NULL, error.fields must
 * have it. */
static void expect(reply r, int status, const char *field)
{
    assert_status(r, status);
    if (field != NULL) {
        const cJSON *fields = at(r.json, "error.fields");
        if (cJSON_GetObjectItemCaseSensitive(fields, field) == NULL) {
            print_error("no field '%s' in %s\n", field, r.body);
        }
        assert_non_null(cJSON_GetObjectItemCaseSensitive(fields, field));
    }
    reply_free(&r);
}

/* ---------------------------------------------------------------- a world */

static reply ask_token(world *w, const char *form)
{
    char kept[sizeof w->token];
    memcpy(kept, w->token, sizeof kept);
    w->token[0] = '\0';
    reply r = ask(w, "POST", "/token", FORM, form);
    memcpy(w->token, kept, sizeof kept);
    return r;
}

#define CREDENTIALS                                                                                \
    "client_id=client-id-for-tests&client_secret=client-secret-for-tests-0123456789abcdef"

static void log_in(world *w)
{
    reply r = ask_token(w, "grant_type=client_credentials&" CREDENTIALS);
    assert_status(r, 200);
    (void)snprintf(w->token, sizeof w->token, "%s", text_at(&r, "access_token"));
    reply_free(&r);
}

static world world_with(sim_options *o, world *self)
{
    memset(self, 0, sizeof *self);
    self->now = START_MS;
    o->clock_ms = world_clock;
    o->ctx = self;
    self->service = sim_create(o);
    self->chat = sim_add_chat(self->service, NULL);
    log_in(self);
    return *self;
}

static void world_end(world *w)
{
    sim_conn_close(w->conn);
    sim_destroy(w->service);
}

/* A world for each test. */
static int setup(void **state)
{
    world *w = malloc(sizeof *w);
    sim_options o = sim_options_default();
    (void)world_with(&o, w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_end(*state);
    free(*state);
    return 0;
}

#endif

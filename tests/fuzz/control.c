/*
 * Any requests to the simulator's control side, many in a row.
 *
 *     input: lines, "POST /path {json}" or "GET /path?name=value", or "WAIT milliseconds"
 *
 * What must hold: each answer has a status of the table, and is JSON where it says so; a refusal
 * says why; the recorded story is JSON, and can be played again without a crash.
 * Rooms: none.
 */
#include "fuzz.h"

#include "tools/simulator/control/control.h"

static struct {
    int64_t now_ms;
    control control;
} w;

static int64_t clock_ms(void *ctx)
{
    (void)ctx;
    return w.now_ms;
}

static void on_event(void *ctx, const sim_event *event)
{
    (void)ctx;
    feed_take(&w.control.feed, event);
}

static void begin(void)
{
    sim_options o = sim_options_default();

    o.clock_ms = clock_ms;
    o.event = on_event;
    o.media_keep = 100000;
    w.control.service = sim_create(&o);
    feed_begin(&w.control.feed, w.control.service, 7);
    story_begin(&w.control.story);
}

static void end(void)
{
    story_end(&w.control.story);
    sim_destroy(w.control.service);
    feed_end(&w.control.feed);
}

static bool reset(void *ctx, int64_t chats)
{
    (void)ctx;
    if (chats > 100) {
        return false;
    }
    end();
    begin();
    w.control.reply.len = 0;
    return true;
}

static void check(const control_answer *a)
{
    MUST(a->status == 200 || a->status == 400 || a->status == 404 || a->status == 405);
    MUST(a->type != NULL && (a->body != NULL || a->len == 0));
    if (strncmp(a->type, "application/json", 16) == 0) {
        cJSON *o = cJSON_ParseWithLength(a->body, a->len);
        MUST(o != NULL);
        MUST(a->status == 200 || cJSON_IsString(cJSON_GetObjectItem(o, "error")));
        cJSON_Delete(o);
    }
}

/* Does what a line of the input says. */
static void ask(char *line)
{
    char *target = strchr(line, ' '), *body;
    control_answer a;

    if (target == NULL) {
        return;
    }
    *target++ = '\0';
    if (strcmp(line, "WAIT") == 0) {
        w.now_ms += strtoul(target, NULL, 10) % 100000u;
        (void)sim_next_event_ms(w.control.service);
        control_tick(&w.control);
        return;
    }
    body = strchr(target, ' ');
    if (body != NULL) {
        *body++ = '\0';
    }
    a = control_ask(&w.control, line, target, body != NULL ? body : "",
                    body != NULL ? strlen(body) : 0);
    check(&a);
}

/* The next one plays what was recorded. */
static void play_again(void)
{
    control_answer a = control_ask(&w.control, "GET", "/story", "", 0);
    char *body = fuzz_copy(a.body, a.len);
    const size_t len = a.len;

    check(&a);
    MUST(a.status == 200);
    (void)reset(NULL, -1);
    a = control_ask(&w.control, "POST", "/story", body, len);
    check(&a);
    for (int i = 0; i < 20; i++) {
        w.now_ms += 1000;
        control_tick(&w.control);
    }
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_memory(size + 1), *line;

    memset(&w, 0, sizeof w);
    w.now_ms = 1754916287000;
    w.control.clock_ms = clock_ms;
    w.control.reset = reset;
    w.control.tcp_port = 8080;
    memcpy(text, data, size);
    text[size] = '\0';
    begin();
    for (line = text; line != NULL;) {
        char *next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        ask(line);
        line = next;
    }
    play_again();
    end();
    simi_free(&w.control.reply);
    free(text);
    return 0;
}

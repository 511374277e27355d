/* simulator_http_test.c - the simulated service as an HTTP server: any split of the bytes, what
 * it refuses to read, the framings of its answers, and everything that can go wrong on purpose.
 * Rooms: none. */
#include "simulator_client.h"

#define SELF      "/core/v1/accounts/self"
#define SEND_BODY "{\"message\":{\"text\":\"привет\"},\"type\":\"text\"}"

static void plan_once(world *w, const char *text)
{
    sim_clear_faults(w->service);
    assert_true(sim_plan_fault(w->service, text));
}

static size_t stored(world *w)
{
    size_t n = 0;
    while (sim_message_at(w->service, n, &(sim_message_info){0})) {
        n++;
    }
    return n;
}

static reply send_message(world *w)
{
    return post(w, path(w, "v1", "chats/%s/messages"), SEND_BODY);
}

/* ---------------------------------------------------------------- reading requests */

static void test_every_split(void **state)
{
    world *w = *state;
    reply whole = get(w, SELF);
    for (size_t split = 1; split < 200; split++) {
        w->split = split;
        reply r = get(w, SELF);
        assert_status(r, 200);
        assert_int_equal(r.raw_len, whole.raw_len);
        assert_memory_equal(r.raw, whole.raw, r.raw_len);
        reply_free(&r);
        expect(send_message(w), 200, NULL);
    }
    reply_free(&whole);
    assert_int_equal(stored(w), 199);
    assert_int_equal(sim_get_stats(w->service)->connections, 1); /* kept alive */
}

static void test_requests_one_after_the_other(void **state)
{
    world *w = *state;
    char text[800];
    (void)snprintf(text, sizeof text,
                   "GET " SELF " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %.60s\r\n\r\n"
                   "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n",
                   w->token);
    reply r = send_text(w, text); /* both came at once: two answers, in order */
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.raw, "HTTP/1.1 404 Not Found\r\n"));
    assert_int_equal(sim_get_stats(w->service)->requests, 3);
    reply_free(&r);
}

static void broken(world *w, const char *text, int status)
{
    uint64_t before = sim_get_stats(w->service)->broken_requests;
    reply r = send_text(w, text);
    if (r.status != status) {
        print_error("%s\n", text);
    }
    assert_int_equal(r.status, status);
    assert_true(r.complete);
    assert_null(w->conn); /* closed */
    assert_int_equal(sim_get_stats(w->service)->broken_requests, before + 1);
    reply_free(&r);
}

static void test_broken_requests(void **state)
{
    world *w = *state;
    broken(w, "GET " SELF " HTTP/1.1\r\n\r\n", 400);
    broken(w, "GET " SELF " HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400);
    broken(w, "GET " SELF " HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400);
    broken(w, "GET " SELF " HTTP/1.1\nHost: a\r\n\r\n", 400);
    broken(w, "GET " SELF " HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400);
    broken(w, "GET " SELF " HTTP/1.1\r\nHost : a\r\n\r\n", 400);
    broken(w, "GET " SELF " HTTP/1.1\r\nHost: a\r\nX: y\x01\r\n\r\n", 400);
    broken(w, "GET " SELF " HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", 400);
    broken(w, "GET " SELF "#x HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    broken(w, "GET " SELF " x HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    broken(w, "GET http://api.avito.ru" SELF " HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    broken(w, "nonsense\r\n\r\n", 400);
    broken(w, "POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
           400);
    broken(w, "POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400);
    broken(w, "POST /token HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
           400);
    broken(w,
           "POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
           "Transfer-Encoding: chunked\r\n\r\n",
           400);
    broken(w, "POST /token HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 411);
    broken(w,
           "GET " SELF " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\n"
           "Authorization: Bearer a\r\n\r\n",
           400);
    assert_int_equal(stored(w), 0);
}

static unsigned chance(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*state >> 40);
}

/* Good requests with some bytes changed: they get an answer or silence, and nothing worse. */
static void test_any_bytes(void **state)
{
    world *w = *state;
    uint64_t r = 12345;
    char base[3][600];
    (void)snprintf(base[0], sizeof base[0],
                   "GET %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %.60s"
                   "\r\n\r\n",
                   path(w, "v2", "chats?limit=3&item_ids=1,2&chat_types=u2i"), w->token);
    (void)snprintf(base[1], sizeof base[1],
                   "POST %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %.60s"
                   "\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                   path(w, "v1", "chats/%s/messages"), w->token, strlen(SEND_BODY), SEND_BODY);
    (void)snprintf(
        base[2], sizeof base[2],
        "POST %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %.60s"
        "\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 105\r\n\r\n"
        "--b\r\nContent-Disposition: form-data; name=\"uploadfile[]\"; filename=\"a\"\r\n\r\n"
        "GIF89a0000000\r\n--b--\r\n",
        path(w, "v1", "uploadImages"), w->token);
    for (int round = 0; round < 6000; round++) {
        char text[600];
        size_t len = strlen(base[round % 3]);
        memcpy(text, base[round % 3], len);
        for (unsigned i = chance(&r) % 4; i > 0; i--) {
            text[chance(&r) % len] = (char)chance(&r);
        }
        reply answer = send_bytes(w, text, len);
        assert_true(answer.raw_len == 0 || answer.status >= 200);
        reply_free(&answer);
        sim_conn_close(w->conn);
        w->conn = NULL;
    }
    assert_true(sim_get_stats(w->service)->broken_requests > 500);
    assert_true(sim_get_stats(w->service)->by_status[200] > 1000);
}

static void test_head_too_long(void **state)
{
    world *w = *state;
    static char text[40000];
    (void)strcpy(text, "GET " SELF " HTTP/1.1\r\nHost: a\r\nX: ");
    size_t n = strlen(text);
    memset(text + n, 'x', 33000);
    (void)strcpy(text + n + 33000, "\r\n\r\n");
    broken(w, text, 400);
}

static void test_body_limit(void **state)
{
    world *w = *state;
    char text[300];
    (void)snprintf(text, sizeof text,
                   "POST /messenger/v3/webhook HTTP/1.1\r\nHost: a\r\n"
                   "Content-Length: 65537\r\n\r\n{");
    reply r = send_text(w, text);
    assert_status(r, 413);
    assert_null(w->conn);
    reply_free(&r);
}

static void test_chunked_request_if_allowed(void **state)
{
    world *w = *state;
    char text[600];
    sim_live(w->service)->accept_chunked_requests = true;
    (void)snprintf(
        text, sizeof text,
        "POST /messenger/v3/webhook HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %.60s\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        "8\r\n{\"url\":\"\r\n12\r\nhttps://a.example\"\r\n1\r\n}\r\n0\r\n\r\n",
        w->token);
    expect(send_text(w, text), 200, NULL);
    assert_string_equal(sim_subscription_at(w->service, 0), "https://a.example");
}

static void test_expect_continue(void **state)
{
    world *w = *state;
    char text[600];
    (void)snprintf(text, sizeof text,
                   "POST /token HTTP/1.1\r\nHost: a\r\nContent-Type: " FORM "\r\n"
                   "Expect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
                   strlen("grant_type=client_credentials&" CREDENTIALS));
    reply r = send_text(w, text);
    assert_string_equal(r.raw, "HTTP/1.1 100 Continue\r\n\r\n");
    reply_free(&r);
    expect(send_text(w, "grant_type=client_credentials&" CREDENTIALS), 200, NULL);
}

static void test_connections_end(void **state)
{
    world *w = *state;
    char text[300];
    (void)snprintf(text, sizeof text,
                   "GET " SELF " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                   "Authorization: Bearer %.60s\r\n\r\n",
                   w->token);
    reply r = send_text(w, text);
    assert_status(r, 200);
    assert_false(r.keep_alive);
    assert_null(w->conn);
    reply_free(&r);
    (void)snprintf(text, sizeof text,
                   "GET " SELF " HTTP/1.0\r\n"
                   "Authorization: Bearer %.60s\r\n\r\n",
                   w->token);
    expect(send_text(w, text), 200, NULL);
    assert_null(w->conn);
    sim_live(w->service)->requests_per_connection = 2;
    r = get(w, SELF);
    assert_true(r.keep_alive);
    reply_free(&r);
    r = get(w, SELF);
    assert_false(r.keep_alive);
    assert_null(w->conn);
    reply_free(&r);
}

static void test_idle_connection_is_closed(void **state)
{
    world *w = *state;
    sim_live(w->service)->idle_close_ms = 1000;
    expect(get(w, SELF), 200, NULL);
    assert_true(sim_next_event_ms(w->service) == START_MS + 1000);
    w->now += 999;
    assert_int_equal(sim_conn_state(w->conn), SIM_CONN_OPEN);
    w->now += 1;
    assert_int_equal(sim_conn_state(w->conn), SIM_CONN_CLOSED);
    assert_false(sim_conn_receive(w->conn, "GET", 3));
}

/* ---------------------------------------------------------------- framings */

static void test_framings(void **state)
{
    world *w = *state;
    sim_options *o = sim_live(w->service);
    reply length = get(w, SELF);
    for (size_t chunk = 1; chunk < 250; chunk += 31) {
        o->framing = SIM_FRAMING_CHUNKED;
        o->chunk_size = chunk;
        want_header = "Transfer-Encoding";
        reply r = get(w, SELF);
        assert_status(r, 200);
        assert_string_equal(r.header, "chunked");
        assert_string_equal(r.body, length.body);
        reply_free(&r);
    }
    want_header = "Content-Length";
    o->framing = SIM_FRAMING_CLOSE;
    reply r = get(w, SELF);
    assert_status(r, 200);
    assert_string_equal(r.header, "");
    assert_string_equal(r.body, length.body);
    assert_null(w->conn);
    reply_free(&r);
    want_header = "";
    o->framing = SIM_FRAMING_LENGTH;
    o->head_padding = 32768;
    r = get(w, SELF);
    assert_status(r, 200);
    assert_true(r.raw_len > 32768);
    assert_string_equal(r.body, length.body);
    reply_free(&r);
    reply_free(&length);
    assert_int_equal(w->conn != NULL, 1);
}

static void test_planned_framings(void **state)
{
    world *w = *state;
    reply plain = get(w, SELF);
    static const char *const plans[] = {"get_self:chunked",       "get_self:chunked=1,chunk_extras",
                                        "get_self:until_close",   "get_self:huge_head",
                                        "get_self:huge_head=10",  "get_self:interim=3",
                                        "get_self:close",         "get_self:length",
                                        "get_self:close_silently"};
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        plan_once(w, plans[i]);
        reply r = get(w, SELF);
        assert_status(r, 200);
        assert_string_equal(r.body, plain.body);
        if (i != 7) { /* "length" is the default */
            assert_true(r.raw_len != plain.raw_len || w->conn == NULL);
        }
        reply_free(&r);
    }
    reply_free(&plain);
}

/* ---------------------------------------------------------------- error bodies */

static void test_every_error_body(void **state)
{
    world *w = *state;
    static const struct {
        const char *word;
        int status;
        const char *in_body;
    } bodies[] = {
        {"spec", 500, "{\"error\":{\"code\":500,\"message\":\""},
        {"fields", 400, "\"fields\":{\"limit\":"},
        {"fields_null", 400, "\"fields\":null"},
        {"permission", 403, "{\"error\":{\"message\":\"permission denied\"}}"},
        {"expired", 403, "{\"result\":{\"status\":false,\"message\":\"access token expired\"}}"},
        {"messages", 400, "{\"result\":{\"status\":\"error\",\"messages\":["},
        {"errors", 400, "{\"errors\":[\""},
        {"message_code", 400, "\"code\":400}"},
        {"gateway", 404, "{\"message\":\"no Route matched with those values\"}"},
        {"oauth", 401, "{\"error\":\"invalid_client\",\"error_description\":"},
        {"oauth_short", 401, "{\"error\":\"invalid_client\"}"},
        {"firewall", 403, "<title>Доступ ограничен: проблема с IP</title>"},
        {"ip_block", 403, "{\"code\":403,\"error\":{\"message\":\""},
        {"empty", 500, ""},
        {"cut_json", 500, "{\"chats\":[{\"id\":\"u2i-broken\""},
        {"plain", 502, "upstream"},
        {"null", 500, "null"},
        {"array", 200, "[]"}};
    assert_int_equal(sizeof bodies / sizeof *bodies, SIM_BODY_COUNT - 1);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "send_message:body=%s", bodies[i].word);
        plan_once(w, text);
        reply r = send_message(w);
        assert_status(r, bodies[i].status);
        assert_non_null(strstr(r.body, bodies[i].in_body));
        assert_true(bodies[i].in_body[0] != '\0' || r.len == 0);
        reply_free(&r);
        for (int status = 200; status <= 418; status += 218) { /* even with the status 200 */
            (void)snprintf(text, sizeof text, "send_message:body=%s,status=%d", bodies[i].word,
                           status);
            plan_once(w, text);
            expect(send_message(w), status, NULL);
        }
    }
    assert_int_equal(stored(w), 0); /* a refusal stores nothing */
}

static void test_retry_after_and_redirect(void **state)
{
    world *w = *state;
    want_header = "Retry-After";
    plan_once(w, "get_self:status=503,retry_after=-7");
    reply r = get(w, SELF);
    assert_status(r, 503);
    assert_string_equal(r.header, "-7");
    reply_free(&r);
    want_header = "Location";
    plan_once(w, "get_self:redirect");
    r = get(w, SELF);
    assert_status(r, 302);
    assert_string_equal(r.header, "https://www.avito.ru/");
    reply_free(&r);
    plan_once(w, "get_self:status=308,location=https://evil.example:8443/x:1");
    r = get(w, SELF);
    assert_status(r, 308);
    assert_string_equal(r.header, "https://evil.example:8443/x");
    reply_free(&r);
    want_header = "";
    expect(get(w, SELF), 200, NULL);
}

/* ---------------------------------------------------------------- lost answers */

static void test_stored_but_no_answer(void **state)
{
    world *w = *state;
    static const struct {
        const char *plan;
        size_t stored;
        bool closed;
    } ways[] = {{"send_message:no_answer", 0, true},
                {"send_message:stored_no_answer", 1, true},
                {"send_message:stall", 0, false},
                {"send_message:stored_stall", 1, false},
                {"send_message:stored,no_answer,reset", 1, true},
                {"send_message:cut=0", 1, true}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        size_t before = stored(w);
        plan_once(w, ways[i].plan);
        reply r = send_message(w);
        assert_int_equal(r.raw_len, 0);
        assert_int_equal(stored(w) - before, ways[i].stored);
        assert_int_equal(w->conn == NULL, ways[i].closed);
        reply_free(&r);
        if (!ways[i].closed) {
            assert_true(sim_conn_busy(w->conn));
            r = send_message(w); /* it stays silent, whatever is sent */
            assert_int_equal(r.raw_len, 0);
            assert_int_equal(stored(w) - before, ways[i].stored);
            reply_free(&r);
            sim_conn_close(w->conn);
            w->conn = NULL;
        }
    }
    plan_once(w, "send_message:stored,status=500");
    size_t before = stored(w);
    expect(send_message(w), 500, NULL);
    assert_int_equal(stored(w), before + 1);
    expect(send_message(w), 200, NULL); /* once */
}

static void test_reset(void **state)
{
    world *w = *state;
    plan_once(w, "get_self:cut=20,reset");
    w->conn = sim_conn_open(w->service);
    char text[300];
    int n = snprintf(text, sizeof text, "GET " SELF " HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(sim_conn_receive(w->conn, text, (size_t)n));
    assert_int_equal(sim_conn_pending(w->conn), 20);
    assert_int_equal(sim_conn_state(w->conn), SIM_CONN_OPEN);
    assert_int_equal(sim_conn_send(w->conn, text, sizeof text), 20);
    assert_memory_equal(text, "HTTP/1.1 401 Unautho", 20);
    assert_int_equal(sim_conn_state(w->conn), SIM_CONN_RESET);
    assert_false(sim_conn_receive(w->conn, "x", 1));
}

static void test_cut_at_every_byte(void **state)
{
    world *w = *state;
    reply whole = get(w, SELF);
    for (size_t i = 0; i < whole.raw_len; i++) {
        char text[40];
        (void)snprintf(text, sizeof text, "get_self:cut=%zu", i);
        plan_once(w, text);
        reply r = get(w, SELF);
        assert_int_equal(r.raw_len, i);
        assert_true(i == 0 || memcmp(r.raw, whole.raw, i) == 0); /* nothing announces it */
        assert_false(r.complete);
        assert_null(w->conn);
        reply_free(&r);
    }
    reply_free(&whole);
}

static void test_corrupt_and_wrong_length(void **state)
{
    world *w = *state;
    reply whole = get(w, SELF);
    for (size_t i = 0; i < whole.raw_len; i += 7) {
        char text[40];
        (void)snprintf(text, sizeof text, "get_self:corrupt=%zu", i);
        plan_once(w, text);
        reply r = get(w, SELF);
        assert_int_equal(r.raw_len, whole.raw_len);
        for (size_t k = 0; k < r.raw_len; k++) {
            assert_int_equal(r.raw[k] == whole.raw[k], k != i);
        }
        reply_free(&r);
        if (w->conn != NULL) {
            sim_conn_close(w->conn);
            w->conn = NULL;
        }
    }
    plan_once(w, "get_self:wrong_length=5,close");
    reply r = get(w, SELF);
    assert_false(r.complete);
    assert_string_equal(r.body, whole.body);
    reply_free(&r);
    plan_once(w, "get_self:wrong_length=-5");
    r = get(w, SELF);
    assert_true(r.complete);
    assert_int_equal(r.len, whole.len - 5);
    reply_free(&r);
    reply_free(&whole);
}

/* ---------------------------------------------------------------- time */

static void test_delay_and_pause(void **state)
{
    world *w = *state;
    plan_once(w, "get_self:delay=1500");
    reply r = get(w, SELF);
    assert_int_equal(r.raw_len, 0);
    reply_free(&r);
    assert_true(sim_next_event_ms(w->service) == START_MS + 1500);
    w->now += 1499;
    assert_int_equal(sim_conn_pending(w->conn), 0);
    w->now += 1;
    expect(send_bytes(w, "", 0), 200, NULL);

    plan_once(w, "get_self:pause=100+700");
    r = get(w, SELF);
    assert_int_equal(r.raw_len, 100);
    reply_free(&r);
    assert_int_equal(sim_conn_pending(w->conn), 0);
    assert_true(sim_next_event_ms(w->service) == w->now + 700);
    w->now += 700;
    assert_true(sim_conn_pending(w->conn) > 0);
    r = send_bytes(w, "", 0);
    assert_true(r.raw_len > 50);
    reply_free(&r);
    expect(get(w, SELF), 200, NULL);
}

static void test_slow_line(void **state)
{
    world *w = *state;
    size_t got;
    reply r;
    for (int paused = 0; paused < 2; paused++) {
        int64_t begin = w->now;
        plan_once(w, paused ? "get_self:slow=60+250,pause=100+700" : "get_self:slow=60+250");
        r = get(w, SELF);
        got = r.raw_len;
        assert_int_equal(got, paused ? 100 : 60);
        while (sim_conn_state(w->conn) == SIM_CONN_OPEN && sim_conn_busy(w->conn)) {
            assert_int_equal(sim_conn_pending(w->conn), 0);
            reply_free(&r);
            w->now = sim_next_event_ms(w->service);
            r = send_bytes(w, "", 0);
            assert_in_range(r.raw_len, 1, 60);
            got += r.raw_len;
        }
        reply_free(&r);
        assert_true(got > 200);
        got -= paused ? 100 : 60;
        assert_true(w->now - begin == (int64_t)((got + 59) / 60) * 250 + (paused ? 450 : 0));
    }
    r = get(w, SELF); /* and the next answer is quick */
    assert_true(r.raw_len > 200);
    reply_free(&r);
}

static void test_early_answer(void **state)
{
    world *w = *state;
    char text[3000];
    plan_once(w, "upload_image:early,status=500");
    (void)snprintf(
        text, sizeof text,
        "POST %s HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        "Authorization: Bearer %s\r\nContent-Length: 100000\r\n\r\n--b",
        path(w, "v1", "uploadImages"), w->token);
    w->conn = sim_conn_open(w->service);
    assert_true(sim_conn_receive(w->conn, text, strlen(text)));
    assert_true(sim_conn_pending(w->conn) > 0);
    assert_true(sim_conn_receive(w->conn, "more of the file", 16)); /* thrown away */
    reply r = send_bytes(w, "", 0);
    assert_status(r, 500);
    assert_null(w->conn);
    reply_free(&r);
    assert_false(sim_upload_at(w->service, 0, &(sim_upload_info){0}));
}

/* ---------------------------------------------------------------- plans and the hook */

static void test_plans(void **state)
{
    world *w = *state;
    static const char *const wrong[] = {"",
                                        "get_self",
                                        "get_self:",
                                        "nobody:close",
                                        "none:close",
                                        "get_self:status",
                                        "get_self:status=x",
                                        "get_self:status=5",
                                        "get_self:body=none",
                                        "get_self:delay=-1",
                                        "get_self:close,,",
                                        "get_self:pause=3",
                                        "get_self:slow=0+5",
                                        "get_self:slow=7"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(sim_plan_fault(w->service, wrong[i]));
    }
    plan_once(w, "get_self:status=500:2:1"); /* one good, then two bad */
    expect(get(w, SELF), 200, NULL);
    expect(get(w, path(w, "v2", "chats")), 200, NULL);
    expect(get(w, SELF), 500, NULL);
    expect(get(w, SELF), 500, NULL);
    expect(get(w, SELF), 200, NULL);
    assert_true(sim_plan_fault(w->service, "*:status=503:0"));
    for (int i = 0; i < 5; i++) {
        expect(get(w, path(w, "v2", i % 2 == 0 ? "chats" : "nowhere")), 503, NULL);
    }
    sim_clear_faults(w->service);
    expect(get(w, SELF), 200, NULL);
}

typedef struct seen {
    world *w;
    sim_request_info last;
    char target[256], chat[64], body[256];
    unsigned calls;
    sim_fault next;
} seen;

static seen *watching;

static sim_fault watch(void *ctx, const sim_request_info *info)
{
    seen *s = watching;
    assert_ptr_equal(ctx, s->w);
    s->last = *info;
    (void)snprintf(s->target, sizeof s->target, "%s", info->target);
    (void)snprintf(s->chat, sizeof s->chat, "%s", info->chat_id);
    (void)snprintf(s->body, sizeof s->body, "%.*s", (int)info->body_len, info->body);
    s->calls++;
    return s->next;
}

static void test_hook(void **state)
{
    world *w = *state;
    seen s;
    memset(&s, 0, sizeof s);
    s.w = w;
    watching = &s;
    sim_live(w->service)->fault = watch;
    expect(send_message(w), 200, NULL);
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.last.op, SIM_SEND);
    assert_int_equal(s.last.number, 2);
    assert_int_equal(s.last.refusal, 0);
    assert_true(s.last.now_ms == START_MS);
    assert_string_equal(s.chat, w->chat);
    assert_string_equal(s.body, SEND_BODY);
    expect(get(w, path(w, "v2", "chats?limit=0")), 400, NULL);
    assert_int_equal(s.last.refusal, 400);
    assert_string_equal(s.target, path(w, "v2", "chats?limit=0"));
    expect(get(w, "/nowhere"), 404, NULL);
    assert_int_equal(s.last.op, SIM_NO_OPERATION);
    assert_int_equal(s.last.refusal, 404);
    s.next.raw = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    s.next.raw_len = strlen(s.next.raw);
    reply r = get(w, SELF);
    assert_string_equal(r.raw, s.next.raw);
    reply_free(&r);
    assert_int_equal(sim_get_stats(w->service)->faults, 1);
}

typedef struct told {
    unsigned kinds[SIM_EVENT_SUBSCRIPTIONS + 1], steps[SIM_WEBHOOK_GIVEN_UP + 1];
    int status;
    bool fault;
    uint32_t delay_ms;
    char target[128], answer[64], message[40];
} told;

/* The hook: counts events, and keeps what the last ones said. */
static void see(void *ctx, const sim_event *e)
{
    told *s = ctx;
    s->kinds[e->kind]++;
    if (e->kind == SIM_EVENT_WEBHOOK) {
        s->steps[e->step]++;
    }
    if (e->kind == SIM_EVENT_MESSAGE) {
        (void)snprintf(s->message, sizeof s->message, "%s", e->message_id);
    }
    if (e->kind == SIM_EVENT_REQUEST) {
        s->status = e->status;
        s->fault = e->fault;
        s->delay_ms = e->delay_ms;
        (void)snprintf(s->target, sizeof s->target, "%s",
                       e->request != NULL ? e->request->target : "");
        (void)snprintf(s->answer, sizeof s->answer, "%.*s", (int)e->answer_len, e->answer);
    }
}

static void test_events(void **state)
{
    world *w = *state;
    told s;
    sim_webhook hook;
    memset(&s, 0, sizeof s);
    sim_live(w->service)->event = see;
    sim_live(w->service)->ctx = &s;
    sim_live(w->service)->webhook_copies = 2;
    expect(get(w, SELF), 200, NULL);
    assert_int_equal(s.status, 200);
    assert_string_equal(s.target, SELF);
    assert_false(s.fault);
    assert_true(sim_plan_fault(w->service, "get_self:status=429:2"));
    expect(get(w, SELF), 429, NULL);
    assert_true(s.fault && s.status == 429);
    assert_string_equal(s.answer, "{\"message\":\"API rate limit exceeded\"}");
    sim_plan_info plan;
    assert_true(sim_plan_at(w->service, 0, &plan) && plan.left == 1 && !plan.forever);
    assert_string_equal(plan.plan, "get_self:status=429:2");
    assert_false(sim_plan_at(w->service, 1, &plan));
    sim_clear_faults(w->service);

    expect(post(w, "/messenger/v3/webhook", "{\"url\":\"http://127.0.0.1:9/hook\"}"), 200, NULL);
    assert_int_equal(s.kinds[SIM_EVENT_SUBSCRIPTIONS], 1);
    memset(&s, 0, sizeof s);
    const char *id = sim_buyer_writes(w->service, w->chat, "Добрый день");
    assert_string_equal(s.message, id);
    assert_int_equal(s.kinds[SIM_EVENT_MESSAGE], 1);
    assert_int_equal(s.steps[SIM_WEBHOOK_QUEUED], 2);
    assert_true(sim_next_webhook(w->service, &hook));
    sim_webhook_answered(w->service, hook.id, 500);
    assert_true(sim_next_webhook(w->service, &hook));
    sim_webhook_answered(w->service, hook.id, 204);
    assert_true(s.steps[SIM_WEBHOOK_TRIED] == 2 && s.steps[SIM_WEBHOOK_FAILED] == 1 &&
                s.steps[SIM_WEBHOOK_DONE] == 1);
    assert_true(sim_app_reads(w->service, w->chat));
    assert_true(sim_delete(w->service, id));
    assert_true(s.kinds[SIM_EVENT_MESSAGE] >= 3);
    assert_non_null(sim_add_chat(w->service, NULL));
    assert_int_equal(s.kinds[SIM_EVENT_CHAT], 1);
    sim_expire_tokens(w->service);
    assert_int_equal(s.kinds[SIM_EVENT_TOKENS], 1);
    sim_token_info token;
    assert_true(sim_token_at(w->service, 0, &token));
    assert_true(token.uses >= 3 && token.expires_ms == 0 && !token.revoked);
}

static void test_media(void **state)
{
    static const unsigned char png[40] = {0x89, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0, 0, 13,
                                          'I',  'H', 'D', 'R', 0,  0,  0,  2,  0, 0, 0, 3};
    static const char wav[16] = "RIFF\x08\0\0\0WAVEfmt";
    world *w = *state;
    sim_media_info media;
    sim_message_info m;
    sim_message_options o;
    assert_null(sim_add_media(w->service, "no picture at all", 17));
    sim_live(w->service)->media_keep = 60;
    sim_live(w->service)->media_url = "http://127.0.0.1:1/media";
    const char *picture = sim_add_media(w->service, png, sizeof png);
    const char *sound = sim_add_media(w->service, wav, sizeof wav);
    assert_true(sim_find_media(w->service, picture, &media) && media.len == sizeof png);
    assert_memory_equal(media.bytes, png, sizeof png);
    memset(&o, 0, sizeof o);
    o.type = SIM_IMAGE;
    o.media_id = picture;
    assert_true(sim_find_message(w->service, sim_write(w->service, w->chat, &o), &m));
    assert_string_equal(m.image_id, picture);
    assert_non_null(strstr(m.content, "\"http://127.0.0.1:1/media/"));
    o.type = SIM_VOICE_MESSAGE;
    o.media_id = sound;
    assert_true(sim_find_message(w->service, sim_write(w->service, w->chat, &o), &m));
    assert_string_equal(m.voice_id, sound);
    (void)sim_add_media(w->service, png, sizeof png); /* the oldest makes room */
    assert_false(sim_find_media(w->service, picture, &media));
    assert_true(sim_find_media(w->service, sound, &media));
    assert_string_equal(media.type, "audio/wav");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_split),
        TEST(test_requests_one_after_the_other),
        TEST(test_broken_requests),
        TEST(test_any_bytes),
        TEST(test_head_too_long),
        TEST(test_body_limit),
        TEST(test_chunked_request_if_allowed),
        TEST(test_expect_continue),
        TEST(test_connections_end),
        TEST(test_idle_connection_is_closed),
        TEST(test_framings),
        TEST(test_planned_framings),
        TEST(test_every_error_body),
        TEST(test_retry_after_and_redirect),
        TEST(test_stored_but_no_answer),
        TEST(test_reset),
        TEST(test_cut_at_every_byte),
        TEST(test_corrupt_and_wrong_length),
        TEST(test_delay_and_pause),
        TEST(test_slow_line),
        TEST(test_early_answer),
        TEST(test_plans),
        TEST(test_hook),
        TEST(test_events),
        TEST(test_media),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

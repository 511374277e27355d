/*
 * Lines of a request that the API does not need: who asks, and what the program adds.
 * Rooms: HEADER LINES.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/lane.h"

#define SELF "{\"id\":350000001,\"name\":\"A\"}"

/* Calls avito_get_self(); the request's head ends in these lines. */
static void expect_head(struct lane *l, const char *lines)
{
    char request[600];
    avito_self self;

    (void)snprintf(request, sizeof request,
                   "GET /core/v1/accounts/self HTTP/1.1\r\nHost: api.avito.ru\r\n"
                   "Authorization: Bearer " LANE_TOKEN "\r\n%s\r\n",
                   lines);
    script_connect(&l->script);
    script_expect(&l->script, request, strlen(request));
    script_answer_json(&l->script, 200, SELF, strlen(SELF));
    lane_again(l, 512);
    assert_int_equal(lane_run(l, avito_get_self(&l->client, &l->arena, &self)), AVITO_OK);
    assert_null(script_problem_open(&l->script, true));
}

static void test_user_agent(void **state)
{
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    assert_int_equal(avito_set_headers(&l.options, NULL, NULL), AVITO_OK);
    expect_head(&l, "User-Agent: avito_messenger/" AVITO_VERSION "\r\n");
    lane_free(&l);

    lane_init(&l, 512); /* without AVITO_TINY no call has to enable it */
    l.options.priv.headers = NULL;
    expect_head(&l, "User-Agent: avito_messenger/" AVITO_VERSION "\r\n");
    lane_free(&l);

    lane_init(&l, 512);
    l.headers.user_agent = "shop/1.0 (help@shop.ru)";
    assert_int_equal(avito_set_headers(&l.options, &l.headers, NULL), AVITO_OK);
    expect_head(&l, "User-Agent: shop/1.0 (help@shop.ru)\r\n");
    lane_free(&l);

    lane_init(&l, 512);
    expect_head(&l, "");
    lane_free(&l);
}

/* In requests for a token, too, and in each try. */
static void test_lines(void **state)
{
    static const char *const lines[] = {"X-Gateway-Key: 0123456789abcdef", "X-Employee-Of:17",
                                        "X-Empty:"};
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    l.headers.lines = lines;
    l.headers.count = 3;
    assert_int_equal(avito_set_headers(&l.options, &l.headers, NULL), AVITO_OK);
    expect_head(&l, "X-Gateway-Key: 0123456789abcdef\r\nX-Employee-Of:17\r\nX-Empty:\r\n");
    lane_free(&l);
}

/* Texts that could end the line, begin another one, or change what a request or an answer is. */
static void test_refused_lines(void **state)
{
    static const char *const bad[] = {NULL,
                                      "",
                                      "X-Name",
                                      ":value",
                                      "X Name: a",
                                      "X-Name : a",
                                      "X: a\r\nY: b",
                                      "X: a\nY: b",
                                      "X: a\rb",
                                      "X: \x01",
                                      "X: \x7f",
                                      "X\xc3\xa9: a",
                                      "Host: a",
                                      "host:a",
                                      "HOST: a",
                                      "Authorization: Bearer x",
                                      "content-length: 5",
                                      "Content-Type: a",
                                      "Transfer-Encoding: chunked",
                                      "Connection: close",
                                      "User-Agent: a",
                                      "Accept-Encoding: gzip",
                                      "Expect: 100-continue",
                                      "TE: trailers",
                                      "Upgrade: h2c",
                                      "Trailer: a"};
    static const char *const good[] = {"Hos: a",         "Hosts: a",    "Post: a",
                                       "X: \xd0\x96 \t", "Accept: */*", "Via: 1.1 a"};
    avito_headers headers = {NULL, NULL, 0, {NULL, NULL}};
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *lines[2] = {"X-Fine: a", bad[i]};
        avito_client_options o = avito_client_options_default();

        headers.lines = lines;
        headers.count = 2;
        at = 9;
        assert_int_equal(avito_set_headers(&o, &headers, &at), AVITO_ERR_OPTION_HEADERS);
        assert_int_equal(at, 1);
        assert_int_equal(avito_set_headers(&o, &headers, NULL), AVITO_ERR_OPTION_HEADERS);
        assert_null(o.priv.headers);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        avito_client_options o = avito_client_options_default();

        headers.lines = &good[i];
        headers.count = 1;
        assert_int_equal(avito_set_headers(&o, &headers, NULL), AVITO_OK);
        headers.user_agent = "a\r\nX: y";
        assert_int_equal(avito_set_headers(&o, &headers, &at), AVITO_ERR_OPTION_HEADERS);
        assert_int_equal(at, 1);
        headers.user_agent = NULL;
    }
    headers.lines = NULL;
    assert_int_equal(avito_set_headers(NULL, NULL, NULL), AVITO_ERR_ARGUMENT);
    assert_string_equal(avito_error_name(AVITO_ERR_OPTION_HEADERS), "OPTION_HEADERS");
}

/* A gateway that quotes what it was sent: neither the error nor its body shows the key. */
static void test_values_are_secrets(void **state)
{
    static const char *const lines[] = {"X-Region: ru", "X-Gateway-Key: \t0123456789abcdef "};
    static const char answer[] =
        "{\"error\":{\"code\":403,\"message\":\"permission: 0123456789abcdef ru\"}}";
    avito_self self;
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    l.headers.lines = lines;
    l.headers.count = 2;
    assert_int_equal(avito_set_headers(&l.options, &l.headers, NULL), AVITO_OK);
    lane_exchange(&l, 403, answer, strlen(answer));
    lane_again(&l, 512);
    assert_int_equal(lane_run(&l, avito_get_self(&l.client, &l.arena, &self)), AVITO_ERR_FORBIDDEN);
    assert_string_equal(avito_last_error(&l.client)->text, "permission: **************** ru");
    assert_null(strstr(l.error_body, "0123456789abcdef"));
    assert_null(strstr(l.trace, "0123456789abcdef"));
    lane_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_user_agent),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_refused_lines),
        cmocka_unit_test(test_values_are_secrets),
    };
    return cmocka_run_group_tests_name("headers", tests, NULL, NULL);
}

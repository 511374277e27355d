/* Needs the implementation. */
#include "support/lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* The hooks get the clock; the lane begins with it. */
static struct lane *lane_of(void *ctx)
{
    return ctx;
}

/* The account's load_token(): the stored token, or what the test has put in its place. */
static int load(void *ctx, avito_token *token)
{
    struct lane *l = lane_of(ctx);

    l->loads++;
    if (l->load_result != AVITO_OK || l->no_token) {
        return l->load_result != AVITO_OK ? l->load_result : (int)AVITO_END;
    }
    token->access_token = l->stored_access;
    if (l->stored_access.ptr == NULL) {
        token->access_token.ptr = LANE_TOKEN;
        token->access_token.len = strlen(LANE_TOKEN);
    }
    token->expires_in = 86400;
    token->expires_at = l->stored_expires;
    if (l->stored_refresh != NULL) {
        token->refresh_token.ptr = l->stored_refresh;
        token->refresh_token.len = strlen(l->stored_refresh);
    }
    return AVITO_OK;
}

static int save(void *ctx, const avito_token *token)
{
    struct lane *l = lane_of(ctx);

    l->saves++;
    (void)snprintf(l->saved_access, sizeof l->saved_access, "%s",
                   token->access_token.ptr != NULL ? token->access_token.ptr : "");
    (void)snprintf(l->saved_refresh, sizeof l->saved_refresh, "%s",
                   token->refresh_token.ptr != NULL ? token->refresh_token.ptr : "");
    return l->save_result;
}

static void trace(void *ctx, const char *line)
{
    struct lane *l = lane_of(ctx);
    size_t used = strlen(l->trace);

    if (used + strlen(line) + 2 > sizeof l->trace) {
        used = 0;
    }
    (void)snprintf(l->trace + used, sizeof l->trace - used, "%s\n", line);
}

/* A new account and a new client, in memory full of rubbish. */
static void begin(struct lane *l, size_t window)
{
    if (l->window.size != window) {
        guard_free(&l->window);
        l->window = guard_end(window);
    }
    l->arena = avito_arena_of(l->room, sizeof l->room);
    l->options.transport = script_transport(&l->script);
    l->options.window = l->window.data;
    l->options.window_cap = window;
    memset(l->tokens, 0x5a, sizeof l->tokens);
    memset(l->room, 0x5a, sizeof l->room);
    memset(l->window.data, 0x5a, window);
    l->loads = l->saves = 0;
    if (avito_account_init(&l->account, &l->account_options) != AVITO_OK ||
        avito_client_init(&l->client, &l->account, &l->options) != AVITO_OK) {
        abort();
    }
}

void lane_init(struct lane *l, size_t window)
{
    memset(l, 0, sizeof *l);
    clock_init(&l->clock);
    script_init(&l->script);
    l->script.clock = &l->clock;
    l->account_options.client_id = LANE_ID;
    l->account_options.client_secret = LANE_SECRET;
    l->account_options.tokens = l->tokens;
    l->account_options.tokens_cap = sizeof l->tokens;
    l->account_options.ctx = l;
    l->account_options.clock_ms = clock_ms;
    l->account_options.unix_time = clock_unix_time;
    l->account_options.entropy = clock_entropy;
    l->account_options.load_token = load;
    l->account_options.save_token = save;
    l->account_options.trace = trace;
    avito_enable_token_store(&l->account_options);
    avito_enable_diagnostics(&l->account_options);
    avito_enable_lanes(&l->account_options);
    avito_enable_retries(&l->options);
    avito_enable_dry_run(&l->options);
    avito_enable_raw(&l->options);
    avito_enable_sent(&l->options);
    avito_enable_pages(&l->options);
    l->headers.user_agent = "";
    (void)avito_set_headers(&l->options, &l->headers, NULL);
    l->options.never_wait = true;
    l->options.error_body = l->error_body;
    l->options.error_body_cap = sizeof l->error_body;
    begin(l, window);
}

void lane_again(struct lane *l, size_t window)
{
    script_rewind(&l->script);
    begin(l, window);
}

void lane_init_retries(struct lane *l, size_t window, uint8_t retries)
{
    lane_init(l, window);
    l->options.retries = retries;
    lane_again(l, window);
}

void lane_free(struct lane *l)
{
    avito_client_close(&l->client);
    script_free(&l->script);
    guard_free(&l->window);
}

void lane_end(struct lane *l)
{
    assert_null(script_problem_open(&l->script, true));
    lane_free(l);
}

void lane_exchange(struct lane *l, int status, const void *body, size_t len)
{
    script_connect(&l->script);
    script_request(&l->script);
    script_answer_json(&l->script, status, body, len);
}

void lane_exchange_raw(struct lane *l, const void *answer, size_t len)
{
    script_connect(&l->script);
    script_request(&l->script);
    script_answer(&l->script, answer, len);
}

int lane_run(struct lane *l, int result)
{
    return script_drive(&l->script, &l->client, result);
}

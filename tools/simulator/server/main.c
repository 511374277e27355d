/*
 * main.c - the simulated Avito service as a program: build/simulator.
 *
 * One thread, poll(2). The service is in core/ and http/, its clients and notifications are in
 * net/, the control side and its page in control/. This file puts them together.
 */
#include "program.h"

#include "tools/avito/language.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEDIA_KEEP (128u * 1024u * 1024u)

typedef struct server {
    program program;
    control control;
    web web;
    clients clients;
    deliveries deliveries;
    char media_url[64];
    simi_buf connect;
    uint64_t runs;
} server;

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void on_event(void *ctx, const sim_event *event)
{
    server *v = ctx;
    feed_take(&v->control.feed, event);
}

/* ---------------------------------------------------------------- one service after the other */

/* A new service, at the start and after each reset. */
static void begin_service(server *v)
{
    sim_options o = v->program.options;
    /* Ids differ from those before, since programs remember them; when people play, even after a
     * restart. */
    o.seed += v->runs++ + (v->program.play && o.seed == 0 ? (uint64_t)net_clock_ms(NULL) : 0);
    o.clock_ms = net_clock_ms;
    o.event = on_event;
    o.ctx = v;
    o.media_keep = MEDIA_KEEP;
    o.media_url = v->program.local_media || v->program.play ? v->media_url : NULL;
    sim *service = sim_create(&o);
    v->control.service = v->clients.service = v->deliveries.service = service;
    feed_begin(&v->control.feed, service,
               (uint64_t)net_clock_ms(NULL) * 1000u + (v->runs + (uint64_t)getpid()) % 1000u);
    story_begin(&v->control.story);
}

static void end_service(server *v)
{
    clients_drop_all(&v->clients);
    deliveries_drop_all(&v->deliveries);
    story_end(&v->control.story);
    sim_destroy(v->control.service);
    feed_end(&v->control.feed);
}

static bool reset(void *ctx, int64_t chats)
{
    server *v = ctx;
    end_service(v);
    begin_service(v);
    bool good = program_begin(&v->program, &v->control, chats);
    v->control.reply.len = 0;
    return good;
}

/* ---------------------------------------------------------------- the loop */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int poll_timeout(server *v)
{
    int64_t now = net_clock_ms(NULL);
    int64_t next = sim_next_event_ms(v->control.service);
    next = earlier(next, program_next_ms(&v->program));
    next = earlier(next, control_next_ms(&v->control));
    next = earlier(next, web_next_ms(&v->web));
    if (v->deliveries.count != 0) {
        next = earlier(next, now + 50);
    }
    if (next == INT64_MAX) {
        return -1;
    }
    int64_t wait = next - now + 1;
    return wait < 1 ? 1 : wait > 10000 ? 10000 : (int)wait;
}

static void run(server *v)
{
    struct pollfd polls[2 + MAX_CLIENTS + MAX_DELIVERIES + 1 + WEB_VISITORS];
    while (!stop) {
        size_t n = clients_polls(&v->clients, polls);
        n += deliveries_polls(&v->deliveries, polls + n);
        n += web_polls(&v->web, polls + n);
        (void)poll(polls, n, poll_timeout(v));
        clients_move(&v->clients, polls);
        program_tick(&v->program, &v->control);
        deliveries_move(&v->deliveries);
        web_move(&v->web);
    }
}

/* ---------------------------------------------------------------- the beginning */

/* Opens all ports, and tells the page its own names and addresses. */
static void listen_everywhere(server *v)
{
    program *p = &v->program;
    control *c = &v->control;
    c->tcp_port = (int)p->tcp_port;
    c->tls_port = (int)p->tls_port;
    c->port = (int)p->control_port;
    v->web.listener = net_listen(p->address, &c->port, p->play);
    v->clients.tcp = net_listen(p->address, &c->tcp_port, p->play);
    v->clients.tls = -1;
    if (p->cert != NULL) {
        v->clients.ctx = clients_tls(p->cert, p->key, &c->largest_record);
        v->clients.tls = net_listen(p->address, &c->tls_port, p->play);
    } else {
        c->tls_port = 0;
    }
    v->web.control = c;
    v->web.names[v->web.name_count++] = "localhost";
    v->web.names[v->web.name_count++] = "127.0.0.1";
    v->web.names[v->web.name_count++] = p->address;
    for (size_t i = 0; i < p->name_count; i++) {
        v->web.names[v->web.name_count++] = p->names[i];
    }
    (void)snprintf(v->media_url, sizeof v->media_url, "http://%s:%d/media", p->address, c->port);
    if (strncmp(p->address, "127.", 4) != 0) {
        (void)fprintf(
            stderr, "simulator: listening on %s: everybody who reaches it can press the buttons\n",
            p->address);
    }
}

static void write_ports(const server *v)
{
    const program *p = &v->program;
    const control *c = &v->control;
    if (p->ports_file == NULL) {
        return;
    }
    simi_buf name = {
        0}; /* written aside and renamed, so that a waiting reader never sees half of it */
    simi_putf(&name, "%s.new", p->ports_file);
    FILE *file = fopen(name.p, "w");
    if (file == NULL ||
        fprintf(file, "tcp=%d\ntls=%d\ncontrol=%d\n", c->tcp_port, c->tls_port, c->port) < 0 ||
        fclose(file) != 0 || rename(name.p, p->ports_file) != 0) {
        net_fail(p->ports_file);
    }
    simi_free(&name);
}

/* What programs need to be told, as lines for a shell. */
static void make_connect(server *v)
{
    const sim_options *o = sim_live(v->control.service);
    char *here = getcwd(NULL, 0);
    simi_putf(&v->connect,
              "export AVITO_HOST=localhost AVITO_PORT=%d\n"
              "export AVITO_CA_FILE='%s/build/certs/roots.pem'\n"
              "export AVITO_CLIENT_ID=%s\nexport AVITO_CLIENT_SECRET=%s\n",
              v->control.tls_port, here != NULL ? here : ".", o->client_id, o->client_secret);
    v->control.connect = v->connect.p;
    free(here);
}

static void say_ports(const server *v)
{
    const control *c = &v->control;
    if (v->program.play) {
        language_from_environment();
        (void)printf(
            say(TEXT("\n  You are the buyer:     http://localhost:%d/page/\n"
                     "  What scripts can do:   http://localhost:%d/\n\n"
                     "  In another terminal, for any program that uses the library:\n\n%s\n"
                     "  Ctrl-C ends it.\n",
                     "\n  Вы - покупатель:       http://localhost:%d/page/\n"
                     "  Что могут скрипты:     http://localhost:%d/\n\n"
                     "  В другом терминале, для любой программы с этой библиотекой:\n\n%s\n"
                     "  Ctrl-C завершает.\n")),
            c->port, c->port, c->connect);
    } else {
        (void)printf("tcp %d\ntls %d\ncontrol %d\nuser_id %lld\n", c->tcp_port, c->tls_port,
                     c->port, (long long)sim_live(c->service)->user_id);
    }
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    static server v;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (!program_options(&v.program, argc, argv)) {
        return 2;
    }
    listen_everywhere(&v);
    v.control.clock_ms = net_clock_ms;
    v.control.reset = reset;
    v.control.ctx = &v;
    begin_service(&v);
    if (v.program.play) {
        make_connect(&v);
    }
    bool good = program_begin(&v.program, &v.control, -1);
    if (good) {
        write_ports(&v);
        say_ports(&v);
        run(&v);
    }
    end_service(&v);
    web_close(&v.web);
    clients_close(&v.clients);
    simi_free(&v.control.reply);
    simi_free(&v.connect);
    return good ? 0 : 2;
}

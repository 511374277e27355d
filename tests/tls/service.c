#include <stdbool.h>
#include <stddef.h>

#include "service.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FOLDER "build/tls/calls"

place places[PLACES] = {{"simulator, P-256", SERVICE_EC, false, 0},
                        {"simulator, RSA", SERVICE_RSA, false, 0},
                        {"nginx, P-256", SERVICE_EC, true, 0},
                        {"nginx, RSA", SERVICE_RSA, true, 0},
                        {"nginx to HTTP/1.0, P-256", SERVICE_EC, true, 0},
                        {"nginx to HTTP/1.0, RSA", SERVICE_RSA, true, 0},
                        {"nginx, idle for 1 s", SERVICE_EC, true, 0},
                        {"nginx, three requests", SERVICE_EC, true, 0}};

static const char *const kinds[SERVICES] = {"ec", "rsa"};
static pid_t simulators[SERVICES], nginx;
static uint16_t tcp_ports[SERVICES], doors[SERVICES];

static void rest(void)
{
    const struct timespec t = {0, 10 * 1000 * 1000};
    (void)nanosleep(&t, NULL);
}

static int dial(uint16_t port)
{
    struct sockaddr_in to;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Ports that are free now: the sockets stay open until all have been chosen. */
static int choose_ports(void)
{
    int held[PLACES];
    for (int i = NGINX_EC; i < PLACES; i++) {
        struct sockaddr_in at;
        socklen_t size = sizeof at;
        memset(&at, 0, sizeof at);
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        held[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(held[i], (struct sockaddr *)&at, sizeof at) != 0 ||
            getsockname(held[i], (struct sockaddr *)&at, &size) != 0) {
            return -1;
        }
        places[i].port = ntohs(at.sin_port);
    }
    for (int i = NGINX_EC; i < PLACES; i++) {
        (void)close(held[i]);
    }
    return 0;
}

static pid_t spawn(const char *const *argv)
{
    const pid_t pid = fork();
    if (pid == 0) {
        (void)freopen(FOLDER "/log.txt", "a", stdout);
        (void)dup2(1, 2);
        (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

static int start_simulator(int service)
{
    char cert[64], key[64], ports[64];
    int tcp = 0, tls = 0, control = 0;
    (void)snprintf(cert, sizeof cert, "build/certs/%s.crt", kinds[service]);
    (void)snprintf(key, sizeof key, "build/certs/%s.key", kinds[service]);
    (void)snprintf(ports, sizeof ports, FOLDER "/%s.ports", kinds[service]);
    (void)remove(ports);
    const char *const argv[] = {"build/simulator", "--chats", "0",       "--cert", cert,
                                "--key",           key,       "--ports", ports,    NULL};
    simulators[service] = spawn(argv);
    for (int i = 0; i < 500; i++) {
        FILE *f = fopen(ports, "r");
        const int got = f != NULL ? fscanf(f, "tcp=%d tls=%d control=%d", &tcp, &tls, &control) : 0;
        if (f != NULL) {
            (void)fclose(f);
        }
        if (got == 3) {
            tcp_ports[service] = (uint16_t)tcp;
            doors[service] = (uint16_t)control;
            places[service == SERVICE_EC ? DIRECT_EC : DIRECT_RSA].port = (uint16_t)tls;
            return 0;
        }
        rest();
    }
    return -1;
}

static void write_server(FILE *f, int at, const char *upstream, const char *more)
{
    const char *kind = kinds[places[at].service];
    (void)fprintf(f,
                  "    server {\n"
                  "        listen 127.0.0.1:%u ssl;\n"
                  "        ssl_certificate ../../certs/%s.crt;\n"
                  "        ssl_certificate_key ../../certs/%s.key;\n"
                  "        %s\n"
                  "        location / {\n"
                  "            proxy_set_header Host $http_host;\n"
                  "            %s\n"
                  "        }\n"
                  "    }\n",
                  places[at].port, kind, kind, more, upstream);
}

static int start_nginx(void)
{
    static const char http[] =
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log log.txt warn;\n"
        "events { worker_connections 256; }\n"
        "http {\n"
        "    access_log off;\n    gzip off;\n    client_max_body_size 30m;\n"
        "    client_body_temp_path body;\n    proxy_temp_path proxy;\n"
        "    fastcgi_temp_path fastcgi;\n    uwsgi_temp_path uwsgi;\n    scgi_temp_path scgi;\n"
        "    ssl_protocols TLSv1.2;\n    ssl_session_cache shared:calls:1m;\n"
        "    ssl_session_tickets off;\n";
    static const char *const kept[SERVICES] = {
        "proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_pass http://ec;",
        "proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_pass http://rsa;"};
    static const char *const argv[] = {"nginx",      "-p", FOLDER,    "-c",
                                       "nginx.conf", "-e", "log.txt", NULL};
    FILE *f = choose_ports() == 0 ? fopen(FOLDER "/nginx.conf", "w") : NULL;
    char one[SERVICES][64];
    if (f == NULL) {
        return -1;
    }
    (void)fputs(http, f);
    for (int i = 0; i < SERVICES; i++) {
        (void)fprintf(f, "    upstream %s { server 127.0.0.1:%u; keepalive 8; }\n", kinds[i],
                      tcp_ports[i]);
        (void)snprintf(one[i], sizeof one[i], "proxy_pass http://127.0.0.1:%u;", tcp_ports[i]);
    }
    write_server(f, NGINX_EC, kept[SERVICE_EC], "");
    write_server(f, NGINX_RSA, kept[SERVICE_RSA], "");
    write_server(f, NGINX_10_EC, one[SERVICE_EC], "");
    write_server(f, NGINX_10_RSA, one[SERVICE_RSA], "");
    write_server(f, NGINX_IDLE, kept[SERVICE_EC], "keepalive_timeout 1s;");
    write_server(f, NGINX_COUNTS, kept[SERVICE_EC],
                 "keepalive_requests 3; client_max_body_size 1m;");
    (void)fputs("}\n", f);
    (void)fclose(f);
    nginx = spawn(argv);
    for (int i = 0; i < 500; i++) {
        const int fd = dial(places[PLACES - 1].port);
        if (fd >= 0) {
            (void)close(fd);
            return 0;
        }
        rest();
    }
    return -1;
}

int service_start(void)
{
    (void)setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", 1);
    (void)mkdir("build", 0755);
    (void)mkdir("build/tls", 0755);
    (void)mkdir(FOLDER, 0755);
    (void)remove(FOLDER "/log.txt");
    return start_simulator(SERVICE_EC) == 0 && start_simulator(SERVICE_RSA) == 0 ? start_nginx()
                                                                                 : -1;
}

static void stop(pid_t *pid)
{
    if (*pid > 0) {
        (void)kill(*pid, SIGTERM);
        (void)waitpid(*pid, NULL, 0);
        *pid = 0;
    }
}

void service_stop(void)
{
    stop(&nginx);
    stop(&simulators[SERVICE_EC]);
    stop(&simulators[SERVICE_RSA]);
}

/* ---- the door ---- */

static char answer[1 << 22];

cJSON *service_ask(int service, const char *what, const char *body)
{
    char head[256];
    size_t len = 0;
    const int fd = dial(doors[service]);
    const size_t body_len = body != NULL ? strlen(body) : 0;
    const int head_len = snprintf(head, sizeof head,
                                  "%s /%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                  "Content-Type: application/json\r\n"
                                  "Content-Length: %zu\r\n\r\n",
                                  body != NULL ? "POST" : "GET", what, body_len);
    if (fd < 0 || send(fd, head, (size_t)head_len, MSG_NOSIGNAL) != head_len ||
        (body_len > 0 && send(fd, body, body_len, MSG_NOSIGNAL) != (ssize_t)body_len)) {
        (void)close(fd);
        return NULL;
    }
    for (;;) {
        const ssize_t n = recv(fd, answer + len, sizeof answer - 1 - len, 0);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
    }
    (void)close(fd);
    answer[len] = '\0';
    const char *start = strstr(answer, "\r\n\r\n");
    return start != NULL && strncmp(answer, "HTTP/1.1 200", 12) == 0 ? cJSON_Parse(start + 4)
                                                                     : NULL;
}

bool service_tell(int service, const char *what, const char *body)
{
    cJSON *o = service_ask(service, what, body);
    cJSON_Delete(o);
    return o != NULL;
}

bool service_text(int service, const char *what, const char *body, const char *member, char *out,
                  size_t cap)
{
    cJSON *o = service_ask(service, what, body);
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, member);
    const bool good = cJSON_IsString(v) && strlen(v->valuestring) < cap;
    if (good) {
        memcpy(out, v->valuestring, strlen(v->valuestring) + 1);
    }
    cJSON_Delete(o);
    return good;
}

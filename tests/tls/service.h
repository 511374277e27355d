/*
 * service.h - the simulated service over real TLS, in its own processes: two simulators (P-256 and
 * RSA certificate), and nginx with TLS in front of their TCP ports.
 */
#ifndef TESTS_TLS_SERVICE_H
#define TESTS_TLS_SERVICE_H

#include <cjson/cJSON.h>
#include <stdint.h>

#define SERVICE_ROOTS "build/certs/roots.pem"

enum { SERVICE_EC, SERVICE_RSA, SERVICES };

/* Where a client can connect to. */
typedef struct place {
    const char *name;
    int service; /* which simulator is behind it */
    bool nginx;
    uint16_t port;
} place;

enum {
    DIRECT_EC,
    DIRECT_RSA,
    NGINX_EC, /* kept connections to the simulator */
    NGINX_RSA,
    NGINX_10_EC, /* HTTP/1.0, a connection per request */
    NGINX_10_RSA,
    NGINX_IDLE,   /* P-256; closes connections that were idle for a second */
    NGINX_COUNTS, /* P-256; closes connections after three requests */
    PLACES
};

extern place places[PLACES];

int service_start(void); /* 0: all processes listen */
void service_stop(void);

/* Asks a simulator's door for tests (tools/simulator/control/door.c): `body` is JSON, NULL for GET.
 * The caller deletes the answer; NULL: the door refused. */
cJSON *service_ask(int service, const char *what, const char *body);
/* The same for questions that are only confirmed, and for those that one text answers. False:
 * refused. */
bool service_tell(int service, const char *what, const char *body);
bool service_text(int service, const char *what, const char *body, const char *member, char *out,
                  size_t cap);

#endif

/*
 * A TLS server in memory: the OpenSSL library behind an avito_transport, so that a test decides in
 * which pieces the bytes move and how the connection ends. Certificates: tests/tls/certs.sh.
 */
#ifndef TESTS_TLS_PEER_H
#define TESTS_TLS_PEER_H

#include "avito_messenger.h"

#include <openssl/ssl.h>

#define PEER_HOST  "api.example.test"
#define PEER_CERTS "build/tls/"

enum peer_ending {
    PEER_KEEP,   /* the connection stays open */
    PEER_NOTIFY, /* close_notify, then the end of the stream */
    PEER_CUT,    /* the end of the stream, without close_notify */
    PEER_RESET   /* an error */
};

struct peer {
    SSL_CTX *ctx;
    SSL *ssl;
    /* How bytes move; may be set at any time. */
    size_t recv_piece, send_piece; /* at most this many at once; 0: any number */
    bool again;                    /* AVITO_IO_AGAIN before every piece, both ways */
    size_t connect_agains;
    bool refuses;             /* connect: error */
    size_t send_blocks_after; /* send: AGAIN for ever after this many bytes; 0: never */
    size_t send_fails_after;  /* send: error after this many bytes; 0: never */
    bool never_wait;

    /* What the server does: after `answer_after` bytes of plain text (0: a blank line) it answers,
     * then ends. */
    size_t answer_after;
    const char *answer;
    size_t answer_len;
    size_t answer_records; /* into this many records; 0: one */
    enum peer_ending ending;

    /* Instead of TLS: these bytes are what the server says. */
    const unsigned char *raw;
    size_t raw_len;
    /* What happened. */
    unsigned char got[200000]; /* plain text received */
    size_t got_len;
    bool got_notify; /* the client's close_notify */
    size_t connects, closes;
    size_t sends, recvs;            /* calls that moved bytes */
    size_t waits, recv_calls, most; /* the largest piece asked for */
    size_t sent_bytes, recv_bytes;
    bool resumed;

    /* private */
    bool said_recv, said_send, answered, over, blocked_send;
    bool want_read, want_write;
    size_t raw_at, agains;
};

/* A server with build/tls/NAME.pem and NAME.key, TLS 1.2. */
void peer_init(struct peer *peer, const char *name);
void peer_free(struct peer *peer);
avito_transport peer_transport(struct peer *peer);

/* Forgets what happened; keeps the server (and its sessions). */
void peer_again(struct peer *peer);

/* Adds one extension twice to the server's certificate and signs it again with
 * build/tls/ISSUER.key. */
void peer_repeat_extension(struct peer *peer, const char *issuer);

/* ---- the client's side ---- */

struct side {
    avito_tls tls;
    avito_tls_options options;
    avito_transport transport;
    avito_server to;
    avito_anchors anchors;
    int64_t now;
    int entropy_result;
    bool entropy_zero;
    bool no_fragment; /* do not ask for small records */
    unsigned watchdog_calls;
    unsigned char buffer[AVITO_TLS_BUFFER_FULL(16384)];
    unsigned char ahead[2048];
    char anchor_room[4096];
    char got[200000];
    size_t got_len;
};

/* Options filled: half duplex with 16 KB records, the test roots, time and entropy. */
void side_init(struct side *side, struct peer *peer);

/* peer_init() and side_init(). */
void side_meet(struct side *side, struct peer *peer, const char *name);

/* Records of this many bytes, in one direction at a time or in both. */
void side_records(struct side *side, bool full_duplex, size_t fragment);

/* connect until it is done. */
int side_connect(struct side *side);

/* Sends everything; > 0 or an error. */
long side_send(struct side *side, const void *data, size_t len);

/* Receives into got until something other than bytes or AGAIN comes, and returns that. Gives
 * AVITO_IO_AGAIN when nothing moves any more. */
long side_recv(struct side *side);

/* connect, a request, the answer, close; returns the first result that is not AVITO_OK. The end of
 * the stream after the whole answer counts as AVITO_OK. side_talk() calls avito_tls_init()
 * first. */
int side_talk(struct side *side, struct peer *peer);
int side_talk_again(struct side *side, struct peer *peer);

/* avito_tls_init() and connect. */
int side_open(struct side *side);
void side_close(struct side *side);

#endif

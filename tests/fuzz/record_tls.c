/* record_tls DIRECTORY - writes what OpenSSL says as a server to the client of tls_talk.h, as inputs for
 * tls_server.c. Certificates: tests/tls/certs.sh. */
#include "tls/peer.h"
#include "tls_talk.h"

#include <time.h>

static struct peer peer;
static struct talk talking;
static uint8_t said[65536];
static size_t said_len;

/* The peer's recv, which notes what passes. */
static long listen_in(void *ctx, void *data, size_t cap)
{
    const avito_transport inner = peer_transport(&peer);
    const long n = inner.functions->recv(ctx, data, cap);

    if (n > 0) {
        MUST(said_len + (size_t)n <= sizeof said);
        memcpy(said + said_len, data, (size_t)n);
        said_len += (size_t)n;
    }
    return n;
}

static void write_input(const char *directory, const char *name)
{
    const uint32_t now = (uint32_t)talking.now;
    const uint8_t head[TALK_HEAD] = {talking.flags, (uint8_t)now, (uint8_t)(now >> 8),
                                     (uint8_t)(now >> 16), (uint8_t)(now >> 24)};
    char path[300];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s-%u", directory, name, talking.flags);
    file = fopen(path, "wb");
    MUST(file != NULL && fwrite(head, 1, sizeof head, file) == sizeof head);
    if ((talking.flags & TALK_RESUMES) != 0) {
        MUST(fwrite(&talking.session, 1, sizeof talking.session, file) == sizeof talking.session);
    }
    MUST(fwrite(said, 1, said_len, file) == said_len && fclose(file) == 0);
}

static void record(const char *directory, const char *name, unsigned flags, size_t records)
{
    static avito_transport_functions functions;

    peer.answer_records = records;
    functions = *peer_transport(&peer).functions;
    functions.recv = listen_in;
    talking.below.functions = &functions;
    talking.below.ctx = &peer;
    talking.flags = (uint8_t)flags;
    talking.now = (int64_t)time(NULL);
    said_len = 0;
    talk(&talking);
    write_input(directory, name);
}

int main(int count, char **words)
{
    static const char *const names[] = {"good-ec",    "good-rsa",     "good-p384",
                                        "wrong-host", "unknown-root", "nine"};

    MUST(count == 2);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        peer_init(&peer, names[i]);
        record(words[1], names[i], 0, 1);
        if (i < 2) {
            MUST(talking.connected && talking.result == AVITO_IO_CLOSED &&
                 talking.got_len == peer.answer_len);
            MUST(avito_tls_get_session(&talking.tls, &talking.session) == AVITO_OK);
            record(words[1], names[i], TALK_RESUMES, 3);
            MUST(peer.resumed && talking.got_len == peer.answer_len);
            record(words[1], names[i], TALK_FULL_DUPLEX, 9);
            record(words[1], names[i], TALK_SMALL, 2);
            peer.ending = PEER_CUT;
            record(words[1], "cut", TALK_FULL_DUPLEX | TALK_SMALL, 2);
        }
        peer_free(&peer);
    }
    return 0;
}

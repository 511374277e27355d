/*
 * Trust anchors made by tools/anchors at build time equal those that are read at run time.
 * Rooms: TLS: TRUST ANCHORS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/peer.h"

extern const br_x509_trust_anchor both[];
extern const size_t both_count;
extern const br_x509_trust_anchor one[];
extern const size_t one_count;

static struct peer peer;
static struct side side;

static void same_as_at_run_time(void **state)
{
    size_t i;
    (void)state;
    side_meet(&side, &peer, "good-ec");
    assert_int_equal(both_count, side.anchors.count);
    for (i = 0; i < both_count; i++) {
        const br_x509_trust_anchor *a = &both[i];
        const br_x509_trust_anchor *b = &side.anchors.items[both_count - 1 - i];
        assert_int_equal(a->flags, b->flags);
        assert_int_equal(a->dn.len, b->dn.len);
        assert_memory_equal(a->dn.data, b->dn.data, a->dn.len);
        assert_int_equal(a->pkey.key_type, b->pkey.key_type);
        if (a->pkey.key_type == BR_KEYTYPE_EC) {
            assert_int_equal(a->pkey.key.ec.curve, b->pkey.key.ec.curve);
            assert_int_equal(a->pkey.key.ec.qlen, b->pkey.key.ec.qlen);
            assert_memory_equal(a->pkey.key.ec.q, b->pkey.key.ec.q, a->pkey.key.ec.qlen);
        } else {
            assert_int_equal(a->pkey.key.rsa.nlen, b->pkey.key.rsa.nlen);
            assert_memory_equal(a->pkey.key.rsa.n, b->pkey.key.rsa.n, a->pkey.key.rsa.nlen);
            assert_int_equal(a->pkey.key.rsa.elen, b->pkey.key.rsa.elen);
            assert_memory_equal(a->pkey.key.rsa.e, b->pkey.key.rsa.e, a->pkey.key.rsa.elen);
        }
    }
    peer_free(&peer);
}

static int talk(const char *server, const br_x509_trust_anchor *anchors, size_t count)
{
    int rc;
    side_meet(&side, &peer, server);
    side.options.anchors = anchors;
    side.options.anchors_count = count;
    rc = side_talk(&side, &peer);
    peer_free(&peer);
    return rc;
}

static void servers(void **state)
{
    (void)state;
    assert_int_equal(one_count, 1);
    assert_int_equal(talk("good-ec", both, both_count), AVITO_OK);
    assert_int_equal(talk("good-rsa", both, both_count), AVITO_OK);
    assert_int_equal(talk("good-rsa", one, one_count), AVITO_OK); /* -s "Root rsa" */
    assert_int_equal(talk("good-ec", one, one_count), AVITO_ERR_TLS_TRUST);
}

/* A file that cannot be read to its end: half of the roots would look like all. */
static void what_cannot_be_read_is_said(void **state)
{
    char said[200] = "";
    FILE *errors;

    (void)state;
    assert_int_not_equal(
        system("build/anchors build/tls/roots.pem / >/dev/null 2>build/tls/anchors.said"), 0);
    errors = fopen("build/tls/anchors.said", "r");
    assert_non_null(errors);
    assert_non_null(fgets(said, sizeof said, errors));
    assert_string_equal(said, "anchors: /: cannot be read\n");
    (void)fclose(errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_at_run_time),
        cmocka_unit_test(servers),
        cmocka_unit_test(what_cannot_be_read_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

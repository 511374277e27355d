# Tests of the bundled transports: TCP by POSIX sockets, TLS by BearSSL. They need the whole
# implementation (build/obj/...) and certificates, which tests/tls/certs.sh makes.

TEST_PACKAGES += libssl-dev openssl ca-certificates

TLS_TESTS := $(patsubst tests/tls/%.c,build/tests/%,$(wildcard tests/tls/*_test.c))
TEST_PROGRAMS += $(TLS_TESTS)
TLS_UNIT_TESTS := build/tests/cert_test # includes the implementation itself

# The two transports alone do not need the rest of the client: tests/tls/transports.c holds the
# implementation with both of them.
TLS_OBJECTS := build/obj/tests/tls/peer.san.o build/obj/tests/tls/transports.san.o
$(filter-out $(TLS_UNIT_TESTS),$(TLS_TESTS)): $(TLS_OBJECTS)
$(TLS_TESTS): build/tests/%: build/obj/tests/tls/%.san.o build/tls/done
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $(filter %.o,$^) -o $@ -lcmocka -lbearssl -lssl -lcrypto -lpthread

$(patsubst build/tests/%,build/obj/tests/tls/%.san.o,$(TLS_TESTS)) $(TLS_OBJECTS): \
    CFLAGS_EXTRA += -DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1

build/tls/done: tests/tls/certs.sh
	@mkdir -p $(@D)
	sh tests/tls/certs.sh build/tls >build/tls/log.txt 2>&1 || { cat build/tls/log.txt; exit 1; }

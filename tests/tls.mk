# Tests of the bundled transports: TCP by POSIX sockets, TLS by BearSSL. They need the whole
# implementation (build/obj/...) and certificates, which tests/tls/certs.sh makes.

TEST_PACKAGES += libssl-dev openssl ca-certificates

TLS_TESTS := $(patsubst tests/tls/%.c,build/tests/%,$(wildcard tests/tls/*_test.c))
TEST_PROGRAMS += $(TLS_TESTS)
TEST_SCRIPTS += tests/tls/links.sh
# These include the implementation themselves:
TLS_UNIT_TESTS := build/tests/cert_test build/tests/openssl_transport_test

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

# Anchors made by the tool, compiled under strict warnings: that is how users get them.
build/tests/generated_test: build/tls/both.o build/tls/one.o
build/tls/both.c: build/anchors build/tls/done
	build/anchors -n both build/tls/roots.pem >$@
build/tls/one.c: build/anchors build/tls/done
	build/anchors -n one -s "Root rsa" build/tls/roots.pem >$@
build/tls/%.o: build/tls/%.c
	$(CC) -std=c99 -pedantic -Wall -Wextra -Wconversion -Wcast-qual -Wmissing-prototypes -Werror -c $< -o $@

build/tests/openssl_transport_test: build/obj/tests/tls/peer.san.o

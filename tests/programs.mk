# Test programs that are not found by their name alone, and what they are linked with.

# The filter's test three times: with everything, without intrinsics, and without the shortcuts either.
# The results must not differ.

FILTER_VARIANTS := build/tests/filter_portable_test build/tests/filter_plain_test
TEST_PROGRAMS += $(FILTER_VARIANTS)

build/obj/filter/portable.o: FILTER_FLAGS := -DAVITO_WITH_SIMD=0 -DAVITO_WITH_SHORTCUTS=1
build/obj/filter/plain.o: FILTER_FLAGS := -DAVITO_WITH_SIMD=0 -DAVITO_WITH_SHORTCUTS=0
build/obj/filter/%.o: tests/unit/filter_test.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_SAN) $(FILTER_FLAGS) -c $< -o $@
$(FILTER_VARIANTS): build/tests/filter_%_test: build/obj/filter/%.o $(SUPPORT)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $^ -o $@ -lcmocka -lbearssl

# The head's lines once more, with machine words in place of intrinsics.
TEST_PROGRAMS += build/tests/head_lines_portable_test
build/obj/filter/head_lines.o: tests/unit/head_lines_test.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_SAN) -DAVITO_WITH_SIMD=0 -c $< -o $@
build/tests/head_lines_portable_test: build/obj/filter/head_lines.o $(SUPPORT)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $^ -o $@ -lcmocka -lbearssl

# Many lanes against the simulator's core in the same process.
build/tests/lanes_test: build/libsimulator.san.a
build/tests/lanes_test: LDLIBS += $(SIMULATOR_LIBS)

# JSON beside cJSON.
build/tests/beside_cjson_test: LDLIBS += -lcjson

# Lanes of one account on several threads, under ThreadSanitizer, which does not work together with
# the other sanitizers. A script, because it may have to be started in another way: see there.
TEST_SCRIPTS += tests/threads/run.sh

build/threads_test: tests/threads/threads_test.c $(HEADER)
	@mkdir -p $(@D)
	$(CC) $(INCLUDES) -D_GNU_SOURCE -DAVITO_STATIC=1 -std=c99 -g1 -O1 $(WARN) -fsanitize=thread $< -o $@ -lcmocka -lpthread
test-programs: build/threads_test

# Every call over real TLS: against the simulator, and against nginx in front of it.
TEST_PACKAGES += nginx-light libcjson-dev
TEST_PROGRAMS += build/tests/calls_test

CALLS_OBJECTS := $(patsubst %,build/obj/tests/tls/%.san.o,calls service) $(LIBRARY)
build/obj/tests/tls/calls.san.o: CFLAGS_EXTRA += -DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1

build/tests/calls_test: $(CALLS_OBJECTS) build/simulator build/certs
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $(CALLS_OBJECTS) -o $@ -lcmocka -lbearssl -lcjson

# Tests of the bundled transports: TCP by POSIX sockets, TLS by BearSSL. They need certificates, which
# tests/tls/certs.sh makes.

TEST_PACKAGES += libssl-dev openssl ca-certificates

TLS_TESTS := $(patsubst tests/tls/%.c,build/tests/%,$(wildcard tests/tls/*_test.c))
TEST_PROGRAMS += $(TLS_TESTS)
TEST_SCRIPTS += tests/tls/links.sh
# These include the implementation themselves:
TLS_UNIT_TESTS := build/tests/cert_test

TLS_PEER := build/obj/tests/tls/peer.san.o
$(filter-out $(TLS_UNIT_TESTS),$(TLS_TESTS)): $(TLS_PEER) $(LIBRARY)
$(TLS_TESTS): build/tests/%: build/obj/tests/tls/%.san.o build/tls/done
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $(filter %.o,$^) -o $@ -lcmocka -lbearssl $(LDLIBS) -lssl -lcrypto -lpthread

$(patsubst build/tests/%,build/obj/tests/tls/%.san.o,$(TLS_TESTS)) $(TLS_PEER): \
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

# Other libraries as transports (examples/transports), by one list of cases.
TEST_PACKAGES += libmbedtls-dev
build/tests/openssl_transport_test build/tests/mbedtls_transport_test: build/obj/tests/tls/other_tls.san.o
build/obj/tests/tls/other_tls.san.o: CFLAGS_EXTRA += -DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1
build/tests/mbedtls_transport_test: LDLIBS += -lmbedtls -lmbedx509 -lmbedcrypto
build/tests/faults_test: LDLIBS += -Wl,--wrap=socket,--wrap=fcntl,--wrap=connect,--wrap=getsockopt,--wrap=setsockopt \
    -Wl,--wrap=send,--wrap=recv,--wrap=poll,--wrap=ioctl,--wrap=clock_gettime,--wrap=open,--wrap=read \
    -Wl,--wrap=getrandom,--wrap=getaddrinfo,--wrap=freeaddrinfo,--wrap=socketpair,--wrap=access,--wrap=write \
    -Wl,--wrap=pthread_attr_init
build/tests/slow_test: build/obj/tests/support/clock.san.o

# Every public function, called carelessly; the table is made from the header's declarations.
build/careless/functions.h: tests/api/careless.py $(HEADER)
	@mkdir -p $(@D)
	$(PYTHON) $< $(HEADER) >$@
build/obj/tests/api/careless_test.san.o: build/careless/functions.h
build/obj/tests/api/careless_test.san.o: CFLAGS_EXTRA += -Ibuild/careless $(LIBRARY_FLAGS)

# The file store on an interposed file system: tests/api/store_disk.h.
build/tests/store_test: LDLIBS += -Wl,--wrap=openat,--wrap=close,--wrap=read,--wrap=write,--wrap=fsync,--wrap=fstat \
    -Wl,--wrap=ftruncate,--wrap=flock,--wrap=unlinkat,--wrap=renameat,--wrap=mkdir,--wrap=fdopendir \
    -Wl,--wrap=readdir,--wrap=closedir,--wrap=pread,--wrap=clock_gettime,--wrap=time,--wrap=poll

# Built with AVITO_TINY: what only linked parts do (tests/tiny), and the tests of calls once more, whose
# lanes make the calls that link them.
TINY_TESTS := $(patsubst tests/tiny/%.c,build/tests/%,$(wildcard tests/tiny/*_test.c))
TINY_TWINS := call errors inbox lanes list response settle token
TINY_PROGRAMS := $(TINY_TESTS) $(TINY_TWINS:%=build/tests/tiny_%_test)
TEST_PROGRAMS += $(TINY_PROGRAMS)

build/lib/avito_tiny.san.o: $(HEADER)
	@mkdir -p $(@D)
	$(CC) $(INCLUDES) $(CFLAGS_SAN) -DAVITO_TINY=1 -DAVITO_MESSENGER_IMPLEMENTATION -x c -c $(HEADER) -o $@

build/tests/tiny_lanes_test: build/libsimulator.san.a
build/tests/tiny_lanes_test: LDLIBS += $(SIMULATOR_LIBS)
$(TINY_TWINS:%=build/tests/tiny_%_test): build/tests/tiny_%_test: build/obj/tests/api/%_test.san.o
$(TINY_TESTS): build/tests/%: build/obj/tests/tiny/%.san.o
$(TINY_PROGRAMS): build/lib/avito_tiny.san.o $(SUPPORT)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $(filter %.o,$^) $(filter %.a,$^) -o $@ -lcmocka $(LDLIBS)

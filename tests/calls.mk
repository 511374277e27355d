# Every call over real TLS: against the simulator, and against nginx in front of it.
TEST_PACKAGES += nginx-light libcjson-dev
TEST_PROGRAMS += build/tests/calls_test

CALLS_OBJECTS := $(patsubst %,build/obj/tests/tls/%.san.o,calls service transports)
build/obj/tests/tls/calls.san.o: CFLAGS_EXTRA += -DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1

build/tests/calls_test: $(CALLS_OBJECTS) build/simulator build/certs
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $(CALLS_OBJECTS) -o $@ -lcmocka -lbearssl -lcjson

# simulator.mk - the simulated Avito service: a library for tests, a server, and its certificates.
#
#   build/libsimulator.a        the core; link with $(SIMULATOR_LIBS)
#   build/libsimulator.san.a    the same under the sanitizers
#   build/simulator             the server: build/simulator --help
#   build/certs                 certificates for tests

SIMULATOR_CORE := text state models tokens webhooks api multipart answers faults simulator connection
SIMULATOR_LIBS := -lhttp_parser -lcjson
TEST_PACKAGES  += libhttp-parser-dev libcjson-dev libssl-dev openssl

SIMULATOR_OBJECTS := $(SIMULATOR_CORE:%=build/obj/tools/simulator/%.o)
SIMULATOR_SERVER  := $(patsubst %,build/obj/tools/simulator/%.o,main admin)

build/libsimulator.a: $(SIMULATOR_OBJECTS)
build/libsimulator.san.a: $(SIMULATOR_OBJECTS:.o=.san.o)
build/libsimulator.a build/libsimulator.san.a:
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

build/simulator: $(SIMULATOR_SERVER) build/libsimulator.a
	$(CC) $^ -o $@ -lssl -lcrypto $(SIMULATOR_LIBS)

build/certs: tools/simulator/certs.sh
	sh tools/simulator/certs.sh $@.new
	@rm -rf $@ && mv $@.new $@ && touch $@

.PHONY: simulator
simulator: build/simulator build/certs ## the simulated service as a server, and certificates for it

build/tests/simulator_test build/tests/simulator_http_test: build/libsimulator.san.a
build/tests/simulator_test build/tests/simulator_http_test: LDLIBS += $(SIMULATOR_LIBS)

test-programs: build/simulator build/certs

# simulator.mk - the simulated Avito service: a library for tests, a server, and its certificates.
#
#   build/libsimulator.a        core and HTTP; link with $(SIMULATOR_LIBS)
#   build/libsimulator.san.a    the same under the sanitizers
#   build/simulator             the server: build/simulator --help
#   build/certs                 certificates for tests

# Rooms, and in them files, in the order of who may call whom: tests/check/simulator_rooms.sh.
SIMULATOR_CORE := $(addprefix core/,text names media models webhooks state tokens)
SIMULATOR_HTTP := $(addprefix http/,errors plans request multipart operations api service connection simulator)
SIMULATOR_SERVER := $(addprefix net/,sockets clients deliveries) $(addprefix control/,feed story door) \
    web/files control/web $(addprefix server/,program main)
SIMULATOR_PAGE := $(filter-out %.png,$(wildcard tools/simulator/web/*))
SIMULATOR_LIBS := -lhttp_parser -lcjson
TEST_PACKAGES  += libhttp-parser-dev libcjson-dev libssl-dev openssl

SIMULATOR_OBJECTS := $(patsubst %,build/obj/tools/simulator/%.o,$(SIMULATOR_CORE) $(SIMULATOR_HTTP))
SIMULATOR_PROGRAM := $(SIMULATOR_SERVER:%=build/obj/tools/simulator/%.o)

# The page, compiled into the program.
build/obj/tools/simulator/web/files.c: $(SIMULATOR_PAGE)
	@mkdir -p $(@D)
	$(PYTHON) tools/simulator/web/embed.py $@
build/obj/tools/simulator/web/files.o: build/obj/tools/simulator/web/files.c
	$(CC) $(CPPFLAGS) $(CFLAGS_OPT) -c $< -o $@

build/libsimulator.a: $(SIMULATOR_OBJECTS)
build/libsimulator.san.a: $(SIMULATOR_OBJECTS:.o=.san.o)
build/libsimulator.a build/libsimulator.san.a:
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

build/simulator: $(SIMULATOR_PROGRAM) build/libsimulator.a
	$(CC) $^ -o $@ -lssl -lcrypto $(SIMULATOR_LIBS)

build/certs: tools/simulator/certs.sh
	sh tools/simulator/certs.sh $@.new
	@rm -rf $@ && mv $@.new $@ && touch $@

.PHONY: simulator
simulator: build/simulator build/certs ## the simulated service as a server, and certificates for it

.PHONY: simulator-rooms
simulator-rooms:
	@printf '%s\n' $(SIMULATOR_CORE) $(SIMULATOR_HTTP) $(SIMULATOR_SERVER)

build/tests/simulator_test build/tests/simulator_http_test: build/libsimulator.san.a
build/tests/simulator_test build/tests/simulator_http_test: LDLIBS += $(SIMULATOR_LIBS)

test-programs: build/simulator build/certs

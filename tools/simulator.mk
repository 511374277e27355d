# simulator.mk - the simulated Avito service: a library for tests, a server, and its certificates.
#
#   build/libsimulator.a        core and HTTP; link with $(SIMULATOR_LIBS)
#   build/libsimulator.san.a    the same under the sanitizers
#   build/simulator             the server: build/simulator --help
#   build/simulator.san         the same under the sanitizers
#   build/certs                 certificates for tests

# Rooms, and in them files, in the order of who may call whom: tests/check/simulator_rooms.sh.
SIMULATOR_CORE := $(addprefix core/,text names media models webhooks state tokens)
SIMULATOR_HTTP := $(addprefix http/,errors plans request multipart operations api service connection simulator)
SIMULATOR_SERVER := $(addprefix net/,sockets clients deliveries) $(addprefix control/,feed story values options acts looks door) \
    web/files control/web $(addprefix server/,program main)
SIMULATOR_PAGE := $(filter-out %.png,$(wildcard tools/simulator/web/*))
SIMULATOR_LIBS := -lhttp_parser -lcjson
TEST_PACKAGES  += libhttp-parser-dev libcjson-dev libssl-dev openssl

SIMULATOR_OBJECTS := $(patsubst %,build/obj/tools/simulator/%.o,$(SIMULATOR_CORE) $(SIMULATOR_HTTP))
SIMULATOR_PROGRAM := $(SIMULATOR_SERVER:%=build/obj/tools/simulator/%.o) build/obj/tools/avito/language.o

# The page, compiled into the program.
build/obj/tools/simulator/web/files.c: $(SIMULATOR_PAGE)
	@mkdir -p $(@D)
	$(PYTHON) tools/simulator/web/embed.py $@
build/obj/tools/simulator/web/files.o: build/obj/tools/simulator/web/files.c
	$(CC) $(CPPFLAGS) $(CFLAGS_OPT) -c $< -o $@
build/obj/tools/simulator/web/files.san.o: build/obj/tools/simulator/web/files.c
	$(CC) $(CPPFLAGS) $(CFLAGS_SAN) -c $< -o $@

build/libsimulator.a: $(SIMULATOR_OBJECTS)
build/libsimulator.san.a: $(SIMULATOR_OBJECTS:.o=.san.o)
build/libsimulator.a build/libsimulator.san.a:
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

build/simulator: $(SIMULATOR_PROGRAM) build/libsimulator.a
	$(CC) $^ -o $@ -lssl -lcrypto $(SIMULATOR_LIBS)

build/simulator.san: $(SIMULATOR_PROGRAM:.o=.san.o) build/libsimulator.san.a
	$(CC) $(SANITIZE) $^ -o $@ -lssl -lcrypto $(SIMULATOR_LIBS)

build/certs: tools/simulator/certs.sh
	sh tools/simulator/certs.sh $@.new
	@rm -rf $@ && mv $@.new $@ && touch $@

.PHONY: simulator
simulator: build/simulator build/certs ## the simulated service as a server, and certificates for it

# The page uses ports of its own if they are free.
# What the page says to try needs jsmn and BearSSL.
PLAY_PACKAGES := build-essential libhttp-parser-dev libcjson-dev libssl-dev openssl python3 libjsmn-dev libbearssl-dev
PLAY_OPTIONS ?=
.PHONY: play
play: ## a page on this machine: you are the buyer, your program is the shop
	@sh tools/need.sh $(PLAY_PACKAGES)
	@mkdir -p build && { $(MAKE) --no-print-directory build/simulator build/certs >build/play.txt 2>&1 || \
	    { cat build/play.txt; exit 1; }; }
	@exec build/simulator --play --tcp-port 8080 --tls-port 8443 --control-port 8090 \
	    --cert build/certs/ec.crt --key build/certs/ec.key $(PLAY_OPTIONS)

.PHONY: picture
picture: build/simulator.san build/certs build/page/03_chats_and_reply ## the README's picture of the page of play, by a headless browser
	PAGE_PICTURE=tools/simulator/web/page.png sh tests/check/page.sh picture

# A browser and its driver, if this machine has no others (tests/check/page.sh).
has = $(if $(shell command -v $(1)),,$(2))
TEST_OPTIONAL += $(call has,chromium,chromium) $(call has,node,nodejs) $(call has,npm,npm)

# The files that answer a person's first visit (tests/page).
build/page/03_chats_and_reply: examples/03_chats_and_reply.c examples/example.h $(HEADER)
	@mkdir -p $(@D)
	$(CC) -O1 $(WARN) -DAVITO_STATIC=1 -I. $< -o $@ -lbearssl
test-programs: build/page/03_chats_and_reply build/demo/bot

.PHONY: simulator-rooms
simulator-rooms:
	@printf '%s\n' $(SIMULATOR_CORE) $(SIMULATOR_HTTP) $(SIMULATOR_SERVER)

build/tests/simulator_test build/tests/simulator_http_test: build/libsimulator.san.a
build/tests/simulator_test build/tests/simulator_http_test: LDLIBS += $(SIMULATOR_LIBS)

test-programs: build/simulator build/simulator.san build/certs

# The fuzz target of the control side is made of the sources (tests/fuzz.mk).
build/fuzz/control: $(SIMULATOR_CORE:%=tools/simulator/%.c) $(SIMULATOR_HTTP:%=tools/simulator/%.c) \
    $(patsubst %,tools/simulator/control/%.c,feed story values options acts looks door)

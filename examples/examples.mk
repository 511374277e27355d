# The examples are built by the line in their first comment; tests/check/examples.sh does it with all.

# nginx stands in front of examples/12_webhook_server.c and of the simulator.
TEST_PACKAGES += openssl nginx-light
test-programs: build/simulator build/certs

# make demo: every call of the library in one story, against the simulator over TLS.

DEMO_PACKAGES := $(sort $(AVITO_PROGRAM_PACKAGES) $(PLAY_PACKAGES))
DEMO_OBJECTS := $(patsubst %,build/obj/examples/demo/%.o,demo say people listener bot program)

$(DEMO_OBJECTS): CFLAGS_EXTRA += -DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1
$(DEMO_OBJECTS): CFLAGS_OPT := $(CFLAGS_OPT:-O2=-O1)

build/demo/demo: $(DEMO_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $^ -o $@ -lbearssl -lcjson

# The bot of the last scene is the example, unchanged. AVITO_STATIC: only what it uses is compiled.
build/demo/bot: examples/11_auto_answer_bot.c examples/example.h $(HEADER)
	@mkdir -p $(@D)
	$(CC) -O2 $(WARN) -DAVITO_STATIC=1 -I. $< -o $@ -lbearssl

.PHONY: demo
demo: ## a story with every call, against the simulator over TLS, as a transcript
	@sh tools/need.sh $(DEMO_PACKAGES)
	@mkdir -p build && { $(MAKE) --no-print-directory build/demo/demo build/demo/bot build/avito build/simulator build/certs \
	    >build/demo.txt 2>&1 || { cat build/demo.txt; exit 1; }; }
	@sh examples/demo/run.sh

test-programs: build/demo/demo build/demo/bot build/avito

# make gateway: broker, service, gateway, and what passes by, in one terminal.
GATEWAY_PACKAGES := $(sort $(AVITO_PROGRAM_PACKAGES) $(PLAY_PACKAGES)) mosquitto mosquitto-clients

.PHONY: gateway
gateway: ## a broker, a buyer who writes, avito gateway, and what passes by; Ctrl-C ends it
	@sh tools/need.sh $(GATEWAY_PACKAGES)
	@mkdir -p build && { $(MAKE) --no-print-directory build/avito build/simulator build/certs >build/gateway.txt 2>&1 || \
	    { cat build/gateway.txt; exit 1; }; }
	@sh examples/gateway/run.sh

test-programs: build/avito build/simulator build/certs

# make demo: every call of the library in one story, against the simulator over TLS.

DEMO_PACKAGES := build-essential libjsmn-dev libbearssl-dev libcjson-dev libhttp-parser-dev \
    libssl-dev openssl
DEMO_OBJECTS := $(patsubst %,build/obj/examples/demo/%.o,demo say people listener)

$(DEMO_OBJECTS): CFLAGS_EXTRA += -DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1

build/demo/demo: $(DEMO_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $^ -o $@ -lbearssl -lcjson

.PHONY: demo
demo: ## a story with every call, against the simulator over TLS, as a transcript
	@sh tools/need.sh $(DEMO_PACKAGES)
	@mkdir -p build && { $(MAKE) --no-print-directory build/demo/demo build/simulator build/certs \
	    >build/demo.txt 2>&1 || { cat build/demo.txt; exit 1; }; }
	@sh examples/demo/run.sh

test-programs: build/demo/demo

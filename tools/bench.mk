# make bench: the header beside other libraries, in one run; make bench-quick: decoding only;
# make bench-shapes: the header alone on every shape, SHAPE=emoji only on those, OURS=1 only as users
# build it (some seconds).

BENCH_OUT := build/bench
BENCH_SRC := tools/bench
BENCH_FLAGS := -O2 -g -Wall -Wextra -Wno-unused-function -I. -I$(BENCH_SRC)
BENCH_PLUGIN := $(BENCH_FLAGS) -fPIC -fvisibility=hidden -shared
BENCH_PACKAGES = python3 gcc g++ valgrind libjsmn-dev libcjson-dev libjansson-dev libjson-c-dev \
	rapidjson-dev libsimdjson-dev \
	$(shell apt-cache show libyyjson-dev >/dev/null 2>&1 && echo libyyjson-dev)
BENCH_NET_PACKAGES := libcurl4-openssl-dev libbearssl-dev nginx-light openssl strace

# yyjson where the release packages it (Debian 13 does): asked when a recipe runs, as the packages
# are installed by then.
BENCH_YYJSON := /usr/include/yyjson.h
BENCH_PEERS = cjson jansson jsonc rapidjson simdjson jsmn jsmnlinks \
	$(shell test -e $(BENCH_YYJSON) && echo yyjson)
BENCH_LIB_cjson := -lcjson
BENCH_LIB_jansson := -ljansson
BENCH_LIB_jsonc := -ljson-c
BENCH_LIB_simdjson := -lsimdjson
BENCH_LIB_yyjson := -lyyjson

BENCH_DECODE = $(BENCH_OUT)/host $(BENCH_OUT)/heap.so $(BENCH_PEERS:%=$(BENCH_OUT)/%.so)
BENCH_DECODE_OURS := $(BENCH_OUT)/ours.so $(BENCH_OUT)/portable.so $(BENCH_OUT)/size.so
BENCH_NET := $(BENCH_OUT)/net_curl $(BENCH_OUT)/net_fast $(BENCH_OUT)/net_bare
BENCH_NET_OURS := $(BENCH_OUT)/net_ours
BENCH_SHARED := $(BENCH_SRC)/bench.h $(BENCH_SRC)/slots.h avito_messenger.h

$(BENCH_OUT)/inbox: $(BENCH_SRC)/inbox.c avito_messenger.h | $(BENCH_OUT)
	$(CC) -std=gnu99 $(BENCH_FLAGS) -o $@ $<

.PHONY: bench-inbox
bench-inbox: $(BENCH_OUT)/inbox ## requests that an inbox costs, with gates; some seconds
	@$(BENCH_OUT)/inbox

.PHONY: bench bench-accept bench-quick bench-shapes bench-peers bench-packages bench-net-packages
bench: bench-packages bench-net-packages ## speed, memory and network beside other libraries; fails when a gate is missed
	@$(MAKE) --no-print-directory bench-inbox
	@$(MAKE) --no-print-directory $(BENCH_DECODE) $(BENCH_DECODE_OURS) $(BENCH_NET) $(BENCH_NET_OURS)
	@$(PYTHON) -B $(BENCH_SRC)/payloads.py $(BENCH_OUT)/data --long
	@$(PYTHON) -B $(BENCH_SRC)/bench.py $(BENCH_OUT) $(BENCH_FLAGS_MORE)

bench-accept: BENCH_FLAGS_MORE := --accept
bench-accept: bench ## bench, and write the plot to be committed, tools/bench/plot.svg

bench-quick: bench-packages ## bench, decoding only, in less than a minute
	@$(MAKE) --no-print-directory $(BENCH_DECODE) $(BENCH_DECODE_OURS)
	@$(PYTHON) -B $(BENCH_SRC)/payloads.py $(BENCH_OUT)/data
	@$(PYTHON) -B $(BENCH_SRC)/bench.py $(BENCH_OUT) --quick

bench-shapes: ## instructions a byte of the header alone on every shape; fails when a gate is missed
	@sh tools/need.sh python3 gcc valgrind libjsmn-dev
	@$(MAKE) --no-print-directory $(BENCH_OUT)/host $(if $(OURS),$(BENCH_OUT)/ours.so,$(BENCH_DECODE_OURS))
	@$(PYTHON) -B $(BENCH_SRC)/payloads.py $(BENCH_OUT)/data --shapes
	@$(PYTHON) -B $(BENCH_SRC)/shapes.py $(BENCH_OUT) $(if $(SHAPE),--only $(SHAPE)) $(if $(OURS),--ours)

bench-peers: bench-packages bench-net-packages ## the bench without the header: checks the bench itself
	@$(MAKE) --no-print-directory $(BENCH_DECODE) $(BENCH_NET)
	@$(PYTHON) -B $(BENCH_SRC)/payloads.py $(BENCH_OUT)/data --long
	@$(PYTHON) -B $(BENCH_SRC)/bench.py $(BENCH_OUT) --peers-only

bench-packages:
	@sh tools/need.sh $(BENCH_PACKAGES)

bench-net-packages:
	@sh tools/need.sh $(BENCH_NET_PACKAGES)

$(BENCH_OUT):
	@mkdir -p $@

$(BENCH_OUT)/host: $(BENCH_SRC)/host.c $(BENCH_SRC)/hash.c $(BENCH_SHARED) | $(BENCH_OUT)
	$(CC) -std=gnu99 $(BENCH_FLAGS) -o $@ $(BENCH_SRC)/host.c $(BENCH_SRC)/hash.c -ldl

$(BENCH_OUT)/heap.so: $(BENCH_SRC)/heap.c | $(BENCH_OUT)
	$(CC) -std=gnu99 -O2 -fPIC -shared -fno-builtin -Wall -Wextra -o $@ $<

$(BENCH_OUT)/jsmnlinks.so: $(BENCH_SRC)/peer_jsmn.c $(BENCH_SHARED) | $(BENCH_OUT)
	$(CC) -std=gnu99 $(BENCH_PLUGIN) -DJSMN_STATIC -DJSMN_STRICT -DJSMN_PARENT_LINKS -o $@ $<

$(BENCH_OUT)/jsmn.so: $(BENCH_SRC)/peer_jsmn.c $(BENCH_SHARED) | $(BENCH_OUT)
	$(CC) -std=gnu99 $(BENCH_PLUGIN) -DJSMN_STATIC -o $@ $<

$(BENCH_OUT)/portable.so: $(BENCH_SRC)/peer_ours.c $(BENCH_SHARED) | $(BENCH_OUT)
	$(CC) -std=gnu99 $(BENCH_PLUGIN) -DAVITO_WITH_SIMD=0 -D'NAME="ours portable"' -o $@ $<

$(BENCH_OUT)/size.so: $(BENCH_SRC)/peer_ours.c $(BENCH_SHARED) | $(BENCH_OUT)
	$(CC) -std=gnu99 $(BENCH_PLUGIN) -Os -D'NAME="ours -Os"' -o $@ $<
$(BENCH_DECODE_OURS): tools/recorded.h

$(BENCH_OUT)/%.so: $(BENCH_SRC)/peer_%.c $(BENCH_SRC)/dom.h $(BENCH_SHARED) | $(BENCH_OUT)
	$(CC) -std=gnu99 $(BENCH_PLUGIN) -o $@ $< $(BENCH_LIB_$*)

$(BENCH_OUT)/%.so: $(BENCH_SRC)/peer_%.cpp $(BENCH_SHARED) | $(BENCH_OUT)
	$(CXX) -std=c++17 $(BENCH_PLUGIN) -o $@ $< $(BENCH_LIB_$*)

# libcurl with cJSON, and with the fastest decoder at hand.
BENCH_FASTEST = $(if $(filter yyjson,$(BENCH_PEERS)),yyjson,simdjson)
$(BENCH_OUT)/net_curl.o: $(BENCH_SRC)/net_curl.c $(BENCH_SRC)/net.h $(BENCH_SHARED) | $(BENCH_OUT)
	$(CC) -std=gnu99 $(BENCH_FLAGS) -c -o $@ $<

$(BENCH_OUT)/net_curl: $(BENCH_OUT)/net_curl.o $(BENCH_SRC)/peer_cjson.c $(BENCH_SRC)/dom.h
	$(CC) -std=gnu99 $(BENCH_FLAGS) -o $@ $< $(BENCH_SRC)/peer_cjson.c -lcurl -lcjson

$(BENCH_OUT)/net_fast: $(BENCH_OUT)/net_curl.o $(wildcard $(BENCH_SRC)/peer_*) $(BENCH_SRC)/dom.h
ifeq ($(BENCH_FASTEST),yyjson)
	$(CC) -std=gnu99 $(BENCH_FLAGS) -o $@ $< $(BENCH_SRC)/peer_yyjson.c -lcurl -lyyjson
else
	$(CXX) -std=c++17 $(BENCH_FLAGS) -o $@ $< $(BENCH_SRC)/peer_simdjson.cpp -lcurl -lsimdjson
endif

$(BENCH_OUT)/net_bare: $(BENCH_SRC)/net_bare.c $(BENCH_SRC)/net.h $(BENCH_SHARED) | $(BENCH_OUT)
	$(CC) -std=gnu99 $(BENCH_FLAGS) -o $@ $<

$(BENCH_OUT)/net_ours: $(BENCH_SRC)/net_ours.c $(BENCH_SRC)/net.h $(BENCH_SHARED) | $(BENCH_OUT)
	$(CC) -std=gnu99 $(BENCH_FLAGS) -o $@ $< -lbearssl

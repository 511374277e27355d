# make bench: the header beside other libraries, in one run; make bench-quick: decoding only.

BENCH_OUT := build/bench
BENCH_SRC := tools/bench
BENCH_CFLAGS := -std=gnu99 -O2 -g -fPIC -fvisibility=hidden -Wall -Wextra -I. -I$(BENCH_SRC)
BENCH_CXXFLAGS := -std=c++17 -O2 -g -fPIC -fvisibility=hidden -Wall -Wextra -I. -I$(BENCH_SRC)
BENCH_PEERS := cjson jansson jsonc rapidjson simdjson jsmn jsmnlinks
BENCH_PACKAGES := valgrind libjsmn-dev libcjson-dev libjansson-dev libjson-c-dev rapidjson-dev \
	libsimdjson-dev libcurl4-openssl-dev libbearssl-dev nginx-light openssl strace g++

BENCH_LIB_cjson := -lcjson
BENCH_LIB_jansson := -ljansson
BENCH_LIB_jsonc := -ljson-c
BENCH_LIB_simdjson := -lsimdjson

BENCH_DECODE := $(BENCH_OUT)/host $(BENCH_OUT)/heap.so $(BENCH_PEERS:%=$(BENCH_OUT)/%.so)

$(BENCH_OUT):
	mkdir -p $@

$(BENCH_OUT)/host: $(BENCH_SRC)/host.c $(BENCH_SRC)/hash.c $(BENCH_SRC)/bench.h avito_messenger.h | $(BENCH_OUT)
	$(CC) $(BENCH_CFLAGS) -o $@ $(BENCH_SRC)/host.c $(BENCH_SRC)/hash.c -ldl

$(BENCH_OUT)/heap.so: $(BENCH_SRC)/heap.c | $(BENCH_OUT)
	$(CC) -std=gnu99 -O2 -fPIC -shared -fno-builtin -Wall -Wextra -o $@ $<

$(BENCH_OUT)/jsmnlinks.so: $(BENCH_SRC)/peer_jsmn.c $(BENCH_SRC)/bench.h | $(BENCH_OUT)
	$(CC) $(BENCH_CFLAGS) -DJSMN_STATIC -DJSMN_STRICT -DJSMN_PARENT_LINKS -shared -o $@ $<

$(BENCH_OUT)/jsmn.so: $(BENCH_SRC)/peer_jsmn.c $(BENCH_SRC)/bench.h | $(BENCH_OUT)
	$(CC) $(BENCH_CFLAGS) -DJSMN_STATIC -shared -o $@ $<

$(BENCH_OUT)/%.so: $(BENCH_SRC)/peer_%.c $(BENCH_SRC)/dom.h $(BENCH_SRC)/slots.h $(BENCH_SRC)/bench.h | $(BENCH_OUT)
	$(CC) $(BENCH_CFLAGS) -shared -o $@ $< $(BENCH_LIB_$*)

$(BENCH_OUT)/%.so: $(BENCH_SRC)/peer_%.cpp $(BENCH_SRC)/slots.h $(BENCH_SRC)/bench.h | $(BENCH_OUT)
	$(CXX) $(BENCH_CXXFLAGS) -shared -o $@ $< $(BENCH_LIB_$*)

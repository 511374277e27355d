# Fuzz targets: tests/fuzz/NAME.c becomes build/fuzz/NAME. NAME.dict may lie beside it; inputs to
# begin with are made by tests/fuzz/seeds.py, and tests/fuzz/corpus/NAME keeps what was found.
#
# Two more builds of those that have the header in them, each in a folder of its own: build/fuzz-msan
# looks for memory that was never written, build/fuzz-tiny has the code of a board: AVITO_TINY, -Os, no
# short ways, no vectors. (http-parser and BearSSL are not compiled here, so MSan cannot see them.)

FUZZ_SECONDS ?= 60
FUZZ_NAMES := webhook_request response json notification raw_json split sequence stored pem tls_server control program
FUZZ_MSAN := response json notification raw_json split sequence
FUZZ_TINY := webhook_request response notification raw_json sequence stored

FUZZ_PROGRAMS := $(FUZZ_NAMES:%=build/fuzz/%)
FUZZ_MSAN_PROGRAMS := $(FUZZ_MSAN:%=build/fuzz-msan/%)
FUZZ_TINY_PROGRAMS := $(FUZZ_TINY:%=build/fuzz-tiny/%)
FUZZ_ALL := $(FUZZ_PROGRAMS) $(FUZZ_MSAN_PROGRAMS) $(FUZZ_TINY_PROGRAMS)

# Those that see only the interface are linked with one implementation for each build, tests/fuzz/impl.c.
# The others have it in them: with AVITO_STATIC only what they use is compiled.
FUZZ_LINKED := response notification raw_json sequence stored program

FUZZ_FLAGS := -std=c99 -g1 -Wall -Wextra -Wno-unused-function -Werror $(INCLUDES) -Itests/fuzz -D_GNU_SOURCE
FUZZ_ASAN := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZ_FLAGS_fuzz = -O1 $(FUZZ_ASAN)
FUZZ_FLAGS_fuzz-tiny = -Os $(FUZZ_ASAN) -DAVITO_TINY=1 -DAVITO_WITH_SIMD=0 -DAVITO_WITH_SHORTCUTS=0
FUZZ_FLAGS_fuzz-msan := -O1 -fsanitize=fuzzer,memory -fsanitize-memory-track-origins

# The sources of each, besides tests/fuzz/NAME.c, and its libraries.
fuzz_of = $(patsubst %,build/fuzz/%,$(1)) $(patsubst %,build/fuzz-msan/%,$(filter $(1),$(FUZZ_MSAN))) \
          $(patsubst %,build/fuzz-tiny/%,$(filter $(1),$(FUZZ_TINY)))
$(call fuzz_of,response): tests/support/clock.c
$(call fuzz_of,json): tests/fuzz/json_portable.c tests/fuzz/filter.h
$(call fuzz_of,response notification json raw_json): tests/support/dump.c
$(call fuzz_of,stored): tests/support/anyone.c
$(filter-out build/fuzz-msan/%,$(call fuzz_of,$(FUZZ_LINKED) pem tls_server)): FUZZ_LIBS := -lbearssl
$(call fuzz_of,webhook_request): FUZZ_LIBS := -lhttp_parser
build/fuzz/control: FUZZ_LIBS = $(SIMULATOR_LIBS) # and its sources: tools/simulator.mk
build/fuzz/program: $(addprefix tools/avito/,language.c russian.c ledger.c jsonl.c)
build/fuzz/program: FUZZ_LIBS := -linih -lbearssl
build/fuzz/program: FUZZ_OWN := -Itools/avito

# $(1): a build, $(2): its targets that are linked
define fuzz_rule
build/$(1)/impl.o: tests/fuzz/impl.c tests/fuzz/impl.h $$(HEADER)
	@mkdir -p $$(@D)
	$$(CLANG) $$(FUZZ_FLAGS) $$(FUZZ_FLAGS_$(1)) $(if $(filter fuzz-msan,$(1)),,$$(LIBRARY_FLAGS)) -c $$< -o $$@
$(2): build/$(1)/impl.o
build/$(1)/%: tests/fuzz/%.c tests/fuzz/fuzz.h $$(HEADER)
	@mkdir -p $$(@D)
	$$(CLANG) $$(FUZZ_FLAGS) $$(FUZZ_FLAGS_$(1)) $$(FUZZ_OWN) $$(if $$(filter %.o,$$^),,-DAVITO_STATIC=1) \
	    $$(filter %.c %.o,$$^) $$(FUZZ_LIBS) -o $$@
endef
$(foreach b,fuzz fuzz-msan fuzz-tiny,$(eval $(call fuzz_rule,$(b),$(filter build/$(b)/%,$(call fuzz_of,$(FUZZ_LINKED))))))

# Recorded servers to begin with.
build/fuzz/tls_server: build/fuzz/record_tls
build/fuzz/record_tls: tests/fuzz/record_tls.c tests/tls/peer.c tests/fuzz/tls_talk.h build/lib/avito.o build/tls/done
	@mkdir -p $(@D)
	$(CC) -std=c99 -g1 -O1 $(WARN) $(INCLUDES) -Itests/fuzz -D_GNU_SOURCE $(LIBRARY_FLAGS) $(filter %.c %.o,$^) -lssl -lcrypto -lbearssl -o $@
build/fuzz/pem: build/tls/done

.PHONY: fuzz fuzz-hours fuzz-programs fuzz-list
fuzz-programs: $(FUZZ_ALL)
fuzz-list:
	@echo $(FUZZ_ALL)
test-programs: fuzz-programs

fuzz: packages fuzz-programs ## every fuzz target for FUZZ_SECONDS (60), two at a time
	@$(PYTHON) tools/long_runs.py fuzz sh tests/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ_ALL)
fuzz-hours: packages fuzz-programs ## two hours of processor time for each fuzz target; goes on where it ended, FUZZ_WALL seconds long
	@FUZZ_WALL=$(FUZZ_WALL) FUZZ_HOURS=$(FUZZ_HOURS) $(PYTHON) tools/long_runs.py fuzz-hours $(PYTHON) tests/fuzz/hours.py $(FUZZ_ALL)

# The tests of the core under MemorySanitizer, each with the implementation in it. Those that need a library
# that is not compiled here are left out.
MSAN_UNIT := text filter body_framing request machine head_lines
MSAN_API := answer call decode errors inbox list list_memory raw_json response settle show token webhook_receiver words
MSAN_TESTS := $(MSAN_UNIT:%=build/msan/unit/%_test) $(MSAN_API:%=build/msan/api/%_test)
MSAN_FLAGS := -std=c99 -g -O1 -fsanitize=memory -fsanitize-memory-track-origins $(INCLUDES) -D_GNU_SOURCE
build/msan/header.o: $(HEADER)
	@mkdir -p $(@D)
	$(CLANG) $(MSAN_FLAGS) -DAVITO_MESSENGER_IMPLEMENTATION -x c -c $< -o $@
build/msan/support.a: $(wildcard tests/support/*.c tests/support/*.h) $(HEADER)
	@mkdir -p $(@D)/support
	cd $(@D)/support && $(CLANG) $(MSAN_FLAGS:-I%=-I$(CURDIR)/%) -c $(patsubst %,$(CURDIR)/%,$(wildcard tests/support/*.c))
	ar rcs $@ $(@D)/support/*.o
$(MSAN_API:%=build/msan/api/%_test): build/msan/header.o
$(MSAN_TESTS): build/msan/%: tests/%.c build/msan/support.a
	@mkdir -p $(@D)
	$(CLANG) $(MSAN_FLAGS) $< $(filter %.o,$^) build/msan/support.a -o $@ -lcmocka

.PHONY: msan
msan: packages ## the core's tests under MemorySanitizer
	@$(MAKE) --no-print-directory -k -j$(JOBS) $(MSAN_TESTS) >build/msan.txt 2>&1 || { tail -n 40 build/msan.txt; exit 1; }
	@for t in $(MSAN_TESTS); do $$t >$$t.log 2>&1 && echo "ok - $$t" || { tail -n 40 $$t.log; exit 1; }; done

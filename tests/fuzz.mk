# Fuzzing of the core: json, response, notification; tests/fuzz/*.c say what must hold. make test runs
# each for FUZZ_TEST_SECONDS (tests/check/fuzz.sh), make fuzz for FUZZ_SECONDS.

TEST_PACKAGES += libclang-rt-14-dev
FUZZ_SECONDS ?= 60
FUZZ_CORE := json response notification
FUZZ_LENGTH := -max_len=4000

$(FUZZ_CORE:%=build/fuzz/%): build/fuzz/%: tests/fuzz/%.c tests/fuzz/fuzz.h tests/support/dump.c $(HEADER)
	@mkdir -p $(@D)
	$(CLANG) -std=c99 -g -O1 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=all $(INCLUDES) $< tests/support/dump.c tests/support/dump_result.c -o $@

.PHONY: fuzz fuzz-core $(FUZZ_CORE:%=fuzz-%)
fuzz: fuzz-core ## every fuzz target for FUZZ_SECONDS
fuzz-core: $(FUZZ_CORE:%=fuzz-%)
$(FUZZ_CORE:%=fuzz-%): fuzz-%: build/fuzz/%
	$(PYTHON) tests/fuzz/seed.py $* build/fuzz/seeds/$*
	@mkdir -p build/fuzz/corpus/$*
	ASAN_OPTIONS=detect_leaks=0 build/fuzz/$* -max_total_time=$(FUZZ_SECONDS) $(FUZZ_LENGTH) -verbosity=0 \
	    -artifact_prefix=build/fuzz/$*- $(patsubst %,-dict=%,$(wildcard tests/fuzz/$*.dict)) \
	    -print_final_stats=1 build/fuzz/corpus/$* build/fuzz/seeds/$*

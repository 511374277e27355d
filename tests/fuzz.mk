# Fuzz targets: tests/fuzz/NAME.c becomes build/fuzz/NAME. Beside it may lie NAME.dict; inputs to
# begin with are made of tests/data by tests/fuzz/seeds.py, and tests/fuzz/corpus/NAME keeps what was
# found.

FUZZ_SECONDS ?= 60
FUZZ_NAMES := webhook_request response json notification raw_json sequence
FUZZ_PROGRAMS := $(FUZZ_NAMES:%=build/fuzz/%)
FUZZ_FLAGS := -std=c99 -g -O1 -Wall -Wextra -Wno-unused-function -Werror -fsanitize=fuzzer,address,undefined \
              -fno-sanitize-recover=all $(INCLUDES) -Itests/fuzz -D_GNU_SOURCE

build/fuzz/response: tests/support/clock.c
build/fuzz/json: tests/fuzz/json_portable.c tests/fuzz/filter.h
build/fuzz/response build/fuzz/notification build/fuzz/json build/fuzz/raw_json: tests/support/dump.c

$(FUZZ_PROGRAMS): build/fuzz/%: tests/fuzz/%.c tests/fuzz/fuzz.h $(HEADER)
	@mkdir -p $(@D)
	$(CLANG) $(FUZZ_FLAGS) $(filter %.c,$^) $(FUZZ_LIBS) -o $@

.PHONY: fuzz fuzz-programs
fuzz-programs: $(FUZZ_PROGRAMS)
test-programs: fuzz-programs

fuzz: packages fuzz-programs ## every fuzz target for FUZZ_SECONDS (60), two at a time
	@sh tests/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ_NAMES)

# The receiver's fuzz target compares it with http-parser.
build/fuzz/webhook_request: FUZZ_LIBS := -lhttp_parser

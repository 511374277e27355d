# avito_messenger.h - the header needs no build; this file tests, measures and demonstrates it.
#
#     make            the same as make test
#     make help       all targets, one line each
#
# HOW TESTS ARE FOUND
#
#   tests/unit/NAME_test.c   a cmocka program that includes the implementation itself
#                            (#define AVITO_MESSENGER_IMPLEMENTATION), so that it sees private
#                            functions and chooses the macros. Becomes build/tests/NAME_test. With
#                            AVITO_STATIC only what it uses is compiled, in a second instead of twenty;
#                            that works where nothing of support/ calls the library, as lane.c does.
#   tests/api/NAME_test.c    a cmocka program that only includes the interface, as a user would, and
#                            is linked with one object of the implementation for all (POSIX and
#                            BearSSL on). Quicker to build: prefer it.
#                            (PORTABLE_TESTS and PLAIN_TESTS below are linked with other objects.)
#   tests/check/NAME.sh      a script. It prints lines "ok - what" and "not ok - what". If it prints
#                            neither, its exit status counts as one check. Where it cannot run it
#                            prints "not run - why", which counts neither way.
#
#   Both kinds of programs run under ASan and UBSan, are linked with build/lib/support.a
#   (tests/support/*.c) and may #include "support/...", "avito_messenger.h" and files of tests/.
#   They run in the top directory, two at a time, the longest (TEST_FIRST) before the others, and those
#   that mostly wait (TEST_BESIDE) in a row beside them, each with a time limit of TEST_SECONDS. Output is
#   kept in build/logs and shown when something fails. A skipped cmocka test counts as failed.
#
# FRAGMENTS: tests/*.mk, tools/*.mk, examples/*.mk, examples/*/*.mk are included. They may say
#
#   TEST_PROGRAMS += build/tests/x_test        and a rule for it, or only
#   build/tests/x_test: LDLIBS += -lssl        extra flags for a program found by its name
#   build/tests/x_test: build/obj/tools/sim.san.o    extra objects for it
#   build/obj/tests/unit/x_test.san.o: CFLAGS_EXTRA += -DX=1    extra flags to compile it
#   TEST_SCRIPTS  += tools/x.sh                a script like those of tests/check
#   TEST_PACKAGES += libssl-dev                Debian packages that `make test` needs
#   TEST_OPTIONAL += chromium                  those that a script installs itself if it can
#   CLEAN_FILES   += ...                       beside build/
#
#   and define the targets demo, bench, soak, firmware, footprint, fuzz, each with
#   a "##" comment for `make help`. Pattern rules: build/obj/DIR/FILE.san.o is DIR/FILE.c under the
#   sanitizers, build/obj/DIR/FILE.o the same optimised. All output goes to build/.

.DEFAULT_GOAL := test
.DELETE_ON_ERROR:
.SUFFIXES:

CC       := gcc
CXX      := g++
CLANG    := clang
CLANGXX  := clang++
PYTHON   := python3
JOBS     ?= 2
TEST_SECONDS ?= 600
export CC CXX CLANG CLANGXX PYTHON

HEADER   := avito_messenger.h
INCLUDES := -I. -Itests
WARN     := -Wall -Wextra -Wshadow -Wno-unused-function -Werror
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CPPFLAGS := $(INCLUDES) -D_GNU_SOURCE -MMD -MP
# -g1: the lines of a sanitizer's report. All that a debugger can show takes a quarter longer to compile.
CFLAGS_SAN := -std=c99 -g1 -O1 $(WARN) $(SANITIZE)
CFLAGS_OPT := -std=c99 -g1 -O2 $(WARN)
LDLIBS   :=

BASE_PACKAGES := build-essential clang libclang-rt-dev python3
# gcc -m32 of Debian 13 or 12; plain gcc-multilib does not go with cross compilers. QEMU runs what it
# makes where the kernel does not.
MULTILIB_PACKAGES := "gcc-14-multilib|gcc-12-multilib" libc6-dev-i386 qemu-user
TEST_PACKAGES := libcmocka-dev libjsmn-dev libbearssl-dev gcc-mingw-w64-x86-64 $(MULTILIB_PACKAGES) \
                 clang-tidy cppcheck

UNIT_TESTS := $(patsubst tests/unit/%.c,build/tests/%,$(wildcard tests/unit/*_test.c))
API_TESTS  := $(patsubst tests/api/%.c,build/tests/%,$(wildcard tests/api/*_test.c))
TEST_PROGRAMS := $(UNIT_TESTS) $(API_TESTS)
TEST_SCRIPTS  := $(wildcard tests/check/*.sh)
CLEAN_FILES   :=

# Scripts that take more than half a minute of a core, the longest first, so that both cores have work to
# the end; and scripts that hardly need one, because they wait for minutes to pass and for silence.
TEST_FIRST  := $(addprefix tests/,check/port.sh release/run.sh avito/fleet_sim.sh avito/gateway_sim.sh \
                 world/seeds.sh check/lint.sh world/checks.sh check/compile.sh check/page.sh)
TEST_BESIDE := $(addprefix tests/,avito/fleet.sh avito/gateway.sh avito/program.sh transports/run.sh check/demo.sh)

SUPPORT_OBJECTS := $(patsubst %.c,build/obj/%.san.o,$(wildcard tests/support/*.c))
SUPPORT := build/lib/support.a
LIBRARY := build/lib/avito.san.o
LIBRARY_FLAGS := -DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1

include $(wildcard tests/*.mk tools/*.mk examples/*.mk examples/*/*.mk)

# ---- everyday ----

.PHONY: help test test-programs packages expect check-expect compile stack docs dist format lint clean
help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | LC_ALL=C sort -t'|' -k1,1 -u | awk -F'|' '{ printf "%-23s %s\n", $$1, $$2 }'

TEST_LIST = --programs $(sort $(TEST_PROGRAMS)) --beside $(TEST_BESIDE) \
    --scripts $(TEST_FIRST) $(sort $(filter-out $(TEST_FIRST) $(TEST_BESIDE),$(TEST_SCRIPTS)))

# How long `make test` takes, used where it has not run before.
TEST_EXPECT := Expect a quarter of an hour on a quick machine and an hour on a slow one. Most of it is the simulated world and the ports.
test: test-plan packages ## build and run every test; the last line counts them
	@mkdir -p build/logs
	@$(MAKE) --no-print-directory -k -j$(JOBS) test-programs >build/logs/build.txt 2>&1; \
	    echo $$? >build/logs/build.status
	@$(PYTHON) tools/run_tests.py --jobs $(JOBS) --seconds $(TEST_SECONDS) \
	    --build-log build/logs/build.txt --build-status "$$(cat build/logs/build.status)" \
	    $(TEST_LIST)

.PHONY: test-plan check
test-plan: ## say what `make test` would install, how large that is, and how long it takes
	@sh tools/need.sh --plan $(BASE_PACKAGES) $(sort $(TEST_PACKAGES)) $(TEST_OPTIONAL)
	@$(PYTHON) tools/run_tests.py --plan --jobs $(JOBS) --expect "$(TEST_EXPECT)" \
	    $(TEST_LIST)

# The part of the tests that needs no cross compiler and no server, for an answer within minutes.
CHECK_PACKAGES := $(BASE_PACKAGES) $(MULTILIB_PACKAGES) libcmocka-dev libjsmn-dev libbearssl-dev \
                  libhttp-parser-dev libcjson-dev
CHECK_PROGRAMS := $(UNIT_TESTS) $(API_TESTS)
CHECK_SCRIPTS  := $(addprefix tests/check/,docs.sh expect.sh manual.sh style.sh)
check: ## the tests that need no cross compiler and no server, in less than three minutes on two cores
	@sh tools/need.sh $(sort $(CHECK_PACKAGES))
	@mkdir -p build/logs
	@$(MAKE) --no-print-directory -k -j$(JOBS) $(CHECK_PROGRAMS) build/sizes build/sizes32 \
	    >build/logs/build.txt 2>&1; echo $$? >build/logs/build.status
	@$(PYTHON) tools/run_tests.py --brief --jobs $(JOBS) --seconds $(TEST_SECONDS) \
	    --build-log build/logs/build.txt --build-status "$$(cat build/logs/build.status)" \
	    --programs $(sort $(CHECK_PROGRAMS)) --scripts $(sort $(CHECK_SCRIPTS))

test-programs: $(TEST_PROGRAMS) ## only build the tests

packages: ## install the Debian packages that the tests need
	@sh tools/need.sh $(BASE_PACKAGES) $(sort $(TEST_PACKAGES))

expect: ## write tests/data/*.expect with the independent decoder
	$(PYTHON) tests/expect.py --write

check-expect: ## are tests/data/*.expect what the independent decoder says?
	@$(PYTHON) tests/expect.py --check

compile: packages ## the header in every configuration, warnings as errors
	@$(PYTHON) tests/compile/matrix.py

stack: ## worst stack of every public function (gcc -Os -DAVITO_WITH_SHORTCUTS=0 on this machine)
	@$(PYTHON) tools/callgraph.py --stack

docs: ## compile the code in the README and the manual
	@$(PYTHON) tools/docs.py

dist: ## build/dist/avito_messenger.h: the header with jsmn inlined
	@sh tools/need.sh libjsmn-dev python3
	@$(PYTHON) tools/dist.py

FORMAT_FILES = $(shell find tests tools examples -name '*.[ch]' -not -path '*/lwip/*')
format: ## clang-format over tests, tools and examples (never the header)
	@sh tools/need.sh clang-format
	clang-format -i $(FORMAT_FILES)

lint: ## the house (tools/rooms.py); gcc's analyser, clang-tidy and cppcheck over the header
	@sh tools/need.sh libjsmn-dev libbearssl-dev clang-tidy cppcheck
	@$(PYTHON) tools/rooms.py
	@sh tests/check/lint.sh

clean: ## remove what was built
	rm -rf build $(CLEAN_FILES)

# ---- rules ----

# The header itself, compiled as one object, as in a user's implementation file.
$(LIBRARY): $(HEADER)
	@mkdir -p $(@D)
	$(CC) $(INCLUDES) -D_POSIX_C_SOURCE=200809L $(CFLAGS_SAN) $(LIBRARY_FLAGS) \
	    -DAVITO_MESSENGER_IMPLEMENTATION -x c -c $(HEADER) -o $@

build/obj/%.san.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_SAN) $(CFLAGS_EXTRA) -c $< -o $@

build/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_OPT) $(CFLAGS_EXTRA) -c $< -o $@

$(SUPPORT): $(SUPPORT_OBJECTS)
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

$(UNIT_TESTS): build/tests/%: build/obj/tests/unit/%.san.o $(SUPPORT)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $(filter %.o,$^) $(filter %.a,$^) -o $@ -lcmocka -lbearssl $(LDLIBS)

# Without intrinsics; without intrinsics and shortcuts.
PORTABLE_TESTS := build/tests/decode_portable_test build/tests/decode_plain_test
build/lib/avito_plain.san.o: TWIN_FLAGS := -DAVITO_WITH_SHORTCUTS=0
build/lib/avito_portable.san.o build/lib/avito_plain.san.o: $(HEADER)
	@mkdir -p $(@D)
	$(CC) $(INCLUDES) $(CFLAGS_SAN) -DAVITO_WITH_SIMD=0 $(TWIN_FLAGS) -DAVITO_MESSENGER_IMPLEMENTATION \
	    -x c -c $(HEADER) -o $@

$(PORTABLE_TESTS): build/tests/decode_%_test: build/obj/tests/api/decode_%_test.san.o \
                   build/lib/avito_%.san.o $(SUPPORT)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $(filter %.o,$^) $(filter %.a,$^) -o $@ -lcmocka $(LDLIBS)

# Where the number of cases matters more than the sanitizers.
PLAIN_TESTS := build/tests/decode_splits_test
build/lib/avito.o: $(HEADER)
	@mkdir -p $(@D)
	$(CC) $(INCLUDES) -D_POSIX_C_SOURCE=200809L $(CFLAGS_OPT) $(LIBRARY_FLAGS) \
	    -DAVITO_MESSENGER_IMPLEMENTATION -x c -c $(HEADER) -o $@

$(PLAIN_TESTS): build/tests/%: build/obj/tests/api/%.o build/lib/avito.o $(SUPPORT_OBJECTS:.san.o=.o)
	@mkdir -p $(@D)
	$(CC) $(filter %.o,$^) -o $@ -lcmocka -lbearssl $(LDLIBS)

$(filter-out $(PORTABLE_TESTS) $(PLAIN_TESTS),$(API_TESTS)): build/tests/%: build/obj/tests/api/%.san.o $(LIBRARY) $(SUPPORT)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $(filter %.o,$^) $(filter %.a,$^) -o $@ -lcmocka -lbearssl $(LDLIBS)

.SECONDARY:
-include $(shell test -d build/obj && find build/obj -name '*.d')

# port.mk - the tests that need no sockets, on other machines, compilers and C libraries:
#
#   x86_32        32-bit x86, undefined behaviour traps
#   s390x         64-bit big-endian, char is unsigned; QEMU user mode; undefined behaviour traps
#   mips          32-bit big-endian; QEMU user mode; undefined behaviour traps
#   musl          another C library
#   tcc           another compiler
#   short_enums   gcc -fshort-enums: an enum is as small as its values allow
#   freestanding  the core sees the compiler's own headers and a few functions of <string.h>, uses no
#                 floating point and no vector registers, and is linked with tests/port/mem_str.c
#                 before the C library is there (tests of private functions see <stdio.h> too)
#
# They are the same tests, from the same source, as those that `make test` runs under the sanitizers:
# tests/api, tests/unit (which hold the implementation themselves) and tests/port.
# cmocka is built from Debian's source for each of them.
#
# A target is: its compiler, flags for the core, flags for linking. tests/port/run.sh runs the programs.

PORT_TARGETS := x86_32 s390x mips musl tcc short_enums freestanding
PORT_PACKAGES := $(MULTILIB_PACKAGES) gcc-s390x-linux-gnu libc6-dev-s390x-cross \
                 gcc-mips-linux-gnu libc6-dev-mips-cross musl-tools tcc libjsmn-dev dpkg-dev
TEST_PACKAGES += $(PORT_PACKAGES)

PORT_TRAP := -fsanitize=undefined -fsanitize-undefined-trap-on-error

PORT_CC_x86_32 := gcc -m32
PORT_CORE_x86_32 := -Os $(PORT_TRAP)
PORT_CC_s390x := s390x-linux-gnu-gcc
PORT_CORE_s390x := -O2 $(PORT_TRAP)
PORT_LINK_s390x := -static
PORT_CC_mips := mips-linux-gnu-gcc
PORT_CORE_mips := -Os $(PORT_TRAP)
PORT_LINK_mips := -static
PORT_CC_musl := musl-gcc
PORT_CORE_musl := -O2
PORT_LINK_musl := -static
PORT_CC_tcc := tcc
PORT_CC_short_enums := gcc -fshort-enums
PORT_CORE_short_enums := -O1
PORT_CC_freestanding := gcc
PORT_CORE_freestanding = -O2 -ffreestanding -nostdinc -isystem $(shell gcc -print-file-name=include) \
    -isystem tests/port/freestanding -mgeneral-regs-only -fno-pie -fno-stack-protector
PORT_LINK_freestanding := -no-pie

# Sockets, TLS, the simulator and cJSON stay at home. PORT_NOT: three are decode_test.c again, one is about
# the tests' own tools, and one about files.
PORT_NOT := decode_portable_test decode_plain_test decode_splits_test support_test store_test
port_tests = $(filter-out $(PORT_NOT),$(patsubst $(1)/%.c,%,\
    $(shell grep -L 'avito_tcp\|avito_tls\|simulator\|cJSON' $(wildcard $(1)/*_test.c))))
PORT_API := $(call port_tests,tests/api)
PORT_UNIT := $(call port_tests,tests/unit)
PORT_OWN := $(patsubst tests/port/%.c,%,$(wildcard tests/port/*_test.c))
PORT_PROGRAMS := $(foreach t,$(PORT_TARGETS),$(addprefix build/port/$(t)/,$(PORT_API) $(PORT_UNIT) $(PORT_OWN)))

.PHONY: port port-programs port-packages port-list
port: port-packages ## tests on 32 bits, big-endian, musl, tcc, short enums, without a C library
	@sh tests/check/port.sh
port-packages:
	@sh tools/need.sh build-essential $(PORT_PACKAGES)
port-programs: $(PORT_PROGRAMS)
port-list:
	@printf '%s\n' $(PORT_PROGRAMS)

# tests/port/*_test.c are tests like those of tests/api.
PORT_HOME := $(addprefix build/tests/,$(PORT_OWN))
TEST_PROGRAMS += $(PORT_HOME)
$(PORT_HOME): build/tests/%: build/obj/tests/port/%.san.o $(LIBRARY) $(SUPPORT)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $(filter %.o,$^) $(filter %.a,$^) -o $@ -lcmocka -lbearssl $(LDLIBS)

PORT_CMOCKA := build/port/source/cmocka
build/port/source/cmocka/.complete:
	@mkdir -p $(@D)
	sh examples/firmware/source.sh cmocka build/port/source
# Cross compilers do not look into /usr/include.
build/port/include/jsmn.h: /usr/include/jsmn.h
	@mkdir -p $(@D)
	cp $< $@

PORT_INCLUDES := -I. -Itests -Ibuild/port/include
PORT_CMOCKA_HAS := -DHAVE_INTTYPES_H -DHAVE_SIGNAL_H -DHAVE_STRINGS_H -DHAVE_STRSIGNAL \
    -DHAVE_SIGLONGJMP -DHAVE_CLOCK_REALTIME -DHAVE_STRUCT_TIMESPEC
PORT_SUPPORT := $(patsubst tests/support/%.c,%.o,$(wildcard tests/support/*.c))
PORT_AR := ar
PORT_AR_s390x := s390x-linux-gnu-ar
PORT_AR_mips := mips-linux-gnu-ar
PORT_NEEDS := build/port/include/jsmn.h build/port/source/cmocka/.complete $(wildcard tests/support/*.h)

# $(1): target
define PORT_RULES
build/port/$(1)/core.o: $(HEADER) build/port/include/jsmn.h tests/compile/impl.c
	@mkdir -p $$(@D)
	$$(PORT_CC_$(1)) -std=c99 $$(PORT_CORE_$(1)) -I. -Ibuild/port/include -c tests/compile/impl.c -o $$@

build/port/$(1)/cmocka.o: build/port/source/cmocka/.complete
	@mkdir -p $$(@D)
	$$(PORT_CC_$(1)) -w -D_GNU_SOURCE $(PORT_CMOCKA_HAS) -I$(PORT_CMOCKA)/include \
	    -c $(PORT_CMOCKA)/src/cmocka.c -o $$@

$(addprefix build/port/$(1)/,$(PORT_SUPPORT)): build/port/$(1)/%.o: tests/support/%.c $(PORT_NEEDS) $(HEADER)
	@mkdir -p $$(@D)
	$$(PORT_CC_$(1)) $$(PORT_FLAGS) -c $$< -o $$@

# An archive: a test of a part must not need what another helper calls.
build/port/$(1)/support.a: $(addprefix build/port/$(1)/,$(PORT_SUPPORT))
	rm -f $$@
	$$(or $$(PORT_AR_$(1)),$(PORT_AR)) rcs $$@ $$^

$(addprefix build/port/$(1)/,$(PORT_API:=.o)): build/port/$(1)/%.o: tests/api/%.c $(PORT_NEEDS) $(HEADER)
	@mkdir -p $$(@D)
	$$(PORT_CC_$(1)) $$(PORT_FLAGS) -c $$< -o $$@

$(addprefix build/port/$(1)/,$(PORT_OWN:=.o)): build/port/$(1)/%.o: tests/port/%.c $(PORT_NEEDS) $(HEADER)
	@mkdir -p $$(@D)
	$$(PORT_CC_$(1)) $$(PORT_FLAGS) -c $$< -o $$@

$(addprefix build/port/$(1)/,$(PORT_UNIT:=.o)): build/port/$(1)/%.o: tests/unit/%.c $(PORT_NEEDS) $(HEADER)
	@mkdir -p $$(@D)
	$$(PORT_CC_$(1)) $$(PORT_FLAGS) -Og -c $$< -o $$@

$(addprefix build/port/$(1)/,$(PORT_API) $(PORT_OWN)): build/port/$(1)/%: build/port/$(1)/%.o \
    build/port/$(1)/support.a $$(or $$(PORT_LINKED_$(1)),build/port/$(1)/core.o) build/port/$(1)/cmocka.o
	$$(PORT_CC_$(1)) $$(PORT_LINK_$(1)) $$^ -o $$@

$(addprefix build/port/$(1)/,$(PORT_UNIT)): build/port/$(1)/%: build/port/$(1)/%.o \
    build/port/$(1)/support.a $$(PORT_WITH_$(1)) build/port/$(1)/cmocka.o
	$$(PORT_CC_$(1)) $$(PORT_LINK_$(1)) $$^ -o $$@
endef

# Test programs are not optimised, which is quick to compile (-Og leaves out what a test of private functions
# does not use, which is quicker still), and try fewer splits, pairs, lists, values
# and pieces: what can be different here is the core.
PORT_FLAGS = -std=c99 -D_GNU_SOURCE -w -DSPLITS_MAX=25 -DPAIRS_MAX=0 -DLISTS_STEP=11 -DVALUES_STEP=17 -DPIECES_STEP=9 \
    -D_FILE_OFFSET_BITS=64 -I$(PORT_CMOCKA)/include $(PORT_INCLUDES)

# Nothing is missing from the core once mem_str.c is there: --no-undefined of a link that makes a file
# to link again. Then those functions are hidden, so that the tests' own use of the C library and the
# core's use of mem_str.c do not meet.
PORT_LINKED_freestanding := build/port/freestanding/alone.o
PORT_WITH_freestanding := build/port/freestanding/mem_str.o
build/port/freestanding/mem_str.o: tests/port/mem_str.c tests/port/freestanding/string.h
	@mkdir -p $(@D)
	gcc -std=c99 -O1 -ffreestanding -fno-builtin -fno-tree-loop-distribute-patterns -fno-pie \
	    -Wall -Wextra -Werror -Itests/port -c $< -o $@
build/port/freestanding/alone.o: build/port/freestanding/core.o build/port/freestanding/mem_str.o
	ld -r $^ -o $@.all
	@missing=$$(nm -u $@.all); [ -z "$$missing" ] || { echo "the core needs:$$missing"; exit 1; }
	objcopy -w -L 'mem*' -L 'str*' $@.all $@

$(foreach t,$(PORT_TARGETS),$(eval $(call PORT_RULES,$(t))))

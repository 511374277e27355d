# avito - the program (tools/avito).
#
#   make avito                       build/avito
#   make install PREFIX= DESTDIR=    the program, its manual pages, completions
#   make avito-static                build/avito-static: one file, musl, BearSSL from source

AVITO_PROGRAM_PACKAGES := build-essential libjsmn-dev libbearssl-dev libinih-dev
AVITO_PROGRAM_FLAGS := -DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1 -Itools/avito
AVITO_PROGRAM_SOURCES := $(wildcard tools/avito/*.c)
TEST_PACKAGES += libinih-dev

PREFIX ?= /usr/local

build/obj/tools/avito/%.o: CFLAGS_EXTRA += $(AVITO_PROGRAM_FLAGS)
build/obj/tools/avito/%.o: CFLAGS_OPT := -std=c99 -Os -g -ffunction-sections -fdata-sections $(WARN) $(CFLAGS)
build/obj/tools/avito/%.san.o: CFLAGS_EXTRA += $(AVITO_PROGRAM_FLAGS)

build/avito: $(AVITO_PROGRAM_SOURCES:%.c=build/obj/%.o)
	$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--gc-sections $^ -o $@ -linih -lbearssl

build/avito.san: $(patsubst %.c,build/obj/%.san.o,$(filter-out %/library.c,$(AVITO_PROGRAM_SOURCES))) $(LIBRARY)
	$(CC) $(SANITIZE) $^ -o $@ -linih -lbearssl

build/avito.1: build/avito
	LC_ALL=C build/avito --manual >$@
build/avito.ru.1: build/avito
	LC_ALL=ru_RU.UTF-8 build/avito --manual >$@

.PHONY: avito install install-built avito-static avito-static-foreign
avito: ## build/avito: the program for the command line
	@sh tools/need.sh $(AVITO_PROGRAM_PACKAGES)
	@$(MAKE) --no-print-directory build/avito

install: avito ## the program, manual pages and completions, below PREFIX
	@$(MAKE) --no-print-directory install-built

# For packagers: it needs nothing and installs nothing else.
install-built: build/avito build/avito.1 build/avito.ru.1
	install -D -m 755 build/avito "$(DESTDIR)$(PREFIX)/bin/avito"
	install -D -m 644 build/avito.1 "$(DESTDIR)$(PREFIX)/share/man/man1/avito.1"
	install -D -m 644 build/avito.ru.1 "$(DESTDIR)$(PREFIX)/share/man/ru/man1/avito.1"
	install -d "$(DESTDIR)$(PREFIX)/share/bash-completion/completions" \
	    "$(DESTDIR)$(PREFIX)/share/zsh/site-functions" "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d"
	build/avito completion bash >"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/avito"
	build/avito completion zsh >"$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_avito"
	build/avito completion fish >"$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/avito.fish"

# With musl nothing of the system is linked: BearSSL and inih come as Debian's sources.
AVITO_STATIC_PACKAGES := musl-tools dpkg-dev
build/avito-static: $(AVITO_PROGRAM_SOURCES) $(wildcard tools/avito/*.h) avito_messenger.h tools/avito/static.sh
	sh tools/avito/static.sh musl-gcc build/static $@
avito-static: ## build/avito-static: the program in one file without dependencies
	@sh tools/need.sh $(AVITO_PROGRAM_PACKAGES) $(AVITO_STATIC_PACKAGES)
	@$(MAKE) --no-print-directory build/avito-static

# The same for other processors: routers and small boards. Run by qemu-user in tests/port/avito.sh.
AVITO_FOREIGN := arm64 armhf mipsel mips
AVITO_FOREIGN_PACKAGES := gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf gcc-mipsel-linux-gnu gcc-mips-linux-gnu qemu-user
AVITO_FOREIGN_GCC_arm64 := aarch64-linux-gnu-gcc
AVITO_FOREIGN_GCC_armhf := arm-linux-gnueabihf-gcc
# As OpenWrt builds its packages. A program without shared libraries needs no calls through a table
# of addresses.
AVITO_MIPS := -mips16 -fno-pie -mno-abicalls
AVITO_FOREIGN_GCC_mipsel := mipsel-linux-gnu-gcc $(AVITO_MIPS)
AVITO_FOREIGN_GCC_mips := mips-linux-gnu-gcc $(AVITO_MIPS)
# Debian 12 was the last with packages for mipsel, Debian 10 for mips: musl, too, is built for these.
AVITO_FROM_SOURCE := mipsel mips
$(AVITO_FOREIGN:%=build/port/%/avito-static): build/port/%/avito-static: $(AVITO_PROGRAM_SOURCES) \
    $(wildcard tools/avito/*.h) avito_messenger.h tools/avito/static.sh tools/avito/foreign.sh tools/avito/musl.sh
	sh tools/avito/$(if $(filter $*,$(AVITO_FROM_SOURCE)),musl.sh $(firstword $(AVITO_FOREIGN_GCC_$*)) build/port/$*/root,foreign.sh \
	    $* build/port/$*/root musl-dev libinih-dev)
	sh tools/avito/static.sh "$(strip $(AVITO_FOREIGN_GCC_$*))" build/port/$* $@ $(CURDIR)/build/port/$*/root
avito-static-foreign: ## the program in one file for arm64, armhf, mipsel and mips: build/port/*/avito-static
	@sh tools/need.sh $(AVITO_PROGRAM_PACKAGES) $(AVITO_STATIC_PACKAGES) $(AVITO_FOREIGN_PACKAGES)
	@$(MAKE) --no-print-directory $(AVITO_FOREIGN:%=build/port/%/avito-static)

# Their tests: size, start, memory.
TEST_SCRIPTS  += tests/avito/static.sh tests/port/avito.sh
TEST_PACKAGES += $(AVITO_STATIC_PACKAGES) $(AVITO_FOREIGN_PACKAGES) binutils
test-programs: build/avito-static $(patsubst %,build/port/%/avito-static,$(filter-out $(AVITO_FROM_SOURCE),$(AVITO_FOREIGN))) \
    $(AVITO_FROM_SOURCE:%=build/port/%/built.txt)

# Where no archive has the sources that it needs, the test says so and goes on.
$(AVITO_FROM_SOURCE:%=build/port/%/built.txt): build/port/%/built.txt: $(AVITO_PROGRAM_SOURCES) $(wildcard tools/avito/*.h) avito_messenger.h
	@mkdir -p $(@D)
	@$(MAKE) --no-print-directory build/port/$*/avito-static >$@.new 2>&1 || \
	    grep -q 'cannot get the source of' $@.new || { cat $@.new; exit 1; }
	@mv $@.new $@

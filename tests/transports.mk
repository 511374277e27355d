# Transports to copy (examples/transports), over fakes of their stacks that behave as the real ones do.
TRANSPORT_STACKS := freertos freertos_select zephyr riot
TRANSPORT_PROGRAMS := $(TRANSPORT_STACKS:%=build/transports/%) build/transports/flash build/transports/flash_32 build/transports/arduino \
    build/transports/esp build/transports/lwip build/transports/bare build/transports/answer_freertos build/transports/answer_riot
TRANSPORT_FLAGS := -D_GNU_SOURCE -DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1
TRANSPORT_FOLDER_freertos_select := freertos
TRANSPORT_FLAGS_freertos := -DipconfigSOCKET_HAS_USER_SEMAPHORE=1
TRANSPORT_FLAGS_freertos_select := -DipconfigSOCKET_HAS_USER_SEMAPHORE=0 -DconfigTICK_RATE_HZ=10000u \
    -DipFR_TCP_VERSION_MAJOR=3
TRANSPORT_FLAGS_zephyr := -DCONFIG_NVS=1 -DCONFIG_DNS_RESOLVER=1
TRANSPORT_FLAGS_riot := -DMODULE_GNRC_SOCK_TCP=1 -DMODULE_SOCK_DNS=1

TEST_SCRIPTS += tests/transports/run.sh
test-programs: $(TRANSPORT_PROGRAMS)

build/obj/tests/transports/%.san.o: CFLAGS_EXTRA += $(TRANSPORT_FLAGS)

# $(1): stack
define TRANSPORT_RULE
build/transports/$(1): $(wildcard $(addprefix tests/transports/$(or $(TRANSPORT_FOLDER_$(1)),$(1))/,*.c)) \
    $(wildcard examples/transports/*.h tests/transports/$(or $(TRANSPORT_FOLDER_$(1)),$(1))/*) \
    $(addprefix build/obj/tests/transports/,story.san.o fake_net.san.o stores.san.o) $(LIBRARY)
	@mkdir -p $$(@D)
	$$(CC) $$(INCLUDES) $$(CFLAGS_SAN) $$(TRANSPORT_FLAGS) $$(TRANSPORT_FLAGS_$(1)) \
	    -Itests/transports/$(or $(TRANSPORT_FOLDER_$(1)),$(1)) $$(filter %.c %.o,$$^) -o $$@ -lbearssl
endef
$(foreach s,$(TRANSPORT_STACKS),$(eval $(call TRANSPORT_RULE,$(s))))

build/transports/flash_32: FLASH_WORD := 32
build/transports/flash build/transports/flash_32: tests/transports/flash/main.c examples/transports/avito_flash.h build/obj/tests/transports/stores.san.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(INCLUDES) $(CFLAGS_SAN) -D_GNU_SOURCE -DAVITO_FLASH_WORD=$(or $(FLASH_WORD),8) $(filter %.c %.o,$^) -o $@ -lbearssl

build/transports/esp: $(wildcard tests/transports/esp/*) examples/transports/avito_esp.h \
    build/obj/tests/transports/stores.san.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(INCLUDES) -Itests/transports/esp $(CFLAGS_SAN) -D_GNU_SOURCE $(filter %.c %.o,$^) -o $@ -lbearssl

# The example, on the two stacks that have no package of their own.
build/transports/roots.h: build/anchors build/certs
	@mkdir -p $(@D)
	build/anchors build/certs/roots.pem >$@
build/transports/answer_freertos: TRANSPORT_FLAGS := -DipconfigSOCKET_HAS_USER_SEMAPHORE=1
build/transports/answer_riot: TRANSPORT_FLAGS := -DRIOT_VERSION -DMODULE_GNRC_SOCK_TCP=1
build/transports/answer_%: tests/transports/answer.c tests/transports/%/fake.c build/transports/roots.h \
    $(wildcard examples/transports/*) $(HEADER) build/obj/tests/transports/fake_net.san.o
	@mkdir -p $(@D)
	$(CC) $(INCLUDES) $(CFLAGS_SAN) -D_GNU_SOURCE -DAVITO_STATIC=1 $(TRANSPORT_FLAGS) -Ibuild/transports -Itests/transports/$* \
	    $(filter tests/%.c %.o,$^) -o $@ -lbearssl

# The sketches themselves are compiled for each board's macros.
TRANSPORT_SKETCHES := ESP32 ESP8266 Ethernet
TRANSPORT_CXX := -std=c++11 -g -O1 -Wall -Wextra -Wno-missing-field-initializers -Wno-unused-variable -Werror
TRANSPORT_ARDUINO := $(wildcard tests/transports/arduino/*.cpp)
build/transports/arduino: $(TRANSPORT_ARDUINO) $(wildcard tests/transports/arduino/*.h examples/transports/arduino/*.h) \
    $(HEADER) build/obj/tests/transports/story.san.o build/obj/tests/transports/fake_net.san.o $(LIBRARY) \
    $(foreach b,$(TRANSPORT_SKETCHES),examples/transports/arduino/Ten_lines_$(b)/Ten_lines_$(b).ino)
	@mkdir -p $(@D)
	for b in $(TRANSPORT_SKETCHES); do $(CXX) $(TRANSPORT_CXX) -fsyntax-only $$([ $$b = Ethernet ] || echo -D$$b=1) -I. \
	    -Iexamples/transports/arduino -Iexamples/transports -Itests/transports/arduino -Itests/transports/arduino/sketch \
	    -Itests/transports/esp \
	    -x c++ examples/transports/arduino/Ten_lines_$$b/Ten_lines_$$b.ino || exit 1; done
	$(CXX) $(TRANSPORT_CXX) $(SANITIZE) $(INCLUDES) $(TRANSPORT_FLAGS) -Itests/transports/arduino \
	    $(filter %.cpp %.o,$^) -o $@ -lbearssl

# lwIP itself, from Debian's source: its sockets, threads, loopback. Its port to Unix is in port/ of 2.1 (Debian 12),
# in contrib/ of 2.2 (Debian 13).
LWIP_SOURCE := build/port/source/lwip
LWIP_PORTS := port contrib/ports/unix/port
LWIP_INCLUDES := -Itests/transports/lwip -isystem $(LWIP_SOURCE)/src/include $(LWIP_PORTS:%=-isystem $(LWIP_SOURCE)/%/include)
$(LWIP_SOURCE)/.complete:
	@mkdir -p $(@D)
	sh examples/firmware/source.sh lwip build/port/source
build/lib/lwip.a: $(LWIP_SOURCE)/.complete tests/transports/lwip/lwipopts.h
	@mkdir -p build/obj/lwip $(@D)
	for f in $(addprefix $(LWIP_SOURCE)/,src/core/*.c src/core/ipv4/*.c src/api/*.c src/netif/ethernet.c \
	        $(LWIP_PORTS:%=%/sys_arch.c)); do \
	    [ -e $$f ] || continue; $(CC) -w -g -O1 $(SANITIZE) $(LWIP_INCLUDES) -Wno-implicit-function-declaration -include fcntl.h -DLWIP_UNIX_LINUX \
	        -c $$f -o build/obj/lwip/$$(basename $$f .c).o || exit 1; done
	rm -f $@ && ar rcs $@ build/obj/lwip/*.o
build/obj/tests/transports/lwip/main.san.o: tests/transports/lwip/main.c $(HEADER) $(LWIP_SOURCE)/.complete
	@mkdir -p $(@D)
	$(CC) -I. -Itests/transports/lwip/posix -isystem $(LWIP_SOURCE)/src/include/compat/posix $(LWIP_INCLUDES) \
	    -D_POSIX_C_SOURCE=200809L -U__linux__ -DESP_PLATFORM=1 -DAVITO_WITH_POSIX=1 $(CFLAGS_SAN) -c $< -o $@
build/transports/lwip: $(patsubst %,build/obj/tests/transports/%.san.o,lwip/main lwip/relay story) $(LIBRARY) build/lib/lwip.a
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $^ -o $@ -lbearssl -lpthread

# lwIP itself without a system, as the firmware has it.
BARE_INCLUDES := -Itests/transports/bare -Iexamples/firmware/lwip -isystem $(LWIP_SOURCE)/src/include
build/lib/bare_lwip.a: $(LWIP_SOURCE)/.complete $(wildcard examples/firmware/lwip/*.h examples/firmware/lwip/*/*.h tests/transports/bare/*.h)
	@mkdir -p build/obj/bare_lwip $(@D)
	for f in $(FIRMWARE_LWIP:$(FIRMWARE_SOURCE)/lwip/%=$(LWIP_SOURCE)/%); do \
	    $(CC) -w -g -O1 $(SANITIZE) -I. $(BARE_INCLUDES) -c $$f -o build/obj/bare_lwip/$$(basename $$f .c).o || exit 1; done
	rm -f $@ && ar rcs $@ build/obj/bare_lwip/*.o
build/transports/bare: tests/transports/bare/main.c examples/firmware/link_lwip.c build/lib/bare_lwip.a $(HEADER) $(wildcard examples/firmware/*.h)
	@mkdir -p $(@D)
	$(CC) $(INCLUDES) $(CFLAGS_SAN) -D_GNU_SOURCE $(BARE_INCLUDES) -Iexamples/firmware $(filter %.c %.a,$^) -o $@

# Firmware on emulated boards. `make firmware` installs the cross tools, fetches the sources of
# BearSSL and lwIP from the distribution, builds, runs and judges every board.

FIRMWARE_DIR := examples/firmware
FIRMWARE_OUT := build/firmware
FIRMWARE_BOARDS := microbit mps2-an385 lm3s6965evb sifive_e
FIRMWARE_SOURCE := build/source
FIRMWARE_PACKAGES := gcc-arm-none-eabi libnewlib-arm-none-eabi binutils-arm-none-eabi \
    qemu-system-arm gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc \
    libjsmn-dev libbearssl-dev dpkg-dev python3

FIRMWARE_ARM := arm-none-eabi-gcc --specs=nano.specs -mthumb
FIRMWARE_RISCV := riscv64-unknown-elf-gcc --specs=picolibc.specs
FIRMWARE_CC_cm0 := $(FIRMWARE_ARM) -mcpu=cortex-m0
FIRMWARE_CC_cm3 := $(FIRMWARE_ARM) -mcpu=cortex-m3
FIRMWARE_CC_rv32 := $(FIRMWARE_RISCV) -march=rv32imac -mabi=ilp32

FIRMWARE_OBJDUMP_cm0 := arm-none-eabi-objdump
FIRMWARE_OBJDUMP_cm3 := arm-none-eabi-objdump
FIRMWARE_OBJDUMP_rv32 := riscv64-unknown-elf-objdump

FIRMWARE_CPU_microbit := cm0
FIRMWARE_CPU_mps2-an385 := cm3
FIRMWARE_CPU_lm3s6965evb := cm3
FIRMWARE_CPU_sifive_e := rv32
FIRMWARE_LINK_microbit := link_uart
FIRMWARE_LINK_mps2-an385 := link_uart
FIRMWARE_LINK_lm3s6965evb := link_lwip
FIRMWARE_LINK_sifive_e := link_uart

# What the boards do and what they have for it. The 16 KB parts choose the TLS profile themselves.
FIRMWARE_FLAGS := -DAVITO_WITH_BEARSSL=1 -DAVITO_TINY=1
FIRMWARE_FLAGS_microbit := -DAVITO_TLS_OWN_PROFILE=1
FIRMWARE_FLAGS_sifive_e := -DAVITO_TLS_OWN_PROFILE=1
FIRMWARE_FLAGS_mps2-an385 := -DLINK_PORTS=2 -DFIRMWARE_WITH_IMAGE=1
FIRMWARE_FLAGS_lm3s6965evb := -DFIRMWARE_FRAGMENT=16384 -DFIRMWARE_CHATS=50 \
    -DFIRMWARE_WITH_POLLING=1 -DFIRMWARE_ARENA=4096
FIRMWARE_STACK_lm3s6965evb := --interrupt 40=board_tick_interrupt

FIRMWARE_CFLAGS := -std=gnu99 -Os -g -ffunction-sections -fdata-sections -fstack-usage \
    -fcallgraph-info=su -Wall -Wextra -Werror -DNDEBUG
# jsmn.h lies in the host's include directory, whose other headers are not for the boards.
FIRMWARE_INCLUDES := -I$(FIRMWARE_OUT)/include -I. -I$(FIRMWARE_DIR) -I$(FIRMWARE_DIR)/board \
    -isystem $(FIRMWARE_SOURCE)/bearssl/inc -I$(FIRMWARE_DIR)/lwip \
    -isystem $(FIRMWARE_SOURCE)/lwip/src/include
FIRMWARE_LDFLAGS := -nostartfiles -Wl,--gc-sections -L$(FIRMWARE_DIR)
FIRMWARE_HEADERS := avito_messenger.h $(FIRMWARE_DIR)/firmware.mk $(wildcard $(FIRMWARE_DIR)/*.h $(FIRMWARE_DIR)/*/*.h)
FIRMWARE_COMMON := startup semihosting say

.PHONY: firmware firmware-selftest firmware-packages firmware-sources

firmware-packages:
	@sh tools/need.sh $(FIRMWARE_PACKAGES)

firmware-sources: firmware-packages
	@$(FIRMWARE_DIR)/source.sh bearssl $(FIRMWARE_SOURCE)
	@$(FIRMWARE_DIR)/source.sh lwip $(FIRMWARE_SOURCE)
	@mkdir -p $(FIRMWARE_OUT)/include
	@cp -u /usr/include/jsmn.h $(FIRMWARE_OUT)/include/

# The packages and sources must be there before anything below is even looked at: a make of its own.
firmware: firmware-sources ## build and run the firmware on every emulated board
	@$(MAKE) --no-print-directory -j$(JOBS) firmware-run

firmware-selftest: firmware-sources ## only the board files: clock, entropy and link of each board
	@$(MAKE) --no-print-directory -j$(JOBS) \
	    $(FIRMWARE_BOARDS:%=$(FIRMWARE_OUT)/selftest/%.elf)
	@$(PYTHON) $(FIRMWARE_DIR)/selftest.py $(FIRMWARE_OUT)/selftest $(FIRMWARE_BOARDS)

FIRMWARE_BROKEN := time entropy
.PHONY: firmware-run
firmware-run: $(FIRMWARE_BOARDS:%=$(FIRMWARE_OUT)/%.elf) $(FIRMWARE_BROKEN:%=$(FIRMWARE_OUT)/without-%.elf) \
    build/simulator build/certs
	@$(PYTHON) $(FIRMWARE_DIR)/run.py $(FIRMWARE_OUT)

# ---- libraries ----

$(FIRMWARE_OUT)/bearssl-%/libbearssl.a: $(FIRMWARE_DIR)/bearssl.sh $(FIRMWARE_SOURCE)/bearssl/.complete
	@$(FIRMWARE_DIR)/bearssl.sh $(FIRMWARE_SOURCE)/bearssl $(@D) $(FIRMWARE_CC_$*)
	@touch $@

FIRMWARE_LWIP := $(patsubst %,$(FIRMWARE_SOURCE)/lwip/src/%.c, core/def core/inet_chksum core/init \
    core/ip core/mem core/memp core/netif core/pbuf core/raw core/stats core/sys core/tcp \
    core/tcp_in core/tcp_out core/timeouts core/udp core/ipv4/etharp core/ipv4/icmp core/ipv4/ip4 \
    core/ipv4/ip4_addr core/ipv4/ip4_frag netif/ethernet)

$(FIRMWARE_LWIP): ;

# ---- trust anchors: the roots of the simulator, as C by BearSSL's own tool ----

FIRMWARE_BRSSL := $(addprefix $(FIRMWARE_SOURCE)/bearssl/tools/,brssl.c certs.c chain.c client.c \
    errors.c files.c impl.c keys.c names.c server.c skey.c sslio.c ta.c twrch.c vector.c verify.c xmem.c)

$(FIRMWARE_OUT)/brssl: $(FIRMWARE_SOURCE)/bearssl/.complete
	@mkdir -p $(@D)
	@$(CC) -O1 -w -I$(FIRMWARE_SOURCE)/bearssl/inc -I$(FIRMWARE_SOURCE)/bearssl/src \
	    $(FIRMWARE_BRSSL) -lbearssl -o $@

$(FIRMWARE_OUT)/include/anchors.h: $(FIRMWARE_OUT)/brssl build/certs
	@$(FIRMWARE_OUT)/brssl ta build/certs/roots.pem >$@ 2>$(FIRMWARE_OUT)/brssl.log

$(FIRMWARE_BOARDS:%=$(FIRMWARE_OUT)/%/firmware.o): $(FIRMWARE_OUT)/include/anchors.h

# ---- programs: build/firmware/BOARD/NAME.o, so that flags may differ by board ----

define FIRMWARE_BOARD_RULES
$(FIRMWARE_OUT)/$(1)/%.o: $(FIRMWARE_DIR)/%.c $(FIRMWARE_HEADERS)
	@mkdir -p $$(@D)
	@$$(FIRMWARE_CC_$(FIRMWARE_CPU_$(1))) $$(FIRMWARE_CFLAGS) $(FIRMWARE_FLAGS) $$(FIRMWARE_FLAGS_$(1)) \
	    $$(FIRMWARE_INCLUDES) -c $$< -o $$@

$(FIRMWARE_OUT)/$(1)/board.o: $(FIRMWARE_DIR)/board/$(1).c $(FIRMWARE_HEADERS)
	@mkdir -p $$(@D)
	@$$(FIRMWARE_CC_$(FIRMWARE_CPU_$(1))) $$(FIRMWARE_CFLAGS) $(FIRMWARE_FLAGS) $$(FIRMWARE_FLAGS_$(1)) \
	    $$(FIRMWARE_INCLUDES) -c $$< -o $$@

FIRMWARE_OBJECTS_$(1) := $(FIRMWARE_OUT)/$(1)/board.o \
    $$(patsubst %,$(FIRMWARE_OUT)/$(1)/%.o,$(FIRMWARE_COMMON) $(FIRMWARE_LINK_$(1))) \
    $$(if $$(filter link_lwip,$(FIRMWARE_LINK_$(1))),\
        $$(patsubst %.c,$(FIRMWARE_OUT)/$(1)/lwip/%.o,$$(notdir $(FIRMWARE_LWIP))))

# Linked twice: the first link tells what is in it, from which the worst stack is computed; the second
# has the linker check that static memory and this stack fit.
FIRMWARE_LINK_$(1)_WORDS = $$(FIRMWARE_CC_$(FIRMWARE_CPU_$(1))) $$(FIRMWARE_LDFLAGS) \
    -T $(FIRMWARE_DIR)/board/$(1).ld $$(FIRMWARE_OBJECTS_$(1)) $(FIRMWARE_OUT)/$(1)/avito.o \
    $(FIRMWARE_OUT)/$(1)/firmware.o $(FIRMWARE_OUT)/bearssl-$(FIRMWARE_CPU_$(1))/libbearssl.a

$(FIRMWARE_OUT)/$(1).elf: $$(FIRMWARE_OBJECTS_$(1)) $(FIRMWARE_OUT)/$(1)/avito.o \
    $(FIRMWARE_OUT)/$(1)/firmware.o $(FIRMWARE_OUT)/bearssl-$(FIRMWARE_CPU_$(1))/libbearssl.a \
    $(FIRMWARE_DIR)/board/$(1).ld $(FIRMWARE_DIR)/sections.ld $(wildcard $(FIRMWARE_DIR)/*.txt) \
    tools/footprint/stack.py
	@$$(FIRMWARE_LINK_$(1)_WORDS) -Wl,--defsym=firmware_stack_need=0 -o $(FIRMWARE_OUT)/$(1)/draft.elf
	@$(PYTHON) tools/footprint/stack.py $$(patsubst %.o,%.ci,$$(filter %.o,$$^)) \
	    $(FIRMWARE_OUT)/bearssl-$(FIRMWARE_CPU_$(1)) \
	    --elf $(FIRMWARE_OUT)/$(1)/draft.elf --objdump $(FIRMWARE_OBJDUMP_$(FIRMWARE_CPU_$(1))) \
	    $(addprefix --indirect ,$(wildcard $(FIRMWARE_DIR)/*.txt)) $(FIRMWARE_STACK_$(1)) \
	    --root startup --path >$(FIRMWARE_OUT)/$(1)/stack.txt
	@$$(FIRMWARE_LINK_$(1)_WORDS) -Wl,-Map,$(FIRMWARE_OUT)/$(1).map \
	    -Wl,--defsym=firmware_stack_need=$$$$(awk 'NR == 1 { print $$$$1 }' $(FIRMWARE_OUT)/$(1)/stack.txt) -o $$@

$(FIRMWARE_OUT)/selftest/$(1).elf: $$(FIRMWARE_OBJECTS_$(1)) $(FIRMWARE_OUT)/$(1)/selftest.o \
    $(FIRMWARE_DIR)/board/$(1).ld $(FIRMWARE_DIR)/sections.ld
	@mkdir -p $$(@D)
	@$$(FIRMWARE_CC_$(FIRMWARE_CPU_$(1))) $$(FIRMWARE_LDFLAGS) -T $(FIRMWARE_DIR)/board/$(1).ld \
	    -Wl,--defsym=firmware_stack_need=2048 $$(filter %.o,$$^) -o $$@
endef
$(foreach board,$(FIRMWARE_BOARDS),$(eval $(call FIRMWARE_BOARD_RULES,$(board))))

define FIRMWARE_LWIP_RULE
$(FIRMWARE_OUT)/lm3s6965evb/lwip/$(notdir $(1:.c=.o)): $(1) $(FIRMWARE_DIR)/lwip/lwipopts.h
	@mkdir -p $$(@D)
	@$$(FIRMWARE_CC_cm3) $$(FIRMWARE_CFLAGS) $$(FIRMWARE_INCLUDES) -c $$< -o $$@
endef
$(foreach source,$(FIRMWARE_LWIP),$(eval $(call FIRMWARE_LWIP_RULE,$(source))))

# The programs without a clock and without entropy: mps2-an385, and the missing thing replaced.
FIRMWARE_WRAP_time := board_unix_time
FIRMWARE_WRAP_entropy := board_entropy
$(FIRMWARE_BROKEN:%=$(FIRMWARE_OUT)/without-%.elf): $(FIRMWARE_OUT)/without-%.elf: \
    $(FIRMWARE_OUT)/mps2-an385.elf $(FIRMWARE_OUT)/mps2-an385/broken.o
	@$(FIRMWARE_LINK_mps2-an385_WORDS) $(FIRMWARE_OUT)/mps2-an385/broken.o \
	    -Wl,--wrap=$(FIRMWARE_WRAP_$*) -Wl,--defsym=firmware_stack_need=0 -o $@

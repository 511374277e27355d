# Sizes of what a caller provides, and the tables of the manual in the header (tools/manual.py).
# The 32-bit twin aligns 64-bit members to 8, as ARM and RISC-V do.

SIZES_FLAGS := -std=c99 -O0 -w -I. -D_POSIX_C_SOURCE=200809L
SIZES_ALL := -DAVITO_WITH_POSIX=1 -DAVITO_WITH_BEARSSL=1

build/sizes: tools/sizes.c tools/recorded.h $(HEADER)
	@mkdir -p build/obj/tools
	$(CC) $(SIZES_FLAGS) $(SIZES_ALL) -c $< -o build/obj/tools/sizes_all.o
	$(CC) $(SIZES_FLAGS) -DAVITO_MESSENGER_IMPLEMENTATION $< build/obj/tools/sizes_all.o -o $@

build/sizes32: tools/sizes.c tools/recorded.h $(HEADER)
	@mkdir -p build/obj/tools
	$(CC) -m32 -malign-double $(SIZES_FLAGS) $(SIZES_ALL) -c $< -o build/obj/tools/sizes32_all.o
	$(CC) -m32 -malign-double $(SIZES_FLAGS) -DAVITO_MESSENGER_IMPLEMENTATION $< \
	    build/obj/tools/sizes32_all.o -o $@

test-programs: build/sizes build/sizes32

.PHONY: sizes manual manual-check
sizes: packages build/sizes build/sizes32 ## sizeof every public struct, smallest window and arenas, in 64 and 32 bit
	@$(PYTHON) tools/manual.py --sizes

manual: packages build/sizes build/sizes32 ## write the tables of the manual again: states, errors, sizes
	@$(PYTHON) tools/manual.py --write

manual-check: packages build/sizes build/sizes32 ## do the tables of the manual agree with the code?
	@$(PYTHON) tools/manual.py

# What the library costs on a chip: tools/footprint/footprint.py.

FOOTPRINT_PACKAGES := gcc-arm-none-eabi libnewlib-arm-none-eabi binutils-arm-none-eabi \
    gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-arm qemu-system-misc \
    libjsmn-dev libbearssl-dev libssl-dev libcjson-dev libhttp-parser-dev openssl curl python3

.PHONY: footprint footprint-accept footprint-packages
footprint-packages:
	@sh tools/need.sh $(FOOTPRINT_PACKAGES)

footprint: footprint-packages ## flash, RAM and stack on four processors, compared with the committed figures
	@$(PYTHON) tools/footprint/footprint.py

footprint-accept: footprint-packages ## footprint, and write the figures to be committed
	@$(PYTHON) tools/footprint/footprint.py --accept

# build/anchors: trust anchors as C source (see tools/anchors.c).
.PHONY: anchors
anchors: build/anchors ## build the tool that turns PEM into trust anchors as C source
build/anchors: build/obj/tools/anchors.o
	@mkdir -p $(@D)
	$(CC) $< -o $@ -lbearssl

# The pictures of the README. tests/check/picture.sh reports one that is out of date.
PICTURE_NEEDS := build/avito build/simulator build/certs build/demo/demo build/demo/bot \
    $(addprefix build/bench/,host heap.so ours.so cjson.so)
test-programs: $(PICTURE_NEEDS)
TEST_PACKAGES += valgrind

.PHONY: pictures
pictures: ## all pictures of the README: terminals, the path of a call, memory, the page
	@sh tools/need.sh $(sort $(AVITO_PROGRAM_PACKAGES) $(PLAY_PACKAGES)) valgrind
	@$(MAKE) --no-print-directory $(PICTURE_NEEDS)
	@for picture in terminal call memory; do $(PYTHON) -B tools/pictures/$$picture.py || exit 1; done
	@$(MAKE) --no-print-directory picture

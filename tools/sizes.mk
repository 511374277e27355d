# Sizes of what a caller provides, and the tables of the manual in the header (tools/manual.py).
# The 32-bit twin aligns 64-bit members to 8, as ARM and RISC-V do.

SIZES_FLAGS := -std=c99 -O1 -w -I. -D_POSIX_C_SOURCE=200809L
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

manual: packages build/sizes build/sizes32 ## write the tables of the manual anew: states, errors, sizes
	@$(PYTHON) tools/manual.py --write

manual-check: packages build/sizes build/sizes32 ## do the tables of the manual agree with the code?
	@$(PYTHON) tools/manual.py

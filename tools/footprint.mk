# What the library costs on a chip: tools/footprint/footprint.py.

FOOTPRINT_PACKAGES := gcc-arm-none-eabi libnewlib-arm-none-eabi binutils-arm-none-eabi \
    gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-arm qemu-system-misc \
    libjsmn-dev libbearssl-dev libssl-dev libcjson-dev libhttp-parser-dev openssl curl python3

.PHONY: footprint footprint-accept footprint-packages
footprint-packages:
	@sh tools/need.sh $(FOOTPRINT_PACKAGES)

footprint: footprint-packages ## flash, RAM and stack on four processors, compared with the committed figures
	@$(PYTHON) tools/footprint/footprint.py

footprint-accept: footprint-packages ## the same, and write the figures to be committed
	@$(PYTHON) tools/footprint/footprint.py --accept

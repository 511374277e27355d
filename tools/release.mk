# release.mk - make release: every package, from one description (tools/release/facts.txt).
RELEASE_PACKAGES := build-essential ca-certificates dpkg-dev libbearssl-dev libjsmn-dev python3
.PHONY: release
release: ## build/release: the library as Arduino, PlatformIO, ESP-IDF, Zephyr, CMake, Meson, Debian, OpenWrt have it
	@sh tools/need.sh $(RELEASE_PACKAGES)
	@$(MAKE) --no-print-directory build/anchors
	@$(PYTHON) tools/release.py

# Each package with the tool of its users: tests/release.
TEST_SCRIPTS += tests/release/run.sh
TEST_PACKAGES += $(RELEASE_PACKAGES) cmake meson pkg-config debhelper lintian python3-yaml gcc-avr avr-libc \
    gcc-xtensa-lx106 picolibc-xtensa-lx106-elf gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf \
    gcc-arm-none-eabi libnewlib-arm-none-eabi
# Not each release of Debian has them; the script installs what it can.
TEST_OPTIONAL += kconfig-frontends-nox arduino-builder
test-programs: build/anchors

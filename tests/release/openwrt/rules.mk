# As much of OpenWrt's rules.mk as a package sees, for this machine.
INCLUDE_DIR := $(TOPDIR)/include
BUILD_DIR := $(TOPDIR)/build_dir
STAGING_DIR := $(TOPDIR)/staging_dir
DL_DIR := $(TOPDIR)/dl
TARGET_CC := gcc
TARGET_AR := gcc-ar
# gcc 14, which OpenWrt may have, takes this for an error.
TARGET_CFLAGS := -O0 -Werror=implicit-function-declaration
TARGET_CPPFLAGS := -I$(STAGING_DIR)/usr/include
TARGET_LDFLAGS := -L$(STAGING_DIR)/usr/lib
FPIC := -fPIC
CP := cp -fpR
INSTALL_DIR := install -d -m0755
INSTALL_BIN := install -m0755
INSTALL_DATA := install -m0644
INSTALL_CONF := install -m0600

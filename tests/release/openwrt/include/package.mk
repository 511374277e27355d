# As much of OpenWrt's package.mk as runs the steps of a package in their order: prepare (a source archive
# by its name and hash, or src/), compile, what other packages see, what a router gets.
PKG_BUILD_DIR := $(BUILD_DIR)/$(PKG_NAME)-$(PKG_VERSION)

define Build/Prepare/Default
	if [ -n "$(PKG_SOURCE)" ]; then tar xf $(DL_DIR)/$(PKG_SOURCE) -C $(BUILD_DIR); fi
	if [ -d ./src ]; then mkdir -p $(PKG_BUILD_DIR) && $(CP) ./src/. $(PKG_BUILD_DIR); fi
endef
define Build/Prepare
	$(Build/Prepare/Default)
endef

define BuildPackage
$(foreach what,TITLE SECTION CATEGORY,$(if $(findstring $(what):=,$(Package/$(1))),,$(error Package/$(1) lacks $(what))))
all:
	mkdir -p $$(BUILD_DIR)
	$$(Build/Prepare)
	$$(Build/Compile)
	$$(if $$(value Build/InstallDev),$$(call Build/InstallDev,$$(STAGING_DIR)))
	$$(if $$(value Package/$(1)/install),$$(call Package/$(1)/install,$$(TOPDIR)/root))
endef

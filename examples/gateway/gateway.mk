# make gateway: broker, service, gateway, and what passes by, in one terminal.
GATEWAY_PACKAGES := $(AVITO_PROGRAM_PACKAGES) $(PLAY_PACKAGES) mosquitto mosquitto-clients

.PHONY: gateway
gateway: ## a broker, a buyer who writes, avito gateway, and what passes by; Ctrl-C ends it
	@sh tools/need.sh $(GATEWAY_PACKAGES)
	@mkdir -p build && { $(MAKE) --no-print-directory build/avito build/simulator build/certs >build/gateway.txt 2>&1 || \
	    { cat build/gateway.txt; exit 1; }; }
	@sh examples/gateway/run.sh

test-programs: build/avito build/simulator build/certs

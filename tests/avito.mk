# Tests of the program (tools/avito), room by room. They are linked with the room that they test.
AVITO_TESTS := $(patsubst tests/avito/%.c,build/tests/%,$(wildcard tests/avito/*_test.c))
TEST_PROGRAMS += $(AVITO_TESTS)
$(AVITO_TESTS): build/tests/%_test: build/obj/tests/avito/%_test.san.o build/obj/tools/avito/%.san.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $(filter %.o,$^) -o $@ -lcmocka -lbearssl $(LDLIBS)

# The MQTT client against mosquitto and aedes.
TEST_SCRIPTS  += tests/avito/mqtt_brokers.sh
TEST_PACKAGES += mosquitto
build/mqtt_talk: $(patsubst %,build/obj/%.san.o,tests/avito/mqtt_talk $(addprefix tools/avito/,mqtt mqtt_link language russian)) $(LIBRARY)
	$(CC) $(SANITIZE) $^ -o $@ -lbearssl
test-programs: build/mqtt_talk

# The program as people use it; WATCH_KILLS=1000 kills `watch --exec` that often.
TEST_SCRIPTS  += tests/avito/program.sh
TEST_PACKAGES += groff-base faketime
test-programs: build/avito.san build/avito build/simulator
TEST_SCRIPTS  += tests/avito/languages.sh
.PHONY: avito-kill
avito-kill: packages build/avito.san build/avito build/simulator build/certs ## kill -9 of `avito watch --exec`, a thousand times
	@$(PYTHON) tools/long_runs.py avito-kill env WATCH_KILLS=1000 sh tests/avito/program.sh

.PHONY: avito-export-test
avito-export-test: packages build/avito build/simulator build/certs ## avito export of 1,000 chats with 50 messages, killed and continued
	@$(PYTHON) tools/long_runs.py avito-export-test $(PYTHON) tests/avito/export_big.py

# The gateway: its parts, and all of it with real brokers and clients of strangers.
build/tests/ledger_test: build/obj/tools/avito/jsonl.san.o
build/tests/writing_test: $(patsubst %,build/obj/tools/avito/%.san.o,disk language russian)
build/tests/order_test: $(patsubst %,build/obj/tools/avito/%.san.o,mqtt ledger jsonl language)
build/tests/mqtt_test build/tests/russian_test: build/obj/tools/avito/language.san.o
TEST_SCRIPTS  += tests/avito/gateway.sh
TEST_PACKAGES += mosquitto mosquitto-clients python3-paho-mqtt openssl
# Several gateways that share accounts; their times are a fifth.
build/tests/fleet_test: $(patsubst %,build/obj/tools/avito/%.san.o,ledger jsonl language mqtt order)
test-programs: build/obj/tests/avito/fleet_test.o # for fleet_plants.py, which has tcc compile what it changes
TEST_PACKAGES += tcc
TEST_SCRIPTS  += tests/avito/fleet.sh tests/avito/fleet_plants.sh
TEST_SCRIPTS  += tests/avito/gateway_dist.sh
TEST_PACKAGES += shellcheck systemd jq
test-programs: build/avito

# Kills and stops gateway, broker and service at random.
TORTURE_SECONDS ?= 300
TORTURE_SEED ?= 1
.PHONY: gateway-torture
gateway-torture: packages build/avito.san build/simulator build/certs ## avito gateway, its broker and the service, killed and stopped for TORTURE_SECONDS
	@$(PYTHON) tools/long_runs.py gateway-torture $(PYTHON) tests/avito/gateway_torture.py $(TORTURE_SECONDS) $(TORTURE_SEED)

# The fleet's logic in simulated worlds.
FLEET_SIM := $(patsubst %,build/obj/%.o,tests/avito/fleet_sim $(addprefix tools/avito/,fleet ledger jsonl language mqtt order))
build/fleet_sim: $(FLEET_SIM) build/lib/avito.o
	$(CC) $^ -o $@ -lbearssl
build/fleet_sim.san: $(FLEET_SIM:.o=.san.o) $(LIBRARY)
	$(CC) $(SANITIZE) $^ -o $@ -lbearssl
test-programs: build/fleet_sim build/fleet_sim.san
TEST_SCRIPTS  += tests/avito/fleet_sim.sh
# And with the gateways of its accounts.
FLEET_JOIN := $(patsubst %,build/obj/%.o,tests/avito/fleet_join_sim $(addprefix tools/avito/,fleet fleet_seat gateway job order ledger hass jsonl mqtt language russian))
build/fleet_join_sim: $(FLEET_JOIN) build/lib/avito.o build/libsimulator.a
	$(CC) $^ -o $@ -lhttp_parser -lcjson -lbearssl
build/fleet_join_sim.san: $(FLEET_JOIN:.o=.san.o) $(LIBRARY) build/libsimulator.san.a
	$(CC) $(SANITIZE) $^ -o $@ -lhttp_parser -lcjson -lbearssl
test-programs: build/fleet_join_sim build/fleet_join_sim.san
.PHONY: fleet-sim
fleet-sim: packages build/fleet_sim build/fleet_join_sim ## the fleet in 20,000 simulated worlds of its logic, and 5,000 with gateways
	build/fleet_sim 1 20000
	build/fleet_join_sim 1 5000

# Three gateways, 20 accounts, and a tormentor; all times of the fleet are a fifth.
FLEET_SECONDS ?= 1800
FLEET_SEED ?= 1
.PHONY: fleet
fleet: packages build/avito build/simulator build/certs ## three gateways share 20 accounts, and everything is killed, stopped and cut for FLEET_SECONDS
	@GATEWAY_PROGRAM=build/avito $(PYTHON) tools/long_runs.py fleet $(PYTHON) tests/avito/fleet_torment.py $(FLEET_SECONDS) $(FLEET_SEED)

.PHONY: gateway-bench
gateway-bench: packages build/avito build/simulator build/certs ## memory, processor and delay of avito gateway, beside a bridge in Python
	@sh tools/need.sh python3-requests
	@$${PYTHON:-python3} tests/avito/gateway_bench.py

# The gateway's core and the MQTT client in simulated worlds, from seeds. (A killed gateway leaves its memory.)
GATEWAY_SIM := $(patsubst %,build/obj/%.o,tests/avito/gateway_sim $(addprefix tools/avito/,gateway job order ledger hass jsonl mqtt language russian))
build/gateway_sim: $(GATEWAY_SIM) build/lib/avito.o build/libsimulator.a
	$(CC) $^ -o $@ $(SIMULATOR_LIBS) -lbearssl
build/gateway_sim.san: $(GATEWAY_SIM:.o=.san.o) $(LIBRARY) build/libsimulator.san.a
	$(CC) $(SANITIZE) $^ -o $@ $(SIMULATOR_LIBS) -lbearssl
test-programs: build/gateway_sim build/gateway_sim.san
TEST_SCRIPTS  += tests/avito/gateway_sim.sh

.PHONY: gateway-sim gateway-plants
gateway-sim: packages build/gateway_sim ## avito gateway in 10,000 simulated worlds
	build/gateway_sim 1 10000
gateway-plants: packages build/gateway_sim ## bugs planted into the gateway: the worlds must notice each
	@$${PYTHON:-python3} tests/avito/gateway_plants.py

# world.mk - the client in a simulated world (tests/world), from seeds. See tests/world/world.h.
#
#   build/world --seeds N         N seeds from 1 on; every failing one prints how to replay it
#   build/world --seed N --trace  one of them, told step by step
#   make world                    10,000 seeds, as make test runs them
#   make world-selftest           planted bugs, one at a time: each must be noticed
#   make world-many               a million seeds
#   make soak                     thirty days in which everything goes wrong, and a table of it

WORLD_PARTS   := world net people hook device picture check main
WORLD_OBJECTS := $(WORLD_PARTS:%=build/obj/tests/world/%.o)
TEST_SCRIPTS  += tests/world/seeds.sh tests/world/checks.sh
TEST_PACKAGES += tcc

build/world: $(WORLD_OBJECTS) build/obj/tests/world/impl.o build/libsimulator.a
	$(CC) $^ -o $@ $(SIMULATOR_LIBS)

build/world.san: $(WORLD_OBJECTS:.o=.san.o) build/obj/tests/world/impl.san.o build/libsimulator.san.a
	$(CC) $(SANITIZE) $^ -o $@ $(SIMULATOR_LIBS)

test-programs: build/world build/world.san

.PHONY: world world-selftest world-many soak
world: packages build/world ## 10,000 seeds of the simulated world
	@sh tests/world/seeds.sh

world-selftest: packages build/world ## bugs planted into a copy of the header, each must be noticed
	@$(PYTHON) tests/world/plant.py

WORLD_SEEDS_MANY ?= 1000000
WORLD_SECONDS ?= 86400
world-many: packages build/world ## a million seeds of the simulated world, or as many as fit into WORLD_SECONDS
	@$(PYTHON) tools/long_runs.py world-many sh tests/world/many.sh $(WORLD_SEEDS_MANY) $(WORLD_SECONDS)

soak: packages build/world ## thirty simulated days, with a table of fault x state
	@$(PYTHON) tools/long_runs.py soak build/world --soak

# world.mk - the client in a simulated world (tests/world), from seeds.
#
#   build/world --seeds N         N seeds from 1 on; every failing one prints how to replay it
#   build/world --seed N --trace  one of them, told step by step

WORLD_SOURCES := world net people device check main
WORLD_OBJECTS := $(WORLD_SOURCES:%=build/obj/tests/world/%.o)

build/world: $(WORLD_OBJECTS) build/obj/tests/world/impl.o build/libsimulator.a
	$(CC) $^ -o $@ $(SIMULATOR_LIBS)

build/world.san: $(WORLD_OBJECTS:.o=.san.o) build/obj/tests/world/impl.san.o build/libsimulator.san.a
	$(CC) $(SANITIZE) $^ -o $@ $(SIMULATOR_LIBS)

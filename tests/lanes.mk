# Many lanes against the simulator's core in the same process.
build/tests/lanes_test: build/libsimulator.san.a
build/tests/lanes_test: LDLIBS += $(SIMULATOR_LIBS)

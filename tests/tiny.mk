# Built with AVITO_TINY: what only linked parts do (tests/tiny), and the tests of calls once more, whose
# lanes make the calls that link them.
TINY_TESTS := $(patsubst tests/tiny/%.c,build/tests/%,$(wildcard tests/tiny/*_test.c))
TINY_TWINS := call errors inbox lanes list response settle token
TINY_PROGRAMS := $(TINY_TESTS) $(TINY_TWINS:%=build/tests/tiny_%_test)
TEST_PROGRAMS += $(TINY_PROGRAMS)

build/lib/avito_tiny.san.o: $(HEADER)
	@mkdir -p $(@D)
	$(CC) $(INCLUDES) $(CFLAGS_SAN) -DAVITO_TINY=1 -DAVITO_MESSENGER_IMPLEMENTATION -x c -c $(HEADER) -o $@

build/tests/tiny_lanes_test: build/libsimulator.san.a
build/tests/tiny_lanes_test: LDLIBS += $(SIMULATOR_LIBS)
$(TINY_TWINS:%=build/tests/tiny_%_test): build/tests/tiny_%_test: build/obj/tests/api/%_test.san.o
$(TINY_TESTS): build/tests/%: build/obj/tests/tiny/%.san.o
$(TINY_PROGRAMS): build/lib/avito_tiny.san.o $(SUPPORT)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $(filter %.o,$^) $(filter %.a,$^) -o $@ -lcmocka $(LDLIBS)

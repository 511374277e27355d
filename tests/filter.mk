# The filter's test three times: with everything, without intrinsics, and without the shortcuts either.
# The results must not differ.

FILTER_VARIANTS := build/tests/filter_portable_test build/tests/filter_plain_test
TEST_PROGRAMS += $(FILTER_VARIANTS)

build/obj/filter/portable.o: FILTER_FLAGS := -DAVITO_WITH_SIMD=0 -DAVITO_WITH_SHORTCUTS=1
build/obj/filter/plain.o: FILTER_FLAGS := -DAVITO_WITH_SIMD=0 -DAVITO_WITH_SHORTCUTS=0
build/obj/filter/%.o: tests/unit/filter_test.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_SAN) $(FILTER_FLAGS) -c $< -o $@
$(FILTER_VARIANTS): build/tests/filter_%_test: build/obj/filter/%.o $(SUPPORT)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $^ -o $@ -lcmocka -lbearssl

# The head's lines again with words in place of intrinsics.
TEST_PROGRAMS += build/tests/head_lines_portable_test
build/obj/filter/head_lines.o: tests/unit/head_lines_test.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_SAN) -DAVITO_WITH_SIMD=0 -c $< -o $@
build/tests/head_lines_portable_test: build/obj/filter/head_lines.o $(SUPPORT)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $^ -o $@ -lcmocka -lbearssl

# What the tests reach, and what they notice.
#
#   build/coverage/tree   a copy of the project, built with clang's coverage

.PHONY: coverage coverage-programs coverage-list
coverage: packages ## lines, branches and conditions of the header that the tests reach (clang 19)
	@sh tools/need.sh clang-19 llvm-19
	@$(PYTHON) tools/long_runs.py coverage $(PYTHON) tools/coverage.py

# The programs that are built and run in that copy.
COVERAGE_PROGRAMS = $(sort $(TEST_PROGRAMS)) build/world.san $(FUZZ_PROGRAMS)
coverage-programs: $(COVERAGE_PROGRAMS) build/threads_test build/avito build/avito.san build/simulator build/demo/demo build/demo/bot
coverage-list:
	@echo $(COVERAGE_PROGRAMS)

# build/mutate/tree: a copy whose header has many small faults, one of which is switched on at a time.
MUTANTS     ?= 300
MUTATE_SEED ?= 1
.PHONY: mutate mutate-list mutate-all
mutate: packages ## small faults in the implementation, one at a time: do the tests notice? (goes on where it stopped)
	@$(PYTHON) tools/long_runs.py mutate $(PYTHON) tools/mutate.py --seed $(MUTATE_SEED) --mutants $(MUTANTS)
# The programs that every fault meets besides the tests of its room, and the programs that may be such tests.
MUTATE_PROGRAMS = $(API_TESTS) $(UNIT_TESTS) $(TINY_PROGRAMS) build/world.san
mutate-list:
	@echo $(MUTATE_PROGRAMS)
mutate-all:
	@echo $(TEST_PROGRAMS)

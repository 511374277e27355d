# Lanes of one account on several threads, under ThreadSanitizer, which does not go together with the
# other sanitizers. A script, because it may have to be started in another way: see there.
TEST_SCRIPTS += tests/threads/run.sh

build/threads_test: tests/threads/threads_test.c $(HEADER)
	@mkdir -p $(@D)
	$(CC) $(INCLUDES) -D_GNU_SOURCE -std=c99 -g -O1 $(WARN) -fsanitize=thread $< -o $@ -lcmocka -lpthread
test-programs: build/threads_test

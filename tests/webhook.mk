# The webhook receiver: nginx in front of the example, http-parser beside the fuzz target.
TEST_PACKAGES += nginx-light libhttp-parser-dev

build/fuzz/webhook_request: tests/fuzz/webhook_request.c $(HEADER)
	@mkdir -p $(@D)
	$(CLANG) -std=c99 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	    $(INCLUDES) $< -lhttp_parser -o $@

# The webhook receiver: nginx in front of the example, http-parser beside the fuzz target.
TEST_PACKAGES += nginx-light libhttp-parser-dev

FUZZ_SECONDS ?= 60

build/fuzz/webhook_request: tests/fuzz/webhook_request.c $(HEADER)
	@mkdir -p $(@D)
	$(CLANG) -std=c99 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	    $(INCLUDES) $< -lhttp_parser -o $@

.PHONY: fuzz fuzz-webhook
fuzz: fuzz-webhook
fuzz-webhook: build/fuzz/webhook_request ## any bytes to the webhook receiver, for FUZZ_SECONDS
	@mkdir -p build/fuzz/webhook_corpus
	build/fuzz/webhook_request -max_total_time=$(FUZZ_SECONDS) -max_len=1024 -verbosity=0 \
	    -artifact_prefix=build/fuzz/ -dict=tests/fuzz/webhook_request.dict \
	    -print_final_stats=1 build/fuzz/webhook_corpus

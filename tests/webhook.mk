# The webhook receiver: nginx in front of the example, http-parser beside the fuzz target.
TEST_PACKAGES += nginx-light libhttp-parser-dev

build/fuzz/webhook_request: FUZZ_LIBS := -lhttp_parser

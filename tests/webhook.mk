# The webhook receiver: nginx in front of the example, http-parser beside the fuzz target.
TEST_PACKAGES += nginx-light libhttp-parser-dev

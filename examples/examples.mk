# The examples are built by the line in their first comment; tests/check/examples.sh does it with all.

TEST_PACKAGES += openssl
test-programs: build/simulator build/certs

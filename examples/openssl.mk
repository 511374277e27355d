# examples/07_openssl_transport.c: built here, tested by tests/tls/openssl_transport_test.c.
TEST_PACKAGES += libssl-dev
build/examples/07_openssl_transport: build/obj/examples/07_openssl_transport.o
	@mkdir -p $(@D)
	$(CC) $< -o $@ -lssl -lcrypto
build/tests/openssl_transport_test: build/examples/07_openssl_transport

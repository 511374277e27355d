# Every function with hostile peers, and a long life (tests/tls).

build/obj/tests/tls/deadlines_test.san.o: build/careless/functions.h
build/obj/tests/tls/deadlines_test.san.o: CFLAGS_EXTRA += -Ibuild/careless
build/tests/deadlines_test: build/obj/tests/support/anyone.san.o

# Long life: certificates that are valid until 2200. A million calls have a target of their own.
build/tests/long_life_test: build/obj/tests/support/anyone.san.o build/long_life/leaf.pem
build/long_life/leaf.pem:
	@mkdir -p $(@D)
	@cd $(@D) && { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout root.key \
	    -out root.pem -days 63000 -subj "/CN=Long root" && \
	    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout leaf.key -out leaf.csr \
	    -subj "/CN=leaf" && echo "subjectAltName=DNS:api.example.test" >leaf.ext && \
	    openssl x509 -req -in leaf.csr -CA root.pem -CAkey root.key -CAcreateserial -days 63000 \
	    -extfile leaf.ext -out leaf.pem; } >log.txt 2>&1 || { cat log.txt; exit 1; }
build/long_life/long_life: tests/tls/long_life_test.c tests/support/anyone.c build/lib/avito.o build/long_life/leaf.pem
	$(CC) $(INCLUDES) -D_GNU_SOURCE $(CFLAGS_OPT) $(LIBRARY_FLAGS) $(filter %.c %.o,$^) -o $@ \
	    -lcmocka -lbearssl -lssl -lcrypto
.PHONY: long-life
long-life: packages ## a million calls in one process over TLS, from 2037 until 2112
	@$(MAKE) --no-print-directory build/long_life/long_life
	@$(PYTHON) tools/long_runs.py long-life env LONG_LIFE=1000000 build/long_life/long_life

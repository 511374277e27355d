# Every function with hostile peers, and a long life (tests/tls).

build/obj/tests/tls/deadlines_test.san.o: build/careless/functions.h
build/obj/tests/tls/deadlines_test.san.o: CFLAGS_EXTRA += -Ibuild/careless
build/tests/deadlines_test: build/obj/tests/support/anyone.san.o

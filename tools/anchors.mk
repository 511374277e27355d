# build/anchors: trust anchors as C source (see tools/anchors.c).
.PHONY: anchors
anchors: build/anchors ## build the tool that turns PEM into trust anchors as C source
build/anchors: build/obj/tools/anchors.o
	@mkdir -p $(@D)
	$(CC) $< -o $@ -lbearssl

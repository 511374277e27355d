# The pictures of the README. tests/check/picture.sh reports one that is out of date.
PICTURE_NEEDS := build/avito build/simulator build/certs build/demo/demo build/demo/bot \
    $(addprefix build/bench/,host heap.so ours.so cjson.so)
test-programs: $(PICTURE_NEEDS)

.PHONY: pictures
pictures: ## all pictures of the README: terminals, the path of a call, memory, the page
	@sh tools/need.sh $(AVITO_PROGRAM_PACKAGES) $(PLAY_PACKAGES) libcjson-dev
	@$(MAKE) --no-print-directory $(PICTURE_NEEDS)
	@for picture in terminal call memory; do $(PYTHON) -B tools/pictures/$$picture.py || exit 1; done
	@$(MAKE) --no-print-directory picture

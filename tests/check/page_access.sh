#!/bin/sh
# The page of the simulator at three widths, light and dark, in both languages, by keyboard and for screen
# readers: apart from tests/check/page.sh, since it takes as long as all that.
exec sh tests/check/page.sh access

#!/bin/sh
# Rules of the fleet left out of fleet.c, one at a time: tests/avito/fleet_test.c must notice each.
exec "${PYTHON:-python3}" tests/avito/fleet_plants.py

/* The part of the Arduino cores that the sketches use, on this machine. */
#ifndef FAKE_ARDUINO_H
#define FAKE_ARDUINO_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define PROGMEM

unsigned long millis();
void delay(unsigned long ms);
void yield();
void configTime(long zone, int daylight, const char *server);

#endif

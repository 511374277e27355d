/* The one file that holds the implementation. What it is built with, see CMakeLists.txt or meson.build. */
#define _GNU_SOURCE
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

/* The one file that holds the implementation. CMakeLists.txt and meson.build say how it is
 * built. */
#define _GNU_SOURCE
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

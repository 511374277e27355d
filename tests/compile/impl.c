/* What a user's implementation file is. tests/compile/matrix.py compiles it in every configuration. */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

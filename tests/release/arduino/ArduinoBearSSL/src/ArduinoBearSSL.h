#include "bearssl/bearssl.h"

#ifndef ARCH_CC_H
#define ARCH_CC_H

#define LWIP_NO_STDDEF_H 0
#define LWIP_NO_INTTYPES_H 1 /* only wanted for printf */
#define X8_F "x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "lu"
#define S32_F "ld"
#define X32_F "lx"
#define SZT_F "u"
#define LWIP_PLATFORM_DIAG(x) do { } while (0)
#define LWIP_PLATFORM_ASSERT(x) do { } while (0)
#define BYTE_ORDER LITTLE_ENDIAN

#endif

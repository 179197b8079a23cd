/* digits.h -- a scalar in windows of signed digits. */
#ifndef VES_CRYPTO_DIGITS_H
#define VES_CRYPTO_DIGITS_H

#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "ves/ves.h"

enum { VES_DIGITS_MAX = 64 };

/* Writes a number of 256 bits, little-endian, as the sum of
 * digits[i] * 2^(bits i), each from -(2^(bits-1) - 1) to 2^(bits-1).  bits is 4
 * to 8.  All windows together must have more bits than the number, for a carry
 * out of the last one would be lost; which is asserted. */
static inline void ves_digits(const uint8_t number[32], unsigned bits,
                              size_t windows, int16_t *digits)
{
    const int32_t full = 1 << bits;
    uint8_t padded[32 + sizeof(uint64_t)] = {0};
    int32_t carry = 0;
    VES_ASSERT(windows <= VES_DIGITS_MAX && bits * (windows - 1) < 256);
    memcpy(padded, number, 32);
    for (size_t i = 0; i < windows; i++) {
        uint64_t word = ves_load_le64(padded + i * bits / 8) >> i * bits % 8;
        int32_t digit = ((int32_t)word & (full - 1)) + carry;
        carry = digit > full / 2;
        digits[i] = (int16_t)(digit - (carry ? full : 0));
    }
    VES_ASSERT(carry == 0);
}

#endif

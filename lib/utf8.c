/* UTF-8, checked (Unicode 15, table 3-7). */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

size_t utf8_check(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t i = 0;
    while (i < n) {
        uint64_t word;
        if (n - i >= 8 && (memcpy(&word, s + i, 8), !(word & 0x8080808080808080u))) {
            i += 8;
            continue;
        }
        unsigned c = s[i], low = 0x80, high = 0xBF;
        size_t more = c < 0x80 ? 0 : c < 0xC2 ? 4 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : c < 0xF5 ? 3 : 4;
        if (more == 4 || more >= n - i)
            return i;
        if (c == 0xE0)
            low = 0xA0;
        else if (c == 0xED)
            high = 0x9F;
        else if (c == 0xF0)
            low = 0x90;
        else if (c == 0xF4)
            high = 0x8F;
        for (size_t k = 1; k <= more; k++) {
            if (s[i + k] < low || s[i + k] > high)
                return i;
            low = 0x80;
            high = 0xBF;
        }
        i += more + 1;
    }
    return n;
}

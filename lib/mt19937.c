/* MT19937 with the seeding by a key (init_by_array) of mt19937ar. */
#include "mt19937.h"

enum { SHIFT = 397 };

static void seed_word(struct mt19937 *g, uint32_t seed)
{
    g->state[0] = seed;
    for (uint32_t i = 1; i < MT19937_WORDS; i++)
        g->state[i] = 1812433253u * (g->state[i - 1] ^ g->state[i - 1] >> 30) + i;
}

void mt19937_seed(struct mt19937 *g, int64_t seed)
{
    const uint64_t size = seed < 0 ? 0 - (uint64_t)seed : (uint64_t)seed;
    const uint32_t key[2] = {(uint32_t)size, (uint32_t)(size >> 32)};
    const uint32_t length = key[1] ? 2 : 1;
    uint32_t i = 1, j = 0;
    seed_word(g, 19650218u);
    for (int k = 0; k < MT19937_WORDS; k++) {
        const uint32_t before = g->state[i - 1];
        g->state[i] = (g->state[i] ^ (before ^ before >> 30) * 1664525u) + key[j] + j;
        if (++i == MT19937_WORDS) {
            g->state[0] = g->state[MT19937_WORDS - 1];
            i = 1;
        }
        j = (j + 1) % length;
    }
    for (int k = 0; k < MT19937_WORDS - 1; k++) {
        const uint32_t before = g->state[i - 1];
        g->state[i] = (g->state[i] ^ (before ^ before >> 30) * 1566083941u) - i;
        if (++i == MT19937_WORDS) {
            g->state[0] = g->state[MT19937_WORDS - 1];
            i = 1;
        }
    }
    g->state[0] = 0x80000000u;
    g->next = MT19937_WORDS;
}

static void refill(struct mt19937 *g)
{
    for (int i = 0; i < MT19937_WORDS; i++) {
        const uint32_t y = (g->state[i] & 0x80000000u) |
                           (g->state[(i + 1) % MT19937_WORDS] & 0x7fffffffu);
        g->state[i] = g->state[(i + SHIFT) % MT19937_WORDS] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    g->next = 0;
}

uint32_t mt19937_bits(struct mt19937 *g)
{
    if (g->next == MT19937_WORDS)
        refill(g);
    uint32_t y = g->state[g->next++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

uint64_t mt19937_below(struct mt19937 *g, uint64_t n)
{
    int k = 0;
    while (k < 64 && n >> k)
        k++;
    for (;;) {
        uint64_t x = mt19937_bits(g);
        if (k <= 32)
            x >>= 32 - k;
        else
            x |= (uint64_t)mt19937_bits(g) >> (64 - k) << 32; /* low word first */
        if (x < n)
            return x;
    }
}

/* Python's random number generator: the Mersenne twister MT19937 (Matsumoto, Nishimura 1998), seeded
 * as random.seed(integer) does, so that draws equal those of programs that use Python's random. */
#ifndef KICK_MT19937_H
#define KICK_MT19937_H

#include <stdint.h>

enum { MT19937_WORDS = 624 };

struct mt19937 {
    uint32_t state[MT19937_WORDS];
    int next;
};

/* random.seed(seed): the sign is ignored. */
void mt19937_seed(struct mt19937 *g, int64_t seed);

/* getrandbits(32) */
uint32_t mt19937_bits(struct mt19937 *g);

/* randint(0, n - 1), n >= 1: getrandbits(k), k the bits of n, until it is below n. */
uint64_t mt19937_below(struct mt19937 *g, uint64_t n);

#endif

/* A chain of mixing steps over seed, name and place. The step is the finalizer of SplitMix64
 * (Steele, Lea, Flood 2014), a bijection in which each input bit flips each output bit about half
 * the time. */
#include "random.h"

static const uint64_t STEP = 0x9e3779b97f4a7c15; /* 2^64 over the golden ratio */

static uint64_t mix(uint64_t x)
{
    x += STEP;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

struct random_key random_key_new(uint64_t seed, const char *name)
{
    uint64_t k = mix(seed);
    for (; *name; name++)
        k = mix(k ^ (unsigned char)*name);
    return (struct random_key){mix(~k)};
}

uint64_t random_bits(struct random_key k, uint64_t a, uint64_t b)
{
    return mix(mix(k.key ^ mix(a)) ^ mix(~b));
}

double random_uniform(struct random_key k, uint64_t a, uint64_t b)
{
    return (double)(random_bits(k, a, b) >> 11) * 0x1p-53;
}

uint64_t random_below(struct random_key k, uint64_t a, uint64_t b, uint64_t n)
{
    /* Draws at or above the greatest multiple of n would favour small numbers. */
    const uint64_t reject = (UINT64_MAX % n + 1) % n;
    uint64_t x = random_bits(k, a, b);
    while (x > UINT64_MAX - reject)
        x = mix(x ^ k.key);
    return x % n;
}

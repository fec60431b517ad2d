/* Random numbers by counter: each is a function of (seed, name, a, b) alone, so a draw depends on
 * neither order, threads nor batches. */
#ifndef KICK_RANDOM_H
#define KICK_RANDOM_H

#include <stdint.h>

struct random_key {
    uint64_t key;
};

/* name: what the numbers are for, e.g. the program. */
struct random_key random_key_new(uint64_t seed, const char *name);

/* 64 bits for the place (a, b); a number in [0, 1) with 53 bits; an integer in 0 … n-1 (n >= 1,
 * without bias: further draws are taken from the same place). */
uint64_t random_bits(struct random_key k, uint64_t a, uint64_t b);
double random_uniform(struct random_key k, uint64_t a, uint64_t b);
uint64_t random_below(struct random_key k, uint64_t a, uint64_t b, uint64_t n);

#endif

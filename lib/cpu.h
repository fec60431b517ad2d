/* Levels of the machine's vector instructions. Results do not depend on the level; tests force one
 * with KICK_CPU=scalar|avx2|avx512. */
#ifndef KICK_CPU_H
#define KICK_CPU_H

#include <stdbool.h>

#include "error.h"

enum cpu_level {
    CPU_SCALAR,
    CPU_AVX2,   /* AVX2, FMA, F16C, POPCNT */
    CPU_AVX512, /* and AVX-512 F, BW, DQ, VL */
    CPU_LEVELS,
};

/* The highest level that processor and operating system offer. */
enum cpu_level cpu_best(void);

/* True where a 512-bit operation takes the time of two of 256 bits (AMD family 19h), so that wider
 * registers make nothing faster that is bound by arithmetic. */
bool cpu_halves_avx512(void);

/* True where arithmetic on subnormal numbers takes no longer than on others (AMD since family 17h). */
bool cpu_subnormals_free(void);

/* True where 16-bit numbers can be put in place by a mask (VBMI2; with BMI2). */
bool cpu_has_vbmi2(void);

/* The level to use: KICK_CPU where set, else the best. A word that is not a level, or a level above
 * the processor's, is wrong use. */
int cpu_choose(enum cpu_level *level, struct error *e);

/* "scalar", "avx2", "avx512". */
const char *cpu_level_name(enum cpu_level level);

#endif

/* What one core can do at most, measured: the yardstick of benchmarks. */
#ifndef KICK_PEAK_H
#define KICK_PEAK_H

#include <stddef.h>

#include "cpu.h"

/* Floating-point operations (two per fma) of `rounds` rounds of independent fused multiply-adds at
 * a level; the caller takes the time. *sink receives a number so that nothing is optimised away. */
double peak_fma(enum cpu_level level, size_t rounds, float *sink);

/* Reads n bytes in order and returns their sum; the caller takes the time. */
double peak_read(enum cpu_level level, const void *data, size_t n);

#endif

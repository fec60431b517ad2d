/* Internal to lib/peak. */
#ifndef KICK_PEAK_AVX2_H
#define KICK_PEAK_AVX2_H

#include <stddef.h>

double peak_fma_avx2(size_t rounds, float *sink);
double peak_read_avx2(const void *data, size_t n);

#endif

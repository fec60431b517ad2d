/* Limits of the machine. */
#include "peak.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "peak_avx2.h"

double peak_fma(enum cpu_level level, size_t rounds, float *sink)
{
    if (level >= CPU_AVX2)
        return peak_fma_avx2(rounds, sink);
    float a[8] = {0};
    for (size_t i = 0; i < rounds; i++)
        for (int j = 0; j < 8; j++)
            a[j] = fmaf(a[j], 0.5f, 1.0f);
    *sink = a[0] + a[7];
    return 16.0 * (double)rounds;
}

double peak_read(enum cpu_level level, const void *data, size_t n)
{
    if (level >= CPU_AVX2)
        return peak_read_avx2(data, n);
    const unsigned char *p = data;
    uint64_t sum = 0, x;
    for (size_t i = 0; i + 8 <= n; i += 8) {
        memcpy(&x, p + i, 8);
        sum += x;
    }
    return (double)sum;
}

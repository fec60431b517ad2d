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

double peak_read(const void *data, size_t n)
{
    /* Four streams at once: one does not fill the memory's queue. */
    const unsigned char *p = data;
    const size_t quarter = n / 4 / 64 * 64;
    uint64_t sum[4] = {0};
    for (size_t i = 0; i < quarter; i += 64)
        for (size_t s = 0; s < 4; s++) {
            uint64_t x[8];
            memcpy(x, p + s * quarter + i, 64);
            for (int j = 0; j < 8; j++)
                sum[s] += x[j];
        }
    return (double)(sum[0] ^ sum[1] ^ sum[2] ^ sum[3]);
}

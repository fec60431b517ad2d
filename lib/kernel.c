/* Choice of kernels by level. */
#include "kernel.h"

const struct kernels *kernels_of(enum cpu_level level)
{
    static const struct kernels *const tables[CPU_LEVELS] = {
        [CPU_SCALAR] = &kernels_scalar,
#if defined(__x86_64__)
        [CPU_AVX2] = &kernels_avx2,
#endif
    };
    while (level > CPU_SCALAR && !tables[level])
        level--;
    return tables[level];
}

/* What the processor can do (cpuid) and what the operating system saves (xgetbv): a level needs
 * both. */
#include "cpu.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

static unsigned long long state_saved(void)
{
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (unsigned long long)high << 32 | low;
}

enum cpu_level cpu_best(void)
{
    const unsigned long long ymm = 0x06, zmm = 0xe6; /* bits of XCR0 */
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return CPU_SCALAR;
    const unsigned need = bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C | bit_POPCNT;
    if ((c & need) != need)
        return CPU_SCALAR;
    const unsigned avx2 = bit_AVX2 | bit_BMI2;
    const unsigned long long saved = state_saved();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & avx2) != avx2 || (saved & ymm) != ymm)
        return CPU_SCALAR;
    const unsigned wide = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if ((b & wide) == wide && (saved & zmm) == zmm)
        return CPU_AVX512;
    return CPU_AVX2;
}

/* Of AMD's; 0: another maker's. */
static unsigned amd_family(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(0, &a, &b, &c, &d) || b != signature_AMD_ebx || !__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    return (a >> 8 & 15) + (a >> 20 & 255);
}

bool cpu_halves_avx512(void)
{
    return amd_family() == 0x19;
}

bool cpu_subnormals_free(void)
{
    return amd_family() >= 0x17;
}

bool cpu_has_vbmi2(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & bit_AVX512VBMI2);
}
#else
enum cpu_level cpu_best(void)
{
    return CPU_SCALAR;
}

bool cpu_halves_avx512(void)
{
    return false;
}

bool cpu_subnormals_free(void)
{
    return false;
}

bool cpu_has_vbmi2(void)
{
    return false;
}
#endif

static const char *const names[CPU_LEVELS] = {"scalar", "avx2", "avx512"};

const char *cpu_level_name(enum cpu_level level)
{
    return names[level];
}

int cpu_choose(enum cpu_level *level, struct error *e)
{
    const char *word = getenv("KICK_CPU");
    *level = cpu_best();
    if (!word || !*word)
        return 0;
    for (int i = 0; i < CPU_LEVELS; i++) {
        if (strcmp(word, names[i]))
            continue;
        if (i > (int)*level)
            return error_usage(e, "KICK_CPU=%s: this machine offers %s at most", word,
                               names[*level]);
        *level = (enum cpu_level)i;
        return 0;
    }
    return error_usage(e, "KICK_CPU=%s is not a level; levels are scalar, avx2, avx512", word);
}

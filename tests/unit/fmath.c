/* Accuracy of lib/fmath against long double libm, in units of the last place. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fmath.h"

static uint64_t state = 1;
static double uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) * 0x1p-53;
}

static double ulps(double got, long double want)
{
    const double w = (double)want;
    if (got == w)
        return 0;
    const double unit = nextafter(fabs(w), INFINITY) - fabs(w);
    return (double)(fabsl((long double)got - want) / unit);
}

static double ulpsf(float got, double want)
{
    const float w = fabsf((float)want);
    if (got == (float)want)
        return 0;
    return fabs((double)got - want) / (double)(nextafterf(w, INFINITY) - w);
}

#define WORST(low, high, ours, theirs)                                                             \
    for (int i = 0; i < 300000; i++) {                                                             \
        const double x = (low) + uniform() * ((high) - (low));                                     \
        const double d = ulps(ours(x), theirs((long double)x));                                    \
        worst = d > worst ? d : worst;                                                             \
    }                                                                                              \
    printf(#ours " %g..%g: %.3f ulp\n", (double)(low), (double)(high), worst)

static void accuracy(void **unused)
{
    (void)unused;
    double worst = 0;
    WORST(-700, 700, fmath_exp, expl);
    WORST(-1, 1, fmath_exp, expl);
    assert_true(worst < 1);
    worst = 0;
    WORST(0.5, 2, fmath_log, logl);
    WORST(0, 1e6, fmath_log, logl);
    WORST(1e-300, 1e-290, fmath_log, logl);
    assert_true(worst < 1);
    worst = 0;
    WORST(-4, 4, fmath_sin, sinl);
    WORST(-200000, 200000, fmath_sin, sinl);
    WORST(-1e9, 1e9, fmath_sin, sinl);
    assert_true(worst < 1);
    worst = 0;
    WORST(-4, 4, fmath_cos, cosl);
    WORST(-200000, 200000, fmath_cos, cosl);
    WORST(-1e9, 1e9, fmath_cos, cosl);
    assert_true(worst < 1);
    worst = 0;
    for (int i = 0; i < 300000; i++) {
        const double x = uniform() * 1e6, y = uniform() * 4 - 2;
        const double d = ulps(fmath_pow(x, y), powl(x, y));
        worst = d > worst ? d : worst;
    }
    printf("fmath_pow: %.3f ulp\n", worst);
    assert_true(worst < 1);
    worst = 0;
    for (int i = 0; i < 1000000; i++) {
        const float x = (float)(uniform() * 176 - 87.3);
        const double d = ulpsf(fmath_expf(x), (double)expl(x));
        worst = d > worst ? d : worst;
    }
    printf("fmath_expf: %.3f ulp\n", worst);
    assert_true(worst < 1.1);
    worst = 0;
    double absolute = 0, tail = 0;
    for (int i = 0; i < 1000000; i++) {
        const float x = (float)((uniform() - 0.5) * (i % 2 ? 20 : 0.5));
        const double d = ulpsf(fmath_tanhf(x), (double)tanhl(x));
        worst = d > worst ? d : worst;
        const double exact = (double)(0.5L * erfcl(-(long double)x * sqrtl(0.5L)));
        const double off = fabs((double)fmath_normalf(x) - exact);
        absolute = off > absolute ? off : absolute;
        tail = off / exact > tail ? off / exact : tail;
    }
    printf("fmath_tanhf: %.3f ulp; fmath_normalf: %.2g absolute, %.2g relative\n", worst, absolute,
           tail);
    assert_true(worst < 3 && absolute < 2.5e-7 && tail < 5e-6);
}

static void edges(void **unused)
{
    (void)unused;
    assert_true(fmath_exp(0) == 1 && fmath_exp(-INFINITY) == 0 && fmath_exp(INFINITY) == INFINITY);
    assert_true(isnan(fmath_exp(NAN)) && fmath_exp(-745.13) == 0x1p-1074);
    assert_true(fmath_log(1) == 0 && fmath_log(0) == -INFINITY && isnan(fmath_log(-1)));
    assert_true(fmath_log(INFINITY) == INFINITY && isnan(fmath_log(NAN)));
    assert_true(ulps(fmath_log(0x1p-1074), logl(0x1p-1074L)) < 1);
    assert_true(fmath_sin(0) == 0 && fmath_cos(0) == 1 && isnan(fmath_sin(INFINITY)));
    assert_true(fmath_pow(10000, 0) == 1 && fmath_pow(1, 0.3) == 1 && fmath_pow(2, 10) == 1024);
    assert_true(isnan(fmath_expf(NAN)) && fmath_expf(-INFINITY) == 0 && fmath_expf(0) == 1);
    assert_true(fmath_tanhf(INFINITY) == 1 && fmath_tanhf(-20) == -1 && isnan(fmath_tanhf(NAN)));
    assert_true(fmath_tanhf(1e-30f) == 1e-30f && signbit(fmath_tanhf(-0.0f)));
    assert_true(fmath_normalf(INFINITY) == 1 && fmath_normalf(-INFINITY) == 0);
    assert_true(isnan(fmath_normalf(NAN)) && fabsf(fmath_normalf(0) - 0.5f) < 1e-7f);
    assert_true(fmath_expf(INFINITY) == INFINITY && fmath_expf(-88) == 0);
    assert_true(fmath_expf(FMATH_EXPF_MIN) >= 0x1p-126f && isfinite(fmath_expf(FMATH_EXPF_MAX)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(accuracy), cmocka_unit_test(edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Counter-based random numbers: fixed for ever, uniform, independent of order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "random.h"

/* A change here changes every sampled result. */
static void fixed(void **unused)
{
    (void)unused;
    const struct random_key k = random_key_new(7, "generate");
    assert_true(random_bits(k, 0, 0) == 0xea10b68a4aced0a7);
    assert_true(random_bits(k, 3, 9) == 0xc12a0e17197e549d);
    assert_true(random_bits(k, 9, 3) != random_bits(k, 3, 9));
    assert_true(random_bits(random_key_new(8, "generate"), 0, 0) != random_bits(k, 0, 0));
    assert_true(random_bits(random_key_new(7, "other"), 0, 0) != random_bits(k, 0, 0));
}

static void uniform(void **unused)
{
    (void)unused;
    enum { BINS = 64, DRAWS = 64 * 2000 };
    const struct random_key k = random_key_new(1, "test");
    double chi = 0, sum = 0;
    int bin[BINS] = {0}, below[7] = {0};
    for (uint64_t i = 0; i < DRAWS; i++) {
        const double u = random_uniform(k, i / 100, i % 100);
        assert_true(u >= 0 && u < 1);
        sum += u;
        bin[(int)(u * BINS)]++;
        below[random_below(k, i, 1, 7)]++;
    }
    for (int i = 0; i < BINS; i++)
        chi += (bin[i] - 2000.0) * (bin[i] - 2000.0) / 2000;
    assert_true(chi < 110); /* 63 degrees of freedom: 1e-4 lies at 116 */
    assert_true(sum / DRAWS > 0.497 && sum / DRAWS < 0.503);
    for (int i = 0; i < 7; i++)
        assert_in_range(below[i], DRAWS / 7 - 600, DRAWS / 7 + 600);
    assert_true(random_below(k, 5, 5, 1) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fixed), cmocka_unit_test(uniform)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

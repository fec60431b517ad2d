/* Means of scores and their intervals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tally.h"

static void add(struct tally *t, const char *rule, const char *part, double value)
{
    struct error e = {0};
    assert_int_equal(tally_add(t, rule, *part ? "group" : "all", part, value, &e), 0);
}

static void parts_are_kept_apart(void **state)
{
    struct tally t = {0};
    (void)state;
    for (int i = 0; i < 10; i++) {
        add(&t, "strict", "", i < 3);
        add(&t, "strict", i % 2 ? "odd" : "even", i < 3);
        add(&t, "f1", "", i / 10.0);
    }
    assert_int_equal(t.count, 4);
    assert_int_equal(t.entry[0].count, 10);
    assert_int_equal(t.entry[1].count, 5);
    assert_string_equal(t.entry[1].part, "even");
    assert_true(t.entry[0].binary && !t.entry[2].binary);
    tally_free(&t);
}

/* 3 of 10, Wilson (1927): (p + z^2/2n ± z sqrt(pq/n + z^2/4n^2)) / (1 + z^2/n). */
static void rights_and_wrongs_get_wilson(void **state)
{
    struct error e = {0};
    struct tally t = {0};
    struct interval interval;
    double mean;
    (void)state;
    for (int i = 0; i < 10; i++)
        add(&t, "strict", "", i < 3);
    assert_int_equal(tally_interval(&t, 0, &mean, &interval, &e), 0);
    assert_true(mean == 0.3);
    assert_true(fabs(interval.low - 0.1078) < 1e-4 && fabs(interval.high - 0.6032) < 1e-4);
    tally_free(&t);
}

static void others_get_a_bootstrap(void **state)
{
    struct error e = {0};
    struct tally t = {0};
    struct interval one, two;
    double mean;
    (void)state;
    for (int i = 0; i < 50; i++)
        add(&t, "coherence", "", i / 49.0);
    assert_int_equal(tally_interval(&t, 0, &mean, &one, &e), 0);
    assert_int_equal(tally_interval(&t, 0, &mean, &two, &e), 0);
    assert_true(one.low == two.low && one.high == two.high);
    assert_true(fabs(mean - 0.5) < 1e-12);
    assert_true(one.low > 0.38 && one.low < 0.45 && one.high > 0.55 && one.high < 0.62);
    tally_free(&t);
}

/* Draws that are kept, were dropped or never were kept are those of the rule. */
static void draws_are_the_rules(void **state)
{
    enum { RULES = 40, MOST = 600 };
    struct error e = {0};
    struct tally t = {0};
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < RULES; i++) {
            char rule[16];
            double value[MOST], mean;
            struct interval interval;
            struct bootstrap b;
            const size_t n = i % 8 == 7 ? MOST : 20 + (size_t)i % 2;
            snprintf(rule, sizeof rule, "rule %d", i);
            for (size_t j = 0; j < n; j++) {
                value[j] = (double)(j * j % 17) / 16;
                assert_int_equal(tally_add(&t, rule, "all", "", value[j], &e), 0);
            }
            assert_int_equal(tally_interval(&t, t.count - 1, &mean, &interval, &e), 0);
            assert_int_equal(statistics_bootstrap(value, n, 2000, 0.95, random_key_new(0, rule), &b, &e), 0);
            assert_true(interval.low == b.interval.low && interval.high == b.interval.high);
        }
        tally_clear(&t);
        assert_int_equal(t.count, 0);
    }
    tally_free(&t);
}

/* 1, 2, 3, 4: mean 2.5, standard error sqrt(5/3/4) = 0.6455. */
static void differences_get_a_normal_interval(void **state)
{
    const double x[4] = {1, 2, 3, 4};
    struct interval interval;
    double mean;
    (void)state;
    tally_normal(x, 4, &mean, &interval);
    assert_true(mean == 2.5);
    assert_true(fabs(interval.high - 2.5 - 1.96 * 0.645497) < 1e-5);
    tally_normal(x, 1, &mean, &interval);
    assert_true(mean == 1 && isnan(interval.low) && isnan(interval.high));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_kept_apart),
        cmocka_unit_test(rights_and_wrongs_get_wilson),
        cmocka_unit_test(others_get_a_bootstrap),
        cmocka_unit_test(draws_are_the_rules),
        cmocka_unit_test(differences_get_a_normal_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What judges write: parsed, or reported as unparsed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "verdict.h"

static void pairs(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        double a, b; /* a = 0: not to be parsed */
    } table[] = {
        {"8 9\nBoth are good.", 8, 9},
        {"8, 9", 8, 9},
        {"8.5 9.0\n", 8.5, 9},
        {"\n\n  8\t9  \n", 8, 9},
        {"8/10 9/10", 8, 9},
        {"8 / 10, 9 / 10.", 8, 9},
        {"(8, 9)\nbecause", 8, 9},
        {"[8, 9]", 8, 9},
        {"[[8]] [[9]]", 8, 9},
        {"**8 9**", 8, 9},
        {"**8** **9**", 8, 9},
        {"Scores: 8 9", 8, 9},
        {"### Rating: 8 and 9", 8, 9},
        {"`8 9`", 8, 9},
        {"> 8 9", 8, 9},
        {"- 8, 9", 8, 9},
        {"8 out of 10, 9 out of 10", 8, 9},
        {"Assistant 1: 8\nAssistant 2: 9\nReasons follow.", 8, 9},
        {"Assistant 1: 8/10, Assistant 2: 9/10", 8, 9},
        {"**Assistant 1's score:** 8\n**Assistant 2's score:** 9", 8, 9},
        {"Assistant A gets 8 and Assistant B gets 9.", 8, 9},
        {"Assistant 2: 9\nAssistant 1: 8", 8, 9},
        {"First I solve it: 2 + 2 = 4.\nAssistant 1 is right.\n(8, 9)", 8, 9},
        {"Here are the scores.\n\n8 9\n\nAssistant 1 gave 3 reasons.", 8, 9},
        {"8;9", 8, 9},
        {"\xe2\x80\x9c" "8 9\xe2\x80\x9d", 8, 9},
        {"10 10\r\nGood.", 10, 10},
        {"", 0, 0},
        {"N/A", 0, 0},
        {"eight nine", 0, 0},
        {"8", 0, 0},
        {"8 9 7", 0, 0},
        {"11 9", 0, 0},
        {"0 5", 0, 0},
        {"-1 -1", 0, 0},
        {"8-9", 0, 0},
        {"8/9", 0, 0},
        {"8/10", 0, 0},
        {"8/100 9/100", 0, 0},
        {"80% 90%", 0, 0},
        {"[[A]]", 0, 0},
        {"Both assistants score between 8 9", 0, 0},
        {"I think so.\n8 9\nno wait\n9 8", 0, 0},
        {"Assistant 1: 8", 0, 0},
        {"Assistant 1: 8, Assistant 2: 9. On reflection Assistant 1: 7", 0, 0},
        {"Assistant 1 gave 3 reasons, Assistant 2 gave 4.", 0, 0},
        {"1. Assistant 1 is better than Assistant 2", 0, 0},
        {"Assistant 1 has 3 errors. Assistant 2 has 2 errors.", 0, 0},
        {"Assistant 1 gets 3 things wrong, Assistant 2 gets 2 things right.", 0, 0},
        {"Assistant 1 has 3, Assistant 2 has 4.", 0, 0},
        {"Assistant 1 has a score of 3, Assistant 2 has a score of 4.", 3, 4},
        {"Let me solve it.\nx = 2, 3\nBoth are right.", 0, 0},
        {"x = 2, 3\nBoth are right.", 0, 0},
        {"The roots are\n2, 3\nso both are right.", 0, 0},
        {"The roots are 2 and 3.\nFinal scores: 7, 8\nThat is all.", 7, 8},
        {"Both are right.\n```\n(7, 8)\n```", 7, 8},
        {"| Assistant 1 | Assistant 2 |\n|---|---|\n| 7 | 8 |", 0, 0},
        {"{\"assistant_1\": 7, \"assistant_2\": 8}", 7, 8},
        {"7,5 8,5", 0, 0},
        {"2024 2025", 0, 0},
        {"7th 8th", 0, 0},
        {"\xef\xbc\x97 \xef\xbc\x98", 0, 0},
        {"7 8 9 10", 0, 0},
        {"Scores: 7 and 11", 0, 0},
        {"nan inf", 0, 0},
        {"1e1 8", 0, 0},
        {"Assistant 1: 7/10 (clear)\nAssistant 2: 8/10 (clearer)", 7, 8},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        double p[2] = {0, 0};
        const bool got = verdict_pair(table[i].text, strlen(table[i].text), p);
        if (got != (table[i].a > 0) || (got && (p[0] != table[i].a || p[1] != table[i].b)))
            fail_msg("'%s': %d %g %g", table[i].text, got, p[0], p[1]);
    }
}

static void qualities(void **unused)
{
    (void)unused;
    static const char *const good[] = {
        "8 9\n7 6\n5 4\n3 2\nBecause.",
        "8 9\n\n7, 6\n\n(5, 4)\n3/10 2/10",
        "Coherence: 8 9\nConsistency: 7 6\nFluency: 5 4\nRelevance: 3 2",
        "1 thing first\n**Relevance:** 3 2\n**Fluency:** 5 4\n**Consistency:** 7 6\n**Coherence:** 8 9",
        "* Coherence = 8 9\n* Consistency = 7 6\n* Fluency = 5 4\n* Relevance = 3 2",
    };
    static const char *const bad[] = {
        "8 9\n7 6\n5 4", "8 9\n7 6\nwell\n5 4\n3 2", "8 9 7 6 5 4 3 2", "",
        "Coherence: 8 9\nConsistency: 7 6\nFluency: 5 4",
        "Coherence: 8 9\nCoherence: 7 6\nFluency: 5 4\nRelevance: 3 2",
    };
    double p[VERDICT_QUALITIES][2];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!verdict_qualities(good[i], strlen(good[i]), p) || p[0][0] != 8 || p[0][1] != 9 ||
            p[1][0] != 7 || p[2][1] != 4 || p[3][0] != 3)
            fail_msg("'%s': %g %g", good[i], p[0][0], p[0][1]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (verdict_qualities(bad[i], strlen(bad[i]), p))
            fail_msg("'%s' was parsed", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs),
        cmocka_unit_test(qualities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

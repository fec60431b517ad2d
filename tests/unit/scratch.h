/* What the unit tests share: a scratch directory, random bytes, cmocka and its includes. */
#ifndef KICK_TESTS_SCRATCH_H
#define KICK_TESTS_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "error.h"

static char scratch[64] = "/tmp/kick-unit-XXXXXX";

static inline int scratch_setup(void **state)
{
    (void)state;
    return mkdtemp(scratch) ? 0 : -1;
}

static inline int scratch_teardown(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", scratch);
    return system(command);
}

/* Path of a file in the scratch directory; two may be in use at once. */
static inline const char *scratch_path(const char *name)
{
    static char path[4][128];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", scratch, name);
    return path[turn];
}

/* A file there of these bytes; its path. */
static inline const char *scratch_file(const char *name, const void *bytes, size_t n)
{
    const char *path = scratch_path(name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
    return path;
}

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static inline void random_bytes(uint64_t seed, void *out, size_t n)
{
    unsigned char *p = out;
    for (size_t i = 0; i < n; i += 8) {
        uint64_t x = random_next(&seed);
        memcpy(p + i, &x, n - i < 8 ? n - i : 8);
    }
}

/* Stops the test with the message of a function of lib/ that should not have failed. */
#define assert_done(result, e)                                                                     \
    do {                                                                                           \
        if (result)                                                                                \
            fail_msg("%s", (e).text);                                                              \
    } while (0)

#define assert_refused(result, e, needle)                                                          \
    do {                                                                                           \
        if (!(result))                                                                             \
            fail_msg("was not refused; wanted '%s'", needle);                                      \
        if (!strstr((e).text, needle) || strchr((e).text, '\n'))                                   \
            fail_msg("said '%s', not '%s'", (e).text, needle);                                     \
    } while (0)

#endif

/* The thread pool: every tile exactly once, thread numbers in range, many short jobs in a row. */
#include "scratch.h"

#include <stdatomic.h>
#include <unistd.h>

#include "pool.h"

enum { MOST = 5000 };

struct counts {
    _Atomic unsigned char seen[MOST];
    _Atomic long wrong_thread;
    long threads;
    int slow;
};

static void tile(void *context, size_t i, long thread)
{
    struct counts *c = context;
    atomic_fetch_add(&c->seen[i], 1);
    if (thread < 0 || thread >= c->threads)
        atomic_fetch_add(&c->wrong_thread, 1);
    if (c->slow && i % 7 == 0)
        usleep(50);
}

static void every_tile_once(void **state)
{
    (void)state;
    static struct counts c;
    static const size_t counts[] = {0, 1, 2, 3, 7, 100, MOST};
    for (long threads = 0; threads <= 5; threads++)
        for (int k = 0; k < 7; k++)
            for (int slow = 0; slow < 2; slow++) {
                struct pool *pool = NULL; /* threads 0: no pool at all */
                struct error e;
                memset(&c, 0, sizeof c);
                c.threads = threads ? threads : 1;
                c.slow = slow && counts[k] <= 100;
                if (threads)
                    assert_done(pool_new(&pool, threads, &e), e);
                assert_int_equal(pool_threads(pool), c.threads);
                pool_run(pool, counts[k], tile, &c);
                for (size_t i = 0; i < MOST; i++)
                    assert_int_equal(c.seen[i], i < counts[k]);
                assert_int_equal(c.wrong_thread, 0);
                pool_free(pool);
            }
}

static void sum_tile(void *context, size_t i, long thread)
{
    (void)thread;
    atomic_fetch_add((_Atomic size_t *)context, i + 1);
}

/* A thread that wakes late must not take tiles of the next job for those of the last. */
static void many_short_jobs(void **state)
{
    (void)state;
    struct pool *pool;
    struct error e;
    assert_done(pool_new(&pool, 4, &e), e);
    for (size_t job = 0; job < 20000; job++) {
        _Atomic size_t sum = 0;
        size_t n = job % 9;
        pool_run(pool, n, sum_tile, &sum);
        assert_int_equal(sum, n * (n + 1) / 2);
    }
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_tile_once),
                                       cmocka_unit_test(many_short_jobs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

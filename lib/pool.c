/* The thread pool. */
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "memory.h"

enum {
    INDEX_BITS = 40, /* `next` holds the job's number above, the next tile below */
    LOOKS = 1000     /* before a thread sleeps: some 20 to 50 us, about what waking it would cost */
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    pthread_t *thread;
    long threads; /* the caller included */
    int looks;    /* LOOKS, or 0 where not every thread can have a core */
    bool stop;
    _Atomic uint64_t job; /* number of the current job */
    void (*run)(void *, size_t, long);
    void *context;
    uint64_t count;
    _Atomic uint64_t next;
    _Atomic uint64_t finished;
};

struct worker {
    struct pool *pool;
    long index;
};

/* Looks a bounded number of times whether *at has become `value` (or is no longer, as `wanted` says). */
static void look(const struct pool *p, const _Atomic uint64_t *at, uint64_t value, bool wanted)
{
    for (int i = 0; i < p->looks && (atomic_load_explicit(at, memory_order_relaxed) == value) != wanted; i++)
#ifdef __x86_64__
        __builtin_ia32_pause();
#else
        sched_yield();
#endif
}

/* Takes tiles of one job until none is left. A thread that wakes late finds another job's number in
 * `next` and takes nothing, so nobody has to wait for it. */
static void work(struct pool *p, uint64_t job, uint64_t count, void (*run)(void *, size_t, long),
                 void *context, long index)
{
    const uint64_t mask = ((uint64_t)1 << INDEX_BITS) - 1;
    uint64_t v = atomic_load(&p->next);
    for (;;) {
        if (v >> INDEX_BITS != (job & (UINT64_MAX >> INDEX_BITS)) || (v & mask) >= count)
            return;
        if (!atomic_compare_exchange_weak(&p->next, &v, v + 1))
            continue;
        run(context, (size_t)(v & mask), index);
        if (atomic_fetch_add(&p->finished, 1) + 1 == count) {
            pthread_mutex_lock(&p->lock);
            pthread_cond_signal(&p->done);
            pthread_mutex_unlock(&p->lock);
        }
        v = atomic_load(&p->next);
    }
}

static void *worker_main(void *argument)
{
    struct worker w = *(struct worker *)argument;
    struct pool *p = w.pool;
    uint64_t seen = 0;
    free(argument);
    pthread_mutex_lock(&p->lock);
    for (;;) {
        if (p->job == seen && !p->stop) {
            pthread_mutex_unlock(&p->lock);
            look(p, &p->job, seen, false);
            pthread_mutex_lock(&p->lock);
        }
        while (!p->stop && p->job == seen)
            pthread_cond_wait(&p->work, &p->lock);
        if (p->stop)
            break;
        seen = p->job;
        uint64_t count = p->count;
        void (*run)(void *, size_t, long) = p->run;
        void *context = p->context;
        pthread_mutex_unlock(&p->lock);
        work(p, seen, count, run, context, w.index);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

int pool_new(struct pool **out, long threads, struct error *e)
{
    struct pool *p = memory_new(1, sizeof *p, "the thread pool", e);
    if (!p)
        return -1;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->done, NULL);
    p->threads = 1;
    cpu_set_t cores;
    p->looks = sched_getaffinity(0, sizeof cores, &cores) || CPU_COUNT(&cores) < threads ? 0 : LOOKS;
    *out = p;
    if (threads <= 1)
        return 0;
    p->thread = memory_new((size_t)threads, sizeof *p->thread, "the thread pool", e);
    if (!p->thread)
        goto fail;
    for (long i = 1; i < threads; i++) {
        struct worker *w = memory_new(1, sizeof *w, "a thread", e);
        if (!w)
            goto fail;
        *w = (struct worker){p, i};
        if (pthread_create(&p->thread[i], NULL, worker_main, w)) {
            free(w);
            error_set(e, "cannot start thread %ld of %ld; try a smaller -j", i + 1, threads);
            goto fail;
        }
        p->threads++;
    }
    return 0;
fail:
    pool_free(p);
    *out = NULL;
    return -1;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (long i = 1; i < p->threads; i++)
        pthread_join(p->thread[i], NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->done);
    free(p->thread);
    free(p);
}

long pool_threads(const struct pool *p)
{
    return p ? p->threads : 1;
}

void pool_run(struct pool *p, size_t count, void (*run)(void *, size_t, long), void *context)
{
    if (!p || p->threads == 1 || count <= 1) {
        for (size_t i = 0; i < count; i++)
            run(context, i, 0);
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->run = run;
    p->context = context;
    p->count = count;
    uint64_t job = ++p->job;
    atomic_store(&p->finished, 0);
    atomic_store(&p->next, job << INDEX_BITS);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    work(p, job, count, run, context, 0);
    look(p, &p->finished, count, true);
    if (atomic_load(&p->finished) == count)
        return;
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->finished) < count)
        pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

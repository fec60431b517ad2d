/* Checked allocation. */
#include "memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* From four large pages on, large pages where the system allows them: fewer misses of the address
 * cache while weights stream by. */
enum { LARGE_PAGE = 2 << 20, LARGE = 4 * LARGE_PAGE };

/* From here on memory comes fresh from the system and is zero as soon as that has been asked for: clearing
 * it once more would pass it through the caches for nothing. */
enum { FRESH = 32 << 20, PAGE = 4 << 10 };

bool size_multiply(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

void *memory_new(size_t count, size_t size, const char *what, struct error *e)
{
    size_t n = 0;
    void *p = NULL;
    /* aligned_alloc() wants whole large pages */
    if (!size_multiply(count, size, &n) || n > SIZE_MAX - LARGE ||
        posix_memalign(&p, n < LARGE ? 64 : LARGE_PAGE, (n + 127) / 64 * 64)) {
        error_set(e, "no memory for %s (%zu x %zu bytes)", what, count, size);
        return NULL;
    }
    const size_t bytes = (n + 127) / 64 * 64, whole = bytes / PAGE * PAGE;
    if (n >= LARGE)
        (void)madvise(p, n, MADV_HUGEPAGE);
    if (n >= FRESH && !madvise(p, whole, MADV_DONTNEED))
        memset((char *)p + whole, 0, bytes - whole);
    else
        memset(p, 0, bytes);
    return p;
}

#ifndef MADV_COLLAPSE /* since Linux 6.1; others refuse */
#define MADV_COLLAPSE 25
#endif

void memory_settle(const void *p, size_t bytes)
{
    const uintptr_t end = (uintptr_t)p + bytes;
    uintptr_t page = (uintptr_t)p / LARGE_PAGE * LARGE_PAGE;
    /* One by one: the first and the last may go beyond what there is. */
    for (; p && page < end; page += LARGE_PAGE)
        (void)madvise((void *)page, LARGE_PAGE, MADV_COLLAPSE);
}

void *memory_resize(void *p, size_t count, size_t size, const char *what, struct error *e)
{
    size_t n = 0;
    void *q = size_multiply(count, size, &n) ? realloc(p, n ? n : 1) : NULL;
    if (!q)
        error_set(e, "no memory for %s (%zu x %zu bytes)", what, count, size);
    return q;
}

static atomic_bool refused;

void memory_refused(void)
{
    atomic_store(&refused, true);
}

int memory_short(struct error *e)
{
    return atomic_load(&refused) ? error_set(e, "no memory for a part of the result") : 0;
}

int buffer_reserve(struct buffer *b, size_t more, struct error *e)
{
    if (more <= b->capacity - b->length)
        return 0;
    size_t want = b->length;
    if (__builtin_add_overflow(want, more, &want) || want > SIZE_MAX / 2)
        return error_set(e, "no memory for a buffer of %zu more bytes", more);
    if (want < b->capacity + b->capacity / 2)
        want = b->capacity + b->capacity / 2;
    void *p = memory_resize(b->data, want, 1, "a buffer", e);
    if (!p)
        return -1;
    b->data = p;
    b->capacity = want;
    return 0;
}

int buffer_append(struct buffer *b, const void *data, size_t n, struct error *e)
{
    if (buffer_reserve(b, n, e))
        return -1;
    if (n)
        memcpy(b->data + b->length, data, n);
    b->length += n;
    return 0;
}

void buffer_free(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){0};
}

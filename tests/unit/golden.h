/* Reading goldens: .npy arrays, tensors of safetensors files, and the folder ../shared (KICK_SHARED),
 * without which a test skips. */
#ifndef KICK_TESTS_GOLDEN_H
#define KICK_TESTS_GOLDEN_H

#include "scratch.h"

#include "file.h"
#include "json.h"
#include "safetensors.h"
#include "tensor.h"

struct golden {
    size_t shape[8], count;
    int rank;
    char type[4]; /* "f4", "f2", "u1", "i8" */
    void *data;
};

static inline void golden_free(struct golden *g)
{
    free(g->data);
    *g = (struct golden){0};
}

/* Element as a number. */
static inline double golden_at(const struct golden *g, size_t i)
{
    const unsigned char *p = g->data;
    if (!strcmp(g->type, "f4")) {
        float x;
        memcpy(&x, p + 4 * i, 4);
        return (double)x;
    }
    if (!strcmp(g->type, "f2")) {
        uint16_t h;
        memcpy(&h, p + 2 * i, 2);
        return (double)f16_to_f32(h);
    }
    if (!strcmp(g->type, "i8")) {
        int64_t x;
        memcpy(&x, p + 8 * i, 8);
        return (double)x;
    }
    return (double)p[i];
}

/* A .npy file, C order, little-endian. */
static inline struct golden golden_npy(const char *path)
{
    struct golden g = {.count = 1};
    char *text, *header;
    size_t n;
    struct error e;
    assert_done(file_read(path, (size_t)1 << 31, &text, &n, &e), e);
    assert_true(n > 10 && !memcmp(text, "\x93NUMPY\1", 7));
    size_t length = (size_t)(unsigned char)text[8] | (size_t)(unsigned char)text[9] << 8;
    assert_true(10 + length <= n);
    header = strndup(text + 10, length);
    const char *descr = strstr(header, "'descr': '"), *shape = strstr(header, "'shape': (");
    assert_true(descr && shape && strstr(header, "'fortran_order': False"));
    memcpy(g.type, descr + 11, 2);
    for (const char *p = shape + 10; *p && *p != ')';) {
        char *end;
        g.shape[g.rank] = strtoull(p, &end, 10);
        g.count *= g.shape[g.rank++];
        p = end + strspn(end, ", ");
    }
    size_t bytes = g.count * (size_t)(g.type[1] - '0');
    assert_int_equal(bytes, n - 10 - length);
    g.data = malloc(bytes + 1);
    memcpy(g.data, text + 10 + length, bytes);
    free(header);
    free(text);
    return g;
}

/* A tensor of a safetensors file; count 0 where it is absent. */
static inline struct golden golden_tensor(const char *path, const char *name)
{
    struct golden g = {.count = 1};
    struct safetensors *s;
    struct error e;
    assert_done(safetensors_open(&s, path, &e), e);
    for (size_t i = 0; i < safetensors_count(s); i++) {
        const struct safetensors_entry *t = safetensors_entry(s, i);
        if (strcmp(t->name, name))
            continue;
        g.rank = t->rank;
        for (int k = 0; k < t->rank; k++)
            g.count *= g.shape[k] = t->shape[k];
        strcpy(g.type, !strcmp(t->dtype, "F32")   ? "f4"
                       : !strcmp(t->dtype, "F16") ? "f2"
                       : !strcmp(t->dtype, "I64") ? "i8"
                                                  : "u1");
        g.data = malloc(t->bytes + 1);
        assert_done(safetensors_read(s, t, 0, t->bytes, g.data, &e), e);
    }
    safetensors_close(s);
    if (!g.data)
        g.count = 0;
    return g;
}

/* "SHARED/name", or NULL where there is no such folder. */
static inline const char *shared_path(const char *name)
{
    static char path[4][512];
    static int turn;
    const char *shared = getenv("KICK_SHARED");
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", shared ? shared : "../shared", name);
    return path_exists(path[turn]) ? path[turn] : NULL;
}

#endif

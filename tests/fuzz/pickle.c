/* Fuzzing of pickles: what is accepted is a tree whose parts are all there. */
#include "file.h"
#include "pickle.h"

/* A tree of shared parts can be exponential: it is looked at only so deep and so far. */
static size_t look(const struct pickle_value *v, int depth, size_t budget)
{
    static volatile char sink;
    if (v->kind == PICKLE_TEXT || v->kind == PICKLE_BIG)
        sink = v->text[v->length];
    if (v->kind == PICKLE_GLOBAL || v->kind == PICKLE_CALL)
        sink = *pickle_global_name(v->global);
    sink = *pickle_kind_name(v->kind);
    (void)sink;
    if (v->kind < PICKLE_TUPLE || v->kind == PICKLE_GLOBAL || depth > 20)
        return budget;
    if (v->kind == PICKLE_DICT && v->items->count % 2)
        abort();
    for (size_t i = 0; i < v->items->count && budget; i++)
        budget = look(&v->items->value[i], depth + 1, budget - 1);
    return budget;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char path[64];
    struct pickle *p;
    uint64_t at = 0;
    int fd = fuzz_file(data, n, path);
    while (at < n && !pickle_read(&p, fd, &at, n, NULL)) {
        look(pickle_root(p), 0, 10000);
        pickle_free(p);
    }
    if (at > n)
        abort();
    close(fd);
    return 0;
}

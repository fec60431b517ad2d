/* PyTorch files: views of storages in every form against copies of them, and damaged files. */
#include "golden.h"

#include "torch_file.h"
#include "window.h"

#define DATA "tests/data/torch/"

static void check_same(const char *path)
{
    struct torch_file *f;
    struct safetensors *s;
    struct error e;
    assert_done(torch_open(&f, path, &e), e);
    assert_done(safetensors_open(&s, DATA "expected.safetensors", &e), e);
    assert_int_equal(torch_count(f), safetensors_count(s));
    for (size_t i = 0; i < torch_count(f); i++) {
        const struct torch_entry *t = torch_entry(f, i);
        const struct safetensors_entry *want = NULL;
        unsigned char a[1024] = {0}, b[1024];
        for (size_t k = 0; k < safetensors_count(s); k++)
            if (!strcmp(safetensors_entry(s, k)->name, t->name))
                want = safetensors_entry(s, k);
        assert_non_null(want);
        assert_string_equal(t->dtype, want->dtype);
        assert_int_equal(t->rank, want->rank);
        for (int k = 0; k < t->rank; k++)
            assert_int_equal(t->shape[k], want->shape[k]);
        assert_int_equal(t->bytes, want->bytes);
        assert_true(t->bytes < sizeof a);
        assert_done(torch_read(f, t, 0, t->bytes, a, &e), e);
        assert_done(safetensors_read(s, want, 0, want->bytes, b, &e), e);
        if (memcmp(a, b, t->bytes))
            fail_msg("%s: %s differs", path, t->name);
        /* element by element too */
        for (size_t at = 0; at < t->bytes; at += t->width) {
            assert_done(torch_read(f, t, at, t->width, a, &e), e);
            assert_memory_equal(a, b + at, t->width);
        }
        assert_int_equal(torch_read(f, t, 0, t->bytes + t->width, a, NULL), -1);
    }
    safetensors_close(s);
    torch_close(f);
}

static void test_views(void **state)
{
    (void)state;
    check_same(DATA "zip.bin");
    check_same(DATA "old.bin");
    check_same(DATA "protocol4.bin");
}

/* Every file that is cut, or has a byte changed, is refused or holds tensors that can be read. */
static void test_damaged(void **state)
{
    static const char *const files[] = {DATA "zip.bin", DATA "old.bin"};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        char *bytes;
        size_t n;
        struct error e;
        assert_done(file_read(files[k], 1 << 20, &bytes, &n, &e), e);
        for (size_t cut = 0; cut < n; cut += 37) {
            struct torch_file *f;
            assert_int_equal(torch_open(&f, scratch_file("made.bin", bytes, cut), &e), -1);
        }
        for (size_t at = 0; at < n; at += 5) {
            struct torch_file *f;
            bytes[at] ^= 0x41;
            if (!torch_open(&f, scratch_file("made.bin", bytes, n), &e)) {
                for (size_t i = 0; i < torch_count(f); i++) {
                    const struct torch_entry *t = torch_entry(f, i);
                    unsigned char *p = malloc(t->bytes + 1);
                    assert_done(torch_read(f, t, 0, t->bytes, p, &e), e);
                    free(p);
                }
                torch_close(f);
            }
            bytes[at] ^= 0x41;
        }
        free(bytes);
    }
}

static void test_evil(void **state)
{
    char path[256], line[600];
    struct error e;
    const char *list = shared_path("real/evil-pickles/STATIC.tsv");
    size_t seen = 0;
    (void)state;
    if (!list)
        skip();
    FILE *in = fopen(list, "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in)) {
        struct torch_file *f;
        const char *name = strstr(line, "/data/") ? strstr(line, "/data/") + 6 : NULL;
        if (!name)
            continue;
        snprintf(path, sizeof path, "real/evil-pickles/data/%.*s", (int)strcspn(name, "\t"), name);
        const char *file = shared_path(path);
        if (!file)
            continue;
        seen++;
        if (strstr(path, "/pytorch_model.bin")) {
            assert_done(torch_open(&f, file, &e), e);
            torch_close(f);
        } else {
            assert_refused(torch_open(&f, file, &e), e, "");
        }
    }
    fclose(in);
    assert_true(seen > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_evil),
    };
    return cmocka_run_group_tests_name("torch_file", tests, scratch_setup, scratch_teardown);
}

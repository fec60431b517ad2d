/* GGUF: block types against gguf-py's values, files, hostile files, metadata, tokenizers. */
#include "golden.h"

#include "gguf_quants.h"

static void test_block_types(void **state)
{
    static const struct {
        uint32_t number;
        const char *name;
    } list[] = {{1, "F16"},      {2, "Q4_0"},     {3, "Q4_1"},    {6, "Q5_0"},    {7, "Q5_1"},
                {8, "Q8_0"},     {10, "Q2_K"},    {11, "Q3_K"},   {12, "Q4_K"},   {13, "Q5_K"},
                {14, "Q6_K"},    {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"},
                {20, "IQ4_NL"},  {21, "IQ3_S"},   {22, "IQ2_S"},  {23, "IQ4_XS"}, {29, "IQ1_M"},
                {30, "BF16"},    {34, "TQ1_0"},   {35, "TQ2_0"},  {39, "MXFP4"},  {40, "NVFP4"}};
    (void)state;
    if (!shared_path("goldens/gguf_quants"))
        skip();
    for (size_t k = 0; k < sizeof list / sizeof *list; k++) {
        const struct gguf_type *t = gguf_type(list[k].number);
        char path[64], *bytes;
        size_t n;
        struct error e;
        assert_non_null(t);
        assert_string_equal(t->name, list[k].name);
        snprintf(path, sizeof path, "goldens/gguf_quants/%s.bin", t->name);
        assert_done(file_read(shared_path(path), 1 << 20, &bytes, &n, &e), e);
        snprintf(path, sizeof path, "goldens/gguf_quants/%s.npy", t->name);
        struct golden want = golden_npy(shared_path(path));
        assert_int_equal(n % t->bytes, 0);
        assert_int_equal(n / t->bytes * t->block, want.count);
        float *got = malloc(want.count * 4);
        gguf_unpack(t, (const uint8_t *)bytes, n / t->bytes, got);
        for (size_t i = 0; i < want.count; i++)
            if (memcmp(got + i, (const float *)want.data + i, 4))
                fail_msg("%s: value %zu is %a, not %a", t->name, i, (double)got[i],
                         golden_at(&want, i));
        free(got);
        free(bytes);
        golden_free(&want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_types),
    };
    return cmocka_run_group_tests_name("gguf", tests, scratch_setup, scratch_teardown);
}

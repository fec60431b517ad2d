/* Calibration draws: Python's generator and the samples of the released loader (goldens/eval), and
 * properties of the counter-based draws. */
#include "golden.h"

#include "calibration.h"
#include "mt19937.h"
#include "stream.h"

static void python_generator(void **state)
{
    (void)state;
    struct mt19937 g;
    mt19937_seed(&g, 0);
    assert_int_equal(mt19937_bits(&g), 3626764237u);
    assert_int_equal(mt19937_bits(&g), 1654615998u);
    mt19937_seed(&g, 42);
    assert_int_equal(mt19937_below(&g, 118), 81);
    assert_int_equal(mt19937_below(&g, 118), 14);
    const char *path = shared_path("goldens/eval/calib.json");
    if (!path)
        return;
    struct error e;
    json_t *all = json_read_file(path, 1 << 24, &e), *one, *x;
    size_t i, j;
    assert_non_null(all);
    json_array_foreach(json_object_get(all, "generator"), i, one) {
        const int64_t seed = json_integer_value(json_object_get(one, "seed"));
        mt19937_seed(&g, seed);
        json_array_foreach(json_object_get(one, "getrandbits32"), j, x)
            assert_int_equal(mt19937_bits(&g), json_integer_value(x));
        mt19937_seed(&g, seed);
        json_array_foreach(json_object_get(one, "randint_0_117"), j, x)
            assert_int_equal(mt19937_below(&g, 118), json_integer_value(x));
    }
    json_decref(all);
}

/* A text stream of the first `most` lines of a file. */
static bool write_lines(const char *from, size_t most, const char *to)
{
    char *text;
    size_t n, at = 0;
    struct error e;
    if (!from || file_read(from, (size_t)1 << 28, &text, &n, &e))
        return false;
    struct output *o;
    struct stream_writer *w;
    json_t *header = stream_header_new("text", NULL, NULL, "test", 1, NULL, NULL, &e);
    assert_done(output_open(&o, to, &e), e);
    assert_done(stream_create(&w, o, header, NULL, &e), e);
    for (size_t i = 0; at < n && i < most; i++) {
        const char *end = memchr(text + at, '\n', n - at);
        const size_t length = end ? (size_t)(end - text) - at : n - at;
        json_t *record = json_pack("{s:s%}", "text", text + at, length);
        assert_done(stream_write(w, record, NULL, 0, &e), e);
        json_decref(record);
        at += length + 1;
    }
    assert_done(stream_finish(w, NULL, &e), e);
    assert_done(output_commit(o, &e), e);
    stream_writer_free(w);
    output_free(o);
    json_decref(header);
    free(text);
    return true;
}

static struct tokenizer *stories_tokenizer(void)
{
    struct tokenizer *t;
    struct error e;
    char *data;
    size_t n;
    assert_done(file_read(shared_path("goldens/stories260K/tokenizer.model"), 1 << 24, &data, &n, &e), e);
    assert_done(tokenizer_new(&t, "sentencepiece", data, n, NULL, &e), e);
    free(data);
    return t;
}

static void released_loader(void **state)
{
    (void)state;
    if (!shared_path("goldens/eval/calib.json") || !shared_path("real/datasets/calibration/c4.utf8"))
        skip();
    struct error e;
    json_t *all = json_read_file(shared_path("goldens/eval/calib.json"), 1 << 24, &e), *one, *wanted;
    struct tokenizer *t = stories_tokenizer();
    const struct model m = {.vocab = 512, .positions = 512 * 4};
    size_t i, j, k, checked = 0;
    json_t *id;
    assert_non_null(all);
    json_array_foreach(json_object_get(all, "cases"), i, one) {
        char name[128];
        if (strcmp(json_get_string_or(one, "loader", ""), "c4"))
            continue;
        snprintf(name, sizeof name, "real/datasets/calibration/%s", json_get_string_or(one, "file", ""));
        const char *to = scratch_path("text.kick");
        unlink(to);
        if (!write_lines(shared_path(name), (size_t)json_integer_value(json_object_get(one, "n_docs")), to))
            continue;
        json_t *samples = json_object_get(one, "samples");
        struct calibration_options o = CALIBRATION_DEFAULTS;
        o.path = to;
        o.samples = (long)json_array_size(samples); /* those before the release fails */
        o.length = (long)json_integer_value(json_object_get(one, "L"));
        o.seed = (long)json_integer_value(json_object_get(one, "seed"));
        struct calibration c;
        assert_done(calibration_read(&c, &o, &m, t, &e), e);
        assert_int_equal(c.count, json_array_size(samples));
        json_array_foreach(samples, j, wanted) {
            const struct calibration_sample *s = &c.sample[j];
            assert_int_equal(s->document, json_integer_value(json_object_get(wanted, "doc")));
            assert_int_equal(s->start, json_integer_value(json_object_get(wanted, "start")));
            json_array_foreach(json_object_get(wanted, "first_ids"), k, id)
                assert_int_equal(s->ids[k], json_integer_value(id));
            json_array_foreach(json_object_get(wanted, "last_ids"), k, id)
                assert_int_equal(s->ids[s->count - 4 + k], json_integer_value(id));
            checked++;
        }
        calibration_free(&c);
    }
    assert_true(checked > 100);
    tokenizer_free(t);
    json_decref(all);
}

/* Where the release fails, on a document of exactly the sample's length, draws go on. */
static void exact_length_is_passed_over(void **state)
{
    (void)state;
    if (!shared_path("goldens/stories260K/tokenizer.model"))
        skip();
    struct tokenizer *t = stories_tokenizer();
    const struct model m = {.vocab = 512, .positions = 512};
    struct error e;
    struct token_ids ids = {0};
    struct calibration c;
    const char *to = scratch_path("few.kick"), *source = scratch_path("few.txt");
    FILE *f = fopen(source, "w");
    fputs("a b c\nOnce upon a time\nno\nOnce upon a time there was a little cat.\n", f);
    fclose(f);
    assert_true(write_lines(source, 4, to));
    assert_done(tokenizer_encode(t, "Once upon a time", 16, &ids, &e), e);
    struct calibration_options o = CALIBRATION_DEFAULTS;
    o.path = to;
    o.samples = 20;
    o.length = (long)ids.count + 1; /* with BOS */
    assert_done(calibration_read(&c, &o, &m, t, &e), e);
    assert_int_equal(c.count, 20);
    assert_true(c.passed_over > 0);
    for (size_t i = 0; i < c.count; i++)
        assert_int_equal(c.sample[i].document, 3);
    calibration_free(&c);
    o.draw = "counter";
    assert_done(calibration_read(&c, &o, &m, t, &e), e);
    for (size_t i = 0; i < c.count; i++)
        assert_int_equal(c.sample[i].ids[0], 1); /* BOS */
    struct calibration fewer;
    o.samples = 7;
    assert_done(calibration_read(&fewer, &o, &m, t, &e), e);
    for (size_t i = 0; i < 7; i++) { /* a sample depends on its number alone */
        assert_int_equal(fewer.sample[i].document, c.sample[i].document);
        assert_int_equal(fewer.sample[i].start, c.sample[i].start);
    }
    calibration_free(&fewer);
    calibration_free(&c);
    o.length = 500;
    assert_int_equal(calibration_read(&c, &o, &m, t, &e), -1);
    assert_non_null(strstr(e.text, "none of its 4 documents"));
    o.draw = "python";
    assert_int_equal(calibration_read(&c, &o, &m, t, &e), -1);
    token_ids_free(&ids);
    tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(python_generator),
        cmocka_unit_test(released_loader),
        cmocka_unit_test(exact_length_is_passed_over),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}

/* Containers: every form of the goldens' models, ingested, gives the logits that they give elsewhere;
 * a damaged or incomplete one is refused. */
#include "golden.h"

#include <math.h>

#include "checkpoint.h"
#include "forward.h"
#include "pass.h"

/* The largest difference of the logits of a sequence from those of a file. */
static double logits_off(const char *operand, const json_t *ids, const char *logits)
{
    char command[2048];
    struct source s;
    struct pass *p = NULL;
    struct error e;
    int32_t id[512];
    const char *build = getenv("KICK_BUILD"), *stream = scratch_path("m.kick");
    double worst = 0;
    const struct pass_sequence sequence = {.ids = id, .count = json_array_size(ids)};
    for (size_t i = 0; i < sequence.count; i++)
        id[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    snprintf(command, sizeof command, "%s/bin/kick-ingest-model -q '%s' -o '%s'",
             build ? build : "build", shared_path(operand), stream);
    assert_int_equal(system(command), 0);
    assert_done(source_open(&s, stream, NULL, &e), e);
    assert_done(pass_run(&p, &s, &sequence, 1, NULL, NULL, NULL, &e), e);
    struct golden want = golden_npy(shared_path(logits));
    const size_t ld = panel_size(s.model.vocab);
    assert_int_equal(want.count, sequence.count * s.model.vocab);
    float *got = malloc(sequence.count * ld * sizeof *got);
    assert_done(pass_logits(p, 0, 0, sequence.count, got, &e), e);
    for (size_t i = 0; i < want.count; i++)
        worst = fmax(worst, fabs((double)got[i / s.model.vocab * ld + i % s.model.vocab] -
                                 golden_at(&want, i)));
    free(got);
    golden_free(&want);
    pass_free(p);
    source_close(&s);
    printf("%s: logits off by %.2g\n", operand, worst);
    return worst;
}

static json_t *golden_json(const char *name)
{
    struct error e;
    json_t *j = json_read_file(shared_path(name), 1 << 24, &e);
    if (!j)
        fail_msg("%s", e.text);
    return j;
}

static void test_stories(void **state)
{
    const char *file;
    json_t *v;
    (void)state;
    if (!shared_path("goldens/stories260K/golden.json"))
        skip();
    json_t *g = golden_json("goldens/stories260K/golden.json");
    size_t seen = 0;
    json_object_foreach(json_object_get(g, "files"), file, v) {
        char operand[256], logits[256];
        snprintf(operand, sizeof operand, "goldens/stories260K/%s", file);
        snprintf(logits, sizeof logits, "goldens/stories260K/%s",
                 json_string_value(json_object_get(v, "logits")));
        assert_true(logits_off(operand, json_object_get(g, "input_ids"), logits) < 1e-4);
        seen++;
    }
    assert_true(seen >= 8);
    json_decref(g);
}

static void test_bins(void **state)
{
    static const char *const forms[] = {"f32", "f16", "bf16"};
    (void)state;
    if (!shared_path("goldens/models/llama_gqa_untied"))
        skip();
    for (size_t i = 0; i < 3; i++) {
        char operand[200], path[400];
        snprintf(operand, sizeof operand, "goldens/models/llama_gqa_untied/bin_%s", forms[i]);
        snprintf(path, sizeof path, "%s/golden.json", operand);
        json_t *g = golden_json(path);
        snprintf(path, sizeof path, "%s/%s", operand,
                 json_string_value(json_object_get(g, "logits")));
        assert_true(logits_off(operand, json_object_get(g, "input_ids"), path) < 1e-4);
        /* the file itself as the operand */
        snprintf(operand + strlen(operand), 32, "/pytorch_model.bin");
        assert_true(logits_off(operand, json_object_get(g, "input_ids"), path) < 1e-4);
        json_decref(g);
    }
    json_t *g = golden_json("goldens/models/llama_mha_tied/golden.json");
    const json_t *first = json_array_get(json_object_get(g, "sequences"), 0);
    assert_true(logits_off("goldens/models/llama_mha_tied/bin_tied",
                           json_object_get(first, "input_ids"),
                           "goldens/models/llama_mha_tied/logits_0.npy") < 1e-4);
    json_decref(g);
}

static void refused(const char *path, const char *needle)
{
    struct checkpoint c;
    struct error e;
    const int result = checkpoint_open(&c, path, &e);
    checkpoint_free(&c);
    assert_refused(result, e, needle);
}

static void make_file(const char *name, const char *text)
{
    FILE *f = fopen(scratch_path(name), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_operands(void **state)
{
    struct checkpoint c;
    struct error e;
    char command[512];
    (void)state;
    refused(scratch_path("nothing"), "no such directory or file");
    snprintf(command, sizeof command, "mkdir '%s/d' '%s/shards' && cp tests/data/torch/zip.bin '%s/d/x.bin'",
             scratch, scratch, scratch);
    assert_int_equal(system(command), 0);
    refused(scratch_path("d"), "has no config.json; name the directory");
    refused(scratch_path("d/x.bin"), "has no config.json beside it");
    make_file("d/config.json", "{}");
    refused(scratch_path("d"), "neither model.safetensors nor pytorch_model.bin");
    assert_done(checkpoint_open(&c, scratch_path("d/x.bin"), &e), e);
    assert_int_equal(c.count, 20);
    checkpoint_free(&c);
    make_file("d/text", "What is this?");
    refused(scratch_path("d/text"), "neither a safetensors nor a PyTorch file");
    make_file("d/x.gguf", "What is this?");
    refused(scratch_path("d/x.gguf"), "is not a GGUF file");
    make_file("d/x.safetensors", "What is this?");
    refused(scratch_path("d/x.safetensors"), "is not a safetensors file");
    /* safetensors before .bin; shards of .bin by their index */
    snprintf(command, sizeof command,
             "cd '%s' && mv d/x.bin d/pytorch_model.bin && cp d/config.json d/pytorch_model.bin shards",
             scratch);
    assert_int_equal(system(command), 0);
    assert_done(checkpoint_open(&c, scratch_path("d"), &e), e);
    checkpoint_free(&c);
    make_file("d/model.safetensors", "not at all");
    refused(scratch_path("d"), "model.safetensors");
    snprintf(command, sizeof command,
             "cp tests/data/torch/old.bin '%s/shards/two.bin' && mv '%s/shards/pytorch_model.bin' "
             "'%s/shards/one.bin'", scratch, scratch, scratch);
    assert_int_equal(system(command), 0);
    make_file("shards/pytorch_model.bin.index.json",
              "{\"weight_map\":{\"a\":\"one.bin\",\"b\":\"two.bin\",\"c\":\"one.bin\"}}");
    assert_done(checkpoint_open(&c, scratch_path("shards"), &e), e);
    assert_int_equal(c.files, 2);
    assert_int_equal(c.count, 40);
    checkpoint_free(&c);
    make_file("shards/pytorch_model.bin.index.json", "{\"weight_map\":{\"a\":\"../d/one.bin\"}}");
    refused(scratch_path("shards"), "names no file of the directory");
    make_file("shards/pytorch_model.bin.index.json", "{\"weight_map\":{\"a\":\"three.bin\"}}");
    refused(scratch_path("shards"), "three.bin: cannot open it");
}

/* Quantized layouts, each against the floats that it stands for; then damaged. */
static void test_packed(void **state)
{
    static const char *const names[] = {"gptq2", "gptq3", "gptq4", "gptq8", "gptq4-act-order",
                                        "gptq4-v2", "awq", "compressed4", "compressed4-zeros",
                                        "compressed3", "int8"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct checkpoint c;
        struct packed p;
        struct error e;
        char path[256];
        float row[64];
        size_t seen = 0;
        snprintf(path, sizeof path, "tests/data/packed/%s", names[i]);
        assert_done(checkpoint_open(&c, path, &e), e);
        struct golden want = golden_tensor("tests/data/packed/expected.safetensors", names[i]);
        assert_null(json_object_get(c.config, "quantization_config"));
        for (size_t k = 0; k < c.count; k++) {
            const struct checkpoint_entry *t = &c.entry[k];
            if (strcmp(t->dtype, "INT"))
                continue;
            assert_string_equal(t->name, "x.weight");
            assert_int_equal(t->shape[0], want.shape[0]);
            assert_int_equal(t->shape[1], want.shape[1]);
            assert_done(checkpoint_read_packed(&c, t, &p, &e), e);
            assert_true((p.g_idx != NULL) == (strstr(names[i], "order") != NULL));
            for (size_t r = 0; r < p.rows; r++) {
                packed_row(&p, r, row);
                if (memcmp(row, (float *)want.data + r * p.cols, p.cols * 4))
                    fail_msg("%s: row %zu differs", names[i], r);
            }
            packed_free(&p);
            seen++;
        }
        assert_int_equal(seen, 1);
        golden_free(&want);
        checkpoint_free(&c);
    }
    make_file("d/config.json", "{\"quantization_config\":{\"quant_method\":\"sorcery\"}}");
    refused(scratch_path("d"), "'sorcery' is not read");
    make_file("d/config.json",
              "{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":5}}");
    refused(scratch_path("d"), "5 bits of gptq");
}

/* Floats in narrower forms: whole, and in part. */
static void test_narrow(void **state)
{
    static const char *const names[] = {"fp8-block", "fp8-row", "fp8-one", "bitmask",
                                        "bitmask-short"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct checkpoint c;
        struct error e;
        char path[256];
        size_t seen = 0;
        snprintf(path, sizeof path, "tests/data/packed/%s", names[i]);
        assert_done(checkpoint_open(&c, path, &e), e);
        struct golden want = golden_tensor("tests/data/packed/expected.safetensors", names[i]);
        assert_null(json_object_get(c.config, "quantization_config"));
        for (size_t k = 0; k < c.count; k++) {
            const struct checkpoint_entry *t = &c.entry[k];
            unsigned char raw[4096], part[64];
            float wide[1024];
            if (strcmp(t->name, "x.weight"))
                continue;
            const enum tensor_values values = strcmp(t->dtype, "F32") ? VALUES_F16 : VALUES_F32;
            assert_int_equal(t->bytes, want.count * values_size(values));
            assert_done(checkpoint_read(&c, t, 0, t->bytes, raw, &e), e);
            values_to_f32(values, raw, want.count, wide);
            for (size_t r = 0; r < want.count; r++)
                if (wide[r] != ((const float *)want.data)[r])
                    fail_msg("%s: number %zu is %g", names[i], r, (double)wide[r]);
            assert_done(checkpoint_read(&c, t, t->bytes - 128, 64, part, &e), e);
            assert_memory_equal(part, raw + t->bytes - 128, 64);
            seen++;
        }
        assert_int_equal(seen, 1);
        golden_free(&want);
        checkpoint_free(&c);
    }
    make_file("d/config.json", "{\"quantization_config\":{\"quant_method\":\"bitsandbytes\","
                               "\"load_in_4bit\":true}}");
    refused(scratch_path("d"), "bitsandbytes in 4 bits");
    make_file("d/config.json", "{\"quantization_config\":{\"quant_method\":\"fp8\",\"fmt\":\"e5m2\"}}");
    refused(scratch_path("d"), "'e5m2' is not read");
    make_file("d/config.json", "{\"quantization_config\":{\"quant_method\":\"fp8\","
                               "\"weight_block_size\":[128,0]}}");
    refused(scratch_path("d"), "block's size");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operands),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_bins),
        cmocka_unit_test(test_stories),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, scratch_setup, scratch_teardown);
}

/* Checkpoints that are refused: every message of safetensors files, of the layouts of quantized weights,
 * and of the files beside them. */
#include "scratch.h"

#include <sys/stat.h>

#include "checkpoint.h"
#include "checkpoint_write.h"
#include "file.h"
#include "output.h"
#include "safetensors.h"
#include "safetensors_write.h"

static struct error e;

static const char *text_file(const char *name, const char *text)
{
    const char *path = scratch_path(name);
    assert_done(output_file(path, text, strlen(text), &e), e);
    return path;
}

/* A header and data of some bytes, in which one number of 64 bits repeats. */
static const char *made(const char *name, const char *header, size_t bytes, uint64_t number)
{
    const char *path = scratch_path(name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    for (size_t i = 0; i < 8; i++)
        fputc((int)(strlen(header) >> 8 * i & 255), f);
    fputs(header, f);
    for (size_t i = 0; i < bytes; i++)
        fputc((int)(number >> i % 8 * 8 & 255), f);
    fclose(f);
    return path;
}

#define T(name, dtype, shape, from, to)                                                            \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" #from "," #to "]}"
#define ONE(dtype, shape, from, to) "{" T("t", dtype, shape, from, to) "}"

static void test_safetensors(void **state)
{
    static const struct {
        const char *header;
        size_t bytes;
        const char *says;
    } rows[] = {
        {"{", 0, "its header is not valid JSON"},
        {"[]", 0, "its header is not valid JSON: no object"},
        {"{\"__metadata__\":7}", 0, "__metadata__ is not an object"},
        {"{\"__metadata__\":{\"a\":7}}", 0, "__metadata__: \"a\" is not a text"},
        {"{\"t\":{\"shape\":[],\"data_offsets\":[0,0]}}", 0, "tensor t: "},
        {ONE("F9", "", 0, 0), 0, "tensor t: unknown type 'F9'"},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":7,\"data_offsets\":[0,0]}}", 0, "\"shape\" is not a list of"},
        {ONE("F32", "-1", 0, 0), 0, "\"shape\" holds something that is no size"},
        {ONE("F32", "4611686018427387904,4611686018427387904", 0, 0), 0, "its shape is too large"},
        {ONE("F32", "4611686018427387904", 0, 0), 0, "its shape is too large, or not of whole bytes"},
        {ONE("F32", "1", 0, 5), 4, "its data_offsets do not lie within the file"},
        {ONE("F32", "2", 0, 4), 4, "its data_offsets disagree with its shape and type"},
        {ONE("F32", "1", 1, 5), 5, "tensor t: a hole before it"},
        {"{" T("t", "F32", "1", 0, 4) "," T("u", "F32", "1", 2, 6) "}", 6,
         "tensor u: an overlap with the tensor before it"},
        {ONE("F32", "1", 0, 4), 5, "its tensors do not cover the file"},
    };
    struct safetensors *s;
    float x[4];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(safetensors_open(&s, made("t", rows[i].header, rows[i].bytes, 0), &e), e,
                       rows[i].says);
    assert_refused(safetensors_open(&s, text_file("t", "abc"), &e), e, "too small for a safetensors header");
    assert_refused(safetensors_open(&s, text_file("t", "A longer text"), &e), e, "is not a safetensors file");
    assert_refused(safetensors_open(&s, scratch, &e), e, "is not a file");
    assert_refused(safetensors_open(&s, scratch_path("none"), &e), e, "cannot open it: No such file");
    assert_done(safetensors_open(&s, made("t", ONE("F32", "2", 0, 8), 8, 0), &e), e);
    assert_refused(safetensors_read(s, safetensors_entry(s, 0), 4, 8, x, &e), e, "t: is shorter than asked");
    assert_int_equal(truncate(scratch_path("t"), 60), 0);
    assert_refused(safetensors_read(s, safetensors_entry(s, 0), 0, 8, x, &e), e, "t: cannot read it");
    safetensors_close(s);
}

/* ---- quantized weights ---------------------------------------------------------------------- */

#define Q(method) "{\"quantization_config\":{\"quant_method\":" method "}}"
#define GPTQ(bits) Q("\"gptq\",\"bits\":" #bits ",\"group_size\":8")
#define INT8 Q("\"bitsandbytes\",\"load_in_8bit\":true")
#define COMPRESSED(more) Q("\"compressed-tensors\"," more)
#define WEIGHTS(weights, more) "\"config_groups\":{\"g\":{\"weights\":{" weights "}" more "}}"
#define PACKED COMPRESSED("\"format\":\"pack-quantized\"," WEIGHTS("\"num_bits\":4", ""))
#define BITMASK COMPRESSED("\"sparsity_config\":{\"format\":\"sparse-bitmask\"}")
/* codes for 8 rows of 8 columns, zeros, scales, groups, in this order: 32, 4, 32 and 32 bytes */
#define CODES(dtype) T("x.qweight", dtype, "1,8", 0, 32)
#define ZEROS T("x.qzeros", "I32", "1,1", 32, 36)
#define SCALES(dtype) T("x.scales", dtype, "1,8", 36, 68)

static const struct {
    const char *config, *header;
    size_t bytes;
    uint64_t number;
    const char *says; /* when it is opened, or when its tensor is read */
} layouts[] = {
    {Q("\"sorcery\""), "{}", 0, 0, "quant_method 'sorcery' is not read"},
    {GPTQ(5), "{}", 0, 0, "5 bits of gptq are not read"},
    {Q("\"gptq\",\"bits\":\"four\""), "{}", 0, 0, "quantization_config: \"bits\" is not an integer"},
    {Q("\"gptq\",\"checkpoint_format\":\"marlin\""), "{}", 0, 0, "checkpoint_format 'marlin' of GPTQ"},
    {Q("\"awq\",\"version\":\"gemv\""), "{}", 0, 0, "version 'gemv' of AWQ is not read"},
    {Q("\"bitsandbytes\",\"load_in_4bit\":true"), "{}", 0, 0, "bitsandbytes in 4 bits is not read"},
    {Q("\"bitsandbytes\",\"load_in_8bit\":1"), "{}", 0, 0, "\"load_in_8bit\" is not true or false"},
    {Q("\"bitsandbytes\",\"llm_int8_threshold\":\"x\""), "{}", 0, 0, "\"llm_int8_threshold\" is not a number"},
    {Q("\"bitsandbytes\",\"load_in_8bit\":true,\"llm_int8_threshold\":-1"), "{}", 0, 0,
     "llm_int8_threshold -1 is not a positive number"},
    {Q("\"fp8\",\"fmt\":\"e5m2\""), "{}", 0, 0, "FP8 in the form 'e5m2' is not read"},
    {Q("\"fp8\",\"weight_block_size\":[128,0]"), "{}", 0, 0, "a block's size is not two numbers from 1 on"},
    {COMPRESSED("\"sparsity_config\":{\"format\":\"2:4\"}"), "{}", 0, 0, "sparsity format '2:4' is not read"},
    {COMPRESSED("\"format\":\"marlin-24\""), "{}", 0, 0, "compressed-tensors format 'marlin-24' is not read"},
    {COMPRESSED("\"format\":\"pack-quantized\""), "{}", 0, 0, "config_groups is not one group with weights"},
    {COMPRESSED("\"format\":\"float-quantized\"," WEIGHTS("\"type\":\"int\"", "")), "{}", 0, 0,
     "weights in float-quantized of type int are not read"},
    {COMPRESSED("\"format\":\"pack-quantized\"," WEIGHTS("", ",\"input_activations\":{}")), "{}", 0, 0,
     "quantized activations are not computed here"},
    {COMPRESSED("\"format\":\"pack-quantized\"," WEIGHTS("\"type\":\"float\"", "")), "{}", 0, 0,
     "weights of type 'float' are not read (int)"},
    /* GPTQ */
    {GPTQ(4), "{" CODES("I32") "}", 32, 0, "x.qweight: has no scales or no zeros beside it"},
    {GPTQ(4), "{" CODES("F32") "," ZEROS "," SCALES("F32") "}", 68, 0, "are not all of type I32"},
    {GPTQ(4), "{" T("x.qweight", "I32", "8", 0, 32) "," ZEROS "," SCALES("F32") "}", 68, 0,
     "x.qweight: its codes are not a matrix"},
    {GPTQ(3), "{" CODES("I32") "," ZEROS "," SCALES("F32") "}", 68, 0, "its codes are not whole words"},
    {GPTQ(4), "{" CODES("I32") "," ZEROS "," T("x.scales", "F32", "1,7", 36, 64) "}", 64, 0,
     "x.weight: its codes, scales and zeros do not fit each other"},
    {GPTQ(4), "{" CODES("I32") "," ZEROS "," SCALES("I32") "}", 68, 0, "x.scales: type I32; only F32"},
    {GPTQ(4), "{" CODES("I32") "," ZEROS "," SCALES("F32") "," T("x.g_idx", "I32", "8", 68, 100) "}", 100,
     0x100000001, "x.weight: its g_idx names group 1 of 1"},
    /* compressed-tensors */
    {PACKED, "{" T("x.weight_packed", "I32", "1,1", 0, 4) "," T("x.weight_scale", "F32", "1", 4, 8) ","
     T("x.weight_shape", "I32", "2", 8, 16) "}", 16, 0, "x.weight_shape: is not two numbers of type I64"},
    {PACKED, "{" T("x.weight_shape", "I64", "2", 0, 16) "," T("x.weight_packed", "I32", "1,1", 16, 20) ","
     T("x.weight_scale", "F32", "1", 20, 24) "}", 24, 9, "x.weight_shape: disagrees with the codes"},
    /* LLM.int8() */
    {INT8, "{" T("x.weight", "F32", "1,8", 0, 32) "," T("x.SCB", "F32", "1", 32, 36) "}", 36, 0,
     "x.weight: is no matrix of type I8 with an F32 scale"},
    {INT8, "{" T("x.weight", "I8", "1,8", 0, 8) "," T("x.SCB", "F32", "1", 8, 12) ","
     T("x.weight_format", "U8", "1", 12, 13) "}", 13, 0x0101010101010101, "the order of its codes is not that of rows"},
    /* FP8 */
    {Q("\"fp8\""), "{" T("x.weight", "F32", "1,8", 0, 32) "," T("x.weight_scale_inv", "F32", "1", 32, 36) "}", 36,
     0, "x.weight: is no matrix of type F8_E4M3"},
    {Q("\"fp8\""), "{" T("x.weight", "F8_E4M3", "1,8", 0, 8) "," T("x.weight_scale_inv", "I32", "1", 8, 12) "}",
     12, 0, "x.weight_scale_inv: type I32; only F32, F16 and BF16 are read"},
    {Q("\"fp8\""), "{" T("x.weight", "F8_E4M3", "1,8", 0, 8) "," T("x.weight_scale_inv", "F32", "3", 8, 20) "}",
     20, 0, "x.weight: its 3 scales are neither one, nor one a row, nor one a block"},
    /* the values that are not zero */
    {BITMASK, "{" T("x.compressed", "F32", "1", 0, 4) "," T("x.bitmask", "U8", "1,1", 4, 5) "}", 5, 0,
     "x.compressed: has no shape of two numbers beside it"},
    {BITMASK, "{" T("x.shape", "I64", "2", 0, 16) "," T("x.compressed", "F32", "1", 16, 20) ","
     T("x.bitmask", "U8", "1,1", 20, 21) "}", 21, 0, "x.shape: is no shape of a matrix"},
    {BITMASK, "{" T("x.shape", "I64", "2", 0, 16) "," T("x.compressed", "F32", "2", 16, 24) ","
     T("x.bitmask", "U8", "1,1", 24, 25) "}", 25, 1, "mask, shape and values do not fit each other"},
    {BITMASK, "{" T("x.shape", "I64", "2", 0, 16) "," T("x.bitmask", "U8", "1,1", 16, 17) ","
     T("x.compressed", "F32", "0", 17, 17) "}", 17, 1, "keeps another number of values than the 0"},
};

static void test_layouts(void **state)
{
    (void)state;
    assert_int_equal(mkdir(scratch_path("q"), 0700), 0);
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        struct checkpoint c;
        struct packed p = {0};
        float x[256];
        text_file("q/config.json", layouts[i].config);
        made("q/model.safetensors", layouts[i].header, layouts[i].bytes, layouts[i].number);
        int got = checkpoint_open(&c, scratch_path("q"), &e);
        for (size_t k = 0; !got && k < c.count; k++)
            if (!strcmp(c.entry[k].name, "x.weight"))
                got = strcmp(c.entry[k].dtype, "INT")
                          ? checkpoint_read(&c, &c.entry[k], 0, c.entry[k].bytes, x, &e)
                          : checkpoint_read_packed(&c, &c.entry[k], &p, &e);
        packed_free(&p);
        checkpoint_free(&c);
        assert_refused(got, e, layouts[i].says);
    }
    struct packed p;
    assert_refused(packed_new(&p, SIZE_MAX, 4, 0, 4, true, &e), e, "its sizes are too large");
}

/* ---- the files beside -------------------------------------------------------------------------- */

static void test_files(void **state)
{
    static const char *const rows[][3] = {
        {"generation_config.json", "[", "generation_config.json"},
        {"tokenizer_config.json", "[", "tokenizer_config.json"},
        {"model.safetensors.index.json", "{}", "\"weight_map\" is missing"},
        {"model.safetensors.index.json", "{\"weight_map\":{\"a\":7}}", "a: names no file of the directory"},
    };
    char command[128];
    struct checkpoint c;
    struct checkpoint_writer w;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[64];
        assert_int_equal(mkdir(scratch_path("f"), 0700), 0);
        text_file("f/config.json", "{}");
        text_file("f/tokenizer.json", "{}");
        text_file("f/chat_template.jinja", "x"); /* joins the settings */
        snprintf(name, sizeof name, "f/%s", rows[i][0]);
        text_file(name, rows[i][1]);
        const int got = checkpoint_open(&c, scratch_path("f"), &e);
        checkpoint_free(&c);
        assert_refused(got, e, rows[i][2]);
        snprintf(command, sizeof command, "rm -r '%s'", scratch_path("f"));
        assert_int_equal(system(command), 0);
    }
    /* writing */
    assert_refused(checkpoint_create(&w, text_file("there", "x"), &e), e, "is there already; name a new");
    checkpoint_writer_free(&w);
    assert_refused(checkpoint_create(&w, scratch_path("none/new"), &e), e, "cannot make a directory for it");
    checkpoint_writer_free(&w);
    assert_done(checkpoint_create(&w, scratch_path("new"), &e), e);
    assert_int_equal(mkdir(scratch_path("new"), 0700), 0); /* meanwhile, and not empty */
    text_file("new/x", "x");
    assert_refused(checkpoint_commit(&w, &e), e, "cannot put the finished directory there");
    checkpoint_writer_free(&w);
    struct safetensors_writer *s;
    char name[200];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_done(safetensors_create(&s, scratch_path("s"), 1, 8, &e), e);
    assert_done(safetensors_begin(s, name, "F32", 0, NULL, &e), e);
    assert_refused(safetensors_finish(s, &e), e, "bytes, and room was left for");
    safetensors_writer_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safetensors),
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests_name("checkpoint_errors", tests, scratch_setup, scratch_teardown);
}

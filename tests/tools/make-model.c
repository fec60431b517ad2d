/* Writes a checkpoint directory of random weights: config.json and model.safetensors, or shards with
 * an index. Tensors are streamed, so that a model may be larger than memory. Weights are N(0, 0.02)
 * (norms: 1), drawn by the polar method from a counter-based generator; the same arguments give the
 * same bytes anywhere.
 *
 * make-model DIR [--layers N] [--hidden N] [--intermediate N] [--heads N] [--kv-heads N] [--vocab N]
 *                [--positions N] [--seed N] [--type bf16|f16|f32] [--shards N] [--tied] [--experts N]
 *
 * --experts makes a mixture; with one expert it has the weights of the model without. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "error.h"
#include "fmath.h"
#include "tensor.h"

enum { LAYERS, HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, VOCAB, POSITIONS, SEED, SHARDS, EXPERTS, NUMBERS };

static const char *const number_name[NUMBERS] = {"layers",   "hidden", "intermediate",
                                                 "heads",    "kv-heads", "vocab",
                                                 "positions", "seed",   "shards", "experts"};
static size_t number[NUMBERS] = {2, 64, 128, 4, 2, 256, 256, 1, 1, 0};
static enum tensor_values type = VALUES_BF16;
static int tied;

struct item {
    char name[96];
    size_t rows, cols; /* rows 0: a vector */
};

static struct item *item;
static size_t items;

static void fail(const char *what)
{
    fprintf(stderr, "make-model: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void add(size_t layer, const char *name, size_t rows, size_t cols)
{
    struct item *t = &item[items++];
    if (layer == SIZE_MAX)
        snprintf(t->name, sizeof t->name, "%s.weight", name);
    else
        snprintf(t->name, sizeof t->name, "model.layers.%zu.%s.weight", layer, name);
    t->rows = rows;
    t->cols = cols;
}

static void list_items(void)
{
    size_t h = number[HIDDEN], m = number[INTERMEDIATE], kv = h / number[HEADS] * number[KV_HEADS];
    item = calloc((10 + 3 * number[EXPERTS]) * number[LAYERS] + 3, sizeof *item);
    if (!item)
        fail("memory");
    add(SIZE_MAX, "model.embed_tokens", number[VOCAB], h);
    for (size_t i = 0; i < number[LAYERS]; i++) {
        add(i, "input_layernorm", 0, h);
        add(i, "self_attn.q_proj", h, h);
        add(i, "self_attn.k_proj", kv, h);
        add(i, "self_attn.v_proj", kv, h);
        add(i, "self_attn.o_proj", h, h);
        add(i, "post_attention_layernorm", 0, h);
        for (size_t x = 0; x < number[EXPERTS]; x++) {
            char name[64];
            for (int k = 0; k < 3; k++) {
                snprintf(name, sizeof name, "block_sparse_moe.experts.%zu.w%c", x, "132"[k]);
                add(i, name, k == 2 ? h : m, k == 2 ? m : h);
            }
        }
        if (number[EXPERTS])
            continue;
        add(i, "mlp.gate_proj", m, h);
        add(i, "mlp.up_proj", m, h);
        add(i, "mlp.down_proj", h, m);
    }
    add(SIZE_MAX, "model.norm", 0, h);
    if (!tied)
        add(SIZE_MAX, "lm_head", number[VOCAB], h);
    for (size_t i = 0; i < number[LAYERS] && number[EXPERTS]; i++)
        add(i, "block_sparse_moe.gate", number[EXPERTS], h);
}

static size_t item_count(const struct item *t)
{
    return (t->rows ? t->rows : 1) * t->cols;
}

/* splitmix64 of a counter, as a number in (-1, 1). */
static double draw(uint64_t *counter)
{
    uint64_t z = (*counter += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return ((double)(z >> 12) + 0.5) * 0x1p-51 - 1;
}

static void normals(uint64_t *counter, float *out, size_t n)
{
    for (size_t i = 0; i < n; i += 2) {
        double a, b, s;
        do {
            a = draw(counter);
            b = draw(counter);
            s = a * a + b * b;
        } while (s >= 1 || s == 0);
        double r = 0.02 * sqrt(-2 * fmath_log(s) / s);
        out[i] = (float)(a * r);
        if (i + 1 < n)
            out[i + 1] = (float)(b * r);
    }
}

static void write_data(FILE *f, size_t index)
{
    enum { N = 1 << 16 };
    static float x[N];
    static unsigned char packed[4 * N];
    uint64_t counter = (uint64_t)number[SEED] << 40 ^ (uint64_t)index << 20;
    draw(&counter);
    counter = counter * 0x9E3779B97F4A7C15u + index;
    for (size_t at = 0, n; at < item_count(&item[index]); at += n) {
        n = item_count(&item[index]) - at < N ? item_count(&item[index]) - at : N;
        if (item[index].rows)
            normals(&counter, x, n);
        else
            for (size_t i = 0; i < n; i++)
                x[i] = 1;
        values_from_f32(type, x, n, packed);
        if (fwrite(packed, values_size(type), n, f) != n)
            fail("write");
    }
}

/* Tensors begin..end-1 as one safetensors file. */
static void write_file(const char *path, size_t begin, size_t end)
{
    static const char *const dtype[] = {"F32", "F16", "BF16"};
    size_t room = 256 * (end - begin) + 16, n = 1, offset = 0;
    char *header = malloc(room);
    FILE *f = fopen(path, "wb");
    if (!header || !f)
        fail(path);
    header[0] = '{';
    for (size_t i = begin; i < end; i++) {
        size_t bytes = item_count(&item[i]) * values_size(type);
        char shape[64];
        if (item[i].rows)
            snprintf(shape, sizeof shape, "%zu,%zu", item[i].rows, item[i].cols);
        else
            snprintf(shape, sizeof shape, "%zu", item[i].cols);
        n += (size_t)snprintf(header + n, room - n,
                              "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],"
                              "\"data_offsets\":[%zu,%zu]}",
                              i > begin ? "," : "", item[i].name, dtype[type], shape, offset,
                              offset + bytes);
        offset += bytes;
    }
    header[n++] = '}';
    while (n % 8)
        header[n++] = ' ';
    for (int i = 0; i < 8; i++)
        putc((int)(n >> 8 * i & 255), f);
    fwrite(header, 1, n, f);
    for (size_t i = begin; i < end; i++)
        write_data(f, i);
    if (fclose(f))
        fail(path);
    free(header);
}

static void write_config(const char *path)
{
    static const char *const dtype[] = {"float32", "float16", "bfloat16"};
    FILE *f = fopen(path, "w");
    if (!f)
        fail(path);
    fprintf(f,
            "{\"architectures\": [\"%sForCausalLM\"], \"model_type\": \"%s\",\n"
            " \"hidden_size\": %zu, \"intermediate_size\": %zu, \"num_hidden_layers\": %zu,\n"
            " \"num_attention_heads\": %zu, \"num_key_value_heads\": %zu, \"vocab_size\": %zu,\n"
            " \"max_position_embeddings\": %zu, \"rms_norm_eps\": 1e-05, \"rope_theta\": 10000.0,\n"
            " \"hidden_act\": \"silu\", \"bos_token_id\": 1, \"eos_token_id\": 2,\n"
            " \"num_local_experts\": %zu, \"num_experts_per_tok\": %zu,\n"
            " \"tie_word_embeddings\": %s, \"torch_dtype\": \"%s\"}\n",
            number[EXPERTS] ? "Mixtral" : "Llama", number[EXPERTS] ? "mixtral" : "llama",
            number[HIDDEN], number[INTERMEDIATE], number[LAYERS], number[HEADS], number[KV_HEADS],
            number[VOCAB], number[POSITIONS], number[EXPERTS],
            number[EXPERTS] < 2 ? number[EXPERTS] : (size_t)2, tied ? "true" : "false", dtype[type]);
    if (fclose(f))
        fail(path);
}

static void write_shards(const char *directory, char *path, size_t room)
{
    size_t shards = number[SHARDS];
    snprintf(path, room, "%s/model.safetensors.index.json", directory);
    FILE *f = fopen(path, "w");
    if (!f)
        fail(path);
    fprintf(f, "{\"metadata\": {}, \"weight_map\": {");
    for (size_t s = 0; s < shards; s++) {
        size_t begin = items * s / shards, end = items * (s + 1) / shards;
        for (size_t i = begin; i < end; i++)
            fprintf(f, "%s\"%s\": \"model-%05zu-of-%05zu.safetensors\"", i ? ",\n" : "\n",
                    item[i].name, s + 1, shards);
        snprintf(path, room, "%s/model-%05zu-of-%05zu.safetensors", directory, s + 1, shards);
        write_file(path, begin, end);
    }
    fprintf(f, "}}\n");
    if (fclose(f))
        fail("index");
}

int main(int argc, char **argv)
{
    struct option list[NUMBERS + 3] = {{0}};
    for (int i = 0; i < NUMBERS; i++)
        list[i] = (struct option){number_name[i], required_argument, NULL, 1000 + i};
    list[NUMBERS] = (struct option){"type", required_argument, NULL, 't'};
    list[NUMBERS + 1] = (struct option){"tied", no_argument, &tied, 1};
    int k;
    while ((k = getopt_long(argc, argv, "", list, NULL)) != -1) {
        if (k >= 1000)
            number[k - 1000] = strtoull(optarg, NULL, 10);
        else if (k == 't')
            type = !strcmp(optarg, "f32")   ? VALUES_F32
                   : !strcmp(optarg, "f16") ? VALUES_F16
                                            : VALUES_BF16;
        else if (k == '?')
            return 2;
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "usage: make-model DIR [options]\n");
        return 2;
    }
    const char *directory = argv[optind];
    char path[4096];
    if (mkdir(directory, 0777) && errno != EEXIST)
        fail(directory);
    list_items();
    snprintf(path, sizeof path, "%s/config.json", directory);
    write_config(path);
    if (number[SHARDS] > 1) {
        write_shards(directory, path, sizeof path);
    } else {
        snprintf(path, sizeof path, "%s/model.safetensors", directory);
        write_file(path, 0, items);
    }
    free(item);
    return 0;
}

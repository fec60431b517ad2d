/* Writes a model stream as a GGUF file for llama.cpp. Sizes and names follow from the
 * configuration, so the header's place is known from the start; what the types are is known
 * when a tensor comes, so the header is written last, over its place. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "gguf_pack.h"
#include "gguf_quants.h"
#include "gguf_write.h"
#include "json.h"
#include "memory.h"
#include "output.h"
#include "pool.h"
#include "source.h"
#include "tensor.h"

enum { ALIGNMENT = 32 };

static const char *type_option = "fit";

static const struct {
    const char *name;
    uint32_t number, file_type; /* file_type: llama.cpp's name for a file that is mostly this */
} types[] = {
    {"f32", GGUF_TYPE_F32, 0},   {"f16", GGUF_TYPE_F16, 1},   {"bf16", GGUF_TYPE_BF16, 32},
    {"q8_0", GGUF_TYPE_Q8_0, 7}, {"q4_0", GGUF_TYPE_Q4_0, 2}, {"q4_1", GGUF_TYPE_Q4_1, 3},
    {"q5_0", GGUF_TYPE_Q5_0, 8}, {"q5_1", GGUF_TYPE_Q5_1, 9},
};
enum { TYPES = sizeof types / sizeof *types };

/* A tensor of the file. */
struct place {
    char name[64];
    enum model_role role;
    enum gguf_change change;
    int rank;
    size_t rows, cols, experts, taken; /* taken: how many experts came */
    uint32_t type;
    uint64_t offset;
    struct buffer bytes; /* while experts are missing */
};

struct export {
    struct cli *cli;
    struct pool *pool;
    struct source source;
    struct output *out;
    const struct gguf_architecture *a;
    struct place *place;
    size_t places;
    uint64_t data; /* where data starts in the file */
    /* what became of the matrices that compression touches */
    double error, norm; /* sums of squares */
    uint64_t bytes;
    size_t again; /* matrices whose codes could not be kept */
    size_t odd;   /* matrices whose rows are no whole blocks of the type asked for */
    size_t matrices[TYPES];
};

/* ---- the places ----------------------------------------------------------------------------- */

static int make_places(struct export *x, struct error *e)
{
    const size_t count = model_tensor_count(&x->source.model);
    x->place = memory_new(count + 1, sizeof *x->place, "the list of tensors", e);
    if (!x->place)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct place *p = &x->place[x->places];
        size_t layer;
        char name[160];
        model_tensor_at(&x->source.model, i, &p->role, &layer, name, sizeof name);
        const char *pattern = gguf_role_name(x->a, &x->source.model, p->role);
        if (!pattern)
            return error_set(e, "%s: GGUF has no such tensor", name);
        const bool expert = strstr(name, ".experts.") != NULL;
        if (expert && model_tensor_expert(name))
            continue; /* is part of the first one's */
        const size_t size = model_role_size(&x->source.model, p->role);
        const size_t cols = model_role_columns(&x->source.model, p->role);
        p->experts = expert ? x->source.model.experts : 1;
        p->rank = expert ? 3 : cols > 1 && size > cols ? 2 : 1;
        p->cols = cols > 1 ? cols : size;
        p->rows = size / p->cols;
        p->change = gguf_role_change(x->a, &x->source.model, p->role);
        gguf_name_put(pattern, layer, p->name, sizeof p->name);
        x->places++;
    }
    if (x->source.model.rope == ROPE_LLAMA3) {
        struct place *p = &x->place[x->places++];
        *p = (struct place){.role = ROLE_IGNORED, .rank = 1, .rows = 1, .experts = 1,
                            .cols = x->source.model.rotary / 2};
        snprintf(p->name, sizeof p->name, "rope_freqs.weight");
    }
    return 0;
}

static struct place *find_place(struct export *x, enum model_role role, size_t layer)
{
    char name[64];
    gguf_name_put(gguf_role_name(x->a, &x->source.model, role), layer, name, sizeof name);
    for (size_t i = 0; i < x->places; i++)
        if (x->place[i].role == role && !strcmp(x->place[i].name, name))
            return &x->place[i];
    return NULL;
}

/* ---- types ---------------------------------------------------------------------------------- */

/* The group of a block's columns; SIZE_MAX where they are of several. */
static size_t block_group(const struct tensor *t, size_t block)
{
    const size_t first = block * GGUF_BLOCK;
    const size_t group = tensor_group(t, first);
    for (size_t c = first + 1; c < first + GGUF_BLOCK; c++)
        if (tensor_group(t, c) != group)
            return SIZE_MAX;
    return group;
}

/* The smallest type in which codes keep their values; *kept: there is one. */
static uint32_t fitting_type(const struct tensor *t, bool *kept, struct error *e)
{
    int low = 0, high = 0;
    uint32_t type = GGUF_TYPE_Q8_0;
    *kept = t->cols % GGUF_BLOCK == 0;
    if (!*kept)
        return GGUF_TYPE_F16;
    for (size_t b = 0; *kept && b < t->cols / GGUF_BLOCK; b++)
        *kept = block_group(t, b) != SIZE_MAX;
    if (!*kept || (t->min && t->bits > 5)) {
        *kept = false;
        return type;
    }
    if (t->min)
        return t->bits <= 4 ? GGUF_TYPE_Q4_1 : GGUF_TYPE_Q5_1;
    uint8_t *codes = memory_new(t->cols, 2, "codes", e), *keep = codes + t->cols;
    if (!codes)
        return UINT32_MAX;
    for (size_t r = 0; r < t->rows; r++) {
        tensor_row_codes(t, r, codes, keep);
        for (size_t c = 0; c < t->cols; c++) {
            const size_t g = tensor_group(t, c);
            const int q = keep[c] ? (int)codes[c] - (int)t->zero[r * t->groups + g] : 0;
            low = q < low ? q : low;
            high = q > high ? q : high;
        }
    }
    free(codes);
    if (low >= -8 && high <= 7)
        type = GGUF_TYPE_Q4_0;
    else if (t->bits <= 4)
        type = GGUF_TYPE_Q4_1;
    else if (low >= -16 && high <= 15)
        type = GGUF_TYPE_Q5_0;
    else if (t->bits == 5)
        type = GGUF_TYPE_Q5_1;
    else
        *kept = low >= -128 && high <= 127;
    return type;
}

static uint32_t own_type(const struct tensor *t)
{
    return t->values == VALUES_F32    ? GGUF_TYPE_F32
           : t->values == VALUES_BF16 ? GGUF_TYPE_BF16
                                      : GGUF_TYPE_F16;
}

/* The type that a tensor gets; *kept: its codes keep their values in it. */
static uint32_t choose_type(struct export *x, const struct place *p, const struct tensor *t,
                            bool *kept, struct error *e)
{
    const bool projection = model_role_is_projection(p->role);
    uint32_t type = GGUF_TYPE_F32;
    *kept = false;
    if (p->rank == 1 || (!projection && p->role != ROLE_EMBEDDING && p->role != ROLE_HEAD))
        return GGUF_TYPE_F32;
    if (!strcmp(type_option, "fit"))
        return t->values == VALUES_INT ? fitting_type(t, kept, e) : own_type(t);
    for (size_t i = 0; i < TYPES; i++)
        if (!strcmp(types[i].name, type_option))
            type = types[i].number;
    if (gguf_type(type)->block > 1 && (!projection || t->cols % GGUF_BLOCK)) {
        x->odd += projection;
        return own_type(t);
    }
    if (t->values == VALUES_INT && gguf_type(type)->block > 1)
        return fitting_type(t, kept, e) == type ? type : (*kept = false, type);
    return type;
}

/* ---- data ----------------------------------------------------------------------------------- */

struct job {
    const struct export *x;
    const struct place *p;
    const struct tensor *t;
    const size_t *from; /* row of the file -> row of the tensor; NULL: the same */
    bool kept;
    size_t row_bytes;
    unsigned char *out;
    float *row;            /* (threads, 2 cols) */
    uint8_t *codes;        /* (threads, 2 cols) */
    double *error, *norm;  /* (rows) */
    _Atomic size_t bad;    /* the first row that cannot be written */
};

static void set_bad(struct job *j, size_t row)
{
    size_t now = atomic_load(&j->bad);
    while (row < now && !atomic_compare_exchange_weak(&j->bad, &now, row))
        ;
}

/* A row's codes as the blocks of the file. */
static void keep_codes(struct job *j, size_t row, uint8_t *codes, unsigned char *out)
{
    const struct tensor *t = j->t;
    const uint32_t type = j->p->type;
    const bool low = type == GGUF_TYPE_Q4_1 || type == GGUF_TYPE_Q5_1;
    const int middle = type == GGUF_TYPE_Q4_0 ? 8 : type == GGUF_TYPE_Q5_0 ? 16 : 0;
    uint8_t *keep = codes + t->cols;
    tensor_row_codes(t, row, codes, keep);
    for (size_t b = 0; b < t->cols / GGUF_BLOCK; b++, out += gguf_type(type)->bytes) {
        const size_t at = row * t->groups + block_group(t, b);
        const int zero = t->zero ? t->zero[at] : 0;
        const float min = t->min ? t->min[at] : -t->scale[at] * (float)zero;
        int code[GGUF_BLOCK];
        for (size_t i = 0; i < GGUF_BLOCK; i++) {
            const size_t c = b * GGUF_BLOCK + i;
            const int q = keep[c] ? codes[c] : zero;
            code[i] = low ? q : q - zero + middle;
        }
        gguf_pack_codes(type, t->scale[at], min, code, out);
    }
}

static void encode_row(void *context, size_t r, long thread)
{
    struct job *j = context;
    const size_t cols = j->p->cols, row = j->from ? j->from[r] : r;
    const struct gguf_type *type = gguf_type(j->p->type);
    float *x = j->row + (size_t)thread * 2 * cols, *y = x + cols;
    unsigned char *out = j->out + r * j->row_bytes;
    tensor_row(j->t, row, x);
    for (size_t i = 0; i < cols; i++) {
        if (!isfinite(x[i]))
            set_bad(j, row);
        if (j->p->change == GGUF_PLUS_ONE)
            x[i] += 1;
    }
    if (atomic_load(&j->bad) != SIZE_MAX)
        return;
    if (j->kept)
        keep_codes(j, row, j->codes + (size_t)thread * 2 * cols, out);
    else
        gguf_pack(j->p->type, x, cols, out);
    gguf_unpack(type, out, cols / type->block, y);
    for (size_t i = 0; i < cols; i++) {
        if (!isfinite(y[i]))
            set_bad(j, row);
        j->error[r] += ((double)y[i] - (double)x[i]) * ((double)y[i] - (double)x[i]);
        j->norm[r] += (double)x[i] * (double)x[i];
    }
}

/* Rows in the file's order. A vector whose elements change places is done by hand. */
static int make_order(const struct export *x, const struct place *p, size_t n, size_t **from,
                      struct error *e)
{
    if (p->change != GGUF_HALVES && p->change != GGUF_TOGETHER)
        return 0;
    if (!(*from = memory_new(n, sizeof **from, "an order of rows", e)))
        return -1;
    for (size_t r = 0; r < n; r++)
        (*from)[gguf_row(&x->source.model, p->change, r)] = r;
    return 0;
}

static int reorder_vector(const struct tensor *t, const size_t *from, unsigned char *out,
                          struct error *e)
{
    float *x = memory_new(t->cols, 2 * sizeof *x, t->name, e), *y = x + t->cols;
    if (!x)
        return -1;
    tensor_row(t, 0, x);
    for (size_t i = 0; i < t->cols; i++)
        y[i] = x[from[i]];
    gguf_pack(GGUF_TYPE_F32, y, t->cols, out);
    free(x);
    return 0;
}

static void count_matrix(struct export *x, const struct place *p, const struct job *j)
{
    if (!model_role_is_projection(p->role))
        return;
    for (size_t r = 0; r < p->rows; r++) {
        x->error += j->error[r];
        x->norm += j->norm[r];
    }
    x->bytes += p->rows * j->row_bytes;
    x->again += j->t->values == VALUES_INT && !j->kept && gguf_type(p->type)->block > 1;
    for (size_t i = 0; i < TYPES; i++)
        x->matrices[i] += types[i].number == p->type;
}

/* A tensor as the file has it, appended to its place. */
static int encode(struct export *x, struct place *p, const struct tensor *t, struct error *e)
{
    const size_t threads = (size_t)pool_threads(x->pool);
    struct job j = {.x = x, .p = p, .t = t, .bad = SIZE_MAX};
    size_t *from = NULL;
    int result = -1;
    if (p->taken == 0)
        p->type = choose_type(x, p, t, &j.kept, e);
    else if (t->values == VALUES_INT) /* the type is that of the first expert */
        j.kept = fitting_type(t, &j.kept, e) == p->type && j.kept;
    if (p->type == UINT32_MAX)
        return -1;
    const struct gguf_type *type = gguf_type(p->type);
    j.row_bytes = p->cols / type->block * type->bytes;
    if (buffer_reserve(&p->bytes, p->rows * j.row_bytes * (p->taken ? 1 : p->experts), e))
        return -1;
    j.out = p->bytes.data + p->bytes.length;
    j.row = memory_new(threads * p->cols, 2 * sizeof *j.row, "rows", e);
    j.codes = memory_new(threads * p->cols, 2, "codes", e);
    j.error = memory_new(p->rows, sizeof *j.error, "rows", e);
    j.norm = memory_new(p->rows, sizeof *j.norm, "rows", e);
    if (!j.row || !j.codes || !j.error || !j.norm ||
        make_order(x, p, p->rank == 1 ? p->cols : p->rows, &from, e))
        goto out;
    j.from = p->rank == 1 ? NULL : from;
    pool_run(x->pool, p->rows, encode_row, &j);
    if (atomic_load(&j.bad) != SIZE_MAX) {
        error_set(e, "%s: row %zu is not finite in %s; take --type bf16 or f32", t->name,
                  atomic_load(&j.bad), type->name);
        goto out;
    }
    if (p->rank == 1 && from && reorder_vector(t, from, j.out, e))
        goto out;
    p->bytes.length += p->rows * j.row_bytes;
    p->taken++;
    count_matrix(x, p, &j);
    result = 0;
out:
    free(j.row);
    free(j.codes);
    free(j.error);
    free(j.norm);
    free(from);
    return result;
}

static int pad(struct output *o, struct error *e)
{
    static const unsigned char zeros[ALIGNMENT];
    return output_write(o, zeros, (size_t)(-output_offset(o) % ALIGNMENT), e);
}

static int write_place(struct export *x, struct place *p, struct error *e)
{
    p->offset = output_offset(x->out) - x->data;
    if (output_write(x->out, p->bytes.data, p->bytes.length, e) || pad(x->out, e))
        return -1;
    buffer_free(&p->bytes);
    p->bytes = (struct buffer){0};
    return 0;
}

/* ---- header --------------------------------------------------------------------------------- */

/* The steps that made the model, one after another. */
static int put_history(struct gguf_writer *w, const json_t *header, struct error *e)
{
    const json_t *history = json_object_get(header, "history"), *step;
    const char *name = json_get_string_or(header, "name", ""), *id = json_get_string_or(header, "id", "");
    struct buffer text = {0};
    size_t i;
    int result = -1;
    json_array_foreach(history, i, step) {
        const char *program = json_get_string_or(step, "program", "?");
        if ((i && buffer_append(&text, " | ", 3, e)) ||
            buffer_append(&text, program, strlen(program), e) || buffer_append(&text, " ", 1, e) ||
            json_append(json_object_get(step, "options"), &text, e))
            goto out;
    }
    gguf_put_text(w, "general.name", name, strlen(name));
    gguf_put_text(w, "kick.id", id, strlen(id));
    gguf_put_text(w, "kick.history", (char *)text.data, text.length);
    result = gguf_put_done(w);
out:
    buffer_free(&text);
    return result;
}

/* The header; before the data is written with types and offsets that are still to come, in the same
 * number of bytes. */
static int make_header(const struct export *x, struct buffer *out, struct error *e)
{
    const struct source *s = &x->source;
    struct gguf_writer keys = {.error = e}, all = {.error = e};
    uint32_t file_type = 0;
    size_t most = 0;
    int result = -1;
    for (size_t i = 0; i < TYPES; i++)
        if (x->matrices[i] > most) {
            most = x->matrices[i];
            file_type = types[i].file_type;
        }
    if (gguf_put_model(&keys, x->a, &x->source.model, e) ||
        put_history(&keys, stream_header(s->reader), e))
        goto out;
    gguf_put_u32(&keys, "general.quantization_version", 2);
    gguf_put_u32(&keys, "general.alignment", ALIGNMENT);
    gguf_put_u32(&keys, "general.file_type", file_type);
    gguf_put_f32(&keys, "kick.sparsity",
                 s->size.weights ? (double)s->size.zeros / (double)s->size.weights : 0);
    gguf_put_f32(&keys, "kick.bits_per_weight",
                 s->size.weights ? 8 * (double)x->bytes / (double)s->size.weights : 0);
    gguf_put_f32(&keys, "kick.relative_error", x->norm > 0 ? sqrt(x->error / x->norm) : 0);
    if (gguf_put_vocabulary(&keys, &s->model, s->file_kind, s->file, s->file_bytes, s->tokenizer,
                            s->settings, e))
        goto out;
    gguf_add_text(&all, "", 0);
    all.bytes.length = 0; /* the magic has no length in front */
    if (buffer_append(&all.bytes, "GGUF", 4, e))
        goto out;
    gguf_add_u32(&all, 3);
    gguf_add_u64(&all, x->places);
    gguf_add_u64(&all, keys.keys);
    if (buffer_append(&all.bytes, keys.bytes.data, keys.bytes.length, e))
        goto out;
    for (size_t i = 0; i < x->places; i++) {
        const struct place *p = &x->place[i];
        gguf_add_text(&all, p->name, strlen(p->name));
        gguf_add_u32(&all, (uint32_t)p->rank);
        gguf_add_u64(&all, p->cols);
        if (p->rank > 1)
            gguf_add_u64(&all, p->rows);
        if (p->rank > 2)
            gguf_add_u64(&all, p->experts);
        gguf_add_u32(&all, p->type);
        gguf_add_u64(&all, p->offset);
    }
    result = gguf_put_done(&all);
    *out = all.bytes;
    all.bytes = (struct buffer){0};
out:
    buffer_free(&keys.bytes);
    buffer_free(&all.bytes);
    return result;
}

static int write_factors(struct export *x, struct error *e)
{
    struct place *p = &x->place[x->places - 1];
    float *factor = memory_new(x->source.model.rotary, sizeof *factor, "rotary factors", e);
    int result = 0;
    if (!factor)
        return -1;
    if (gguf_rope_factors(&x->source.model, factor)) {
        result = buffer_reserve(&p->bytes, p->cols * 4, e);
        if (!result) {
            gguf_pack(GGUF_TYPE_F32, factor, p->cols, p->bytes.data);
            p->bytes.length = p->cols * 4;
            result = write_place(x, p, e);
        }
    }
    free(factor);
    return result;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* Before the first tensor: leaves room for the header. */
static int start(struct export *x, struct error *e)
{
    struct buffer header = {0};
    if (make_header(x, &header, e)) {
        buffer_free(&header);
        return error_prefix(e, "%s", stream_name(x->source.reader));
    }
    memset(header.data, 0, header.length);
    const int result = output_write(x->out, header.data, header.length, e) || pad(x->out, e);
    buffer_free(&header);
    x->data = output_offset(x->out);
    return result ? -1 : 0;
}

static int take_tensors(struct export *x, struct error *e)
{
    struct source *s = &x->source;
    struct tensor t;
    enum model_role role;
    size_t layer;
    int got;
    while ((got = source_next(s, &t, &role, &layer, e)) == 1) {
        struct place *p = find_place(x, role, layer);
        int result = -1;
        if (!p || p->taken == p->experts)
            error_set(e, "%s: %s: is there twice", stream_name(s->reader), t.name);
        else if (!encode(x, p, &t, e))
            result = p->taken < p->experts ? 0 : write_place(x, p, e);
        tensor_free(&t);
        if (result)
            return -1;
        cli_progress(x->cli, s->tensors, model_tensor_count(&s->model), "tensors");
    }
    return got;
}

static void report(const struct export *x)
{
    const struct cli *c = x->cli;
    for (size_t i = 0; i < TYPES; i++)
        if (x->matrices[i])
            cli_note(c, "%zu matrices as %s", x->matrices[i], types[i].name);
    cli_note(c, "%.3f bits a weight in the file; relative error against the stream %.3g; %.1f %% zeros",
             8 * (double)x->bytes / (double)x->source.size.weights,
             x->norm > 0 ? sqrt(x->error / x->norm) : 0,
             100 * (double)x->source.size.zeros / (double)x->source.size.weights);
    if (x->odd)
        cli_warn(c, "the rows of %zu matrices are no whole blocks of %s: they are in a type without "
                    "blocks", x->odd, type_option);
    if (x->again)
        cli_warn(c, "%zu matrices do not fit their codes into a type of GGUF and were quantized a "
                    "second time; relative error %.3g",
                 x->again, x->norm > 0 ? sqrt(x->error / x->norm) : 0);
    if (x->source.model.window && strcmp(x->a->name, "gemma2"))
        cli_warn(c, "llama.cpp has no sliding window for %s: beyond %zu tokens its numbers differ",
                 x->source.model.architecture, x->source.model.window);
}

static int run(struct cli *c, struct error *e)
{
    struct export x = {.cli = c};
    struct buffer header = {0};
    const struct model *m = &x.source.model;
    int result = -1;
    if (!c->output || !strcmp(c->output, "-"))
        return error_usage(e, "a GGUF file is not written from front to back: name it with -o");
    if (pool_new(&x.pool, c->threads, e) || source_open_whole(&x.source, cli_input(c), x.pool, e))
        goto out;
    if (!(x.a = gguf_architecture_of(m, e)) || make_places(&x, e)) {
        error_prefix(e, "%s", stream_name(x.source.reader));
        goto out;
    }
    /* the largest tensor as it is written, and all experts of a matrix together */
    if (cli_memory(c, source_memory_reading(&x.source, x.pool) +
                          (strcmp(type_option, "f32") ? 2 : 4) * model_largest(m) * (m->experts ? m->experts : 1),
                   e) ||
        output_open(&x.out, c->output, e) || start(&x, e) || take_tensors(&x, e) ||
        (m->rope == ROPE_LLAMA3 && write_factors(&x, e)) || make_header(&x, &header, e) ||
        output_rewrite(x.out, 0, header.data, header.length, e) || output_commit(x.out, e))
        goto out;
    report(&x);
    result = 0;
out:
    buffer_free(&header);
    for (size_t i = 0; i < x.places; i++)
        buffer_free(&x.place[i].bytes);
    free(x.place);
    source_close(&x.source);
    output_free(x.out);
    pool_free(x.pool);
    return result;
}

static struct cli_option options[] = {
    {0, "type", CLI_CHOICE, &type_option, "TYPE",
     "of matrices; fit: what keeps them best",
     .choices = "fit|f32|f16|bf16|q8_0|q4_0|q4_1", .result = true},
    {0},
};

int main(int argc, char **argv)
{
    struct cli c = {.name = "export-gguf",
                    .revision = 1,
                    .summary = "write a model stream as a GGUF file for llama.cpp",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}

/* eval-divergence: how far a model's next-token distributions are from those of the dense model, over
 * a text or rows of ids: KL(dense|model), KL(model|dense), Jensen-Shannon (nats) and how often both
 * have the same most likely token (Dutta et al. 2024; Khanal and Capone 2024). Means over all
 * positions. Both models pass block by block over the same windows; no logits are stored. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "documents.h"
#include "json.h"
#include "kernel.h"
#include "memory.h"
#include "output.h"
#include "pass.h"
#include "source.h"
#include "stream.h"

enum { ROWS = 64 }; /* positions whose logits are held at a time */

static const char *data = NULL, *dense = NULL, *join = "\n\n";
static long length = 0, limit = 0;

static struct cli_option options[] = {
    {'m', "model", CLI_TEXT, &dense, "DENSE", "the model to compare with (needed)"},
    {'d', "data", CLI_TEXT, &data, "DATA", "text stream to compare on (needed)"},
    {'l', "length", CLI_INT, &length, "L", "tokens of a window [min(2048, the positions)]",
     .min = 2, .max = 1 << 24, .result = true},
    {'n', "count", CLI_INT, &limit, "N", "only the first N windows (0: all)", .min = 0,
     .max = 1e12, .result = true},
    {0, "join", CLI_TEXT, &join, "TEXT", "between documents [two newlines]", .result = true},
    {0},
};

struct work {
    struct cli *cli;
    struct pool *pool;
    const struct kernels *kernels;
    struct source model, dense;
    struct documents documents;
    struct token_ids text;
    struct pass_sequence *window;
    size_t windows;
    struct pass *of_model, *of_dense;
    struct stream_writer *writer;
    float *p, *q; /* (ROWS, panel_size(vocab)) */
    struct divergence result[ROWS];
};

struct sums {
    double kl, reverse, js, max;
    size_t agree, tokens;
};

/* ---- windows -----------------------------------------------------------------------------------
 */

static int tokenize(struct work *w, struct error *e)
{
    const struct tokenizer *t = w->model.tokenizer;
    struct buffer text = {0};
    int result = -1;
    if (!t)
        return error_set(e, "%s: the model came without a tokenizer, which texts need",
                         stream_name(w->model.reader));
    for (size_t i = 0; i < w->documents.count; i++) {
        const struct document *d = &w->documents.list[i];
        if ((i && buffer_append(&text, join, strlen(join), e)) ||
            buffer_append(&text, d->text, d->bytes, e))
            goto out;
    }
    if (tokenizer_adds_bos(t)) {
        if (!(w->text.ids = memory_resize(NULL, 16, sizeof *w->text.ids, "ids", e)))
            goto out;
        w->text.capacity = 16;
        w->text.ids[w->text.count++] = tokenizer_bos(t);
    }
    result = tokenizer_encode(t, (const char *)text.data, text.length, &w->text, e);
out:
    buffer_free(&text);
    return result;
}

static int make_windows(struct work *w, struct error *e)
{
    const struct documents *d = &w->documents;
    const size_t positions = w->model.model.positions < w->dense.model.positions
                                 ? w->model.model.positions
                                 : w->dense.model.positions;
    const size_t n = length ? (size_t)length : positions < 2048 ? positions : 2048;
    if (n > positions)
        return error_usage(e, "-l %zu is over the models' %zu positions", n, positions);
    if (d->ids) {
        if (documents_check_ids(d, &w->model.model, 1, e) ||
            documents_check_ids(d, &w->dense.model, 1, e))
            return -1;
        w->windows = d->count;
    } else {
        if (tokenize(w, e))
            return -1;
        w->windows = w->text.count / n;
        if (w->windows == 0)
            return error_set(e, "%s: %zu tokens do not fill a window of %zu; try a smaller -l",
                             d->name, w->text.count, n);
    }
    if (limit && w->windows > (size_t)limit)
        w->windows = (size_t)limit;
    w->window = memory_new(w->windows, sizeof *w->window, "windows", e);
    if (!w->window)
        return -1;
    for (size_t i = 0; i < w->windows; i++)
        w->window[i] = d->ids ? (struct pass_sequence){.ids = d->list[i].ids,
                                                       .count = d->list[i].count}
                              : (struct pass_sequence){.ids = w->text.ids + i * n, .count = n};
    return 0;
}

/* ---- comparing ---------------------------------------------------------------------------------
 */

static void compare_row(void *context, size_t i, long thread)
{
    struct work *w = context;
    const size_t vocab = w->model.model.vocab, ld = panel_size(vocab);
    (void)thread;
    w->result[i] = w->kernels->divergence(w->p + i * ld, w->q + i * ld, vocab);
}

static int window(struct work *w, size_t i, struct sums *s, struct error *e)
{
    const size_t count = w->window[i].count;
    *s = (struct sums){.tokens = count};
    for (size_t at = 0; at < count; at += ROWS) {
        const size_t n = count - at < ROWS ? count - at : ROWS;
        if (pass_logits(w->of_dense, i, at, n, w->p, e) ||
            pass_logits(w->of_model, i, at, n, w->q, e))
            return -1;
        pool_run(w->pool, n, compare_row, w);
        for (size_t r = 0; r < n; r++) { /* in order of the positions */
            const struct divergence *d = &w->result[r];
            s->kl += d->kl_pq;
            s->reverse += d->kl_qp;
            s->js += d->js;
            s->agree += d->agree;
            s->max = d->kl_pq > s->max ? d->kl_pq : s->max;
        }
    }
    return 0;
}

static int describe(const struct sums *s, json_t *json, struct error *e)
{
    const double n = (double)s->tokens;
    return json_set(json, "tokens", json_integer((json_int_t)s->tokens), e) ||
                   json_set(json, "kl", json_number(s->kl / n), e) ||
                   json_set(json, "kl_reverse", json_number(s->reverse / n), e) ||
                   json_set(json, "js", json_number(s->js / n), e) ||
                   json_set(json, "top1_agreement", json_number((double)s->agree / n), e) ||
                   json_set(json, "kl_max", json_number(s->max), e)
               ? -1
               : 0;
}

static int write_header(struct work *w, struct output *o, struct error *e)
{
    json_t *source = stream_header(w->model.reader), *own = cli_options_json(w->cli);
    json_t *sides = json_pack("{s:s, s:s}", "data", w->documents.digest, "dense",
                              stream_end_digest(w->dense.reader));
    json_t *header = NULL;
    int result = -1;
    if (!own || !sides) {
        error_set(e, "no memory for a header");
        goto out;
    }
    header = stream_header_new("results", stream_header_id(w->model.reader), source, w->cli->name,
                               w->cli->revision, own, sides, e);
    if (!header || json_set(header, "task", json_string("divergence"), e) ||
        json_set(header, "model", source_describe(&w->model, e), e) ||
        json_set(header, "dense", source_describe(&w->dense, e), e) ||
        json_set(header, "data",
                 json_pack("{s:s, s:s}", "name", w->documents.name, "digest", w->documents.digest),
                 e) ||
        json_set(header, "definition",
                 json_pack("{s:s, s:s, s:s, s:s}", "kl", "mean of sum p ln(p/q), p dense", "js",
                           "mean of KL(p|m)/2 + KL(q|m)/2", "top1_agreement",
                           "share of positions with the same largest logit", "unit", "nat"),
                 e))
        goto out;
    result = stream_create(&w->writer, o, header, w->pool, e);
out:
    json_decref(own);
    json_decref(sides);
    json_decref(header);
    return result;
}

static int write_results(struct work *w, struct error *e)
{
    struct sums all = {0}, s;
    json_t *json = NULL, *record = NULL;
    int result = -1;
    for (size_t i = 0; i < w->windows; i++) {
        json_decref(json);
        json = json_object();
        if (window(w, i, &s, e) || json_set(json, "window", json_integer((json_int_t)i), e) ||
            describe(&s, json, e) || stream_write(w->writer, json, NULL, 0, e))
            goto out;
        all.kl += s.kl;
        all.reverse += s.reverse;
        all.js += s.js;
        all.agree += s.agree;
        all.tokens += s.tokens;
        all.max = s.max > all.max ? s.max : all.max;
    }
    json_decref(json);
    json = json_object();
    if (describe(&all, json, e) ||
        json_set(json, "windows", json_integer((json_int_t)w->windows), e))
        goto out;
    record = json_object();
    if (json_set(record, "summary", json_incref(json), e))
        goto out;
    result = stream_write(w->writer, record, NULL, 0, e);
    cli_note(w->cli, "KL %.6g, JS %.6g, agreement %.4f over %zu tokens",
             all.kl / (double)all.tokens, all.js / (double)all.tokens,
             (double)all.agree / (double)all.tokens, all.tokens);
out:
    json_decref(json);
    json_decref(record);
    return result;
}

static int check(const struct work *w, struct error *e)
{
    if (w->model.model.vocab != w->dense.model.vocab)
        return error_set(e, "the models have vocabularies of %zu and %zu; only models of one "
                            "vocabulary can be compared",
                         w->model.model.vocab, w->dense.model.vocab);
    if (*w->model.tokenizer_digest && *w->dense.tokenizer_digest &&
        strcmp(w->model.tokenizer_digest, w->dense.tokenizer_digest))
        return error_set(e, "the models have different tokenizers");
    return 0;
}

static int run(struct cli *c, struct error *e)
{
    struct work w = {.cli = c};
    struct output *output = NULL;
    enum cpu_level level;
    int result = -1;
    if (!data || !dense || !strcmp(dense, "-"))
        return error_usage(e, "-m DENSE, a model file, and -d DATA, a text stream, are needed");
    if (cpu_choose(&level, e))
        return -1;
    w.kernels = kernels_of(level);
    if (pool_new(&w.pool, c->threads, e) || documents_read(&w.documents, data, 0, e) ||
        source_open(&w.model, cli_input(c), w.pool, e) ||
        source_open(&w.dense, dense, w.pool, e) || check(&w, e) || make_windows(&w, e))
        goto out;
    const size_t ld = panel_size(w.model.model.vocab);
    if (!(w.p = memory_new(ROWS, ld * sizeof *w.p, "logits", e)) ||
        !(w.q = memory_new(ROWS, ld * sizeof *w.q, "logits", e)) ||
        pass_run(&w.of_model, &w.model, w.window, w.windows, w.pool, c, NULL, e) ||
        pass_run(&w.of_dense, &w.dense, w.window, w.windows, w.pool, c, NULL, e) ||
        output_open(&output, c->output, e) || write_header(&w, output, e) || write_results(&w, e) ||
        stream_finish(w.writer, stream_end_digest(w.model.reader), e) || output_commit(output, e))
        goto out;
    result = 0;
out:
    stream_writer_free(w.writer);
    output_free(output);
    pass_free(w.of_model);
    pass_free(w.of_dense);
    free(w.p);
    free(w.q);
    free(w.window);
    token_ids_free(&w.text);
    source_close(&w.model);
    source_close(&w.dense);
    documents_free(&w.documents);
    pool_free(w.pool);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "eval-divergence",
                    .revision = 2,
                    .summary = "KL, JS and top-1 agreement with the dense model",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}

/* eval-perplexity: the perplexity of a model over a text or over rows of token ids, block by block
 * off the pipe. Per window the negative log-likelihoods of its tokens but the first; the summary
 * has the mean of the windows' means (the usual formula), the mean over tokens, and both per word
 * and per byte, which do not depend on the tokenizer. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "documents.h"
#include "fmath.h"
#include "json.h"
#include "memory.h"
#include "output.h"
#include "pass.h"
#include "source.h"
#include "stream.h"

static const char *data = NULL, *join = "\n\n";
static long length = 0, limit = 0, stride = 0;
static bool per_token = false, with_logits = false;

static struct cli_option options[] = {
    {'d', "data", CLI_TEXT, &data, "DATA", "text stream to evaluate on (needed)"},
    {'l', "length", CLI_INT, &length, "L", "tokens of a window [min(2048, the model's positions)]",
     .min = 2, .max = 1 << 24, .result = true},
    {'n', "count", CLI_INT, &limit, "N", "only the first N windows", .min = 1, .max = 1e12,
     .result = true},
    {0, "stride", CLI_INT, &stride, "S", "windows begin every S tokens, each scores what is new",
     .min = 1, .max = 1 << 24, .result = true},
    {0, "join", CLI_TEXT, &join, "TEXT", "between documents [two newlines]", .result = true},
    {0, "per-token", CLI_FLAG, &per_token, NULL, "also every token's value", .result = true},
    {0, "logits", CLI_FLAG, &with_logits, NULL, "also every window's logits (f32)", .result = true},
    {0},
};

/* A window: ids [begin, begin + count) of a text, of which those from `first` on are scored. */
struct window {
    size_t text, begin, count, first;
};

struct evaluation {
    struct cli *cli;
    struct pool *pool;
    struct source source;
    struct documents documents;
    struct token_ids *text; /* (texts): the ids that are cut into windows */
    size_t texts;
    size_t *used; /* (texts): ids of a text that its windows cover */
    bool bos;
    size_t length;
    struct window *window;
    size_t windows, capacity;
    struct pass_sequence *sequence;
    struct pass *pass;
    struct stream_writer *writer;
};

struct totals {
    double nll, means; /* sums over windows, of their sums and of their means */
    size_t tokens, scored;
};

static int add_window(struct evaluation *v, struct window w, struct error *e)
{
    if (v->windows == v->capacity) {
        const size_t n = v->capacity ? 2 * v->capacity : 64;
        struct window *list = memory_resize(v->window, n, sizeof *list, "windows", e);
        if (!list)
            return -1;
        v->window = list;
        v->capacity = n;
    }
    v->window[v->windows++] = w;
    if (w.begin + w.count > v->used[w.text])
        v->used[w.text] = w.begin + w.count;
    return 0;
}

static bool enough(const struct evaluation *v)
{
    return limit && v->windows >= (size_t)limit;
}

/* Windows of one text of n ids. */
static int cut(struct evaluation *v, size_t text, size_t n, struct error *e)
{
    if (!stride) {
        for (size_t at = 0; at + v->length <= n && !enough(v); at += v->length)
            if (add_window(v, (struct window){text, at, v->length, 1}, e))
                return -1;
        return 0;
    }
    size_t scored = 1; /* the first token has nothing before it */
    for (size_t at = 0; scored < n && !enough(v); at += (size_t)stride) {
        const size_t end = n - at < v->length ? n : at + v->length;
        if (end <= scored)
            continue;
        if (add_window(v, (struct window){text, at, end - at, scored - at}, e))
            return -1;
        scored = end;
    }
    return 0;
}

/* Documents joined and tokenized in one call, with one BOS before all where the tokenizer says so.
 */
static int tokenize(struct evaluation *v, struct error *e)
{
    const struct tokenizer *t = v->source.tokenizer;
    struct buffer text = {0};
    int result = -1;
    if (!t)
        return error_set(e,
                         "%s: the model came without a tokenizer, which texts need; rows of ids "
                         "(ingest-text -f ids) do without",
                         stream_name(v->source.reader));
    for (size_t i = 0; i < v->documents.count; i++) {
        const struct document *d = &v->documents.list[i];
        if ((i && buffer_append(&text, join, strlen(join), e)) ||
            buffer_append(&text, d->text, d->bytes, e))
            goto out;
    }
    v->bos = tokenizer_adds_bos(t);
    if (v->bos) {
        v->text->ids = memory_resize(NULL, 16, sizeof *v->text->ids, "ids", e);
        if (!v->text->ids)
            goto out;
        v->text->capacity = 16;
        v->text->ids[v->text->count++] = tokenizer_bos(t);
    }
    if (tokenizer_encode(t, (const char *)text.data, text.length, v->text, e))
        goto out;
    for (size_t i = 0; i < v->text->count; i++)
        if ((size_t)v->text->ids[i] >= v->source.model.vocab) {
            error_set(e, "the tokenizer gives id %ld, outside the model's vocabulary of %zu",
                      (long)v->text->ids[i], v->source.model.vocab);
            goto out;
        }
    result = 0;
out:
    buffer_free(&text);
    return result;
}

static int make_windows(struct evaluation *v, struct error *e)
{
    const size_t positions = v->source.model.positions;
    const struct documents *d = &v->documents;
    v->length = length ? (size_t)length : positions < 2048 ? positions : 2048;
    if (v->length > positions)
        return error_usage(e, "-l %zu is over the model's %zu positions", v->length, positions);
    if (stride && (size_t)stride > v->length)
        return error_usage(e, "--stride %ld is over the window of %zu tokens", stride, v->length);
    v->texts = d->ids ? d->count : 1;
    v->text = memory_new(v->texts, sizeof *v->text, "texts", e);
    v->used = memory_new(v->texts, sizeof *v->used, "texts", e);
    if (!v->text || !v->used)
        return -1;
    if (!d->ids) {
        if (tokenize(v, e) || cut(v, 0, v->text->count, e))
            return -1;
        if (v->windows == 0)
            return error_set(e, "%s: %zu tokens do not fill a window of %zu; try a smaller -l",
                             d->name, v->text->count, v->length);
        return 0;
    }
    /* With --stride a row is a text of its own, otherwise exactly one window. */
    struct model unbounded = v->source.model;
    if (stride)
        unbounded.positions = SIZE_MAX;
    if (documents_check_ids(d, &unbounded, 2, e))
        return -1;
    for (size_t i = 0; i < d->count && !enough(v); i++) {
        v->text[i] = (struct token_ids){d->list[i].ids, d->list[i].count, 0};
        if (stride ? cut(v, i, d->list[i].count, e)
                   : add_window(v, (struct window){i, 0, d->list[i].count, 1}, e))
            return -1;
    }
    return 0;
}

/* ---- words and bytes ---------------------------------------------------------------------------
 */

/* Length of the white space (Unicode's, and the separators 0x1c–0x1f) at p, 0 if there is none. */
static size_t space_at(const char *text, size_t left)
{
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] == ' ' || (p[0] >= 9 && p[0] <= 13) || (p[0] >= 0x1c && p[0] <= 0x1f))
        return 1;
    if (left >= 2 && p[0] == 0xc2 && (p[1] == 0x85 || p[1] == 0xa0))
        return 2;
    if (left < 3)
        return 0;
    const unsigned u = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
    const bool space = u == 0xe19a80 /* 1680 */ ||
                       (u >= 0xe28080 && u <= 0xe2808a) /* 2000-200a */ || u == 0xe280a8 ||
                       u == 0xe280a9 || u == 0xe280af /* 2028, 2029, 202f */ ||
                       u == 0xe2819f /* 205f */ || u == 0xe38080 /* 3000 */;
    return space ? 3 : 0;
}

static size_t count_words(const char *text, size_t n)
{
    size_t words = 0;
    bool inside = false;
    for (size_t i = 0; i < n;) {
        const size_t space = space_at(text + i, n - i);
        words += !space && !inside;
        inside = !space;
        i += space ? space : 1;
    }
    return words;
}

/* Words and bytes of what the windows cover, decoded as one sequence: rows of ids too, as they are
 * usually pieces of one text. */
static int count_text(const struct evaluation *v, size_t *words, size_t *bytes, struct error *e)
{
    size_t count = 0, n = 0;
    char *text = NULL;
    int result = -1;
    for (size_t i = 0; i < v->texts; i++)
        count += v->used[i];
    int32_t *ids = memory_new(count, sizeof *ids, "ids", e);
    if (!ids)
        return -1;
    count = 0;
    for (size_t i = 0; i < v->texts; i++) {
        if (v->used[i])
            memcpy(ids + count, v->text[i].ids, v->used[i] * sizeof *ids);
        count += v->used[i];
    }
    if (tokenizer_decode(v->source.tokenizer, ids, count, &text, &n, e))
        goto out;
    *words = count_words(text, n);
    *bytes = n;
    result = 0;
out:
    free(ids);
    free(text);
    return result;
}

/* ---- output ------------------------------------------------------------------------------------
 */

static json_t *definition(const struct evaluation *v, struct error *e)
{
    const bool text = !v->documents.ids;
    const char *digest = v->source.tokenizer_digest;
    json_t *d = json_pack("{s:o, s:o, s:b, s:o, s:s, s:o}", "window",
                          text || stride ? json_integer((json_int_t)v->length) : json_null(),
                          "stride", stride ? json_integer(stride) : json_null(), "bos", v->bos,
                          "join", text ? json_string(join) : json_null(), "unit", "nat",
                          "tokenizer", *digest ? json_string(digest) : json_null());
    if (!d)
        error_set(e, "no memory for a header");
    return d;
}

static int write_header(struct evaluation *v, struct output *o, struct error *e)
{
    json_t *source = stream_header(v->source.reader), *own = cli_options_json(v->cli);
    json_t *sides = json_pack("{s:s}", "data", v->documents.digest), *header = NULL;
    int result = -1;
    if (!own || !sides) {
        error_set(e, "no memory for a header");
        goto out;
    }
    header = stream_header_new("results", stream_header_id(v->source.reader), source, v->cli->name,
                               v->cli->revision, own, sides, e);
    if (!header || json_set(header, "task", json_string("perplexity"), e) ||
        json_set(header, "model", source_describe(&v->source, e), e) ||
        json_set(header, "data",
                 json_pack("{s:s, s:s}", "name", v->documents.name, "digest", v->documents.digest),
                 e) ||
        json_set(header, "definition", definition(v, e), e))
        goto out;
    result = stream_create(&v->writer, o, header, v->pool, e);
out:
    json_decref(own);
    json_decref(sides);
    json_decref(header);
    return result;
}

static json_t *number_list(const double *x, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_number(x[i]));
    return list;
}

/* Logits of a window without the padding of their rows. */
static int window_logits(const struct evaluation *v, size_t i, float *logits, struct error *e)
{
    const size_t vocab = v->source.model.vocab, ld = panel_size(vocab), n = v->window[i].count;
    if (pass_logits(v->pass, i, 0, n, logits, e))
        return -1;
    for (size_t r = 1; r < n; r++)
        memmove(logits + r * vocab, logits + r * ld, vocab * sizeof *logits);
    return 0;
}

/* Sums are in double, in order of the windows and of the tokens in them. */
static int write_window(const struct evaluation *v, size_t i, double *nll, float *logits,
                        struct totals *total, struct error *e)
{
    const struct window *w = &v->window[i];
    const size_t scored = w->count - w->first;
    struct stream_section section = {logits, w->count * v->source.model.vocab * sizeof *logits, 4};
    json_t *json = json_object();
    double sum = 0;
    int result = -1;
    if (pass_nll(v->pass, i, w->first, scored, nll, e))
        goto out;
    for (size_t j = 0; j < scored; j++) {
        if (!isfinite(nll[j])) {
            error_set(e, "window %zu: token %zu has no finite likelihood", i, w->first + j);
            goto out;
        }
        sum += nll[j];
    }
    nll[scored] = sum / (double)scored; /* kept for the spread of the means */
    total->nll += sum;
    total->means += nll[scored];
    total->tokens += w->count;
    total->scored += scored;
    if (json_set(json, "window", json_integer((json_int_t)i), e) ||
        json_set(json, "tokens", json_integer((json_int_t)w->count), e) ||
        json_set(json, "nll_sum", json_number(sum), e) ||
        (stride && json_set(json, "scored", json_integer((json_int_t)scored), e)) ||
        (per_token && json_set(json, "nll", number_list(nll, scored), e)) ||
        (logits && window_logits(v, i, logits, e)))
        goto out;
    result = stream_write(v->writer, json, &section, logits ? 1 : 0, e);
out:
    json_decref(json);
    return result;
}

static int write_summary(const struct evaluation *v, const struct totals *t, const double *means,
                         struct error *e)
{
    const double windows = (double)v->windows, scored = (double)t->scored;
    const double per_scored = t->nll / scored, mean = stride ? per_scored : t->means / windows;
    size_t words = 0, bytes = 0;
    double squares = 0;
    for (size_t i = 0; i < v->windows; i++) {
        const double d = means[i] - t->means / windows;
        squares += d * d;
    }
    const double error = sqrt(squares / (windows - 1) / windows); /* NaN, so null, for one window */
    json_t *s = json_object(), *record = json_object();
    int result = -1;
    if (json_set(s, "perplexity", json_number(fmath_exp(mean)), e) ||
        json_set(s, "nll_mean", json_number(mean), e) ||
        json_set(s, "nll_mean_tokens", json_number(per_scored), e) ||
        json_set(s, "stderr", json_number(error), e) ||
        json_set(s, "tokens", json_integer((json_int_t)t->tokens), e) ||
        json_set(s, "scored", json_integer((json_int_t)t->scored), e) ||
        json_set(s, "windows", json_integer((json_int_t)v->windows), e))
        goto out;
    if (v->source.tokenizer) {
        if (count_text(v, &words, &bytes, e))
            goto out;
        const double per_byte = t->nll / (double)bytes;
        if (json_set(s, "words", json_integer((json_int_t)words), e) ||
            json_set(s, "bytes", json_integer((json_int_t)bytes), e) ||
            json_set(s, "word_perplexity", json_number(fmath_exp(t->nll / (double)words)), e) ||
            json_set(s, "byte_perplexity", json_number(fmath_exp(per_byte)), e) ||
            json_set(s, "bits_per_byte", json_number(per_byte / fmath_log(2)), e))
            goto out;
    }
    if (json_set(record, "summary", json_incref(s), e))
        goto out;
    result = stream_write(v->writer, record, NULL, 0, e);
    cli_note(v->cli, "perplexity %.6g over %zu windows", fmath_exp(mean), v->windows);
out:
    json_decref(s);
    json_decref(record);
    return result;
}

static int write_results(struct evaluation *v, struct error *e)
{
    struct totals total = {0};
    size_t longest = 0;
    int result = -1;
    float *logits = NULL;
    for (size_t i = 0; i < v->windows; i++)
        longest = v->window[i].count > longest ? v->window[i].count : longest;
    double *nll = memory_new(longest + 1, sizeof *nll, "a window", e);
    double *means = memory_new(v->windows, sizeof *means, "windows", e);
    if (with_logits)
        logits =
            memory_new(longest, panel_size(v->source.model.vocab) * sizeof *logits, "logits", e);
    if (!nll || !means || (with_logits && !logits))
        goto out;
    for (size_t i = 0; i < v->windows; i++) {
        if (write_window(v, i, nll, logits, &total, e))
            goto out;
        means[i] = nll[v->window[i].count - v->window[i].first];
    }
    result = write_summary(v, &total, means, e);
out:
    free(nll);
    free(means);
    free(logits);
    return result;
}

/* ---- program -----------------------------------------------------------------------------------
 */

static void evaluation_free(struct evaluation *v)
{
    stream_writer_free(v->writer);
    pass_free(v->pass);
    free(v->sequence);
    free(v->window);
    if (!v->documents.ids && v->text)
        token_ids_free(v->text);
    free(v->text);
    free(v->used);
    source_close(&v->source);
    documents_free(&v->documents);
    pool_free(v->pool);
}

static int run(struct cli *c, struct error *e)
{
    struct evaluation v = {.cli = c};
    struct output *output = NULL;
    int result = -1;
    if (!data)
        return error_usage(e, "-d DATA is needed: a text stream made by ingest-text");
    if (pool_new(&v.pool, c->threads, e) || documents_read(&v.documents, data, 0, e) ||
        source_open(&v.source, cli_input(c), v.pool, e) || make_windows(&v, e))
        goto out;
    v.sequence = memory_new(v.windows, sizeof *v.sequence, "windows", e);
    if (!v.sequence)
        goto out;
    for (size_t i = 0; i < v.windows; i++)
        v.sequence[i] = (struct pass_sequence){v.text[v.window[i].text].ids + v.window[i].begin,
                                               v.window[i].count};
    if (pass_run(&v.pass, &v.source, v.sequence, v.windows, v.pool, c, NULL, e) ||
        output_open(&output, c->output, e) || write_header(&v, output, e) || write_results(&v, e) ||
        stream_finish(v.writer, stream_end_digest(v.source.reader), e) || output_commit(output, e))
        goto out;
    result = 0;
out:
    evaluation_free(&v);
    output_free(output);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "eval-perplexity",
                    .revision = 1,
                    .summary = "perplexity of a model over a text",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}

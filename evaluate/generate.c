/* generate: text that a model writes after a prompt, or after each prompt of a text stream. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "documents.h"
#include "json.h"
#include "memory.h"
#include "network.h"
#include "output.h"
#include "source.h"
#include "stream.h"

static const char *data = NULL, *prompt = NULL;
static long limit = 0, max_new = 128, seed = 0, batch = 16;
static double temperature = 0, top_p = 1;
static bool ignore_eos = false;

static struct cli_option options[] = {
    {0, "prompt", CLI_TEXT, &prompt, "TEXT", "one prompt; text comes out", .result = true},
    {'d', "data", CLI_TEXT, &data, "DATA",
     "text stream of prompts (texts or ids); a stream comes out"},
    {'n', "count", CLI_INT, &limit, "N", "only the first N prompts", .min = 1, .max = 1e12,
     .result = true},
    {0, "max-new", CLI_INT, &max_new, "N", "new tokens at most", .min = 1, .max = 1 << 24,
     .result = true},
    {0, "temperature", CLI_REAL, &temperature, "T", "0: always the most likely token", .min = 0,
     .max = 100, .result = true},
    {0, "top-p", CLI_REAL, &top_p, "P", "draw from the most likely tokens that hold P", .min = 0,
     .max = 1, .result = true},
    {'S', "seed", CLI_INT, &seed, "SEED", "of the draws", .min = 0, .max = 9e15, .result = true},
    {0, "ignore-eos", CLI_FLAG, &ignore_eos, NULL, "go on after the end of the text",
     .result = true},
    {'B', "batch", CLI_INT, &batch, "N", "prompts at a time; changes no result", .min = 1,
     .max = 4096},
    {0},
};

struct work {
    struct cli *cli;
    struct pool *pool;
    struct source source;
    struct network network;
    struct documents documents;
    struct token_ids *prompt; /* (count) */
    struct generation *list;
    size_t count;
};

/* Prompts from texts get the BOS that the tokenizer gives them. */
static int encode(const struct source *s, const char *text, size_t n, struct token_ids *out,
                  struct error *e)
{
    if (!s->tokenizer)
        return error_set(e,
                         "%s: the model came without a tokenizer, which texts need; rows of ids "
                         "(ingest-text -f ids) do without",
                         stream_name(s->reader));
    if (tokenizer_adds_bos(s->tokenizer)) {
        out->ids = memory_resize(NULL, 16, sizeof *out->ids, "ids", e);
        if (!out->ids)
            return -1;
        out->capacity = 16;
        out->ids[out->count++] = tokenizer_bos(s->tokenizer);
    }
    if (tokenizer_encode(s->tokenizer, text, n, out, e))
        return -1;
    if (out->count == 0)
        return error_set(e, "the prompt is empty");
    for (size_t i = 0; i < out->count; i++)
        if ((size_t)out->ids[i] >= s->model.vocab)
            return error_set(e, "the tokenizer gives id %ld, outside the model's vocabulary of %zu",
                             (long)out->ids[i], s->model.vocab);
    return 0;
}

static int read_prompts(struct work *w, struct error *e)
{
    const struct documents *d = &w->documents;
    w->count = prompt ? 1 : d->count;
    w->prompt = memory_new(w->count, sizeof *w->prompt, "prompts", e);
    w->list = memory_new(w->count, sizeof *w->list, "prompts", e);
    if (!w->prompt || !w->list)
        return -1;
    if (!prompt && d->ids && documents_check_ids(d, &w->source.model, 1, e))
        return -1;
    for (size_t i = 0; i < w->count; i++) {
        struct token_ids *p = &w->prompt[i];
        if (prompt ? encode(&w->source, prompt, strlen(prompt), p, e)
                   : !d->ids && encode(&w->source, d->list[i].text, d->list[i].bytes, p, e))
            return prompt ? -1 : error_prefix(e, "%s: prompt %zu", d->name, i);
        w->list[i].prompt = !prompt && d->ids ? d->list[i].ids : p->ids;
        w->list[i].prompt_count = !prompt && d->ids ? d->list[i].count : p->count;
        w->list[i].item = i;
    }
    return 0;
}

/* The text of a prompt and its continuation, and how much of it is the prompt's. */
static int decode(const struct work *w, const struct generation *g, char **text, size_t *length,
                  size_t *prompt_length, struct error *e)
{
    const struct tokenizer *t = w->source.tokenizer;
    char *before = NULL;
    int32_t *ids = memory_new(g->prompt_count + g->count, sizeof *ids, "ids", e);
    int result = -1;
    *text = NULL;
    *length = *prompt_length = 0;
    if (!ids)
        return -1;
    memcpy(ids, g->prompt, g->prompt_count * sizeof *ids);
    memcpy(ids + g->prompt_count, g->ids, g->count * sizeof *ids);
    if (tokenizer_decode(t, ids, g->prompt_count, &before, prompt_length, e) ||
        tokenizer_decode(t, ids, g->prompt_count + g->count, text, length, e))
        goto out;
    /* A prompt that ends inside a character is shown differently once the rest is there. */
    size_t same = 0;
    while (same < *prompt_length && same < *length && before[same] == (*text)[same])
        same++;
    while (same < *prompt_length && same > 0 && ((*text)[same] & 0xc0) == 0x80)
        same--;
    *prompt_length = same;
    result = 0;
out:
    free(before);
    free(ids);
    return result;
}

static int write_text(const struct work *w, struct error *e)
{
    char *text = NULL;
    size_t length = 0, before = 0;
    struct buffer out = {0};
    int result = -1;
    if (!decode(w, &w->list[0], &text, &length, &before, e) &&
        !buffer_append(&out, text, length, e) && !buffer_append(&out, "\n", 1, e))
        result = output_file(w->cli->output, out.data, out.length, e);
    buffer_free(&out);
    free(text);
    return result;
}

static int write_item(const struct work *w, size_t i, struct stream_writer *writer, struct error *e)
{
    const struct generation *g = &w->list[i];
    json_t *json = json_object(), *ids = json_array();
    char *text = NULL;
    size_t length = 0, before = 0;
    int result = -1;
    for (size_t j = 0; j < g->count; j++)
        json_array_append_new(ids, json_integer(g->ids[j]));
    if (json_set(json, "item", json_integer((json_int_t)i), e))
        goto out;
    if (w->source.tokenizer &&
        (decode(w, g, &text, &length, &before, e) ||
         json_set(json, "output", json_stringn(text + before, length - before), e)))
        goto out;
    if (json_set(json, "ids", json_incref(ids), e) ||
        json_set(json, "finish", json_string(g->eos ? "eos" : "length"), e) ||
        json_set(json, "tokens", json_integer((json_int_t)g->count), e))
        goto out;
    result = stream_write(writer, json, NULL, 0, e);
out:
    json_decref(json);
    json_decref(ids);
    free(text);
    return result;
}

static int write_stream(const struct work *w, struct error *e)
{
    json_t *from = stream_header(w->source.reader), *own = cli_options_json(w->cli);
    json_t *sides = json_pack("{s:s}", "data", w->documents.digest), *header = NULL, *sum = NULL;
    struct output *output = NULL;
    struct stream_writer *writer = NULL;
    size_t tokens = 0;
    int result = -1;
    if (!own || !sides) {
        error_set(e, "no memory for a header");
        goto out;
    }
    header = stream_header_new("results", stream_header_id(w->source.reader), from, w->cli->name,
                               w->cli->revision, own, sides, e);
    if (!header || json_set(header, "task", json_string("generate"), e) ||
        json_set(header, "model", source_describe(&w->source, e), e) ||
        json_set(header, "data",
                 json_pack("{s:s, s:s}", "name", w->documents.name, "digest", w->documents.digest),
                 e) ||
        output_open(&output, w->cli->output, e) ||
        stream_create(&writer, output, header, w->pool, e))
        goto out;
    for (size_t i = 0; i < w->count; i++) {
        tokens += w->list[i].count;
        if (write_item(w, i, writer, e))
            goto out;
    }
    sum = json_pack("{s:{s:I, s:I}}", "summary", "items", (json_int_t)w->count, "tokens",
                    (json_int_t)tokens);
    if (!sum) {
        error_set(e, "no memory for a summary");
        goto out;
    }
    if (stream_write(writer, sum, NULL, 0, e) ||
        stream_finish(writer, stream_end_digest(w->source.reader), e) || output_commit(output, e))
        goto out;
    result = 0;
out:
    stream_writer_free(writer);
    output_free(output);
    json_decref(own);
    json_decref(sides);
    json_decref(header);
    json_decref(sum);
    return result;
}

static void work_free(struct work *w)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->list)
            free(w->list[i].ids);
        if (w->prompt)
            token_ids_free(&w->prompt[i]);
    }
    free(w->list);
    free(w->prompt);
    network_free(&w->network);
    source_close(&w->source);
    documents_free(&w->documents);
    pool_free(w->pool);
}

static int run(struct cli *c, struct error *e)
{
    struct work w = {.cli = c};
    int result = -1;
    if (!prompt == !data)
        return error_usage(e, "one of --prompt TEXT and -d DATA is needed");
    if (data && (!c->output || !strcmp(c->output, "-")) && isatty(STDOUT_FILENO))
        return error_usage(e, "a stream does not go to a terminal; use -o FILE or a pipe");
    struct generate_options o = {.max_new = (size_t)max_new,
                                 .batch = (size_t)batch,
                                 .ignore_eos = ignore_eos,
                                 .temperature = temperature,
                                 .top_p = top_p,
                                 .seed = (uint64_t)seed,
                                 .name = "generate"};
    if (pool_new(&w.pool, c->threads, e) ||
        (data && documents_read(&w.documents, data, (size_t)limit, e)) ||
        source_open(&w.source, cli_input(c), w.pool, e) || read_prompts(&w, e) ||
        network_load(&w.network, &w.source, w.pool, c, e))
        goto out;
    o.stops = w.source.model.stops;
    memcpy(o.stop, w.source.model.stop, sizeof o.stop);
    if (o.stops == 0 && w.source.tokenizer && tokenizer_eos(w.source.tokenizer) >= 0)
        o.stop[o.stops++] = tokenizer_eos(w.source.tokenizer);
    if (network_generate(&w.network, &o, w.list, w.count, c, e))
        goto out;
    result = prompt ? write_text(&w, e) : write_stream(&w, e);
out:
    work_free(&w);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "generate",
                    .revision = 1,
                    .summary = "let a model continue a prompt",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY | CLI_TEXT_OUT,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}

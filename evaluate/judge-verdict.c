/* judge-verdict: an LLM judge's answers (the batch's output JSONL) as a result stream. Scores keep
 * the judge's scale of 1 to 10. An item's score is the mean over the orders whose answer could be
 * read; what could not is counted as unparsed and never averaged in. The judge's name, as the
 * answers tell it, is in the header: scores of different judges do not mix. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ingest.h"
#include "json.h"
#include "judged.h"
#include "memory.h"
#include "output.h"
#include "verdict.h"

static const char *answers = NULL;

static struct cli_option options[] = {
    {0, "answers", CLI_TEXT, &answers, "FILE", "the judge's answers, batch JSONL (needed)"},
    {0},
};

static const char *const quality[VERDICT_QUALITIES] = {"coherence", "consistency", "fluency",
                                                       "relevance"};

/* What is known of an item: sums over its orders. */
struct verdict {
    double mine[VERDICT_QUALITIES], theirs[VERDICT_QUALITIES];
    size_t parsed, unparsed;
    bool seen[2];
};

struct work {
    struct judged judged;
    bool summary;
    struct verdict *list; /* (items) */
    char *judge;
    size_t unknown; /* answers to no item of ours */
};

static size_t find(const struct work *w, const char *name)
{
    size_t i;
    const json_t *one;
    json_array_foreach(w->judged.items, i, one)
    {
        if (!strcmp(json_get_string_or(one, "item", ""), name))
            return i;
    }
    return SIZE_MAX;
}

static int take(struct work *w, const json_t *row, struct error *e)
{
    const char *id = ingest_string(row, "custom_id", e);
    if (!id)
        return -1;
    const json_t *body = json_object_get(json_object_get(row, "response"), "body");
    const json_t *choice = json_array_get(json_object_get(body, "choices"), 0);
    const char *text =
        json_get_string_or(json_object_get(choice, "message"), "content", NULL);
    const char *model = json_get_string_or(body, "model", NULL);
    if (strncmp(id, "12:", 3) && strncmp(id, "21:", 3))
        return error_set(e, "its custom_id \"%.100s\" was not made by judge-request", id);
    const size_t i = find(w, id + 3);
    if (i == SIZE_MAX) {
        w->unknown++;
        return 0;
    }
    if (model && !w->judge && !(w->judge = strdup(model)))
        return error_set(e, "no memory for a name");
    if (model && strcmp(model, w->judge))
        return error_set(e, "it is by %.100s, others by %.100s: one judge a stream", model,
                         w->judge);
    struct verdict *v = &w->list[i];
    const bool first = id[0] == '2'; /* ours is assistant 1 */
    double pair[VERDICT_QUALITIES][2];
    if (v->seen[first])
        return error_set(e, "%s is answered twice", id);
    v->seen[first] = true;
    const bool parsed = text && (w->summary ? verdict_qualities(text, strlen(text), pair)
                                            : verdict_pair(text, strlen(text), pair[0]));
    v->parsed += parsed;
    v->unparsed += !parsed;
    for (int q = 0; parsed && q < (w->summary ? VERDICT_QUALITIES : 1); q++) {
        v->mine[q] += pair[q][!first];
        v->theirs[q] += pair[q][first];
    }
    return 0;
}

static json_t *scores(const struct work *w, const double *sum, size_t n)
{
    json_t *o = json_object();
    for (int q = 0; q < (w->summary ? VERDICT_QUALITIES : 1); q++)
        json_object_set_new(o, w->summary ? quality[q] : "overall",
                            n ? json_number(sum[q] / (double)n) : json_null());
    return o;
}

static int write_results(const struct work *w, struct stream_writer *writer, struct error *e)
{
    double mine[VERDICT_QUALITIES] = {0}, theirs[VERDICT_QUALITIES] = {0};
    size_t i, items = 0, parsed = 0, unparsed = 0, missing = 0;
    const json_t *one;
    json_array_foreach(w->judged.items, i, one)
    {
        const struct verdict *v = &w->list[i];
        json_t *group = json_object_get(one, "group");
        json_t *out = json_pack("{s:O, s:O?, s:n, s:n, s:o, s:o, s:I, s:I}", "item",
                                json_object_get(one, "item"), "group", group, "strict", "paper",
                                "scores", scores(w, v->mine, v->parsed), "reference_scores",
                                scores(w, v->theirs, v->parsed), "parsed", (json_int_t)v->parsed,
                                "unparsed", (json_int_t)v->unparsed);
        if (!out)
            return error_set(e, "no memory for a record");
        const int failed = stream_write(writer, out, NULL, 0, e);
        json_decref(out);
        if (failed)
            return -1;
        parsed += v->parsed;
        unparsed += v->unparsed;
        missing += (size_t)!v->seen[0] + (size_t)!v->seen[1];
        items += v->parsed > 0;
        for (int q = 0; v->parsed && q < VERDICT_QUALITIES; q++) {
            mine[q] += v->mine[q] / (double)v->parsed;
            theirs[q] += v->theirs[q] / (double)v->parsed;
        }
    }
    json_t *summary = scores(w, mine, items);
    json_t *record = json_object();
    int result = -1;
    if (!json_set(summary, "reference", scores(w, theirs, items), e) &&
        !json_set(summary, "n", json_integer((json_int_t)json_array_size(w->judged.items)), e) &&
        !json_set(summary, "scored", json_integer((json_int_t)items), e) &&
        !json_set(summary, "parsed", json_integer((json_int_t)parsed), e) &&
        !json_set(summary, "unparsed", json_integer((json_int_t)unparsed), e) &&
        !json_set(summary, "missing", json_integer((json_int_t)missing), e) &&
        !json_set(record, "summary", json_incref(summary), e))
        result = stream_write(writer, record, NULL, 0, e);
    json_decref(summary);
    json_decref(record);
    return result;
}

static int run(struct cli *c, struct error *e)
{
    struct work w = {0};
    struct ingest g = {0};
    struct ingest_options none = {0};
    struct ingest_file f = {0};
    struct output *output = NULL;
    struct stream_writer *writer = NULL;
    char digest[STREAM_DIGEST_LENGTH];
    const char *line;
    size_t at = 0, n, number = 0, unparsed = 0;
    int result = -1;
    if (!answers)
        return error_usage(e, "--answers FILE is needed: what the judge said");
    if (ingest_new(&g, c, &none, e) || judged_read(&w.judged, cli_input(c), e) ||
        ingest_file_read(&g, &f, answers, e) ||
        !(w.list = memory_new(json_array_size(w.judged.items), sizeof *w.list, "items", e)))
        goto out;
    w.summary = !strcmp(json_get_string_or(w.judged.header, "task", ""), "summary");
    digest_hex(g.digest, digest);
    while (ingest_line(&f.bytes, &at, &line, &n)) {
        number++;
        if (n == 0)
            continue;
        json_t *row = json_parse(line, n, "this row", e);
        const int failed = !row || take(&w, row, e);
        json_decref(row);
        if (failed) {
            error_prefix(e, "%s: line %zu", f.path, number);
            goto out;
        }
    }
    for (size_t i = 0; i < json_array_size(w.judged.items); i++)
        unparsed += w.list[i].unparsed;
    if (judged_begin(&w.judged, c, w.judge ? w.judge : "unknown",
                     json_pack("{s:s, s:s}", "scale", "1 to 10", "scores",
                               "mean over the orders that parsed, per item"),
                     json_pack("{s:s}", "answers", digest), &output, &writer, e) ||
        write_results(&w, writer, e) || stream_finish(writer, w.judged.end, e) ||
        output_commit(output, e))
        goto out;
    if (unparsed)
        cli_warn(c, "%zu answers could not be read as scores and are left out", unparsed);
    if (w.unknown)
        cli_warn(c, "%zu answers belong to no item of %s", w.unknown, w.judged.name);
    result = 0;
out:
    stream_writer_free(writer);
    output_free(output);
    free(w.list);
    free(w.judge);
    judged_free(&w.judged);
    ingest_file_free(&f);
    ingest_free(&g);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "judge-verdict",
                    .revision = 1,
                    .summary = "an LLM judge's answers as scores",
                    .operand = "[RESULTS]",
                    .flags = CLI_OUTPUT,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}

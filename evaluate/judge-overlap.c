/* judge-overlap: automatic scores, from 0 to 1, of the texts of eval-summary and eval-chat. s is the
 * text, t its source (the story without its highlights), r the reference, all in ROUGE's stemmed
 * tokens; p(s) is what the dense model (-m) makes of the text alone.
 *   consistency  source support: mean of the ROUGE-1 and ROUGE-2 precisions of s against t
 *   relevance    ROUGE-Lsum F of s against r; where the item has "facts", the share of them that are
 *                whole words of s
 *   fluency      exp(mean of ln p(token)): one over the dense model's perplexity of s
 *   coherence    (1 - repetition) * order: repetition is the share of the word trigrams of s that
 *                stood there before; order is LCS(s, t) over the tokens that s shares with t, 0 where
 *                nothing is shared, 1 where there is no source
 * For chat there is no source: consistency is null, relevance compares with the reference answer
 * where there is one. An empty text scores 0 throughout; a skipped item is null and not averaged. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation.h"
#include "fmath.h"
#include "json.h"
#include "judged.h"
#include "memory.h"
#include "pass.h"
#include "pytext.h"
#include "rouge.h"
#include "score.h"

enum { QUALITIES = 4 };
static const char *const quality[QUALITIES] = {"coherence", "consistency", "fluency", "relevance"};

static const char *data = NULL, *dense = NULL;

static struct cli_option options[] = {
    {'m', "model", CLI_TEXT, &dense, "DENSE", "the dense model, for fluency (needed)"},
    {'d', "data", CLI_TEXT, &data, "DATA", "task stream with sources and references (needed)"},
    {0},
};

struct work {
    struct evaluation v; /* the dense model, the task stream */
    struct judged judged;
    struct token_ids *ids; /* (items): of the texts */
    struct pass_sequence *sequence;
    size_t *number; /* (items): a text's sequence, SIZE_MAX: too short */
    struct pass *pass;
};

static bool same_word(const char *a, size_t n, const char *b, size_t m)
{
    return n == m && !memcmp(a, b, n);
}

/* Share of the word trigrams that stood in the text before; 0 for fewer than two trigrams. */
static int repetition(const char *text, double *out, struct error *e)
{
    struct word {
        const char *p;
        size_t n;
    } *list = memory_new(strlen(text) / 2 + 1, sizeof *list, "words", e);
    const size_t n = strlen(text);
    size_t at = 0, count = 0, repeats = 0;
    if (!list)
        return -1;
    while (pytext_split(text, n, &at, &list[count].p, &list[count].n))
        count++;
    for (size_t i = 1; i + 2 < count; i++)
        for (size_t j = 0; j < i; j++) {
            bool same = true;
            for (size_t k = 0; k < 3 && same; k++)
                same = same_word(list[i + k].p, list[i + k].n, list[j + k].p, list[j + k].n);
            if (same) {
                repeats++;
                break;
            }
        }
    free(list);
    *out = count > 3 ? (double)repeats / (double)(count - 2) : 0;
    return 0;
}

/* Share of the facts that are whole words of the text, -1 where the item has none. */
static int fact_recall(const struct task_item *item, const char *text, double *out, struct error *e)
{
    size_t count = 0, found = 0;
    const char **fact = task_texts(item, "facts", &count, e);
    int result = fact ? 0 : -1;
    *out = -1;
    for (size_t i = 0; i < count && !result; i++) {
        int equal, contains;
        result = score_strict(&equal, &contains, text, strlen(text), &fact[i], 1, e);
        found += !result && contains;
    }
    free(fact);
    if (!result && count)
        *out = (double)found / (double)count;
    return result;
}

/* The reference of an item: its "reference" text, or that of the last turn. */
static const char *reference_of(const struct task_item *item, size_t turn)
{
    const json_t *r = json_object_get(item->json, "reference");
    if (json_is_string(r))
        return json_string_value(r);
    return json_string_value(json_array_get(r, turn));
}

static int fluency(struct work *w, size_t i, double *out, struct error *e)
{
    const size_t n = w->ids[i].count, k = w->number[i];
    double sum = 0;
    *out = 0;
    if (k == SIZE_MAX)
        return 0;
    double *nll = memory_new(n, sizeof *nll, "scores", e);
    if (!nll)
        return -1;
    const int result = pass_nll(w->pass, k, 1, n - 1, nll, e);
    for (size_t j = 0; j + 1 < n; j++)
        sum += nll[j];
    free(nll);
    *out = fmath_exp(-sum / (double)(n - 1));
    return result;
}

static int judge(struct work *w, size_t i, const json_t *record, double q[QUALITIES], double *rep,
                 struct error *e)
{
    const struct task_item *item = judged_task(&w->v.tasks, record);
    const char *text = judged_output(record);
    if (!item)
        return error_set(e, "%s: item %s is not in %s", w->judged.name,
                         json_get_string_or(record, "item", "?"), w->v.tasks.name);
    const char *source = task_text(item, "article");
    const size_t turns = json_array_size(json_object_get(record, "turns"));
    const char *reference = reference_of(item, turns ? turns - 1 : 0);
    const size_t n = strlen(text);
    struct rouge of_source = {0}, of_reference = {0};
    double facts;
    if (repetition(text, rep, e) || fact_recall(item, text, &facts, e) ||
        (source && rouge_score(&of_source, text, n, source, strlen(source), true, e)) ||
        (reference &&
         rouge_score(&of_reference, text, n, reference, strlen(reference), true, e)) ||
        fluency(w, i, &q[2], e))
        return -1;
    const double order = of_source.r1.precision > 0
                             ? of_source.l.precision / of_source.r1.precision
                             : source ? 0 : 1;
    q[0] = pytext_words(text, n) ? (1 - *rep) * order : 0;
    q[1] = source ? (of_source.r1.precision + of_source.r2.precision) / 2 : NAN;
    q[3] = facts >= 0 ? facts : reference ? of_reference.lsum.f : NAN;
    return 0;
}

/* The dense model over all texts. */
static int prepare(struct work *w, struct error *e)
{
    const size_t count = json_array_size(w->judged.items);
    size_t used = 0;
    w->ids = memory_new(count, sizeof *w->ids, "texts", e);
    w->sequence = memory_new(count, sizeof *w->sequence, "texts", e);
    w->number = memory_new(count, sizeof *w->number, "texts", e);
    if (!w->ids || !w->sequence || !w->number)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const char *text = judged_output(json_array_get(w->judged.items, i));
        struct token_ids *ids = &w->ids[i];
        w->number[i] = SIZE_MAX;
        if (!text || evaluation_encode(&w->v, text, strlen(text), ids, e)) {
            if (text)
                return -1;
            continue;
        }
        if (ids->count > w->v.source.model.positions)
            ids->count = w->v.source.model.positions; /* the tail is not looked at */
        if (ids->count < 2)
            continue;
        w->number[i] = used;
        w->sequence[used++] = (struct pass_sequence){.ids = ids->ids, .count = ids->count};
    }
    return pass_run(&w->pass, &w->v.source, w->sequence, used, w->v.pool, w->v.cli, NULL, e);
}

static int write_results(struct work *w, struct stream_writer *writer, struct error *e)
{
    const size_t count = json_array_size(w->judged.items);
    double sum[QUALITIES] = {0};
    size_t have[QUALITIES] = {0}, skipped = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *record = json_array_get(w->judged.items, i);
        double q[QUALITIES] = {NAN, NAN, NAN, NAN}, rep = NAN;
        const bool skip = !judged_output(record);
        json_t *out = json_object(), *scores = json_object();
        int failed = !skip && judge(w, i, record, q, &rep, e);
        for (int k = 0; k < QUALITIES && !failed; k++) {
            failed = json_set(scores, quality[k], json_number(q[k]), e);
            if (isfinite(q[k])) {
                sum[k] += q[k];
                have[k]++;
            }
        }
        skipped += skip;
        json_t *group = json_object_get(record, "group");
        json_t *unique = json_object_get(record, "unique_tokens");
        failed = failed ||
                 json_set(out, "item", json_incref(json_object_get(record, "item")), e) ||
                 (group && json_set(out, "group", json_incref(group), e)) ||
                 json_set(out, "strict", json_null(), e) ||
                 json_set(out, "paper", json_null(), e) ||
                 json_set(out, "scores", json_incref(scores), e) ||
                 json_set(out, "repetition", json_number(rep), e) ||
                 (unique && json_set(out, "unique_tokens", json_incref(unique), e)) ||
                 stream_write(writer, out, NULL, 0, e);
        json_decref(scores);
        json_decref(out);
        if (failed)
            return -1;
    }
    json_t *summary = json_pack("{s:I, s:I}", "n", (json_int_t)count, "skipped",
                                (json_int_t)skipped);
    for (int k = 0; k < QUALITIES; k++)
        if (json_set(summary, quality[k],
                     have[k] ? json_number(sum[k] / (double)have[k]) : json_null(), e)) {
            json_decref(summary);
            return -1;
        }
    json_t *last = json_pack("{s:o}", "summary", summary);
    const int result = last ? stream_write(writer, last, NULL, 0, e)
                            : error_set(e, "no memory for a summary");
    json_decref(last);
    return result;
}

static int run(struct cli *c, struct error *e)
{
    struct work w = {.v = {.cli = c}};
    struct output *output = NULL;
    struct stream_writer *writer = NULL;
    int result = -1;
    if (!data || !dense || !strcmp(dense, "-"))
        return error_usage(e, "-m DENSE, a model file, and -d DATA, a task stream, are needed");
    if (pool_new(&w.v.pool, c->threads, e) || judged_read(&w.judged, cli_input(c), e) ||
        tasks_read(&w.v.tasks, data, "summary chat", 0, e) ||
        source_open(&w.v.source, dense, w.v.pool, e))
        goto out;
    if (!w.v.source.tokenizer) {
        error_set(e, "%s: the model came without a tokenizer", dense);
        goto out;
    }
    if (prepare(&w, e) ||
        judged_begin(&w.judged, c, "overlap",
                     json_pack("{s:s, s:s, s:s, s:s}", "coherence",
                               "(1 - repeated trigrams) * in source order", "consistency",
                               "mean of ROUGE-1 and ROUGE-2 precision against the source",
                               "fluency", "1 / perplexity under the dense model", "relevance",
                               "facts recalled, else ROUGE-Lsum F against the reference"),
                     json_pack("{s:s, s:s}", "data", w.v.tasks.digest, "dense",
                               stream_end_digest(w.v.source.reader)),
                     &output, &writer, e) ||
        write_results(&w, writer, e) || stream_finish(writer, w.judged.end, e) ||
        output_commit(output, e))
        goto out;
    result = 0;
out:
    stream_writer_free(writer);
    output_free(output);
    pass_free(w.pass);
    for (size_t i = 0; w.ids && i < json_array_size(w.judged.items); i++)
        token_ids_free(&w.ids[i]);
    free(w.ids);
    free(w.sequence);
    free(w.number);
    judged_free(&w.judged);
    evaluation_free(&w.v);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "judge-overlap",
                    .revision = 2,
                    .summary = "automatic scores of summaries and chat answers",
                    .operand = "[RESULTS]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}

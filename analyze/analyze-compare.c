/* analyze-compare: every result of a compressed model against the dense model's on the same items,
 * paired (compare.sql says what is kept). Drop with a percentile bootstrap interval over items, or
 * windows of perplexity; exact McNemar, flips and all-flips for scores of 0 and 1; Holm within task,
 * data, metric and model; the smallest drop that could have been detected; and the paper's matching
 * rule, not more than 5 % below dense: first failure, last pass and break point along a sweep.
 * Results that differ in their seeds only are also joined: then seeds and items are drawn. */
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "cli.h"
#include "fmath.h"
#include "json.h"
#include "memory.h"
#include "pool.h"
#include "query.h"
#include "random.h"
#include "statistics.h"

/* compare.sql, as a string; the path is relative to where make runs. */
__asm__(".section .rodata\n"
        "compare_sql:\n"
        ".incbin \"analyze/compare.sql\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char compare_sql[];

#define LEVEL 0.95
#define MATCHING 0.95
#define ALPHA 0.05
#define POWER 0.8

enum { SWEEP_DRAWS = 1000, PORTION = 256 /* comparisons between two lines of progress */ };

static const char *database;
static long draws = 10000, seed = 0;

static struct cli_option options[] = {
    {'D', "database", CLI_TEXT, &database, "FILE", "database of results (needed)"},
    {0, "draws", CLI_INT, &draws, "N", "of the bootstrap", .min = 100, .max = 1000000},
    {'S', "seed", CLI_INT, &seed, "SEED", "of the bootstrap", .min = 0, .max = 9e15},
    {0},
};

static const char *const task_metrics[] = {"strict",    "paper",    "strict_norm",
                                           "letter",    "contains", "paper_output",
                                           "strict_f1", "paper_f1", NULL};
static const char *const judge_metrics[] = {"coherence", "consistency", "fluency",
                                            "relevance", "overall",     NULL};

/* A comparison: metric by metric of one result. */
struct row {
    char *result, *dense, *family, *sweep; /* family: of Holm; sweep: of the curve */
    char *work;                            /* all that was done, but for the seeds */
    const char *metric;
    bool nll;
    double x; /* place on the sweep's axis; NaN: on none */
    bool bits;
    size_t n, capacity, seeds;
    bool joined;           /* part of a row of several seeds */
    uint64_t *item;        /* (n): digests of the items' names */
    double *theirs, *ours; /* (seeds, n): dense, compressed */
    double value, dense_value, detectable;
    struct bootstrap drop;
    bool binary;
    struct flips flips;
    double flipped, all_flipped; /* shares */
    struct mcnemar test;
    double holm;
};

/* What a thread has of its own. */
struct worker {
    sqlite3 *db; /* to read from; NULL once all is read */
    struct error error;
    bool failed;
};

struct work {
    struct cli *cli;
    sqlite3 *db;
    struct pool *pool;
    struct worker *worker;
    struct part *part; /* results to be read */
    size_t parts;
    struct row *list;
    size_t count, capacity;
    struct draws draws; /* of the last n */
    struct random_key key, seeds; /* of the draws of items, and of seeds */
};

static int db_error(sqlite3 *db, struct error *e)
{
    return error_set(e, "%s: %s", database, sqlite3_errmsg(db));
}

static int prepare(sqlite3 *db, const char *sql, sqlite3_stmt **s, struct error *e)
{
    return sqlite3_prepare_v2(db, sql, -1, s, NULL) == SQLITE_OK ? 0 : db_error(db, e);
}

/* Runs a step for each i < count in the threads of the pool; the first thread's error is told. */
struct steps {
    struct work *w;
    void *context;
    int (*run)(const struct work *w, void *context, size_t i, struct worker *worker);
};

static void one_step(void *context, size_t i, long thread)
{
    const struct steps *s = context;
    struct worker *worker = &s->w->worker[thread];
    worker->failed = worker->failed || s->run(s->w, s->context, i, worker);
}

static int in_threads(struct work *w, size_t count, void *context,
                      int (*run)(const struct work *w, void *context, size_t i, struct worker *worker),
                      struct error *e)
{
    pool_run(w->pool, count, one_step, &(struct steps){w, context, run});
    for (long i = 0; i < w->cli->threads; i++)
        if (w->worker[i].failed) {
            *e = w->worker[i].error;
            return -1;
        }
    return 0;
}

static const char *column_text(sqlite3_stmt *s, int i)
{
    const char *text = (const char *)sqlite3_column_text(s, i);
    return text ? text : "";
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static struct row *new_row(struct work *w, struct error *e)
{
    if (w->count == w->capacity) {
        const size_t n = w->capacity ? 2 * w->capacity : 64;
        struct row *list = memory_resize(w->list, n, sizeof *list, "comparisons", e);
        if (!list)
            return NULL;
        w->list = list;
        w->capacity = n;
    }
    w->list[w->count] = (struct row){.x = NAN, .holm = NAN, .seeds = 1, .flipped = NAN, .all_flipped = NAN};
    return &w->list[w->count++];
}

static void row_free(struct row *r)
{
    free(r->result);
    free(r->dense);
    free(r->family);
    free(r->sweep);
    free(r->work);
    free(r->item);
    free(r->theirs);
    free(r->ours);
}

/* A metric of an item: the columns strict and paper, else a key of its record or of "scores". */
static double metric_of(sqlite3_stmt *s, int first, const json_t *record, const char *metric)
{
    const int column = !strcmp(metric, "strict")  ? first
                       : !strcmp(metric, "paper") ? first + 1
                                                  : -1;
    if (column >= 0)
        return sqlite3_column_type(s, column) == SQLITE_NULL ? NAN : sqlite3_column_double(s, column);
    const json_t *v = json_object_get(record, metric);
    if (!v)
        v = json_object_get(json_object_get(record, "scores"), metric);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

/* What the model answered under a metric: its choice, else its output. */
static const char *answer_of(sqlite3_stmt *s, int output, const json_t *record, const char *metric)
{
    const json_t *chosen = json_object_get(record, "chosen");
    if (chosen && strcmp(metric, "paper"))
        return json_get_string_or(chosen, metric, "");
    return column_text(s, output);
}

static int add_pair(struct row *r, uint64_t item, double theirs, double ours, struct error *e)
{
    if (r->n == r->capacity) {
        const size_t n = r->capacity ? 2 * r->capacity : 64;
        double *a = memory_resize(r->theirs, n, sizeof *a, "scores", e);
        if (!a)
            return -1;
        r->theirs = a;
        double *b = memory_resize(r->ours, n, sizeof *b, "scores", e);
        if (!b)
            return -1;
        r->ours = b;
        uint64_t *c = memory_resize(r->item, n, sizeof *c, "scores", e);
        if (!c)
            return -1;
        r->item = c;
        r->capacity = n;
    }
    r->item[r->n] = item;
    r->theirs[r->n] = theirs;
    r->ours[r->n++] = ours;
    return 0;
}

/* One item in one row, where both have the metric. s: as in read_items(). */
static int add_item(struct row *r, sqlite3_stmt *s, const json_t *a, const json_t *b,
                    struct error *e)
{
    const double x = metric_of(s, 0, a, r->metric), y = metric_of(s, 4, b, r->metric);
    const char *item = column_text(s, 8);
    if (!isfinite(x) || !isfinite(y))
        return 0;
    r->binary = r->binary && (x == 0 || x == 1) && (y == 0 || y == 1);
    if (r->binary)
        flips_add(&r->flips, x == 1, y == 1,
                  !strcmp(answer_of(s, 2, a, r->metric), answer_of(s, 6, b, r->metric)));
    return add_pair(r, XXH3_64bits(item, strlen(item)), x, y, e);
}

/* An item's record, NULL where nothing of it is needed: a metric, or what was chosen. */
static json_t *record_of(const char *text, const struct row *r, size_t count)
{
    bool needed = strstr(text, "\"chosen\"");
    for (size_t i = 0; i < count; i++)
        needed = needed || (strcmp(r[i].metric, "strict") && strcmp(r[i].metric, "paper"));
    return needed ? json_loads(text, 0, NULL) : NULL;
}

/* The rows r to r + count - 1, the metrics of one result, over the items that both have. */
static int read_items(sqlite3 *db, struct row *r, size_t count, struct error *e)
{
    sqlite3_stmt *s = NULL;
    int got, result = -1;
    if (prepare(db,
                "SELECT a.strict_score, a.paper_score, a.output, a.record, b.strict_score, "
                "b.paper_score, b.output, b.record, a.item FROM item AS a JOIN item AS b ON b.item = a.item "
                "WHERE a.result_id = ?1 AND b.result_id = ?2 ORDER BY a.item",
                &s, e))
        goto out;
    sqlite3_bind_text(s, 1, r->dense, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, r->result, -1, SQLITE_STATIC);
    for (size_t i = 0; i < count; i++)
        r[i].binary = true;
    while ((got = sqlite3_step(s)) == SQLITE_ROW) {
        json_t *a = record_of(column_text(s, 3), r, count), *b = record_of(column_text(s, 7), r, count);
        int failed = 0;
        for (size_t i = 0; !failed && i < count; i++)
            failed = add_item(&r[i], s, a, b, e);
        json_decref(a);
        json_decref(b);
        if (failed)
            goto out;
    }
    result = got == SQLITE_DONE ? 0 : db_error(db, e);
out:
    sqlite3_finalize(s);
    return result;
}

/* Perplexity: mean negative log-likelihood of each window. */
static int read_windows(sqlite3 *db, struct row *r, struct error *e)
{
    sqlite3_stmt *s = NULL;
    int got, result = -1;
    if (prepare(db,
                "SELECT a.nll_sum_nats / (a.token_count - 1), b.nll_sum_nats / (b.token_count - 1), "
                "a.window FROM window AS a JOIN window AS b ON b.window = a.window WHERE a.result_id = ?1 "
                "AND b.result_id = ?2 AND a.token_count > 1 AND a.nll_sum_nats IS NOT NULL AND "
                "b.nll_sum_nats IS NOT NULL ORDER BY a.window",
                &s, e))
        goto out;
    sqlite3_bind_text(s, 1, r->dense, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, r->result, -1, SQLITE_STATIC);
    while ((got = sqlite3_step(s)) == SQLITE_ROW)
        if (add_pair(r, (uint64_t)sqlite3_column_int64(s, 2), sqlite3_column_double(s, 0),
                     sqlite3_column_double(s, 1), e))
            goto out;
    result = got == SQLITE_DONE ? 0 : db_error(db, e);
out:
    sqlite3_finalize(s);
    return result;
}

/* Columns of the query over pairs of results. */
enum { RESULT, DENSE, TASK, JUDGE, FAMILY, METHOD, COMPRESSION, SPARSITY, BITS, GROUP, WORK };

static int begin_row(struct work *w, sqlite3_stmt *s, const char *metric, struct error *e)
{
    struct row *r = new_row(w, e);
    char place[64];
    if (!r)
        return -1;
    const char *compression = column_text(s, COMPRESSION);
    r->metric = metric;
    r->nll = !strcmp(metric, "nll_mean");
    r->result = strdup(column_text(s, RESULT));
    r->dense = strdup(column_text(s, DENSE));
    r->work = strdup(column_text(s, WORK));
    const char *parts[] = {column_text(s, FAMILY), metric, column_text(s, METHOD)};
    size_t size = 3;
    for (int i = 0; i < 3; i++)
        size += strlen(parts[i]);
    r->family = memory_new(size, 1, "a name", e);
    place[0] = 0;
    if (!strcmp(compression, "unstructured") && sqlite3_column_type(s, SPARSITY) != SQLITE_NULL) {
        r->x = sqlite3_column_double(s, SPARSITY);
        snprintf(place, sizeof place, "\tsparsity");
    } else if (!strcmp(compression, "quantized") && sqlite3_column_type(s, BITS) != SQLITE_NULL) {
        r->x = sqlite3_column_double(s, BITS);
        r->bits = true;
        snprintf(place, sizeof place, "\tbits\t%d", sqlite3_column_int(s, GROUP));
    }
    size += strlen(place);
    r->sweep = memory_new(size, 1, "a name", e);
    if (!r->result || !r->dense || !r->work || !r->family || !r->sweep)
        return error_set(e, "no memory for a comparison");
    snprintf(r->family, size, "%s\t%s", parts[0], metric);
    snprintf(r->sweep, size, "%s\t%s\t%s%s", parts[0], metric, parts[2], place);
    return 0;
}

/* Rows of a result beside one dense result: a metric each. */
struct part {
    size_t first, count;
    bool other; /* the same result beside another dense one: where they have items in common, and those
                 * before have none */
};

static int add_part(struct work *w, sqlite3_stmt *s, const char *const *metric, struct error *e)
{
    if (!(w->parts & (w->parts - 1))) { /* full at each power of two */
        struct part *list = memory_resize(w->part, w->parts ? 2 * w->parts : 1, sizeof *list, "comparisons", e);
        if (!list)
            return -1;
        w->part = list;
    }
    const size_t first = w->count;
    const bool other = first && !strcmp(w->list[first - 1].result, column_text(s, RESULT));
    for (; *metric; metric++)
        if (begin_row(w, s, *metric, e))
            return -1;
    w->part[w->parts++] = (struct part){first, w->count - first, other};
    return 0;
}

static int read_part(const struct work *w, void *context, size_t i, struct worker *worker)
{
    bool found = false;
    (void)context;
    for (bool first = true; !found && i < w->parts && w->part[i].other != first; i++, first = false) {
        struct row *r = &w->list[w->part[i].first];
        const size_t count = w->part[i].count;
        if (r->nll ? read_windows(worker->db, r, &worker->error)
                   : read_items(worker->db, r, count, &worker->error))
            return -1;
        for (size_t j = 0; j < count; j++)
            found = found || r[j].n;
    }
    return 0;
}

static void close_readers(const struct work *w)
{
    for (long i = 0; w->worker && i < w->cli->threads; i++) {
        database_close(w->worker[i].db);
        w->worker[i].db = NULL;
    }
}

/* Reads what the rows need; those stay that their items have a metric for. */
static int read_parts(struct work *w, struct error *e)
{
    for (long i = 0; i < w->cli->threads; i++)
        if (database_open(&w->worker[i].db, database, e))
            return -1;
    if (in_threads(w, w->parts, NULL, read_part, e))
        return -1;
    close_readers(w);
    const size_t end = w->count;
    w->count = 0;
    for (size_t i = 0; i < end; i++)
        if (w->list[i].n == 0)
            row_free(&w->list[i]);
        else
            w->list[w->count++] = w->list[i];
    return 0;
}

static int read_pairs(struct work *w, struct error *e)
{
    sqlite3_stmt *s = NULL;
    int got, result = -1;
    /* Where the dense model was asked with several seeds, the one with the same seed; else the least.
     * work: the steps without their seeds; what a method was calibrated on belongs to it. */
    if (prepare(w->db,
                "WITH s AS (SELECT r.*, (SELECT json_extract(p.options, '$.seed') FROM step AS p WHERE "
                "p.result_id = r.id AND p.program LIKE 'eval-%' ORDER BY p.position LIMIT 1) AS seed "
                "FROM result AS r) "
                "SELECT r.id, d.id, r.task, r.judge, v.checkpoint_id || char(9) || r.task || "
                "char(9) || ifnull(r.mode, '') || char(9) || ifnull(r.judge, '') || char(9) || "
                "r.data_digest || char(9) || r.definition, v.method, v.compression, "
                "v.sparsity_target, v.bits, v.group_columns, (SELECT group_concat(x, char(10)) FROM "
                "(SELECT p.program || json_remove(p.options, '$.seed') || CASE WHEN p.program LIKE "
                "'prune-%' OR p.program LIKE 'quantize-%' THEN p.sides ELSE '' END AS x FROM step AS p "
                "WHERE p.result_id = r.id ORDER BY p.position)) "
                "FROM s AS r JOIN variant AS v ON v.id = r.variant_id "
                "JOIN s AS d ON d.variant_id = v.checkpoint_id AND d.task = r.task AND "
                "d.mode IS r.mode AND d.judge IS r.judge AND d.data_digest = r.data_digest AND "
                "d.definition = r.definition WHERE v.id <> v.checkpoint_id "
                "ORDER BY 5, v.method, v.compression, v.group_columns, v.sparsity_target, "
                "v.bits DESC, r.id, d.seed IS NOT r.seed, d.seed, d.id",
                &s, e))
        goto out;
    while ((got = sqlite3_step(s)) == SQLITE_ROW) {
        const char *task = column_text(s, TASK);
        static const char *const nll[] = {"nll_mean", NULL};
        const char *const *list = !strcmp(task, "perplexity") ? nll
                                  : sqlite3_column_type(s, JUDGE) != SQLITE_NULL ? judge_metrics
                                                                                 : task_metrics;
        if (!strcmp(task, "divergence"))
            continue; /* is against the dense model already */
        if (add_part(w, s, list, e))
            goto out;
    }
    result = got == SQLITE_DONE ? 0 : db_error(w->db, e);
out:
    sqlite3_finalize(s);
    return result;
}

/* ---- seeds -------------------------------------------------------------------------------------
 */

static int item_compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Places of the first row's items in each row, (rows, n), for those that all have; *kept: how many. */
static int common_items(const struct row *const *list, size_t rows, size_t *place, size_t *kept,
                        struct error *e)
{
    const size_t n = list[0]->n;
    size_t longest = 0;
    for (size_t s = 0; s < rows; s++)
        longest = list[s]->n > longest ? list[s]->n : longest;
    uint64_t(*sorted)[2] = memory_new(longest, sizeof *sorted, "items", e);
    bool *all = memory_new(n, sizeof *all, "items", e);
    if (!sorted || !all) {
        free(sorted);
        free(all);
        return -1;
    }
    for (size_t s = 0; s < rows; s++) {
        for (size_t i = 0; i < list[s]->n; i++) {
            sorted[i][0] = list[s]->item[i];
            sorted[i][1] = i;
        }
        qsort(sorted, list[s]->n, sizeof *sorted, item_compare);
        for (size_t i = 0; i < n; i++) {
            const uint64_t *at =
                bsearch(&list[0]->item[i], sorted, list[s]->n, sizeof *sorted, item_compare);
            all[i] = at && (s == 0 || all[i]);
            place[s * n + i] = at ? at[1] : 0;
        }
    }
    *kept = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t s = 0; all[i] && s < rows; s++)
            place[s * n + *kept] = place[s * n + i];
        *kept += all[i];
    }
    free(sorted);
    free(all);
    return 0;
}

static char *copy_text(const char *text, struct error *e)
{
    char *copy = strdup(text);
    if (!copy)
        error_set(e, "no memory for a comparison");
    return copy;
}

/* One row of several seeds' rows. */
static int join(struct work *w, const size_t *member, size_t rows, struct error *e)
{
    const struct row **list = memory_new(rows, sizeof *list, "seeds", e);
    struct row *r = new_row(w, e); /* moves the list */
    size_t *place = NULL, kept = 0;
    int result = -1;
    if (!list || !r)
        goto out;
    for (size_t s = 0; s < rows; s++)
        list[s] = &w->list[member[s]];
    const struct row *first = list[0];
    const size_t n = first->n;
    place = memory_new(rows, n * sizeof *place, "seeds", e);
    r->metric = first->metric;
    r->nll = first->nll;
    r->x = first->x;
    r->bits = first->bits;
    r->seeds = rows;
    if (!place || common_items(list, rows, place, &kept, e) ||
        !(r->result = copy_text(first->result, e)) || !(r->dense = copy_text(first->dense, e)) ||
        !(r->family = copy_text(first->family, e)) || !(r->sweep = copy_text(first->sweep, e)) ||
        !(r->work = copy_text(first->work, e)))
        goto out;
    r->n = kept;
    r->theirs = memory_new(rows, (kept + 1) * sizeof *r->theirs, "seeds", e);
    r->ours = memory_new(rows, (kept + 1) * sizeof *r->ours, "seeds", e);
    if (!r->theirs || !r->ours)
        goto out;
    if (first->binary)
        r->flipped = r->all_flipped = 0;
    for (size_t s = 0; s < rows; s++) {
        const struct flips *f = &list[s]->flips;
        const size_t changed = f->right_to_wrong + f->wrong_to_right;
        for (size_t i = 0; i < kept; i++) {
            r->theirs[s * kept + i] = list[s]->theirs[place[s * n + i]];
            r->ours[s * kept + i] = list[s]->ours[place[s * n + i]];
        }
        r->flipped += (double)changed / (double)(f->n * rows);
        r->all_flipped += (double)(changed + f->wrong_to_other) / (double)(f->n * rows);
    }
    result = 0;
out:
    free(list);
    free(place);
    return result;
}

/* Results that differ in nothing but seeds. Where they have no item in common they stay apart. */
static int join_seeds(struct work *w, struct error *e)
{
    const size_t count = w->count;
    size_t *member = memory_new(count, sizeof *member, "seeds", e);
    int result = -1;
    for (size_t i = 0; member && i < count; i++) {
        size_t rows = 0;
        for (size_t j = i; !w->list[i].joined && j < count; j++)
            if (w->list[j].metric == w->list[i].metric && !strcmp(w->list[j].work, w->list[i].work) &&
                !strcmp(w->list[j].family, w->list[i].family))
                member[rows++] = j;
        if (rows < 2)
            continue;
        if (join(w, member, rows, e))
            goto out;
        if (w->list[w->count - 1].n == 0) {
            row_free(&w->list[--w->count]);
            continue;
        }
        for (size_t j = 0; j < rows; j++)
            w->list[member[j]].joined = true;
    }
    result = member ? 0 : -1;
out:
    free(member);
    return result;
}

/* ---- statistics --------------------------------------------------------------------------------
 */

static double mean(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

/* The same draws for every comparison of n items. */
static int need_draws(struct work *w, size_t n, struct error *e)
{
    if (w->draws.n == n)
        return 0;
    draws_free(&w->draws);
    return draws_new(&w->draws, n, (size_t)draws, w->key, e);
}

static int compare_row(const struct work *w, void *context, size_t i, struct worker *worker)
{
    struct row *r = ((struct row **)context)[i];
    const size_t values = r->seeds * r->n;
    double *drop = memory_new(values, sizeof *drop, "scores", &worker->error);
    if (!drop)
        return -1;
    r->dense_value = mean(r->theirs, values);
    r->value = mean(r->ours, values);
    for (size_t j = 0; j < values; j++)
        drop[j] = r->nll ? r->ours[j] - r->theirs[j] : r->theirs[j] - r->ours[j];
    const int result =
        draws_bootstrap(&w->draws, drop, r->seeds, LEVEL, w->seeds, &r->drop, &worker->error);
    r->detectable = r->seeds == 1 ? statistics_detectable(drop, r->n, ALPHA, POWER)
                                  : statistics_detectable_error(r->drop.deviation, ALPHA, POWER);
    free(drop);
    if (r->binary) {
        const size_t changed = r->flips.right_to_wrong + r->flips.wrong_to_right;
        r->test = statistics_mcnemar(r->flips.right_to_wrong, r->flips.wrong_to_right);
        r->flipped = (double)changed / (double)r->n;
        r->all_flipped = (double)(changed + r->flips.wrong_to_other) / (double)r->n;
    }
    return result;
}

static int count_compare(const void *a, const void *b)
{
    const struct row *const *x = a, *const *y = b;
    return (*x)->n != (*y)->n ? ((*x)->n > (*y)->n) - ((*x)->n < (*y)->n) : (*x > *y) - (*x < *y);
}

/* Those of one count of items together, which share their draws. */
static int compare_rows(struct work *w, struct error *e)
{
    struct row **list = memory_new(w->count, sizeof *list, "comparisons", e);
    int result = -1;
    if (!list)
        return -1;
    for (size_t i = 0; i < w->count; i++)
        list[i] = &w->list[i];
    qsort(list, w->count, sizeof *list, count_compare);
    for (size_t i = 0, end; i < w->count; i = end) {
        for (end = i; end < w->count && end < i + PORTION && list[end]->n == list[i]->n;)
            end++;
        if (need_draws(w, list[i]->n, e) || in_threads(w, end - i, list + i, compare_row, e))
            goto out;
        cli_progress(w->cli, end, w->count, "comparisons");
    }
    result = 0;
out:
    free(list);
    return result;
}

static double retained(bool nll, double dense, double value)
{
    if (nll)
        return fmath_exp(dense - value);
    return dense > 0 ? value / dense : NAN;
}

static int correct(struct work *w, struct error *e)
{
    double *p = memory_new(2 * w->count, sizeof *p, "p values", e);
    if (!p)
        return -1;
    for (size_t i = 0; i < w->count;) { /* a family is not contiguous: its metrics alternate */
        if (!w->list[i].binary || isfinite(w->list[i].holm)) {
            i++;
            continue;
        }
        size_t n = 0;
        for (size_t j = i; j < w->count; j++)
            if (w->list[j].binary && !strcmp(w->list[j].family, w->list[i].family))
                p[n++] = w->list[j].test.exact;
        if (statistics_holm(p, n, p + w->count, e)) {
            free(p);
            return -1;
        }
        n = 0;
        for (size_t j = i; j < w->count; j++)
            if (w->list[j].binary && !strcmp(w->list[j].family, w->list[i].family))
                w->list[j].holm = p[w->count + n++];
        i++;
    }
    free(p);
    return 0;
}

/* ---- sweeps ------------------------------------------------------------------------------------
 */

struct point {
    const struct row *row;
    double x;
};

static int point_compare(const void *a, const void *b)
{
    const struct point *p = a, *q = b;
    const int order = (p->x > q->x) - (p->x < q->x);
    return p->row->bits ? -order : order;
}

/* Where the line through the points first falls under the rule; infinite: nowhere. */
static double crossing(const struct point *list, const double *kept, size_t n)
{
    double x = list[0].row->bits ? 16 : 0, y = 1; /* dense */
    for (size_t i = 0; i < n; i++) {
        if (!(kept[i] >= MATCHING)) {
            const double share = isfinite(kept[i]) && y > kept[i] ? (y - MATCHING) / (y - kept[i]) : 1;
            return x + share * (list[i].x - x);
        }
        x = list[i].x;
        y = kept[i];
    }
    return INFINITY;
}

struct sweep {
    double first_failure, last_pass, at, low, high;
};

static int sweep_of(struct work *w, const struct point *list, size_t n, struct sweep *out,
                    struct error *e)
{
    const size_t items = list[0].row->n;
    const size_t times = draws < SWEEP_DRAWS ? (size_t)draws : SWEEP_DRAWS;
    double *ours = memory_new(n, times * sizeof *ours, "a sweep", e); /* by point and draw */
    double *theirs = memory_new(n, times * sizeof *theirs, "a sweep", e);
    double *kept = memory_new(n, sizeof *kept, "a sweep", e);
    double *at = memory_new(SWEEP_DRAWS, sizeof *at, "a sweep", e);
    bool same = true;
    int result = -1;
    *out = (struct sweep){NAN, NAN, NAN, NAN, NAN};
    if (!kept || !at || !ours || !theirs)
        goto out;
    for (size_t i = 0; i < n; i++) {
        const struct row *r = list[i].row;
        kept[i] = retained(r->nll, r->dense_value, r->value);
        same = same && r->n == items;
        if (kept[i] >= MATCHING)
            out->last_pass = list[i].x;
        else if (isnan(out->first_failure))
            out->first_failure = list[i].x;
    }
    out->at = crossing(list, kept, n);
    if (!same || need_draws(w, items, e)) {
        result = same ? -1 : 0;
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        const struct row *r = list[i].row;
        if (draws_mean(&w->draws, r->ours, r->seeds, w->seeds, times, ours + i * times, e) ||
            draws_mean(&w->draws, r->theirs, r->seeds, w->seeds, times, theirs + i * times, e))
            goto out;
    }
    for (size_t b = 0; b < times; b++) {
        for (size_t i = 0; i < n; i++)
            kept[i] = retained(list[i].row->nll, theirs[i * times + b], ours[i * times + b]);
        at[b] = crossing(list, kept, n);
        if (list[0].row->bits)
            at[b] = -at[b]; /* falling bits: the quantiles go the other way */
    }
    statistics_sort(at, times);
    /* Order statistics: a mean with infinity would say nothing. */
    out->low = at[(size_t)((double)(times - 1) * (1 - LEVEL) / 2)];
    out->high = at[(size_t)((double)(times - 1) * (1 - (1 - LEVEL) / 2))];
    if (list[0].row->bits) {
        const double low = -out->high;
        out->high = -out->low;
        out->low = low;
    }
    result = 0;
out:
    free(ours);
    free(theirs);
    free(kept);
    free(at);
    return result;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static void bind_number(sqlite3_stmt *s, int i, double v)
{
    if (isfinite(v))
        sqlite3_bind_double(s, i, v);
    else
        sqlite3_bind_null(s, i);
}

static int step(const struct work *w, sqlite3_stmt *s, struct error *e)
{
    if (sqlite3_step(s) != SQLITE_DONE)
        return db_error(w->db, e);
    sqlite3_reset(s);
    return 0;
}

static int write_comparisons(struct work *w, struct error *e)
{
    sqlite3_stmt *s = NULL;
    int result = -1;
    if (prepare(w->db,
                "INSERT INTO comparison VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
                "?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
                &s, e))
        goto out;
    for (size_t i = 0; i < w->count; i++) {
        const struct row *r = &w->list[i];
        const double kept = retained(r->nll, r->dense_value, r->value);
        sqlite3_clear_bindings(s);
        sqlite3_bind_text(s, 1, r->result, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, r->metric, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 3, r->dense, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 4, (sqlite3_int64)r->n);
        bind_number(s, 5, r->value);
        bind_number(s, 6, r->dense_value);
        bind_number(s, 7, r->drop.mean);
        bind_number(s, 8, r->drop.interval.low);
        bind_number(s, 9, r->drop.interval.high);
        bind_number(s, 10, kept);
        bind_number(s, 11, r->detectable);
        if (r->binary) {
            sqlite3_bind_int64(s, 12, (sqlite3_int64)r->flips.right_to_wrong);
            sqlite3_bind_int64(s, 13, (sqlite3_int64)r->flips.wrong_to_right);
            bind_number(s, 16, r->test.exact);
            bind_number(s, 17, r->test.mid);
            bind_number(s, 18, r->holm);
        }
        bind_number(s, 14, r->flipped);
        bind_number(s, 15, r->all_flipped);
        if (!isnan(kept))
            sqlite3_bind_int(s, 19, kept >= MATCHING);
        sqlite3_bind_int64(s, 20, draws);
        sqlite3_bind_int64(s, 21, (sqlite3_int64)r->seeds);
        sqlite3_bind_int(s, 22, r->joined);
        if (step(w, s, e))
            goto out;
    }
    result = 0;
out:
    sqlite3_finalize(s);
    return result;
}

/* The fields of a sweep's name: its family's six, metric, method, axis, group. */
static void bind_fields(sqlite3_stmt *s, const char *name)
{
    static const int place[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    for (size_t i = 0; i < sizeof place / sizeof *place; i++) {
        const size_t n = strcspn(name, "\t");
        sqlite3_bind_text(s, place[i], name, (int)n, SQLITE_STATIC);
        name += n + (name[n] == '\t');
    }
}

static int write_sweeps(struct work *w, size_t *count, struct error *e)
{
    sqlite3_stmt *s = NULL;
    struct point *list = memory_new(w->count, sizeof *list, "a sweep", e);
    bool *done = memory_new(w->count, sizeof *done, "a sweep", e);
    struct sweep sweep;
    int result = -1;
    *count = 0;
    if (!list || !done ||
        prepare(w->db,
                "INSERT OR IGNORE INTO sweep VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
                "?12, ?13, ?14, ?15)",
                &s, e))
        goto out;
    for (size_t i = 0; i < w->count; i++) {
        size_t n = 0;
        if (done[i] || w->list[i].joined || isnan(w->list[i].x))
            continue;
        for (size_t j = i; j < w->count; j++)
            if (!w->list[j].joined && !isnan(w->list[j].x) && !strcmp(w->list[j].sweep, w->list[i].sweep)) {
                list[n++] = (struct point){&w->list[j], w->list[j].x};
                done[j] = true;
            }
        qsort(list, n, sizeof *list, point_compare);
        if (n < 2 || (!list[0].row->nll && list[0].row->dense_value <= 0))
            continue; /* 5 % of nothing */
        if (sweep_of(w, list, n, &sweep, e))
            goto out;
        sqlite3_clear_bindings(s);
        bind_fields(s, w->list[i].sweep);
        sqlite3_bind_int64(s, 10, (sqlite3_int64)n);
        bind_number(s, 11, sweep.first_failure);
        bind_number(s, 12, sweep.last_pass);
        bind_number(s, 13, sweep.at);
        bind_number(s, 14, sweep.low);
        bind_number(s, 15, sweep.high);
        if (step(w, s, e))
            goto out;
        ++*count;
    }
    result = 0;
out:
    sqlite3_finalize(s);
    free(list);
    free(done);
    return result;
}

/* The scores are held by now; further the draws of the most items, and what they give for each seed. */
static int announce(const struct work *w, struct error *e)
{
    const uint64_t threads = (uint64_t)w->cli->threads;
    uint64_t scores = 0, items = 0, seeds = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct row *r = &w->list[i];
        scores += r->n * sizeof *r->item + 2 * r->seeds * r->n * sizeof *r->ours;
        items = r->n > items ? r->n : items;
        seeds = r->seeds > seeds ? r->seeds : seeds;
    }
    return cli_memory(w->cli, cli_memory_small(w->cli) + scores +
                                  (uint64_t)draws * (items + threads * (seeds + 1) * sizeof(double)), e);
}

static int execute(struct work *w, const char *sql, struct error *e)
{
    return sqlite3_exec(w->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_error(w->db, e);
}

static int run(struct cli *c, struct error *e)
{
    struct work w = {.cli = c, .key = random_key_new((uint64_t)seed, "analyze-compare"),
                     .seeds = random_key_new((uint64_t)seed, "analyze-compare seeds")};
    sqlite3 *check = NULL;
    size_t sweeps = 0;
    int result = -1;
    if (!database)
        return error_usage(e, "the database is missing: -D FILE");
    if (database_open(&check, database, e)) /* is it one of ours? */
        return -1;
    database_close(check);
    w.worker = memory_new((size_t)c->threads, sizeof *w.worker, "threads", e);
    if (!w.worker || pool_new(&w.pool, c->threads, e) || database_begin(&w.db, database, false, e) ||
        read_pairs(&w, e) || read_parts(&w, e) || execute(&w, compare_sql, e) ||
        execute(&w, "DELETE FROM comparison; DELETE FROM sweep", e) || join_seeds(&w, e) ||
        announce(&w, e) || compare_rows(&w, e))
        goto out;
    if (correct(&w, e) || write_comparisons(&w, e) || write_sweeps(&w, &sweeps, e) ||
        database_commit(w.db, database, e))
        goto out;
    cli_note(c, "%zu comparisons, %zu sweeps", w.count, sweeps);
    result = 0;
out:
    for (size_t i = 0; i < w.count; i++)
        row_free(&w.list[i]);
    free(w.list);
    free(w.part);
    draws_free(&w.draws);
    close_readers(&w);
    free(w.worker);
    pool_free(w.pool);
    sqlite3_close(w.db);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "analyze-compare",
                    .revision = 3,
                    .summary = "compare each result with the dense model's, paired",
                    .operand = "",
                    .flags = CLI_TEXT_OUT | CLI_MEMORY | CLI_NO_INPUT | CLI_THREADS,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}

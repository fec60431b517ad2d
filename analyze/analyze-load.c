/* Result streams into one SQLite file (schema.sql).
 *
 * All of the input goes in within one transaction, or nothing does. A result that is there already is
 * read to its end and its digest compared: the same is skipped, another under the same id is refused,
 * since an id stands for the work done. */
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "file.h"
#include "fmath.h"
#include "harness.h"
#include "json.h"
#include "memory.h"
#include "query.h"
#include "stream.h"
#include "tally.h"

/* schema.sql, as a string; the path is relative to where make runs. */
__asm__(".section .rodata\n"
        "schema_sql:\n"
        ".incbin \"analyze/schema.sql\"\n"
        ".byte 0\n"
        "compare_tables_sql:\n" /* empty until analyze-compare runs: figures may ask them before */
        ".incbin \"analyze/compare.sql\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char schema_sql[], compare_tables_sql[];

/* Half the width of a 95 % interval in standard errors. */
#define INTERVAL 1.96

enum { FILE_MAX = 1 << 30 };

/* Operands that are not streams but what judge-request wrote. */
#define REQUESTS_SUFFIX ".jsonl"

enum statement { FIND, VARIANT, SAME_VARIANT, RESULT, FINISH, STEP, WINDOW, ITEM, METRIC, SCORE, PAIRED, REQUEST, STATEMENTS };

static const char *const sql[STATEMENTS] = {
    [FIND] = "SELECT end_digest FROM result WHERE id = ?1",
    [VARIANT] = "INSERT INTO variant VALUES (?1, ?2, ?3, ?15, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
                "?13, ?14) ON CONFLICT DO NOTHING",
    [SAME_VARIANT] = "SELECT CASE WHEN model IS NOT ?3 THEN 'name'"
                     " WHEN role IS NOT ?15 THEN 'role'"
                     " WHEN steps IS NOT ?14 THEN 'steps'"
                     " WHEN sparsity_achieved IS NOT ?11 THEN 'sparsity'"
                     " WHEN bits_per_weight IS NOT ?12 THEN 'bits_per_weight'"
                     " WHEN stored_bytes IS NOT ?13 THEN 'stored_bytes' ELSE '' END "
                     "FROM variant WHERE id = ?1",
    [RESULT] = "INSERT INTO result VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, '')",
    [FINISH] = "UPDATE result SET record_count = ?2, end_digest = ?3 WHERE id = ?1",
    [STEP] = "INSERT INTO step VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [WINDOW] = "INSERT INTO window VALUES (?1, ?2, ?3, ?4)",
    [ITEM] = "INSERT INTO item VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [METRIC] = "INSERT INTO metric VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [SCORE] = "INSERT INTO score VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [PAIRED] = "INSERT INTO paired VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [REQUEST] = "INSERT INTO request VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET "
                "judge = excluded.judge, system = excluded.system, prompt = excluded.prompt",
};

struct load {
    struct tally scores; /* of the result at hand */
    sqlite3 *db;
    sqlite3_stmt *s[STATEMENTS];
    uint64_t loaded, known;
    bool upgraded;
};

/* How methods are printed; others appear under their own name. */
static const struct {
    const char *method, *label;
} method_labels[] = {
    {"magnitude", "Magnitude"}, {"wanda", "Wanda"}, {"sparsegpt", "SparseGPT"},   {"rtn", "RTN"},
    {"gptq", "GPTQ"},           {"awq", "AWQ"},     {"int8", "LLM.int8()"},
};

static const char *database;

static struct cli_option options[] = {
    {.letter = 'D', .name = "database", .type = CLI_TEXT, .value = &database, .arg = "FILE",
     .help = "database to add to; made if absent (needed)"},
    {.name = NULL},
};

/* ---- statements -------------------------------------------------------------------------------- */

static int db_error(struct load *l, struct error *e)
{
    return error_set(e, "%s: %s", database, sqlite3_errmsg(l->db));
}

static int execute(struct load *l, const char *text, struct error *e)
{
    return sqlite3_exec(l->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_error(l, e);
}

static void bind_text(sqlite3_stmt *s, int i, const char *text)
{
    if (text)
        sqlite3_bind_text(s, i, text, -1, SQLITE_TRANSIENT);
    else
        sqlite3_bind_null(s, i);
}

/* A JSON number (true is 1); anything else, and what is not finite, is NULL. */
static void bind_real(sqlite3_stmt *s, int i, const json_t *v)
{
    if (json_is_number(v) && isfinite(json_number_value(v)))
        sqlite3_bind_double(s, i, json_number_value(v));
    else if (json_is_boolean(v))
        sqlite3_bind_double(s, i, json_is_true(v));
    else
        sqlite3_bind_null(s, i);
}

static void bind_number(sqlite3_stmt *s, int i, double v)
{
    if (isfinite(v))
        sqlite3_bind_double(s, i, v);
    else
        sqlite3_bind_null(s, i);
}

static void bind_integer(sqlite3_stmt *s, int i, const json_t *v)
{
    if (json_is_integer(v))
        sqlite3_bind_int64(s, i, json_integer_value(v));
    else
        sqlite3_bind_null(s, i);
}

/* Digits of numbers in JSON: options as people wrote them (0.2, not 0.20000000000000001), data whole. */
enum { DIGITS_WRITTEN = 15, DIGITS_ALL = 17 };

/* Compact JSON with sorted keys; an absent value is written as `other`. */
static int bind_digits(sqlite3_stmt *s, int i, const json_t *v, const char *other, unsigned digits,
                       struct error *e)
{
    if (!v || json_is_null(v)) {
        bind_text(s, i, other);
        return 0;
    }
    char *text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY |
                                   JSON_REAL_PRECISION(digits));
    if (!text)
        return error_set(e, "out of memory for JSON");
    bind_text(s, i, text);
    free(text);
    return 0;
}

static int bind_json(sqlite3_stmt *s, int i, const json_t *v, const char *other, struct error *e)
{
    return bind_digits(s, i, v, other, DIGITS_WRITTEN, e);
}

/* Runs a statement that answers nothing; its bindings are for the next call to set. */
static int insert(struct load *l, enum statement which, struct error *e)
{
    sqlite3_stmt *s = l->s[which];
    int rc = sqlite3_step(s) == SQLITE_DONE ? 0 : db_error(l, e);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return rc;
}

/* ---- variants ---------------------------------------------------------------------------------- */

struct made {
    char method[128], label[160];
    const char *compression;
    double sparsity;
    const char *pattern;
    const json_t *bits, *group;
    bool int8;
};

static const char *label_of(const char *method)
{
    for (size_t i = 0; i < sizeof method_labels / sizeof *method_labels; i++)
        if (!strcmp(method, method_labels[i].method))
            return method_labels[i].label;
    return method;
}

static void append(char *to, size_t size, const char *text)
{
    size_t n = strlen(to);
    snprintf(to + n, size - n, "%s%s", n ? " + " : "", text);
}

/* What the steps since ingestion amount to, for people. */
static int derive(struct made *m, const json_t *steps, struct error *e)
{
    size_t i;
    const json_t *step;
    *m = (struct made){.compression = "none", .sparsity = NAN};
    json_array_foreach (steps, i, step) {
        const char *program = json_string_value(json_object_get(step, "program"));
        const json_t *o = json_object_get(step, "options");
        if (!program)
            return error_set(e, "model.steps[%zu] names no program", i);
        /* What another tool did is measured at ingestion, as the options that would have done it. */
        const char *foreign = json_string_value(json_object_get(o, "method"));
        const bool ingest = !strncmp(program, "ingest-", 7);
        if (ingest && !foreign)
            continue;
        const bool sparse = json_object_get(o, "sparsity") || json_object_get(o, "pattern");
        const bool coded = json_object_get(o, "bits") != NULL;
        const bool prune = ingest ? sparse : !strncmp(program, "prune-", 6),
                   quantize = ingest ? coded : !strncmp(program, "quantize-", 9);
        const char *method = ingest ? foreign : program + (prune ? 6 : quantize ? 9 : 0);
        const char *pattern = json_string_value(json_object_get(o, "pattern"));
        bool first = !*m->method;
        append(m->method, sizeof m->method, method);
        append(m->label, sizeof m->label, label_of(method));
        if (prune) {
            m->pattern = pattern;
            const json_t *sparsity = json_object_get(o, "sparsity");
            m->sparsity = !pattern && json_is_number(sparsity) ? json_number_value(sparsity) : NAN;
        }
        if (quantize) {
            m->bits = json_object_get(o, "bits");
            m->group = json_object_get(o, "group");
            m->int8 = !strcmp(method, "int8");
        }
        m->compression = !first || (prune && quantize) ? "mixed"
                         : quantize ? "quantized"
                         : !prune   ? "other"
                         : pattern  ? "n:m"
                                    : "unstructured";
    }
    if (!*m->method) {
        append(m->method, sizeof m->method, "dense");
        append(m->label, sizeof m->label, "Dense");
    }
    return 0;
}

/* The step of the history that ingested the model; NULL when there is none. */
static const json_t *ingestion(const json_t *header)
{
    size_t i;
    const json_t *step;
    json_array_foreach (json_object_get(header, "history"), i, step) {
        const char *program = json_string_value(json_object_get(step, "program"));
        if (program && !strcmp(program, "ingest-model"))
            return step;
    }
    return NULL;
}

/* The model's part in a report, as it was named at ingestion. */
static const char *role_of(const json_t *header)
{
    const json_t *role = json_object_get(json_object_get(header, "model"), "role");
    if (!role)
        role = json_object_get(json_object_get(ingestion(header), "options"), "role");
    return json_string_value(role);
}

static void bind_variant(sqlite3_stmt *s, const json_t *header, const char *id, const char *name,
                         const struct made *m)
{
    const json_t *model = json_object_get(header, "model");
    const char *checkpoint = json_string_value(json_object_get(ingestion(header), "id"));
    bind_text(s, 1, id);
    bind_text(s, 3, name);
    bind_text(s, 2, checkpoint && strcmp(m->compression, "none") ? checkpoint : id);
    bind_text(s, 15, role_of(header));
    bind_text(s, 4, m->method);
    bind_text(s, 5, m->label);
    bind_text(s, 6, m->compression);
    bind_number(s, 7, m->sparsity);
    bind_text(s, 8, m->pattern);
    bind_integer(s, 9, m->bits);
    if (m->int8)
        sqlite3_bind_int(s, 9, 8);
    bind_integer(s, 10, m->group);
    bind_real(s, 11, json_object_get(model, "sparsity"));
    bind_real(s, 12, json_object_get(model, "bits_per_weight"));
    bind_integer(s, 13, json_object_get(model, "stored_bytes"));
}

static int load_variant(struct load *l, json_t *header, const char **variant, struct error *e)
{
    json_t *model = json_object_get(header, "model"), *steps = json_object_get(model, "steps");
    const char *name;
    struct made m;
    if (!json_is_object(model))
        return error_set(e, "the header has no \"model\"");
    if (json_get_string(model, "id", variant, e) || json_get_string(model, "name", &name, e) ||
        derive(&m, steps, e))
        return error_prefix(e, "model");
    sqlite3_stmt *s = l->s[VARIANT];
    bind_variant(s, header, *variant, name, &m);
    if (bind_json(s, 14, steps, "[]", e) || insert(l, VARIANT, e))
        return -1;

    s = l->s[SAME_VARIANT];
    bind_text(s, 1, *variant);
    bind_text(s, 3, name);
    bind_text(s, 15, role_of(header));
    bind_real(s, 11, json_object_get(model, "sparsity"));
    bind_real(s, 12, json_object_get(model, "bits_per_weight"));
    bind_integer(s, 13, json_object_get(model, "stored_bytes"));
    if (bind_json(s, 14, steps, "[]", e))
        return -1;
    int rc = 0;
    if (sqlite3_step(s) != SQLITE_ROW)
        rc = db_error(l, e);
    else if (*sqlite3_column_text(s, 0))
        rc = error_set(e, "model %s has another \"%s\" here than in a result loaded before: the same "
                          "id must mean the same model",
                       *variant, (const char *)sqlite3_column_text(s, 0));
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return rc;
}

/* ---- results ----------------------------------------------------------------------------------- */

static int load_header(struct load *l, json_t *header, const char *id, struct error *e)
{
    const char *variant, *task, *name, *digest;
    json_t *data = json_object_get(header, "data"), *step;
    if (json_get_string(header, "task", &task, e) || load_variant(l, header, &variant, e))
        return -1;
    if (!json_is_object(data))
        return error_set(e, "the header has no \"data\"");
    if (json_get_string(data, "name", &name, e) || json_get_string(data, "digest", &digest, e))
        return error_prefix(e, "data");
    json_t *definition = json_object_get(header, "definition");
    if (!json_is_object(definition) || !json_object_size(definition))
        return error_set(e, "the header has no \"definition\": a number without one says nothing");
    sqlite3_stmt *s = l->s[RESULT];
    bind_text(s, 1, id);
    bind_text(s, 2, variant);
    bind_text(s, 3, task);
    bind_text(s, 4, json_string_value(json_object_get(header, "mode")));
    json_t *judge = json_object_get(header, "judge");
    if (json_is_string(judge))
        bind_text(s, 5, json_string_value(judge));
    else if (bind_json(s, 5, judge, NULL, e))
        return -1;
    bind_text(s, 6, name);
    bind_text(s, 7, digest);
    if (bind_json(s, 8, definition, NULL, e) || insert(l, RESULT, e))
        return -1;

    size_t i;
    json_array_foreach (json_object_get(header, "history"), i, step) {
        s = l->s[STEP];
        bind_text(s, 1, id);
        sqlite3_bind_int64(s, 2, (sqlite3_int64)i + 1);
        bind_text(s, 3, json_string_value(json_object_get(step, "program")));
        bind_integer(s, 4, json_object_get(step, "revision"));
        bind_text(s, 7, json_string_value(json_object_get(step, "id")));
        if (bind_json(s, 5, json_object_get(step, "options"), "{}", e) ||
            bind_json(s, 6, json_object_get(step, "sides"), "{}", e) || insert(l, STEP, e))
            return -1;
    }
    return 0;
}

static int load_window(struct load *l, const json_t *o, const char *id, struct error *e)
{
    sqlite3_stmt *s = l->s[WINDOW];
    bind_text(s, 1, id);
    bind_integer(s, 2, json_object_get(o, "window"));
    bind_integer(s, 3, json_object_get(o, "tokens"));
    bind_real(s, 4, json_object_get(o, "nll_sum"));
    return insert(l, WINDOW, e);
}

/* What nothing here reads stays in the stream alone: it would be most of the database. */
static void slim(json_t *o)
{
    static const char *const left[] = {"logprob", "option_logprob", "prompt_digest",
                                       "prompt_tokens", "discipline"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        json_object_del(o, left[i]);
}

/* o loses what has a column of its own. */
static int load_item(struct load *l, json_t *o, const char *id, struct error *e)
{
    static const char *const column[] = {"item",   "group",  "strict", "paper",
                                         "output", "finish", "tokens"};
    sqlite3_stmt *s = l->s[ITEM];
    json_t *turn;
    size_t t;
    bind_text(s, 1, id);
    bind_text(s, 2, json_string_value(json_object_get(o, "item")));
    bind_text(s, 3, json_string_value(json_object_get(o, "group")));
    bind_real(s, 4, json_object_get(o, "strict"));
    bind_real(s, 5, json_object_get(o, "paper"));
    bind_text(s, 6, json_string_value(json_object_get(o, "output")));
    bind_text(s, 7, json_string_value(json_object_get(o, "finish")));
    bind_integer(s, 8, json_object_get(o, "tokens"));
    for (size_t i = 0; i < sizeof column / sizeof *column; i++)
        json_object_del(o, column[i]);
    slim(o);
    json_array_foreach (json_object_get(o, "turns"), t, turn)
        slim(turn);
    return bind_digits(s, 9, o, "{}", DIGITS_ALL, e) || insert(l, ITEM, e) ? -1 : 0;
}

/* ---- scores ------------------------------------------------------------------------------------ */

/* What is averaged over items: numbers of a record; of a judge's record, its "scores" and how many
 * tokens differ. (Means of other numbers are in the summary; intervals of them would take minutes.) */
static const char *const rules[] = {
    "strict", "paper", "contains", "paper_output", "strict_norm", "letter", NULL,
};

static int tally_value(struct tally *t, const json_t *o, const char *rule, const json_t *v,
                       struct error *e)
{
    const char *group = json_string_value(json_object_get(o, "group"));
    const char *discipline = json_string_value(json_object_get(o, "discipline"));
    double x = json_is_boolean(v) ? json_is_true(v) : json_number_value(v);
    if (!(json_is_number(v) || json_is_boolean(v)) || !isfinite(x))
        return 0;
    if (tally_add(t, rule, "all", "", x, e) || (group && tally_add(t, rule, "group", group, x, e)))
        return -1;
    return discipline ? tally_add(t, rule, "discipline", discipline, x, e) : 0;
}

static int tally_item(struct tally *t, const json_t *o, struct error *e)
{
    const char *quality;
    json_t *v;
    for (size_t i = 0; rules[i]; i++)
        if (tally_value(t, o, rules[i], json_object_get(o, rules[i]), e))
            return -1;
    json_t *scores = json_object_get(o, "scores");
    json_object_foreach (scores, quality, v)
        if (tally_value(t, o, quality, v, e))
            return -1;
    return scores ? tally_value(t, o, "unique_tokens", json_object_get(o, "unique_tokens"), e) : 0;
}

static int load_scores(struct load *l, struct tally *t, const char *id, struct error *e)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct tally_entry *x = &t->entry[i];
        sqlite3_stmt *s = l->s[SCORE];
        struct interval interval;
        double mean;
        if (tally_interval(t, i, &mean, &interval, e))
            return -1;
        bind_text(s, 1, id);
        bind_text(s, 2, x->rule);
        bind_text(s, 3, x->grouping);
        bind_text(s, 4, x->part);
        sqlite3_bind_int64(s, 5, (sqlite3_int64)x->count);
        bind_number(s, 6, mean);
        bind_number(s, 7, interval.low);
        bind_number(s, 8, interval.high);
        bind_text(s, 9, x->binary ? "wilson" : "bootstrap");
        if (insert(l, SCORE, e))
            return -1;
    }
    return 0;
}

/* Pairs of a variant's and its dense model's values (?1 and ?2 are the results): what one rule of a
 * result amounts to. */
static const struct {
    const char *rule, *pairs;
} paired_rules[] = {
    {"perplexity_ratio",
     "SELECT a.nll_sum_nats / (a.token_count - 1) - b.nll_sum_nats / (b.token_count - 1) "
     "FROM window AS a JOIN window AS b ON b.result_id = ?2 AND b.window = a.window "
     "WHERE a.result_id = ?1 AND a.token_count > 1 AND b.token_count = a.token_count "
     "ORDER BY a.window"},
#define PAIRED_ITEMS(a, b)                                                                          \
    "SELECT " b " - " a " FROM item AS a JOIN item AS b ON b.result_id = ?2 AND b.item = a.item "   \
    "WHERE a.result_id = ?1 ORDER BY a.item"
#define PAIRED_SCORES(quality)                                                                      \
    PAIRED_ITEMS("json_extract(a.record, '$.scores." quality "')",                                  \
                 "json_extract(b.record, '$.scores." quality "')")
    {"strict", PAIRED_ITEMS("a.strict_score", "b.strict_score")},
    {"paper", PAIRED_ITEMS("a.paper_score", "b.paper_score")},
    {"paper_excess", "SELECT paper_score - strict_score FROM item WHERE result_id = ?1 AND ?2 "
                     "IS NOT NULL ORDER BY item"},
    {"coherence", PAIRED_SCORES("coherence")},
    {"consistency", PAIRED_SCORES("consistency")},
    {"fluency", PAIRED_SCORES("fluency")},
    {"relevance", PAIRED_SCORES("relevance")},
};

static int pair_one(struct load *l, sqlite3_stmt *pairs, const char *id, const char *dense,
                    size_t which, struct error *e)
{
    struct tally t = {0};
    int step, rc = -1;
    bind_text(pairs, 1, id);
    bind_text(pairs, 2, dense);
    while ((step = sqlite3_step(pairs)) == SQLITE_ROW)
        if (sqlite3_column_type(pairs, 0) != SQLITE_NULL &&
            tally_add(&t, "", "", "", sqlite3_column_double(pairs, 0), e))
            goto out;
    if (step != SQLITE_DONE) {
        rc = db_error(l, e);
        goto out;
    }
    rc = 0;
    if (t.count) {
        struct interval interval;
        double mean;
        sqlite3_stmt *s = l->s[PAIRED];
        tally_normal(t.entry->value, t.entry->count, &mean, &interval);
        if (!which) {
            mean = fmath_exp(mean);
            interval.low = isfinite(interval.low) ? fmath_exp(interval.low) : NAN;
            interval.high = isfinite(interval.high) ? fmath_exp(interval.high) : NAN;
        }
        if (isfinite(mean)) {
            bind_text(s, 1, id);
            bind_text(s, 2, paired_rules[which].rule);
            sqlite3_bind_int64(s, 3, (sqlite3_int64)t.entry->count);
            bind_number(s, 4, mean);
            bind_number(s, 5, interval.low);
            bind_number(s, 6, interval.high);
            rc = insert(l, PAIRED, e);
        }
    }
out:
    sqlite3_reset(pairs);
    tally_free(&t);
    return rc;
}

/* What each result is compared with (schema.sql: dense_result). */
static int load_dense(struct load *l, struct error *e)
{
    return execute(
        l,
        "DELETE FROM dense_result; INSERT INTO dense_result "
        "WITH asked AS (SELECT r.*, v.checkpoint_id, "
        "(SELECT json_extract(s.options, '$.seed') FROM step AS s WHERE s.result_id = r.id AND s.program "
        "LIKE 'eval-%' ORDER BY s.position LIMIT 1) AS seed "
        "FROM result AS r JOIN variant AS v ON v.id = r.variant_id), "
        "placed AS (SELECT r.id AS result_id, d.id AS dense_id, "
        "row_number() OVER (PARTITION BY r.id ORDER BY d.seed IS NOT r.seed, d.seed, d.id) AS place "
        "FROM asked AS r JOIN asked AS d ON d.variant_id = r.checkpoint_id AND d.task = r.task AND "
        "d.mode IS r.mode AND d.judge IS r.judge AND d.data_digest = r.data_digest AND "
        "d.definition = r.definition) "
        "SELECT result_id, dense_id FROM placed WHERE place = 1",
        e);
}

/* Differences from the dense models, anew: a dense result may come after those that lean on it. */
static int load_pairs(struct load *l, struct error *e)
{
    if (execute(l, "DELETE FROM paired", e))
        return -1;
    for (size_t i = 0; i < sizeof paired_rules / sizeof *paired_rules; i++) {
        sqlite3_stmt *list = NULL, *pairs = NULL;
        int rc = -1, step;
        if (sqlite3_prepare_v2(l->db, "SELECT d.result_id, d.dense_id FROM dense_result AS d JOIN "
                                      "result AS r ON r.id = d.result_id WHERE (r.task = "
                                      "'perplexity') = (?1 = 0) AND (r.judge IS NOT NULL) = (?1 > 3) "
                                      "ORDER BY 1, 2",
                               -1, &list, NULL) == SQLITE_OK &&
            sqlite3_prepare_v2(l->db, paired_rules[i].pairs, -1, &pairs, NULL) == SQLITE_OK) {
            sqlite3_bind_int64(list, 1, (sqlite3_int64)i);
            for (rc = 0; !rc && (step = sqlite3_step(list)) == SQLITE_ROW;)
                rc = pair_one(l, pairs, (const char *)sqlite3_column_text(list, 0),
                              (const char *)sqlite3_column_text(list, 1), i, e);
            if (!rc && step != SQLITE_DONE)
                rc = db_error(l, e);
        } else {
            db_error(l, e);
        }
        sqlite3_finalize(list);
        sqlite3_finalize(pairs);
        if (rc)
            return -1;
    }
    return 0;
}

/* Runs that differ in their seed, as one (schema.sql: joined_score). */
static int load_joined(struct load *l, struct error *e)
{
    return execute(
        l,
        "DELETE FROM joined_score; INSERT INTO joined_score "
        "SELECT first_id, rule, part_kind, part, count(*), min(item_count), avg(mean), min(low), "
        "max(high), min(interval) FROM "
        "(SELECT f.id AS first_id, s.* FROM run AS u JOIN result AS r ON r.variant_id = u.variant_id"
        " JOIN result AS f ON f.variant_id = u.first_variant_id AND f.task = r.task AND f.mode IS "
        "r.mode AND f.judge IS r.judge AND f.data_digest = r.data_digest AND f.definition = "
        "r.definition JOIN score AS s ON s.result_id = r.id "
        "ORDER BY f.id, s.rule, s.part_kind, s.part, u.seed, r.id) "
        "GROUP BY first_id, rule, part_kind, part",
        e);
}

static int metric(struct load *l, const char *id, const char *name, double value, double stderror,
                  double low, double high, struct error *e)
{
    sqlite3_stmt *s = l->s[METRIC];
    bind_text(s, 1, id);
    bind_text(s, 2, name);
    bind_number(s, 3, value);
    bind_number(s, 4, stderror);
    bind_number(s, 5, low);
    bind_number(s, 6, high);
    return insert(l, METRIC, e);
}

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

/* Every number of a summary; "X_stderr" belongs to "X", plain "stderr" to the perplexity's mean. */
static int load_summary(struct load *l, json_t *o, const char *id, const char *prefix,
                        struct error *e)
{
    const char *key;
    json_t *v;
    json_object_foreach (o, key, v) {
        char name[512], beside[256];
        size_t n = strlen(key);
        if (n >= 6 && !strcmp(key + n - 6, "stderr"))
            continue;
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "/" : "", key);
        if (json_is_object(v)) {
            if (load_summary(l, v, id, name, e))
                return -1;
            continue;
        }
        if (!json_is_number(v) && !json_is_null(v))
            continue;
        double value = json_is_number(v) ? json_number_value(v) : NAN, low, high;
        snprintf(beside, sizeof beside, "%.200s_stderr", key);
        double spread = number(o, strcmp(key, "nll_mean") ? beside : "stderr");
        low = value - INTERVAL * spread;
        high = value + INTERVAL * spread;
        if (!strcmp(key, "perplexity")) {
            double mean = number(o, "nll_mean"), half = INTERVAL * number(o, "stderr");
            low = isfinite(mean - half) ? fmath_exp(mean - half) : NAN;
            high = isfinite(mean + half) ? fmath_exp(mean + half) : NAN;
        }
        if (metric(l, id, name, value, spread, low, high, e))
            return -1;
    }
    return 0;
}

/* Digest of the result that is there under an id, malloc'ed; NULL where none is. */
static int find(struct load *l, const char *id, char **digest, struct error *e)
{
    sqlite3_stmt *s = l->s[FIND];
    sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
    const int found = sqlite3_step(s);
    const char *text = found == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    *digest = text ? strdup(text) : NULL;
    int rc = 0;
    if (found == SQLITE_ROW && !*digest)
        rc = error_set(e, "no memory for a digest");
    else if (found != SQLITE_ROW && found != SQLITE_DONE)
        rc = db_error(l, e); /* has taken the transaction back: what followed would stay for itself */
    sqlite3_reset(s);
    return rc;
}

/* One stream: its header is current, its records follow. */
static int load_result(struct load *l, struct stream_reader *r, struct error *e)
{
    char *id = strdup(stream_header_id(r)), *before = NULL;
    struct stream_record record;
    sqlite3_int64 count = 0;
    bool summary = false;
    int rc = -1, more;
    if (!id) {
        error_set(e, "out of memory");
        goto out;
    }
    if (find(l, id, &before, e))
        goto out;
    if (!before && load_header(l, stream_header(r), id, e))
        goto out;
    while ((more = stream_next(r, &record, e)) == 1) {
        json_t *o = record.json;
        count++;
        if (before)
            continue;
        int failed = 0;
        if (json_object_get(o, "window")) {
            failed = load_window(l, o, id, e);
        } else if (json_object_get(o, "item")) {
            failed = tally_item(&l->scores, o, e) || load_item(l, o, id, e);
        } else if (json_object_get(o, "summary")) {
            summary = true;
            failed = load_summary(l, json_object_get(o, "summary"), id, "", e);
        }
        if (failed) {
            error_prefix(e, "record %lld", (long long)count);
            goto out;
        }
    }
    if (more < 0)
        goto out;
    const char *digest = stream_end_digest(r);
    if (before && strcmp(before, digest)) {
        error_set(e, "result %s is in the database with other content (end digest %s there, %s "
                     "here): the same work gave two answers; remove one, or raise the program's "
                     "revision",
                  id, before, digest);
        goto out;
    }
    if (before) {
        l->known++;
    } else {
        if (!summary) {
            error_set(e, "result %s has no summary", id);
            goto out;
        }
        bind_text(l->s[FINISH], 1, id);
        sqlite3_bind_int64(l->s[FINISH], 2, count);
        bind_text(l->s[FINISH], 3, digest);
        if (insert(l, FINISH, e) || load_scores(l, &l->scores, id, e))
            goto out;
        l->loaded++;
    }
    rc = 0;
out:
    tally_clear(&l->scores);
    free(id);
    free(before);
    return rc;
}

/* What lm-evaluation-harness measured. An id stands for all that is said. */
static int load_harness(struct load *l, const json_t *list, struct error *e)
{
    size_t i;
    json_t *one;
    json_array_foreach (list, i, one) {
        json_t *header = json_object_get(one, "header");
        const char *id;
        char *digest;
        if (json_get_string(header, "id", &id, e) || find(l, id, &digest, e))
            return -1;
        const bool known = digest;
        free(digest);
        l->known += known;
        l->loaded += !known;
        if (known)
            continue;
        if (load_header(l, header, id, e) ||
            load_summary(l, json_object_get(one, "summary"), id, "", e))
            return -1;
        bind_text(l->s[FINISH], 1, id);
        sqlite3_bind_int64(l->s[FINISH], 2, 1);
        bind_text(l->s[FINISH], 3, id);
        if (insert(l, FINISH, e))
            return -1;
    }
    return 0;
}

/* One question to a judge; "custom_id" is position:item. */
static int load_request(struct load *l, const json_t *o, const char *name, struct error *e)
{
    const char *id, *judge, *text[2] = {NULL, NULL};
    const json_t *body = json_object_get(o, "body"), *messages = json_object_get(body, "messages");
    sqlite3_stmt *s = l->s[REQUEST];
    if (json_object_get(o, "doc_id"))
        return error_set(e, "holds samples of lm-evaluation-harness; kick ingest-tasks makes a task "
                            "stream of them");
    if (json_get_string(o, "custom_id", &id, e) || json_get_string(body, "model", &judge, e))
        return -1;
    for (size_t i = 0; i < 2; i++)
        if (json_get_string(json_array_get(messages, i), "content", &text[i], e))
            return error_prefix(e, "message %zu", i + 1);
    if (strncmp(id, "12:", 3) && strncmp(id, "21:", 3))
        return error_set(e, "\"custom_id\" is \"%s\": judge-request writes 12:ITEM or 21:ITEM", id);
    bind_text(s, 1, name);
    bind_text(s, 2, id + 3);
    sqlite3_bind_text(s, 3, id, 2, SQLITE_TRANSIENT);
    bind_text(s, 4, judge);
    bind_text(s, 5, text[0]);
    bind_text(s, 6, text[1]);
    return insert(l, REQUEST, e);
}

static int load_requests(struct load *l, const char *path, struct error *e)
{
    char *text = NULL, *name = NULL, *line, *next;
    size_t n, count = 0;
    int rc = -1;
    if (file_read(path, FILE_MAX, &text, &n, e) || !(name = path_base(path, e)))
        goto out;
    name[strlen(name) - strlen(REQUESTS_SUFFIX)] = 0;
    for (line = text; line < text + n; line = next) {
        char *end = memchr(line, '\n', (size_t)(text + n - line));
        end = end ? end : text + n;
        next = end + 1;
        count++;
        json_t *o = json_parse(line, (size_t)(end - line), "a request", e);
        int failed = !o || load_request(l, o, name, e);
        json_decref(o);
        if (failed) {
            error_prefix(e, "%s: line %zu", path, count);
            goto out;
        }
    }
    rc = 0;
out:
    free(text);
    free(name);
    return rc;
}

static bool are_requests(const char *path)
{
    size_t n = strlen(path), m = strlen(REQUESTS_SUFFIX);
    return n > m && !strcmp(path + n - m, REQUESTS_SUFFIX);
}

static int load_file(struct load *l, const char *path, struct error *e)
{
    if (are_requests(path))
        return load_requests(l, path, e);
    struct stream_reader *r = NULL;
    json_t *harness = NULL;
    if (strcmp(path, "-") && harness_read(path, &harness, e))
        return -1;
    if (harness) {
        const int failed = load_harness(l, harness, e);
        json_decref(harness);
        return failed ? error_prefix(e, "%s", path) : 0;
    }
    if (stream_open(&r, path, "results", NULL, e))
        return -1;
    int more, rc = -1;
    do {
        if (load_result(l, r, e)) {
            error_prefix(e, "%s", stream_name(r));
            goto out;
        }
        more = stream_next_stream(r, "results", e);
    } while (more == 1);
    rc = more;
out:
    stream_close(r);
    return rc;
}

/* ---- the database ------------------------------------------------------------------------------ */

static int value_of(struct load *l, const char *query, sqlite3_int64 *out, struct error *e)
{
    sqlite3_stmt *s = NULL;
    int rc = -1;
    if (sqlite3_prepare_v2(l->db, query, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW) {
        *out = sqlite3_column_int64(s, 0);
        rc = 0;
    }
    if (rc)
        db_error(l, e);
    sqlite3_finalize(s);
    return rc;
}

/* Brings an older database up to date: tables that it lacks are made, empty (what they hold is made from
 * the others by each load), and the views anew. */
static int upgrade(struct load *l, struct error *e)
{
    static const char made[] = "CREATE TABLE ", index[] = "CREATE INDEX ";
    struct table views = {0};
    struct buffer text = {0};
    int result = -1;
    if (query_run(&views, l->db, "SELECT name FROM sqlite_schema WHERE type = 'view'", database, e))
        return -1;
    for (size_t i = 0; i < views.rows; i++) {
        char *drop = sqlite3_mprintf("DROP VIEW \"%w\"", table_cell(&views, i, 0)->text);
        const int failed = drop ? execute(l, drop, e) : error_set(e, "no memory for a statement");
        sqlite3_free(drop);
        if (failed)
            goto out;
    }
    for (const char *p = schema_sql, *end; *p; p = end) {
        end = p + strcspn(p, "\n");
        end += *end == '\n';
        const size_t n = !strncmp(p, made, sizeof made - 1) || !strncmp(p, index, sizeof index - 1)
                             ? sizeof made - 1
                             : 0;
        if (buffer_append(&text, p, n, e) || (n && buffer_append(&text, "IF NOT EXISTS ", 14, e)) ||
            buffer_append(&text, p + n, (size_t)(end - p) - n, e))
            goto out;
    }
    if (buffer_append(&text, "", 1, e) || execute(l, (char *)text.data, e))
        goto out;
    l->upgraded = true;
    result = 0;
out:
    table_free(&views);
    buffer_free(&text);
    return result;
}

/* Opens or makes the database and begins the transaction. */
static int begin(struct load *l, struct error *e)
{
    sqlite3_int64 application, version, objects;
    if (database_begin(&l->db, database, true, e) ||
        value_of(l, "PRAGMA application_id", &application, e) ||
        value_of(l, "PRAGMA user_version", &version, e) ||
        value_of(l, "SELECT count(*) FROM sqlite_schema", &objects, e))
        return -1;
    if (!objects && !application && !version) {
        if (execute(l, schema_sql, e) || execute(l, compare_tables_sql, e))
            return -1;
    } else if (application != DATABASE_APPLICATION) {
        return error_set(e, "%s is another program's database", database);
    } else if (version < DATABASE_OLDEST || version > DATABASE_VERSION) {
        return error_set(e, "%s has schema version %lld, this program writes %d and knows %d and later: %s",
                         database, (long long)version, DATABASE_VERSION, DATABASE_OLDEST,
                         version > DATABASE_VERSION ? "use a newer kick, or start a new file"
                                                    : "start a new file");
    } else if (version < DATABASE_VERSION && (upgrade(l, e) || execute(l, compare_tables_sql, e))) {
        return -1;
    }
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(l->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &l->s[i], NULL) !=
            SQLITE_OK)
            return db_error(l, e);
    return 0;
}

static int run(struct cli *c, struct error *e)
{
    struct load l = {0};
    if (!database)
        return error_usage(e, "the database is missing: -D FILE");
    if (cli_memory(c, cli_memory_small(c) + TALLY_DRAWS_BYTES, e))
        return -1;
    bool existed = path_exists(database);
    int rc = begin(&l, e);
    if (!rc && !c->operands)
        rc = load_file(&l, "-", e);
    for (int i = 0; !rc && i < c->operands; i++) {
        rc = load_file(&l, c->operand_list[i], e);
        cli_progress(c, (uint64_t)i + 1, (uint64_t)c->operands, "files");
    }
    if (!rc && (l.loaded || l.upgraded))
        rc = load_dense(&l, e) || load_pairs(&l, e) || load_joined(&l, e) ? -1 : 0;
    if (!rc)
        rc = database_commit(l.db, database, e);
    tally_free(&l.scores);
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(l.s[i]);
    sqlite3_close(l.db);
    if (rc && !existed)
        unlink(database);
    if (!rc)
        cli_note(c, "%llu results loaded, %llu were there", (unsigned long long)l.loaded,
                 (unsigned long long)l.known);
    return rc;
}

int main(int argc, char **argv)
{
    struct cli c = {
        .name = "analyze-load",
        .revision = 4,
        .summary = "load result streams into a database",
        .operand = "[RESULTS ...]",
        .flags = CLI_OPERANDS | CLI_TEXT_OUT | CLI_MEMORY,
        .options = options,
    };
    return cli_main(&c, argc, argv, run);
}

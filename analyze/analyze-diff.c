/* Two databases of results, number by number: what differs, and what explains it.
 *
 * Results are paired by their ids, which stand for the work done; those left over by what they measure
 * (model, compression, task, data). Of a pair the numbers (metrics and scores) are compared, and the
 * recorded steps from the first on: the first program, revision, option or side input that differs
 * explains the rest, since an id digests all of them and the id of what was read. Where all of that is
 * the same and the id of the first step is not, the checkpoint was another; where the ids are the same,
 * the same work gave two answers. */
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "memory.h"
#include "output.h"
#include "query.h"

enum { RESULT_ID, DIGEST, NAME };             /* columns of results_sql */
enum { STEP_RESULT, PROGRAM, REVISION, OPTIONS, SIDES, STEP_ID };
enum { NUMBER_RESULT, NUMBER_NAME, VALUE };

static const char results_sql[] =
    "SELECT r.id, r.end_digest, coalesce(v.role, v.model) || ', ' || v.method"
    " || CASE WHEN v.sparsity_target > 0 THEN printf(' %g %%', 100 * v.sparsity_target) ELSE '' END || coalesce(' ' || v.pattern, '')"
    " || coalesce(' ' || v.bits || ' bits', '') || coalesce(' groups of ' || v.group_columns, '')"
    " || ': ' || r.task || coalesce(' ' || r.mode, '') || coalesce(' judged by ' || r.judge, '')"
    " || ' on ' || r.data_name AS name "
    "FROM result AS r JOIN variant AS v ON v.id = r.variant_id ORDER BY name, r.id";
static const char steps_sql[] = "SELECT result_id, program, revision, options, sides, id FROM step "
                                "ORDER BY result_id, position";
static const char numbers_sql[] =
    "SELECT result_id, metric AS number, value FROM metric UNION ALL "
    "SELECT result_id, rule || CASE part WHEN '' THEN '' ELSE ' of ' || part END || ', score', mean "
    "FROM score ORDER BY 1, 2";

struct side {
    struct table results, steps, numbers;
    bool *paired;
};

struct tally {
    size_t results, results_differ, numbers, numbers_differ, only[2];
};

static const char *text(const struct table *t, size_t row, size_t column)
{
    const struct cell *c = table_cell(t, row, column);
    return c->type == CELL_TEXT ? c->text : "";
}

static int side_read(struct side *s, const char *path, struct error *e)
{
    sqlite3 *db = NULL;
    int result = database_open(&db, path, e);
    if (!result)
        result = query_run(&s->results, db, results_sql, path, e) ||
                         query_run(&s->steps, db, steps_sql, path, e) ||
                         query_run(&s->numbers, db, numbers_sql, path, e)
                     ? -1
                     : 0;
    database_close(db);
    if (!result) {
        s->paired = memory_new(s->results.rows + 1, sizeof *s->paired, "results", e);
        result = s->paired ? 0 : -1;
    }
    return result;
}

static void side_free(struct side *s)
{
    table_free(&s->results);
    table_free(&s->steps);
    table_free(&s->numbers);
    free(s->paired);
}

/* First row of a table sorted by its first column that holds id, or the number of rows. */
static size_t first_row(const struct table *t, const char *id)
{
    size_t low = 0, high = t->rows;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(text(t, middle, 0), id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->rows && !strcmp(text(t, low, 0), id) ? low : t->rows;
}

static bool has(const struct table *t, size_t row, const char *id)
{
    return row < t->rows && !strcmp(text(t, row, 0), id);
}

static int say(struct buffer *out, struct error *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int say(struct buffer *out, struct error *e, const char *format, ...)
{
    char line[2048];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    return buffer_append(out, line, strlen(line), e);
}

/* ---- what explains it ---------------------------------------------------------------------------- */
static void value_text(const json_t *v, char *out, size_t n)
{
    char *s = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : NULL;
    snprintf(out, n, "%.*s", (int)n - 1, s ? s : "none");
    free(s);
}

/* The first key, as A has them and then B, whose values differ. 1: said it. */
static int explain_keys(struct buffer *out, const char *program, const char *kind, const char *a,
                        const char *b, struct error *e)
{
    json_t *x = json_parse(a, strlen(a), kind, e), *y = x ? json_parse(b, strlen(b), kind, e) : NULL;
    const char *key, *found = NULL;
    json_t *value;
    int result = -1;
    if (!y)
        goto out;
    json_object_foreach(x, key, value) {
        if (!found && !json_equal(value, json_object_get(y, key)))
            found = key;
    }
    json_object_foreach(y, key, value) {
        if (!found && !json_object_get(x, key))
            found = key;
    }
    if (found) {
        char left[256], right[256];
        value_text(json_object_get(x, found), left, sizeof left);
        value_text(json_object_get(y, found), right, sizeof right);
        result = say(out, e, "kick-%s: the %s %s: %s in A, %s in B", program, kind, found, left, right);
    } else {
        result = say(out, e, "kick-%s: the %ss: %s in A, %s in B", program, kind, a, b);
    }
    result = result ? -1 : 1;
out:
    json_decref(x);
    json_decref(y);
    return result;
}

static int explain(struct buffer *out, const struct side *s, const char *id_a, const char *id_b,
                   struct error *e)
{
    const struct table *a = &s[0].steps, *b = &s[1].steps;
    size_t i = first_row(a, id_a), j = first_row(b, id_b);
    if (!strcmp(id_a, id_b))
        return say(out, e, "nothing explains it: the id %s stands for the same work", id_a);
    for (bool first = true; has(a, i, id_a) && has(b, j, id_b); i++, j++, first = false) {
        const char *program = text(a, i, PROGRAM), *other = text(b, j, PROGRAM);
        if (strcmp(program, other))
            return say(out, e, "kick-%s in A, kick-%s in B", program, other);
        if (cell_differ(table_cell(a, i, REVISION), table_cell(b, j, REVISION)))
            return say(out, e, "kick-%s: revision %lld in A, %lld in B", program,
                       (long long)table_cell(a, i, REVISION)->integer,
                       (long long)table_cell(b, j, REVISION)->integer);
        if (strcmp(text(a, i, OPTIONS), text(b, j, OPTIONS)))
            return explain_keys(out, program, "option", text(a, i, OPTIONS), text(b, j, OPTIONS), e) < 0 ? -1 : 0;
        if (strcmp(text(a, i, SIDES), text(b, j, SIDES)))
            return explain_keys(out, program, "input", text(a, i, SIDES), text(b, j, SIDES), e) < 0 ? -1 : 0;
        if (strcmp(text(a, i, STEP_ID), text(b, j, STEP_ID)))
            return say(out, e, "kick-%s: %s", program,
                       first ? "what it read is another checkpoint" : "its id, and nothing that it records");
    }
    if (has(a, i, id_a) || has(b, j, id_b))
        return say(out, e, "kick-%s is a further step in %s",
                   has(a, i, id_a) ? text(a, i, PROGRAM) : text(b, j, PROGRAM), has(a, i, id_a) ? "A" : "B");
    return say(out, e, "nothing that is recorded");
}

/* ---- numbers ------------------------------------------------------------------------------------- */
static int number_line(struct buffer *out, const char *name, const struct cell *a, const struct cell *b,
                       struct error *e)
{
    char left[64], right[64], change[64] = "";
    const double x = a ? cell_number(a) : NAN, y = b ? cell_number(b) : NAN;
    if (isfinite(x) && isfinite(y) && x != 0)
        snprintf(change, sizeof change, "%+.3g %%", 100 * (y - x) / fabs(x));
    return say(out, e, "    %-32s %20s %20s  %s\n", name, a ? cell_exact(a, left, sizeof left) : "-",
               b ? cell_exact(b, right, sizeof right) : "-", change);
}

static int compare(struct buffer *out, const struct side *s, size_t row_a, size_t row_b, struct tally *t,
                   struct error *e)
{
    const struct table *a = &s[0].numbers, *b = &s[1].numbers;
    const char *id_a = text(&s[0].results, row_a, RESULT_ID), *id_b = text(&s[1].results, row_b, RESULT_ID);
    const bool same_bytes = !strcmp(text(&s[0].results, row_a, DIGEST), text(&s[1].results, row_b, DIGEST));
    struct buffer lines = {0};
    size_t i = first_row(a, id_a), j = first_row(b, id_b), differ = 0;
    int result = -1;
    t->results++;
    while (has(a, i, id_a) || has(b, j, id_b)) {
        const int order = !has(a, i, id_a)   ? 1
                          : !has(b, j, id_b) ? -1
                                             : strcmp(text(a, i, NUMBER_NAME), text(b, j, NUMBER_NAME));
        const struct cell *x = order <= 0 ? table_cell(a, i, VALUE) : NULL;
        const struct cell *y = order >= 0 ? table_cell(b, j, VALUE) : NULL;
        const char *name = order <= 0 ? text(a, i, NUMBER_NAME) : text(b, j, NUMBER_NAME);
        if (!x || !y || cell_differ(x, y)) {
            differ++;
            if (number_line(&lines, name, x, y, e))
                goto out;
        }
        t->numbers++;
        i += order <= 0;
        j += order >= 0;
    }
    if (differ || (!strcmp(id_a, id_b) && !same_bytes)) {
        t->results_differ++;
        t->numbers_differ += differ;
        if (say(out, e, "%s\n  ", text(&s[0].results, row_a, NAME)) || explain(out, s, id_a, id_b, e) ||
            say(out, e, "%s\n", differ ? "" : "; only records within it differ") ||
            buffer_append(out, lines.data, lines.length, e))
            goto out;
    }
    result = 0;
out:
    buffer_free(&lines);
    return result;
}

/* Pairs by one column (the table is sorted by name, then id) and compares. */
static int pair(struct buffer *out, struct side *s, int column, struct tally *t, struct error *e)
{
    const struct table *a = &s[0].results, *b = &s[1].results;
    size_t start = 0;
    for (size_t i = 0; i < a->rows; i++) {
        if (s[0].paired[i])
            continue;
        while (start < b->rows && strcmp(text(b, start, NAME), text(a, i, NAME)) < 0)
            start++;
        for (size_t j = start; j < b->rows; j++) {
            if (strcmp(text(b, j, NAME), text(a, i, NAME)) > 0)
                break;
            if (s[1].paired[j] || strcmp(text(a, i, (size_t)column), text(b, j, (size_t)column)))
                continue;
            s[0].paired[i] = s[1].paired[j] = true;
            if (compare(out, s, i, j, t, e))
                return -1;
            break;
        }
    }
    return 0;
}

static int run(struct cli *c, struct error *e)
{
    struct side s[2] = {0};
    struct tally t = {0};
    struct buffer out = {0};
    int result = -1;
    if (c->operands != 2)
        return error_usage(e, "two databases are compared: kick-analyze-diff A.db B.db");
    if (side_read(&s[0], c->operand_list[0], e) || side_read(&s[1], c->operand_list[1], e) ||
        pair(&out, s, RESULT_ID, &t, e) || pair(&out, s, NAME, &t, e))
        goto out;
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < s[k].results.rows; i++)
            if (!s[k].paired[i]) {
                t.only[k]++;
                if (say(&out, e, "%s\n  only in %s\n", text(&s[k].results, i, NAME), k ? "B" : "A"))
                    goto out;
            }
    if (say(&out, e, "%zu results in both, %zu differ in %zu of %zu numbers; %zu only in A, %zu only in B\n",
            t.results, t.results_differ, t.numbers_differ, t.numbers, t.only[0], t.only[1]) ||
        output_file(c->output, out.data, out.length, e))
        goto out;
    result = t.results_differ || t.only[0] || t.only[1] ? error_set(e, "the databases differ") : 0;
out:
    side_free(&s[0]);
    side_free(&s[1]);
    buffer_free(&out);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "analyze-diff",
                    .revision = 1,
                    .summary = "which numbers of two databases differ, and what explains it",
                    .operand = "A B",
                    .flags = CLI_OUTPUT | CLI_OPERANDS | CLI_TEXT_OUT | CLI_NO_INPUT};
    return cli_main(&c, argc, argv, run);
}

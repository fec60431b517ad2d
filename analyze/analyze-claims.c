/* analyze-claims: each claim of the paper as a query over the compared results (claims.sql), with a
 * verdict: holds, fails or cannot tell. The verdicts are printed, and kept in the table claim. */
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "file.h"
#include "memory.h"
#include "output.h"
#include "query.h"

/* claims.sql, as a string; the path is relative to where make runs. */
__asm__(".section .rodata\n"
        "claims_sql:\n"
        ".incbin \"analyze/claims.sql\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char claims_sql[];

static const char table_sql[] =
    "CREATE TABLE IF NOT EXISTS claim ("
    " claim TEXT NOT NULL PRIMARY KEY," /* its name */
    " statement TEXT NOT NULL,"
    " verdict TEXT NOT NULL CHECK (verdict IN ('holds', 'fails', 'cannot tell')),"
    " cases INTEGER NOT NULL,"
    " effect REAL," /* of the case that speaks least for the claim; above 0: for it */
    " low REAL, high REAL," /* its 95 % interval */
    " query TEXT NOT NULL) STRICT, WITHOUT ROWID; DELETE FROM claim";

static const char *database, *file;

static struct cli_option options[] = {
    {'D', "database", CLI_TEXT, &database, "FILE", "database of compared results (needed)"},
    {'f', "file", CLI_TEXT, &file, "FILE", "claims of your own instead of the paper's"},
    {0},
};

struct claim {
    char *name, *statement, *query;
    const char *verdict;
    size_t cases;
    double effect, low, high;
};

static void claim_free(struct claim *k)
{
    free(k->name);
    free(k->statement);
    free(k->query);
}

/* The next "-- claim NAME: statement" and the query after it. 1: there is one. */
static int next_claim(const char **text, struct claim *k, struct error *e)
{
    static const char mark[] = "-- claim ";
    *k = (struct claim){.effect = NAN, .low = NAN, .high = NAN};
    const char *p = *text;
    while (*p && strncmp(p, mark, sizeof mark - 1)) {
        p += strcspn(p, "\n");
        p += *p == '\n';
    }
    if (!*p)
        return 0;
    p += sizeof mark - 1;
    const size_t name = strcspn(p, ":\n"), line = strcspn(p, "\n");
    if (p[name] != ':')
        return error_set(e, "a claim has no statement: -- claim NAME: STATEMENT");
    k->name = strndup(p, name);
    const char *statement = p + name + 1 + strspn(p + name + 1, " ");
    k->statement = strndup(statement, (size_t)(p + line - statement));
    p += line;
    const char *end = strstr(p, "\n-- claim ");
    const size_t n = end ? (size_t)(end - p) : strlen(p);
    k->query = strndup(p, n);
    *text = p + n + (end != NULL);
    if (k->name && k->statement && k->query)
        return 1;
    claim_free(k);
    return error_set(e, "no memory for a claim");
}

/* The case that speaks least for the claim, by the lower end of its interval. */
static int judge(struct claim *k, sqlite3 *db, struct error *e)
{
    struct table t = {0};
    bool all = true, against = false;
    if (query_run(&t, db, k->query, k->name, e))
        return -1;
    const size_t effect = table_find(&t, "effect"), low = table_find(&t, "low"),
                 high = table_find(&t, "high"), variance = table_find(&t, "variance");
    if (effect == t.columns || ((low == t.columns || high == t.columns) && variance == t.columns)) {
        table_free(&t);
        return error_set(e, "%s: its query gives no columns effect, low and high (or variance)",
                         k->name);
    }
    for (size_t i = 0; i < t.rows; i++) {
        const double x = cell_number(table_cell(&t, i, effect));
        double a, b;
        if (low < t.columns && high < t.columns) {
            a = cell_number(table_cell(&t, i, low));
            b = cell_number(table_cell(&t, i, high));
        } else {
            const double v = cell_number(table_cell(&t, i, variance));
            const double half = 1.96 * sqrt(v > 0 ? v : 0);
            a = x - half;
            b = x + half;
        }
        if (!isfinite(x) || !isfinite(a) || !isfinite(b))
            continue;
        k->cases++;
        all = all && a > 0;
        against = against || b < 0;
        if (isnan(k->low) || a < k->low) {
            k->effect = x;
            k->low = a;
            k->high = b;
        }
    }
    table_free(&t);
    k->verdict = against ? "fails" : k->cases && all ? "holds" : "cannot tell";
    return 0;
}

static int db_error(sqlite3 *db, struct error *e)
{
    return error_set(e, "%s: %s", database, sqlite3_errmsg(db));
}

static int keep(sqlite3 *db, const struct claim *list, size_t count, struct error *e)
{
    sqlite3_stmt *s = NULL;
    int result = -1;
    if (sqlite3_exec(db, table_sql, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "INSERT INTO claim VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", -1, &s,
                           NULL) != SQLITE_OK) {
        db_error(db, e);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        const struct claim *k = &list[i];
        const double x[] = {k->effect, k->low, k->high};
        sqlite3_bind_text(s, 1, k->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, k->statement, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 3, k->verdict, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 4, (sqlite3_int64)k->cases);
        for (int j = 0; j < 3; j++)
            if (isfinite(x[j]))
                sqlite3_bind_double(s, 5 + j, x[j]);
            else
                sqlite3_bind_null(s, 5 + j);
        sqlite3_bind_text(s, 8, k->query, -1, SQLITE_STATIC);
        if (sqlite3_step(s) != SQLITE_DONE) {
            db_error(db, e);
            goto out;
        }
        sqlite3_reset(s);
    }
    result = 0;
out:
    sqlite3_finalize(s);
    return result;
}

static int print(const struct cli *c, const struct claim *list, size_t count, struct error *e)
{
    struct buffer out = {0};
    char line[256];
    int result = -1;
    for (size_t i = 0; i < count; i++) {
        const struct claim *k = &list[i];
        if (k->cases)
            snprintf(line, sizeof line, "%-12s %-32.32s %4zu cases, least effect %.4g (%.4g to %.4g)\n",
                     k->verdict, k->name, k->cases, k->effect, k->low, k->high);
        else
            snprintf(line, sizeof line, "%-12s %-32.32s    0 cases\n", k->verdict, k->name);
        if (buffer_append(&out, line, strlen(line), e))
            goto out;
    }
    result = output_file(c->output, out.data, out.length, e);
out:
    buffer_free(&out);
    return result;
}

static int run(struct cli *c, struct error *e)
{
    struct claim *list = NULL;
    sqlite3 *db = NULL, *writer = NULL;
    struct table known = {0};
    size_t count = 0, n = 0;
    char *own = NULL;
    int got = 0, result = -1;
    if (!database)
        return error_usage(e, "the database is missing: -D FILE");
    if ((file && file_read(file, 1 << 20, &own, &n, e)) || database_open(&db, database, e) ||
        query_run(&known, db, "SELECT name FROM sqlite_schema WHERE name = 'comparison'", "tables",
                  e))
        goto out;
    if (known.rows == 0) {
        error_set(e, "%s: nothing is compared yet; run kick-analyze-compare first", database);
        goto out;
    }
    for (const char *text = own ? own : claims_sql;; count++) {
        struct claim *more = memory_resize(list, count + 1, sizeof *list, "claims", e);
        if (!more)
            goto out;
        list = more;
        if ((got = next_claim(&text, &list[count], e)) <= 0)
            break;
        if (judge(&list[count], db, e)) {
            count++;
            goto out;
        }
    }
    if (got < 0)
        goto out;
    if (count == 0) {
        error_set(e, "%s: holds no claim: -- claim NAME: STATEMENT, then a query", file);
        goto out;
    }
    database_close(db);
    db = NULL;
    if (database_begin(&writer, database, false, e) || keep(writer, list, count, e) ||
        print(c, list, count, e) || database_commit(writer, database, e))
        goto out;
    result = 0;
out:
    for (size_t i = 0; i < count; i++)
        claim_free(&list[i]);
    free(list);
    free(own);
    table_free(&known);
    if (db)
        database_close(db);
    sqlite3_close(writer);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "analyze-claims",
                    .revision = 1,
                    .summary = "the paper's claims, tested on a database of results",
                    .operand = "",
                    .flags = CLI_OUTPUT | CLI_TEXT_OUT | CLI_NO_INPUT,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}

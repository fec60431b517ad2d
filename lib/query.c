/* Read-only queries into tables. */
#include "query.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "memory.h"

enum { BUSY_MILLISECONDS = 60000 };

/* A query file may come from anywhere: it may read this database and do nothing else. */
static int authorize(void *context, int action, const char *a, const char *b, const char *c,
                     const char *d)
{
    (void)context;
    (void)a;
    (void)c;
    (void)d;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return b && !sqlite3_stricmp(b, "load_extension") ? SQLITE_DENY : SQLITE_OK;
    default:
        return SQLITE_DENY;
    }
}

static int pragma(sqlite3 *db, const char *sql, int64_t *value)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return rc;
}

/* ---- SQLite binds and returns NULL when memory lacks: this tells that from a true NULL ------------- */
static sqlite3_mem_methods plain;

static void *watched_malloc(int n)
{
    void *p = plain.xMalloc(n);
    if (!p)
        memory_refused();
    return p;
}

static void *watched_realloc(void *old, int n)
{
    void *p = plain.xRealloc(old, n);
    if (!p)
        memory_refused();
    return p;
}

static void watch(void)
{
    sqlite3_mem_methods watched;
    if (plain.xMalloc || sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain) != SQLITE_OK)
        return;
    watched = plain;
    watched.xMalloc = watched_malloc;
    watched.xRealloc = watched_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &watched);
}

/* What SQLite says, with the system's reason; a directory is told as one. */
static int database_error(sqlite3 *db, const char *path, struct error *e)
{
    const int number = db ? sqlite3_system_errno(db) : 0;
    if (path_is_directory(path))
        return error_set(e, "%s: is a directory; name the file that kick-analyze-load made", path);
    if (db && sqlite3_errcode(db) == SQLITE_READONLY)
        return error_set(e, "%s: cannot write it, or take back a change that was cut short; allow to write "
                            "the file and its folder", path);
    return error_set(e, "%s: %s%s%s", path, db ? sqlite3_errmsg(db) : "no memory", number ? ": " : "",
                     number ? strerror(number) : "");
}

int database_begin(sqlite3 **out, const char *path, bool create, struct error *e)
{
    watch();
    if (sqlite3_open_v2(path, out, SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0), NULL) ==
        SQLITE_OK) {
        sqlite3_busy_timeout(*out, BUSY_MILLISECONDS);
        if (sqlite3_exec(*out, "PRAGMA foreign_keys = ON; BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK)
            return 0;
    }
    return database_error(*out, path, e);
}

int database_commit(sqlite3 *db, const char *path, struct error *e)
{
    if (memory_short(e))
        return -1;
    if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return database_error(db, path, e);
    return 0;
}

/* What another program was writing when it was killed is taken back by who may write. */
static void take_back(const char *path)
{
    sqlite3 *db = NULL;
    int64_t version;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
        sqlite3_busy_timeout(db, BUSY_MILLISECONDS);
        pragma(db, "PRAGMA user_version", &version);
    }
    sqlite3_close(db);
}

static int open_to_read(sqlite3 **db, const char *path, int64_t *application)
{
    const int rc = sqlite3_open_v2(path, db, SQLITE_OPEN_READONLY, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_busy_timeout(*db, BUSY_MILLISECONDS);
    return pragma(*db, "PRAGMA application_id", application);
}

int database_open(sqlite3 **out, const char *path, struct error *e)
{
    sqlite3 *db = NULL;
    int64_t application = 0, version = 0;
    watch();
    int rc = open_to_read(&db, path, &application);
    if (rc == SQLITE_READONLY) {
        sqlite3_close(db);
        take_back(path);
        rc = open_to_read(&db, path, &application);
    }
    if (rc == SQLITE_ROW)
        rc = pragma(db, "PRAGMA user_version", &version);
    if (rc != SQLITE_ROW) {
        database_error(db, path, e);
        goto fail;
    }
    if (application != DATABASE_APPLICATION) {
        error_set(e, "%s is not a database made by kick-analyze-load", path);
        goto fail;
    }
    if (version != DATABASE_VERSION) {
        error_set(e, "%s has schema version %lld, this program reads %d: %s", path, (long long)version,
                  DATABASE_VERSION,
                  version > DATABASE_VERSION ? "use a newer kick"
                  : version < DATABASE_OLDEST
                      ? "load the results again into a new file with kick-analyze-load"
                      : "load one of its results again with kick-analyze-load, which brings it up to date");
        goto fail;
    }
    /* json_each is set up when it is first used, which the authorizer would not let it. */
    sqlite3_exec(db, "SELECT 1 FROM json_each('[]')", NULL, NULL, NULL);
    sqlite3_set_authorizer(db, authorize, NULL);
    *out = db;
    return 0;
fail:
    sqlite3_close(db);
    return -1;
}

void database_close(sqlite3 *db)
{
    sqlite3_close(db);
}

/* White space and comments only? */
static bool blank(const char *s)
{
    for (;;) {
        s += strspn(s, " \t\r\n;");
        if (s[0] == '-' && s[1] == '-') {
            s += strcspn(s, "\n");
        } else if (s[0] == '/' && s[1] == '*') {
            s = strstr(s, "*/");
            if (!s)
                return true;
            s += 2;
        } else {
            return !*s;
        }
    }
}

static int cell_take(struct cell *c, sqlite3_stmt *s, int column, const char *what, struct error *e)
{
    const char *text;
    switch (sqlite3_column_type(s, column)) {
    case SQLITE_NULL:
        c->type = CELL_NULL;
        return 0;
    case SQLITE_INTEGER:
        c->type = CELL_INTEGER;
        c->integer = sqlite3_column_int64(s, column);
        return 0;
    case SQLITE_FLOAT:
        c->type = CELL_REAL;
        c->real = sqlite3_column_double(s, column);
        return 0;
    case SQLITE_TEXT:
        c->type = CELL_TEXT;
        text = (const char *)sqlite3_column_text(s, column);
        c->text = text ? strdup(text) : NULL;
        return c->text ? 0 : error_set(e, "%s: out of memory", what);
    default:
        return error_set(e, "%s: the column %s holds a blob", what,
                         sqlite3_column_name(s, column));
    }
}

int query_run(struct table *t, sqlite3 *db, const char *sql, const char *what, struct error *e)
{
    memset(t, 0, sizeof *t);
    sqlite3_stmt *s = NULL;
    const char *tail = NULL;
    size_t capacity = 0;
    int rc = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &s, &tail) != SQLITE_OK) {
        error_set(e, "%s: %s", what, sqlite3_errmsg(db));
        goto out;
    }
    if (!s || !sqlite3_column_count(s)) {
        error_set(e, "%s holds no SELECT", what);
        goto out;
    }
    if (!blank(tail)) {
        error_set(e, "%s holds more than one statement", what);
        goto out;
    }
    t->columns = (size_t)sqlite3_column_count(s);
    t->name = memory_new(t->columns, sizeof *t->name, "a table", e);
    if (!t->name)
        goto out;
    for (size_t i = 0; i < t->columns; i++) {
        t->name[i] = strdup(sqlite3_column_name(s, (int)i));
        if (!t->name[i]) {
            error_set(e, "%s: out of memory", what);
            goto out;
        }
        for (size_t j = 0; j < i; j++)
            if (!strcmp(t->name[i], t->name[j])) {
                error_set(e, "%s: two columns are named %s", what, t->name[i]);
                goto out;
            }
    }
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        if ((t->rows + 1) * t->columns > capacity) {
            size_t more = capacity ? 2 * capacity : 64 * t->columns;
            void *p = memory_resize(t->cell, more, sizeof *t->cell, "a table", e);
            if (!p)
                goto out;
            t->cell = p;
            capacity = more;
        }
        struct cell *row = t->cell + t->rows * t->columns;
        memset(row, 0, t->columns * sizeof *row);
        t->rows++;
        for (size_t i = 0; i < t->columns; i++)
            if (cell_take(&row[i], s, (int)i, what, e))
                goto out;
    }
    if (step != SQLITE_DONE) {
        error_set(e, "%s: %s", what, sqlite3_errmsg(db));
        goto out;
    }
    rc = 0;
out:
    sqlite3_finalize(s);
    if (rc)
        table_free(t);
    return rc;
}

bool query_has_rows(sqlite3 *db, const char *name)
{
    sqlite3_stmt *s = NULL;
    char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\"", name);
    const bool any = sql && sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
    sqlite3_finalize(s);
    sqlite3_free(sql);
    return any;
}

void table_free(struct table *t)
{
    for (size_t i = 0; t->cell && i < t->rows * t->columns; i++)
        free(t->cell[i].text);
    for (size_t i = 0; t->name && i < t->columns; i++)
        free(t->name[i]);
    free(t->cell);
    free(t->name);
    memset(t, 0, sizeof *t);
}

const struct cell *table_cell(const struct table *t, size_t row, size_t column)
{
    return &t->cell[row * t->columns + column];
}

size_t table_find(const struct table *t, const char *name)
{
    size_t i = 0;
    while (i < t->columns && strcmp(t->name[i], name))
        i++;
    return i;
}

double cell_number(const struct cell *c)
{
    return c->type == CELL_REAL ? c->real : c->type == CELL_INTEGER ? (double)c->integer : NAN;
}

int cell_differ(const struct cell *a, const struct cell *b)
{
    bool number_a = a->type == CELL_REAL || a->type == CELL_INTEGER;
    bool number_b = b->type == CELL_REAL || b->type == CELL_INTEGER;
    if (number_a && number_b)
        return cell_number(a) != cell_number(b);
    if (a->type != b->type)
        return 1;
    return a->type == CELL_TEXT && strcmp(a->text, b->text);
}

const char *cell_exact(const struct cell *c, char *out, size_t n)
{
    switch (c->type) {
    case CELL_TEXT:
        return c->text;
    case CELL_INTEGER:
        snprintf(out, n, "%lld", (long long)c->integer);
        break;
    case CELL_REAL:
        /* The shortest of these that reads back as the same number. */
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(out, n, "%.*g", digits, c->real);
            if (strtod(out, NULL) == c->real)
                break;
        }
        break;
    default:
        out[0] = 0;
    }
    return out;
}

/* Reading the database of results: opened read-only, queries that can do nothing but read, and their
 * answers as tables with typed cells. */
#ifndef KICK_QUERY_H
#define KICK_QUERY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum {
    DATABASE_APPLICATION = 0x6b69636b, /* "kick": PRAGMA application_id */
    DATABASE_OLDEST = 2, /* that analyze-load brings up to date */
    DATABASE_VERSION = 5,              /* PRAGMA user_version, as in analyze/schema.sql */
};

enum cell_type { CELL_NULL, CELL_INTEGER, CELL_REAL, CELL_TEXT };

struct cell {
    enum cell_type type;
    int64_t integer;
    double real;
    char *text;
};

struct table {
    size_t columns, rows;
    char **name;       /* of the columns */
    struct cell *cell; /* (rows, columns) */
};

/* Opens a database that analyze-load made; it must be of this version. */
int database_open(sqlite3 **out, const char *path, struct error *e);
void database_close(sqlite3 *db);

/* For programs that write: opens any database (create: or makes a file), waiting for others, and begins
 * a transaction; database_commit() ends it. On failure *out may be open and is to be closed. */
int database_begin(sqlite3 **out, const char *path, bool create, struct error *e);
int database_commit(sqlite3 *db, const char *path, struct error *e);

/* Runs one SELECT; `what` names it in errors. Two columns of one name are an error. */
int query_run(struct table *t, sqlite3 *db, const char *sql, const char *what, struct error *e);
void table_free(struct table *t);
/* Has the table `name`, which only some program makes, any rows? */
bool query_has_rows(sqlite3 *db, const char *name);

const struct cell *table_cell(const struct table *t, size_t row, size_t column);
/* Index of a column, or t->columns. */
size_t table_find(const struct table *t, const char *name);

/* The number in a cell; NaN for NULL and for text. */
double cell_number(const struct cell *c);
/* 0 when two cells hold the same value. */
int cell_differ(const struct cell *a, const struct cell *b);
/* All of the cell's digits ("" for NULL), into out[n]; a text is returned itself. */
const char *cell_exact(const struct cell *c, char *out, size_t n);

#endif

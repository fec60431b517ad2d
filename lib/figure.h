/* A figure is a folder: query.sql (what is shown), figure.json (how, see reports/README.md), and
 * caption.md, with caption.sql for the {{names}} in it; with.sql is the beginning of both queries.
 * Chart, workbook, table and page all read the same folder through this unit. */
#ifndef KICK_FIGURE_H
#define KICK_FIGURE_H

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "memory.h"
#include "query.h"

#define FIGURE_NONE ((size_t)-1)

enum figure_kind { FIGURE_LINES, FIGURE_POINTS, FIGURE_TABLE, FIGURE_SAMPLES };

enum { FIGURE_KEYS_MAX = 8 };

struct figure_axis {
    size_t column, low, high; /* of the table; FIGURE_NONE where there is none */
    const char *label;        /* "" without */
    bool log, category, reverse;
    double min, max;     /* NaN: from the data */
    bool tick_values;    /* ticks stand at the values of the data */
    const json_t *order; /* of categories; NULL: as they come */
};

struct figure_panel {
    const char *title;
    size_t where;         /* column, or FIGURE_NONE: every row */
    const json_t *equals; /* a string, a number, or an array of those */
    struct figure_axis x;
    const char **category; /* names in order, when x.category */
    size_t categories;
};

struct figure_column {
    size_t column; /* of the table */
    const char *label, *unit, *description;
    int decimals; /* -1: as many as there are */
    bool hidden;  /* in tables */
    bool aside;   /* in csv and workbook only: the result that a row comes from */
};

struct figure_point {
    double x, y;                     /* x of a category: its index; NaN y: a gap */
    double x_low, x_high, low, high; /* NaN without */
    size_t row;                      /* of the table */
};

/* The points of one series in one panel of one row of panels, by x. */
struct figure_line {
    size_t row, panel, series;
    struct figure_point *point;
    size_t count;
};

struct figure_baseline {
    double value, low, high; /* NaN without */
};

/* Columns of the table that a key names in an array. */
struct figure_keys {
    size_t column[FIGURE_KEYS_MAX], count;
};

/* How tables for people are folded: a row for each combination of `rows`, a column for each value of
 * `columns`; its cells hold `value` ± half its interval, in bold where `best` is 1. */
struct figure_pivot {
    struct figure_keys rows;
    size_t columns, value, low, high, best; /* columns FIGURE_NONE: tables are not folded */
    const char *bold;                       /* what bold says */
};

struct figure {
    char *name; /* of the folder */
    const char *title, *label;
    const char *empty;   /* what to say where there is nothing to show */
    enum figure_kind kind;
    bool bars;           /* intervals as bars rather than bands */
    double panel_height; /* inches */
    bool share_y;        /* one range for all rows of panels, not one each */
    struct table table;

    struct figure_axis y;
    struct figure_panel *panel;
    size_t panels;
    size_t row_column; /* FIGURE_NONE: one row of panels */
    const char **row;  /* titles of the rows of panels */
    size_t rows;
    size_t series_column;
    const char *series_label;
    const char **series; /* those of "order" first, whether they occur or not */
    size_t series_count;
    size_t baseline, baseline_low, baseline_high; /* columns */
    const char *baseline_label;
    struct figure_baseline *base; /* (rows, panels) */

    struct figure_column *column; /* those of "columns" in order, then the others */
    size_t columns;

    struct figure_line *line; /* by row, panel, series; none is empty */
    size_t lines;

    struct figure_pivot pivot;
    struct figure_keys head, side, filter; /* of samples: titles, texts side by side, what to choose by */

    char *caption; /* markdown; "" without */
    json_t *json;  /* owns the texts above */
};

/* Reads the folder and runs its query. */
int figure_load(struct figure **out, const char *folder, sqlite3 *db, struct error *e);
void figure_free(struct figure *f);

/* Nothing to show: the caption says what is missing. */
bool figure_empty(const struct figure *f);

/* Is the column one of them? */
bool figure_has(const struct figure_keys *k, size_t column);

/* The description of a column of the table. */
const struct figure_column *figure_column_of(const struct figure *f, size_t column);

/* The caption without markdown's marks, malloc'ed. */
char *figure_caption_plain(const struct figure *f, struct error *e);

/* The rule of a panel. */
const struct figure_baseline *figure_base(const struct figure *f, size_t row, size_t panel);

/* The cell as people read it (decimals of its column, "" for NULL). */
const char *figure_text(const struct figure_column *c, const struct cell *cell, char *out,
                        size_t n);

/* Label with its unit: "Stored size (MB)". */
const char *figure_heading(const struct figure_column *c, char *out, size_t n);

/* All numbers (they are set right)? Shown to people: not hidden, and something in it? */
bool figure_numeric(const struct figure *f, size_t column);
bool figure_visible(const struct figure *f, const struct figure_column *c);

/* RFC 4180: every column of the query under its own name, every digit, a row a line. */
int figure_csv(const struct figure *f, struct buffer *out, struct error *e);

/* Folders in dir (NULL: reports here, else those installed with the programs) that hold a
 * figure.json, in natural order (figure-2 before figure-10); each path and the list are malloc'ed.
 */
int figure_folders(const char *dir, char ***list, size_t *count, struct error *e);
void figure_folders_free(char **list, size_t count);

#endif

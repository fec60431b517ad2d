/* A figure's table as people read it: its visible columns, or folded as figure.json's "table" says,
 * so that one row holds what belongs side by side. Terminal, markdown, TeX, page and pdf all print it. */
#ifndef KICK_GRID_H
#define KICK_GRID_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "figure.h"

struct grid_column {
    char *label, *unit, *description;
    bool right;    /* numbers */
    bool constant; /* the same in every one of several rows */
};

struct grid_cell {
    char *text; /* "–" where there is nothing */
    char *half; /* half its interval, in the same digits; NULL without */
    bool best;
};

struct grid {
    struct grid_column *column;
    struct grid_cell *cell; /* (rows, columns) */
    size_t columns, rows;
    bool folded, starred; /* starred: some cell is the best of its like */
};

/* join: the interval of y becomes a ± beside its value, instead of two columns. */
int grid_new(struct grid **out, const struct figure *f, bool join, struct error *e);
void grid_free(struct grid *g);

const struct grid_cell *grid_at(const struct grid *g, size_t row, size_t column);
/* "Stored size (MB)" into out[n]. */
const char *grid_heading(const struct grid_column *c, char *out, size_t n);
/* "52.1 ± 4.0" into out[n], or the text as it is. */
const char *grid_text(const struct grid_cell *c, char *out, size_t n);

#endif

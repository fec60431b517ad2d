/* Tables for people, folded or as they are. */
#include "grid.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { TEXT_MAX = 160, GRID_COLUMNS_MAX = 200 };

static int set(char **to, const char *text, struct error *e)
{
    *to = strdup(text);
    return *to ? 0 : error_set(e, "out of memory for a table");
}

static int column_set(struct grid_column *c, const char *label, const char *unit,
                      const char *description, bool right, struct error *e)
{
    c->right = right;
    return set(&c->label, label, e) || set(&c->unit, unit, e) ||
                   set(&c->description, description, e)
               ? -1
               : 0;
}

static int cell_set(struct grid *g, const struct figure *f, size_t row, size_t column,
                    const struct figure_column *c, size_t from, struct error *e)
{
    char text[TEXT_MAX];
    const struct cell *cell = table_cell(&f->table, from, c->column);
    return set(&g->cell[row * g->columns + column].text,
               cell->type == CELL_NULL ? "–" : figure_text(c, cell, text, sizeof text), e);
}

/* Half of the interval from low to high, in the digits of the value's column. */
static int half_set(struct grid_cell *to, const struct figure *f, const struct figure_column *c,
                    size_t row, size_t low, size_t high, struct error *e)
{
    char text[TEXT_MAX];
    if (low == FIGURE_NONE)
        return 0;
    double a = cell_number(table_cell(&f->table, row, low));
    double b = cell_number(table_cell(&f->table, row, high));
    struct cell half = {.type = CELL_REAL, .real = (b - a) / 2};
    if (!isfinite(half.real))
        return 0;
    return set(&to->half, figure_text(c, &half, text, sizeof text), e);
}

static int cells_new(struct grid *g, struct error *e)
{
    g->column = memory_new(g->columns + 1, sizeof *g->column, "a table", e);
    g->cell = memory_new(g->columns * g->rows + 1, sizeof *g->cell, "a table", e);
    return g->column && g->cell ? 0 : -1;
}

static int plain(struct grid *g, const struct figure *f, bool join, struct error *e)
{
    join = join && f->y.low != FIGURE_NONE;
    const struct figure_column *shown[GRID_COLUMNS_MAX];
    for (size_t i = 0; i < f->columns && g->columns < GRID_COLUMNS_MAX; i++) {
        const struct figure_column *c = &f->column[i];
        if (figure_visible(f, c) && !(join && (c->column == f->y.low || c->column == f->y.high)))
            shown[g->columns++] = c;
    }
    g->rows = f->table.rows;
    if (cells_new(g, e))
        return -1;
    for (size_t i = 0; i < g->columns; i++) {
        const struct figure_column *c = shown[i];
        if (column_set(&g->column[i], c->label, c->unit, c->description,
                       figure_numeric(f, c->column), e))
            return -1;
        for (size_t r = 0; r < g->rows; r++)
            if (cell_set(g, f, r, i, c, r, e) ||
                (join && c->column == f->y.column &&
                 half_set(&g->cell[r * g->columns + i], f, c, r, f->y.low, f->y.high, e)))
                return -1;
    }
    return 0;
}

static bool same_row(const struct figure *f, size_t a, size_t b)
{
    for (size_t i = 0; i < f->pivot.rows.count; i++)
        if (cell_differ(table_cell(&f->table, a, f->pivot.rows.column[i]),
                        table_cell(&f->table, b, f->pivot.rows.column[i])))
            return false;
    return true;
}

/* The first row of the table that has the same keys as row r (and is of some column). */
static size_t first_of(const struct figure *f, const size_t *list, size_t count, size_t r)
{
    for (size_t i = 0; i < count; i++)
        if (same_row(f, list[i], r))
            return i;
    return count;
}

static size_t column_first(const struct figure *f, const size_t *list, size_t count, size_t r)
{
    for (size_t i = 0; i < count; i++)
        if (!cell_differ(table_cell(&f->table, list[i], f->pivot.columns),
                         table_cell(&f->table, r, f->pivot.columns)))
            return i;
    return count;
}

/* Heads in rising order where they are numbers, else as they come. */
static void sort_heads(const struct figure *f, size_t *list, size_t count)
{
    for (size_t i = 1; i < count && figure_numeric(f, f->pivot.columns); i++)
        for (size_t j = i; j && cell_number(table_cell(&f->table, list[j], f->pivot.columns)) <
                                    cell_number(table_cell(&f->table, list[j - 1], f->pivot.columns));
             j--) {
            size_t swap = list[j];
            list[j] = list[j - 1];
            list[j - 1] = swap;
        }
}

static int fold(struct grid *g, const struct figure *f, struct error *e)
{
    const struct figure_pivot *p = &f->pivot;
    const struct figure_column *value = figure_column_of(f, p->value),
                               *head = figure_column_of(f, p->columns);
    size_t keys = p->rows.count, heads = 0, rows = 0;
    char text[TEXT_MAX], label[TEXT_MAX + 40];
    size_t *row = memory_new(f->table.rows + 1, sizeof *row, "a table", e);
    size_t *column = memory_new(f->table.rows + 1, sizeof *column, "a table", e);
    int rc = -1;
    if (!row || !column)
        goto out;
    for (size_t r = 0; r < f->table.rows; r++) {
        if (table_cell(&f->table, r, p->columns)->type == CELL_NULL)
            continue;
        if (first_of(f, row, rows, r) == rows)
            row[rows++] = r;
        if (column_first(f, column, heads, r) == heads)
            column[heads++] = r;
    }
    if (keys + heads > GRID_COLUMNS_MAX) {
        error_set(e, "table: more than %d columns", GRID_COLUMNS_MAX);
        goto out;
    }
    sort_heads(f, column, heads);
    g->columns = keys + heads;
    g->rows = rows;
    g->folded = true;
    if (cells_new(g, e))
        goto out;
    for (size_t i = 0; i < keys; i++) {
        const struct figure_column *c = figure_column_of(f, p->rows.column[i]);
        if (column_set(&g->column[i], c->label, c->unit, c->description,
                       figure_numeric(f, c->column), e))
            goto out;
        for (size_t r = 0; r < rows; r++)
            if (cell_set(g, f, r, i, c, row[r], e))
                goto out;
    }
    for (size_t i = 0; i < heads; i++) {
        const char *s = figure_text(head, table_cell(&f->table, column[i], head->column), text,
                                    sizeof text);
        snprintf(label, sizeof label, "%s%s%s", s, *head->unit ? " " : "", head->unit);
        if (column_set(&g->column[keys + i], label, "", value->description, figure_numeric(f, p->value), e))
            goto out;
    }
    for (size_t r = 0; r < f->table.rows; r++) {
        if (table_cell(&f->table, r, p->columns)->type == CELL_NULL)
            continue;
        size_t i = first_of(f, row, rows, r), k = keys + column_first(f, column, heads, r);
        struct grid_cell *to = &g->cell[i * g->columns + k];
        if (to->text) {
            error_set(e, "query.sql: row %zu: its cell of the folded table is taken: the \"rows\" "
                         "of \"table\" do not tell all rows apart",
                      r + 1);
            goto out;
        }
        if (cell_set(g, f, i, k, value, r, e) || half_set(to, f, value, r, p->low, p->high, e))
            goto out;
        to->best = p->best != FIGURE_NONE && cell_number(table_cell(&f->table, r, p->best)) > 0;
        g->starred = g->starred || to->best;
    }
    for (size_t i = 0; i < g->rows * g->columns; i++)
        if (!g->cell[i].text && set(&g->cell[i].text, "–", e))
            goto out;
    rc = 0;
out:
    free(row);
    free(column);
    return rc;
}

int grid_new(struct grid **out, const struct figure *f, bool join, struct error *e)
{
    struct grid *g = memory_new(1, sizeof *g, "a table", e);
    if (!g)
        return -1;
    if (f->pivot.columns != FIGURE_NONE ? fold(g, f, e) : plain(g, f, join, e)) {
        grid_free(g);
        return -1;
    }
    for (size_t i = 0; i < g->columns; i++) {
        g->column[i].constant = g->rows > 1;
        for (size_t r = 1; r < g->rows; r++)
            if (grid_at(g, r, i)->half || strcmp(grid_at(g, r, i)->text, grid_at(g, 0, i)->text))
                g->column[i].constant = false;
    }
    *out = g;
    return 0;
}

void grid_free(struct grid *g)
{
    if (!g)
        return;
    for (size_t i = 0; g->column && i < g->columns; i++) {
        free(g->column[i].label);
        free(g->column[i].unit);
        free(g->column[i].description);
    }
    for (size_t i = 0; g->cell && i < g->rows * g->columns; i++) {
        free(g->cell[i].text);
        free(g->cell[i].half);
    }
    free(g->column);
    free(g->cell);
    free(g);
}

const struct grid_cell *grid_at(const struct grid *g, size_t row, size_t column)
{
    return &g->cell[row * g->columns + column];
}

const char *grid_heading(const struct grid_column *c, char *out, size_t n)
{
    if (*c->unit)
        snprintf(out, n, "%s (%s)", c->label, c->unit);
    else
        snprintf(out, n, "%s", c->label);
    return out;
}

const char *grid_text(const struct grid_cell *c, char *out, size_t n)
{
    if (!c->half)
        return c->text;
    snprintf(out, n, "%s ± %s", c->text, c->half);
    return out;
}

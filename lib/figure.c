/* Figure folders: description, data, and the points sorted into panels and series. */
#include "figure.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "json.h"
#include "memory.h"

enum { FILE_MAX = 1 << 20, PANELS_MAX = 24, NAMES_MAX = 200 };

/* Names made from cells live in a list that hangs off the figure. */
struct figure_own {
    struct figure f;
    char **text;
    size_t texts;
};

/* ---- description ------------------------------------------------------------------------------- */

/* Every key of o must be one of `keys` ("a|b|c"). */
static int only_keys(json_t *o, const char *where, const char *keys, struct error *e)
{
    const char *key;
    json_t *value;
    if (!json_is_object(o))
        return error_set(e, "%s is not an object", where);
    json_object_foreach (o, key, value) {
        size_t n = strlen(key);
        const char *p = keys;
        bool found = false;
        while (*p && !found) {
            size_t m = strcspn(p, "|");
            found = m == n && !memcmp(p, key, n);
            p += m + (p[m] == '|');
        }
        if (!found)
            return error_set(e, "%s: there is no key \"%s\" (one of %s)", where, key, keys);
    }
    return 0;
}

static int text_or(json_t *o, const char *where, const char *key, const char *other,
                   const char **out, struct error *e)
{
    json_t *v = json_object_get(o, key);
    *out = v ? json_string_value(v) : other;
    return v && !*out ? error_set(e, "%s: \"%s\" is not a string", where, key) : 0;
}

static int bool_or(json_t *o, const char *where, const char *key, bool *out, struct error *e)
{
    json_t *v = json_object_get(o, key);
    if (v && !json_is_boolean(v))
        return error_set(e, "%s: \"%s\" is not true or false", where, key);
    *out = json_is_true(v);
    return 0;
}

static int number_or(json_t *o, const char *where, const char *key, double other, double *out,
                     struct error *e)
{
    json_t *v = json_object_get(o, key);
    *out = v ? json_number_value(v) : other;
    return v && !json_is_number(v) ? error_set(e, "%s: \"%s\" is not a number", where, key) : 0;
}

/* A string that must be one of two words; *second tells which. */
static int choice(json_t *o, const char *where, const char *key, const char *first,
                  const char *other, bool *second, struct error *e)
{
    const char *s;
    if (text_or(o, where, key, first, &s, e))
        return -1;
    *second = !strcmp(s, other);
    if (!*second && strcmp(s, first))
        return error_set(e, "%s: \"%s\" is \"%s\", not \"%s\" or \"%s\"", where, key, s, first,
                         other);
    return 0;
}

/* Index of the column that a key names. */
static int column_of(const struct table *t, json_t *o, const char *where, const char *key,
                     bool needed, size_t *out, struct error *e)
{
    const char *name;
    *out = FIGURE_NONE;
    if (text_or(o, where, key, NULL, &name, e))
        return -1;
    if (!name)
        return needed ? error_set(e, "%s: the key \"%s\" is missing", where, key) : 0;
    *out = table_find(t, name);
    if (*out == t->columns)
        return error_set(e, "%s: \"%s\": query.sql has no column %s", where, key, name);
    return 0;
}

static int order_of(json_t *o, const char *where, const json_t **out, struct error *e)
{
    json_t *list = json_object_get(o, "order"), *v;
    size_t i;
    *out = list;
    if (list && !json_is_array(list))
        return error_set(e, "%s: \"order\" is not an array", where);
    json_array_foreach (list, i, v)
        if (!json_is_string(v))
            return error_set(e, "%s: \"order\": entry %zu is not a string", where, i);
    return 0;
}

static int axis_parse(struct figure_axis *a, const struct table *t, json_t *o, const char *where,
                      struct error *e)
{
    const char *ticks;
    if (column_of(t, o, where, "column", true, &a->column, e) ||
        column_of(t, o, where, "low", false, &a->low, e) ||
        column_of(t, o, where, "high", false, &a->high, e) ||
        text_or(o, where, "label", "", &a->label, e) ||
        choice(o, where, "scale", "linear", "log", &a->log, e) ||
        number_or(o, where, "min", NAN, &a->min, e) || number_or(o, where, "max", NAN, &a->max, e))
        return -1;
    if ((a->low == FIGURE_NONE) != (a->high == FIGURE_NONE))
        return error_set(e, "%s: \"low\" and \"high\" come together", where);
    if (a->log && ((isfinite(a->min) && a->min <= 0) || (isfinite(a->max) && a->max <= 0)))
        return error_set(e, "%s: the limits of a log scale must be above 0", where);
    if (isfinite(a->min) && isfinite(a->max) && a->min >= a->max)
        return error_set(e, "%s: \"min\" is not below \"max\"", where);
    if (text_or(o, where, "ticks", "", &ticks, e))
        return -1;
    a->tick_values = !strcmp(ticks, "values");
    if (*ticks && !a->tick_values)
        return error_set(e, "%s: \"ticks\" is \"%s\", not \"values\"", where, ticks);
    return 0;
}

static int panel_parse(struct figure_panel *p, const struct table *t, json_t *o, size_t i,
                       struct error *e)
{
    char where[80];
    snprintf(where, sizeof where, "panels[%zu]", i);
    if (only_keys(o, where, "title|where|x", e) || text_or(o, where, "title", "", &p->title, e))
        return -1;
    p->where = FIGURE_NONE;
    json_t *w = json_object_get(o, "where");
    if (w) {
        snprintf(where, sizeof where, "panels[%zu].where", i);
        if (only_keys(w, where, "column|equals", e) ||
            column_of(t, w, where, "column", true, &p->where, e))
            return -1;
        p->equals = json_object_get(w, "equals");
        if (!p->equals || json_is_object(p->equals) || json_is_boolean(p->equals) ||
            json_is_null(p->equals))
            return error_set(e, "%s: \"equals\" is not a string, a number or an array", where);
    }
    json_t *x = json_object_get(o, "x");
    if (!x)
        return error_set(e, "panels[%zu]: the key \"x\" is missing", i);
    snprintf(where, sizeof where, "panels[%zu].x", i);
    if (only_keys(x, where, "column|low|high|label|scale|min|max|ticks|type|order|reverse", e) ||
        axis_parse(&p->x, t, x, where, e) ||
        choice(x, where, "type", "number", "category", &p->x.category, e) ||
        order_of(x, where, &p->x.order, e) || bool_or(x, where, "reverse", &p->x.reverse, e))
        return -1;
    if (p->x.order && !p->x.category)
        return error_set(e, "%s: \"order\" is for the type \"category\"", where);
    return 0;
}

static int columns_parse(struct figure *f, json_t *list, struct error *e)
{
    const struct table *t = &f->table;
    if (list && !json_is_array(list))
        return error_set(e, "\"columns\" is not an array");
    f->column = memory_new(t->columns, sizeof *f->column, "columns", e);
    if (!f->column)
        return -1;
    size_t i;
    json_t *o;
    json_array_foreach (list, i, o) {
        char where[40];
        snprintf(where, sizeof where, "columns[%zu]", i);
        double decimals;
        struct figure_column c = {0};
        if (only_keys(o, where, "name|label|unit|description|decimals|hidden", e) ||
            column_of(t, o, where, "name", true, &c.column, e) ||
            text_or(o, where, "label", t->name[c.column], &c.label, e) ||
            text_or(o, where, "unit", "", &c.unit, e) ||
            text_or(o, where, "description", "", &c.description, e) ||
            number_or(o, where, "decimals", -1, &decimals, e) ||
            bool_or(o, where, "hidden", &c.hidden, e))
            return -1;
        if (!(decimals >= -1 && decimals <= 12) || decimals != floor(decimals))
            return error_set(e, "%s: \"decimals\" is not a whole number from 0 to 12", where);
        c.decimals = (int)decimals;
        for (size_t j = 0; j < f->columns; j++)
            if (f->column[j].column == c.column)
                return error_set(e, "%s: the column %s stands there twice", where,
                                 t->name[c.column]);
        f->column[f->columns++] = c;
    }
    size_t described = f->columns;
    for (size_t k = 0; k < t->columns; k++) {
        bool found = false;
        for (size_t j = 0; j < described; j++)
            found = found || f->column[j].column == k;
        if (found)
            continue;
        size_t n = strlen(t->name[k]), id = strlen("result_id");
        bool aside = n >= id && !strcmp(t->name[k] + n - id, "result_id");
        f->column[f->columns++] = (struct figure_column){
            .column = k, .unit = "", .decimals = -1, .aside = aside,
            .label = strcmp(t->name[k], "result_id") ? t->name[k] : "Result id",
            .description = aside ? "Key of the result that the row comes from (of several runs, the first)" : ""};
    }
    return 0;
}

/* An array of names of columns. */
static int keys_parse(struct figure_keys *k, const struct table *t, json_t *o, const char *where,
                      const char *key, struct error *e)
{
    json_t *list = json_object_get(o, key), *v;
    size_t i;
    k->count = 0;
    if (list && (!json_is_array(list) || json_array_size(list) > FIGURE_KEYS_MAX))
        return error_set(e, "%s: \"%s\" is not an array of at most %d columns", where, key,
                         FIGURE_KEYS_MAX);
    json_array_foreach (list, i, v) {
        const char *name = json_string_value(v);
        size_t column = name ? table_find(t, name) : t->columns;
        if (column == t->columns)
            return error_set(e, "%s: \"%s\": query.sql has no column %s", where, key,
                             name ? name : "of this kind (not a string)");
        k->column[k->count++] = column;
    }
    return 0;
}

static int pivot_parse(struct figure *f, struct error *e)
{
    const struct table *t = &f->table;
    struct figure_pivot *p = &f->pivot;
    json_t *o = json_object_get(f->json, "table");
    p->columns = FIGURE_NONE;
    if (!o)
        return 0;
    if (only_keys(o, "table", "rows|columns|value|low|high|best|bold", e) ||
        keys_parse(&p->rows, t, o, "table", "rows", e) ||
        column_of(t, o, "table", "columns", true, &p->columns, e) ||
        column_of(t, o, "table", "value", true, &p->value, e) ||
        column_of(t, o, "table", "low", false, &p->low, e) ||
        column_of(t, o, "table", "high", false, &p->high, e) ||
        column_of(t, o, "table", "best", false, &p->best, e) ||
        text_or(o, "table", "bold", "the best of its like, and what the paired test does not tell apart from it",
                &p->bold, e))
        return -1;
    if (!p->rows.count)
        return error_set(e, "table: \"rows\" names no column");
    if ((p->low == FIGURE_NONE) != (p->high == FIGURE_NONE))
        return error_set(e, "table: \"low\" and \"high\" come together");
    return 0;
}

static int samples_parse(struct figure *f, struct error *e)
{
    json_t *o = json_object_get(f->json, "samples");
    if (f->kind != FIGURE_SAMPLES)
        return o ? error_set(e, "\"samples\" is for the kind \"samples\"") : 0;
    if (!o)
        return error_set(e, "the key \"samples\" is missing");
    return only_keys(o, "samples", "head|side|filters", e) ||
                   keys_parse(&f->head, &f->table, o, "samples", "head", e) ||
                   keys_parse(&f->side, &f->table, o, "samples", "side", e) ||
                   keys_parse(&f->filter, &f->table, o, "samples", "filters", e)
               ? -1
               : 0;
}

static int kind_parse(struct figure *f, struct error *e)
{
    static const char *const kind[] = {
        [FIGURE_LINES] = "lines", [FIGURE_POINTS] = "points", [FIGURE_TABLE] = "table",
        [FIGURE_SAMPLES] = "samples"};
    const char *s;
    if (text_or(f->json, "the figure", "kind", "lines", &s, e))
        return -1;
    for (size_t i = 0; i < sizeof kind / sizeof *kind; i++)
        if (!strcmp(s, kind[i])) {
            f->kind = (enum figure_kind)i;
            return 0;
        }
    return error_set(e, "the figure: \"kind\" is \"%s\", not lines, points, table or samples", s);
}

static int describe(struct figure *f, struct error *e)
{
    const struct table *t = &f->table;
    json_t *o = f->json, *part;
    if (text_or(o, "the figure", "title", NULL, &f->title, e) ||
        text_or(o, "the figure", "label", f->name, &f->label, e) ||
        text_or(o, "the figure", "empty", "no results for this figure yet", &f->empty, e) ||
        kind_parse(f, e) ||
        choice(o, "the figure", "intervals", "band", "bar", &f->bars, e) ||
        number_or(o, "the figure", "panel_height", 1.7, &f->panel_height, e) ||
        column_of(t, o, "the figure", "rows", false, &f->row_column, e))
        return -1;
    if (!f->title)
        return error_set(e, "the key \"title\" is missing");
    if (!(f->panel_height >= 0.5 && f->panel_height <= 10))
        return error_set(e, "\"panel_height\" is not from 0.5 to 10 (inches)");
    f->series_column = f->baseline = f->baseline_low = f->baseline_high = FIGURE_NONE;
    f->y.column = f->y.low = f->y.high = FIGURE_NONE;
    f->series_label = "";
    if (pivot_parse(f, e) || samples_parse(f, e))
        return -1;
    if (f->kind >= FIGURE_TABLE) {
        if (json_object_get(o, "panels") || json_object_get(o, "y") || json_object_get(o, "series"))
            return error_set(e, "a figure of the kind table or samples has no panels, y or series");
        return columns_parse(f, json_object_get(o, "columns"), e);
    }

    if (!(part = json_object_get(o, "y")))
        return error_set(e, "the key \"y\" is missing");
    bool each;
    if (only_keys(part, "y", "column|low|high|label|scale|min|max|ticks|share", e) ||
        axis_parse(&f->y, t, part, "y", e) || choice(part, "y", "share", "all", "row", &each, e))
        return -1;
    f->share_y = !each;

    part = json_object_get(o, "panels");
    if (!json_is_array(part) || !json_array_size(part) || json_array_size(part) > PANELS_MAX)
        return error_set(e, "\"panels\" is not an array of 1 to %d panels", PANELS_MAX);
    f->panels = json_array_size(part);
    f->panel = memory_new(f->panels, sizeof *f->panel, "panels", e);
    if (!f->panel)
        return -1;
    for (size_t i = 0; i < f->panels; i++)
        if (panel_parse(&f->panel[i], t, json_array_get(part, i), i, e))
            return -1;

    part = json_object_get(o, "series");
    if (part && (only_keys(part, "series", "column|label|order", e) ||
                 column_of(t, part, "series", "column", true, &f->series_column, e) ||
                 text_or(part, "series", "label", "", &f->series_label, e)))
        return -1;

    part = json_object_get(o, "baseline");
    if (part && (only_keys(part, "baseline", "column|low|high|label", e) ||
                 column_of(t, part, "baseline", "column", true, &f->baseline, e) ||
                 column_of(t, part, "baseline", "low", false, &f->baseline_low, e) ||
                 column_of(t, part, "baseline", "high", false, &f->baseline_high, e) ||
                 text_or(part, "baseline", "label", "dense", &f->baseline_label, e)))
        return -1;
    return columns_parse(f, json_object_get(o, "columns"), e);
}

/* ---- names ------------------------------------------------------------------------------------- */

/* The cell as a name that the figure owns; NULL without memory. */
static const char *name_of(struct figure_own *own, const struct cell *c, struct error *e)
{
    char number[64];
    void *p = memory_resize(own->text, own->texts + 1, sizeof *own->text, "names", e);
    if (!p)
        return NULL;
    own->text = p;
    char *s = strdup(cell_exact(c, number, sizeof number));
    if (!s) {
        error_set(e, "out of memory for names");
        return NULL;
    }
    own->text[own->texts++] = s;
    return s;
}

/* Index of the cell's name in a list, added where it is new. */
static int name_index(struct figure_own *own, const char ***list, size_t *count,
                      const struct cell *c, size_t *index, struct error *e)
{
    char number[64];
    const char *s = cell_exact(c, number, sizeof number);
    for (*index = 0; *index < *count; (*index)++)
        if (!strcmp((*list)[*index], s))
            return 0;
    if (*count == NAMES_MAX)
        return error_set(e, "more than %d different names, the last \"%s\": that is no figure",
                         NAMES_MAX, s);
    void *p = memory_resize(*list, *count + 1, sizeof **list, "names", e);
    if (!p)
        return -1;
    *list = p;
    const char *name = name_of(own, c, e);
    if (!name)
        return -1;
    (*list)[(*count)++] = name;
    return 0;
}

static int names_order(struct figure_own *own, const char ***list, size_t *count,
                       const json_t *order, struct error *e)
{
    size_t i, index;
    json_t *v;
    json_array_foreach (order, i, v) {
        struct cell c = {.type = CELL_TEXT, .text = (char *)json_string_value(v)};
        if (name_index(own, list, count, &c, &index, e))
            return -1;
    }
    return 0;
}

/* ---- points ------------------------------------------------------------------------------------ */

static bool equal(const json_t *v, const struct cell *c)
{
    if (json_is_array(v)) {
        size_t i;
        json_t *one;
        json_array_foreach (v, i, one)
            if (equal(one, c))
                return true;
        return false;
    }
    if (json_is_string(v))
        return c->type == CELL_TEXT && !strcmp(json_string_value(v), c->text);
    return json_is_number(v) && json_number_value(v) == cell_number(c);
}

/* A number for an axis: NULL is a gap, a text is an error. */
static int number_at(const struct figure *f, size_t row, size_t column, double *out,
                     struct error *e)
{
    *out = NAN;
    if (column == FIGURE_NONE)
        return 0;
    const struct cell *c = table_cell(&f->table, row, column);
    if (c->type == CELL_TEXT)
        return error_set(e, "query.sql: row %zu: %s is the text \"%s\", not a number", row + 1,
                         f->table.name[column], c->text);
    *out = cell_number(c);
    return 0;
}

static struct figure_line *line_at(struct figure *f, size_t row, size_t panel, size_t series,
                                   struct error *e)
{
    for (size_t i = 0; i < f->lines; i++)
        if (f->line[i].row == row && f->line[i].panel == panel && f->line[i].series == series)
            return &f->line[i];
    void *p = memory_resize(f->line, f->lines + 1, sizeof *f->line, "lines", e);
    if (!p)
        return NULL;
    f->line = p;
    f->line[f->lines] = (struct figure_line){.row = row, .panel = panel, .series = series};
    return &f->line[f->lines++];
}

static int point_add(struct figure_own *own, size_t row, size_t panel, size_t r, size_t series,
                     struct error *e)
{
    struct figure *f = &own->f;
    struct figure_panel *p = &f->panel[panel];
    struct figure_point point = {.row = row, .x_low = NAN, .x_high = NAN};
    if (p->x.category) {
        const struct cell *c = table_cell(&f->table, row, p->x.column);
        size_t index;
        if (c->type == CELL_NULL)
            return 0;
        if (name_index(own, &p->category, &p->categories, c, &index, e))
            return -1;
        point.x = (double)index;
    } else if (number_at(f, row, p->x.column, &point.x, e) ||
               number_at(f, row, p->x.low, &point.x_low, e) ||
               number_at(f, row, p->x.high, &point.x_high, e)) {
        return -1;
    }
    if (number_at(f, row, f->y.column, &point.y, e) || number_at(f, row, f->y.low, &point.low, e) ||
        number_at(f, row, f->y.high, &point.high, e))
        return -1;
    if (!isfinite(point.x) || (p->x.log && point.x <= 0))
        return 0;
    if (f->y.log && point.y <= 0)
        return error_set(e, "query.sql: row %zu: %s is %g, which a log scale cannot show", row + 1,
                         f->table.name[f->y.column], point.y);
    struct figure_line *l = line_at(f, r, panel, series, e);
    if (!l)
        return -1;
    void *q = memory_resize(l->point, l->count + 1, sizeof *l->point, "points", e);
    if (!q)
        return -1;
    l->point = q;
    l->point[l->count++] = point;
    return 0;
}

static int by_x(const void *a, const void *b)
{
    const struct figure_point *p = a, *q = b;
    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    return p->row < q->row ? -1 : p->row > q->row;
}

static int by_place(const void *a, const void *b)
{
    const struct figure_line *p = a, *q = b;
    if (p->row != q->row)
        return p->row < q->row ? -1 : 1;
    if (p->panel != q->panel)
        return p->panel < q->panel ? -1 : 1;
    return p->series < q->series ? -1 : p->series > q->series;
}

static int base_take(struct figure *f, size_t row, size_t r, size_t panel, struct error *e)
{
    struct figure_baseline b, *have = &f->base[r * f->panels + panel];
    if (number_at(f, row, f->baseline, &b.value, e) ||
        number_at(f, row, f->baseline_low, &b.low, e) ||
        number_at(f, row, f->baseline_high, &b.high, e))
        return -1;
    if (isnan(b.value))
        return 0;
    if (!isnan(have->value) && have->value != b.value)
        return error_set(e, "query.sql: row %zu: the baseline %s is %g, but %g in another row of "
                            "\"%s\"",
                         row + 1, f->table.name[f->baseline], b.value, have->value,
                         *f->row[r] ? f->row[r] : f->panel[panel].title);
    *have = b;
    return 0;
}

/* Categories that "order" names but the data lacks take no place. */
static void drop_absent(struct figure *f, size_t panel)
{
    struct figure_panel *p = &f->panel[panel];
    size_t kept = 0;
    for (size_t k = 0; k < p->categories; k++) {
        bool found = false;
        for (size_t i = 0; i < f->lines; i++)
            for (size_t j = 0; f->line[i].panel == panel && j < f->line[i].count; j++)
                if (f->line[i].point[j].x == (double)k) {
                    f->line[i].point[j].x = (double)kept;
                    found = true;
                }
        if (found)
            p->category[kept++] = p->category[k];
    }
    p->categories = kept;
}

static int sort_out(struct figure_own *own, struct error *e)
{
    struct figure *f = &own->f;
    const json_t *order;
    json_t *series = json_object_get(f->json, "series");
    if (series && (order_of(series, "series", &order, e) ||
                   names_order(own, &f->series, &f->series_count, order, e)))
        return -1;
    for (size_t p = 0; p < f->panels; p++)
        if (names_order(own, &f->panel[p].category, &f->panel[p].categories, f->panel[p].x.order,
                        e))
            return -1;

    const struct cell none = {.type = CELL_NULL};
    for (size_t row = 0; row < f->table.rows; row++) {
        size_t r, s, before = f->rows;
        const struct cell *c =
            f->row_column == FIGURE_NONE ? &none : table_cell(&f->table, row, f->row_column);
        if (name_index(own, &f->row, &f->rows, c, &r, e))
            return -1;
        if (f->rows > before) {
            void *q = memory_resize(f->base, f->rows * f->panels, sizeof *f->base, "baselines", e);
            if (!q)
                return -1;
            f->base = q;
            for (size_t p = 0; p < f->panels; p++)
                f->base[r * f->panels + p] = (struct figure_baseline){NAN, NAN, NAN};
        }
        for (size_t p = 0; p < f->panels; p++) {
            const struct figure_panel *panel = &f->panel[p];
            if (panel->where != FIGURE_NONE &&
                !equal(panel->equals, table_cell(&f->table, row, panel->where)))
                continue;
            if (f->baseline != FIGURE_NONE && base_take(f, row, r, p, e))
                return -1;
            c = f->series_column == FIGURE_NONE ? &none
                                                : table_cell(&f->table, row, f->series_column);
            if (name_index(own, &f->series, &f->series_count, c, &s, e) ||
                point_add(own, row, p, r, s, e))
                return -1;
        }
    }
    for (size_t p = 0; p < f->panels; p++)
        if (f->panel[p].x.category)
            drop_absent(f, p);
    for (size_t i = 0; i < f->lines; i++)
        qsort(f->line[i].point, f->line[i].count, sizeof *f->line[i].point, by_x);
    if (f->lines)
        qsort(f->line, f->lines, sizeof *f->line, by_place);
    return 0;
}

/* ---- queries and caption ----------------------------------------------------------------------- */

/* text with each {{name}} replaced by that column of the first row of t. */
static char *fill(const char *text, const struct table *t, struct error *e)
{
    struct buffer b = {0};
    while (*text) {
        const char *open = strstr(text, "{{");
        size_t n = open ? (size_t)(open - text) : strlen(text);
        if (buffer_append(&b, text, n, e))
            goto fail;
        text += n;
        if (!open)
            break;
        const char *close = strstr(open, "}}");
        char name[64], number[64];
        if (!close || (size_t)(close - open - 2) >= sizeof name) {
            error_set(e, "\"{{\" without \"}}\"");
            goto fail;
        }
        snprintf(name, sizeof name, "%.*s", (int)(close - open - 2), open + 2);
        size_t column = table_find(t, name);
        if (column == t->columns) {
            error_set(e, "{{%s}} is no column of caption.sql", name);
            goto fail;
        }
        struct cell none = {.type = CELL_NULL};
        const struct cell *c = t->rows ? table_cell(t, 0, column) : &none;
        const char *s = c->type == CELL_NULL ? "–" : cell_exact(c, number, sizeof number);
        if (buffer_append(&b, s, strlen(s), e))
            goto fail;
        text = close + 2;
    }
    if (buffer_append(&b, "", 1, e))
        goto fail;
    return (char *)b.data;
fail:
    buffer_free(&b);
    return NULL;
}

/* Runs a query of the folder, after with.sql where there is one. */
static int folder_query(struct table *t, const char *folder, const char *path, sqlite3 *db,
                        const char *what, struct error *e)
{
    struct buffer sql = {0};
    char *with = path_join(folder, "with.sql", e), *text = NULL;
    size_t n;
    int rc = -1;
    if (!with)
        return -1;
    if (path_exists(with)) {
        if (file_read(with, FILE_MAX, &text, &n, e) || buffer_append(&sql, text, n, e) || buffer_append(&sql, "\n", 1, e))
            goto out;
        free(text);
        text = NULL;
    }
    if (file_read(path, FILE_MAX, &text, &n, e) || buffer_append(&sql, text, n + 1, e))
        goto out;
    rc = query_run(t, db, (const char *)sql.data, what, e);
out:
    buffer_free(&sql);
    free(text);
    free(with);
    return rc;
}

/* Fills the texts of figure.json, whose labels may depend on the data as its caption does. */
static int fill_json(json_t *json, const struct table *t, struct error *e)
{
    const char *key;
    json_t *value;
    size_t i;
    if (json_is_string(json) && strstr(json_string_value(json), "{{")) {
        char *text = fill(json_string_value(json), t, e);
        int rc = !text ? -1 : json_string_set(json, text) ? error_set(e, "out of memory") : 0;
        free(text);
        return rc;
    }
    json_object_foreach(json, key, value) {
        if (fill_json(value, t, e))
            return -1;
    }
    json_array_foreach(json, i, value) {
        if (fill_json(value, t, e))
            return -1;
    }
    return 0;
}

/* The row of caption.sql, into figure.json and the caption. */
static int caption_read(struct figure *f, const char *folder, sqlite3 *db, struct error *e)
{
    struct table t = {0};
    size_t n = 0;
    int rc = -1;
    char *text = NULL;
    char *path = path_join(folder, "caption.md", e), *query = path_join(folder, "caption.sql", e);
    if (!path || !query || (path_exists(query) && folder_query(&t, folder, query, db, "caption.sql", e)) ||
        fill_json(f->json, &t, e) || (path_exists(path) && file_read(path, FILE_MAX, &text, &n, e)))
        goto out;
    while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
        text[--n] = 0;
    f->caption = fill(text ? text : "", &t, e);
    if (!f->caption)
        error_prefix(e, "caption.md");
    rc = f->caption ? 0 : -1;
out:
    table_free(&t);
    free(path);
    free(query);
    free(text);
    return rc;
}

/* Instead of a caption, and of a picture, where nothing is to be shown: what is missing. */
static int empty_say(struct figure *f, struct error *e)
{
    if (!figure_empty(f))
        return 0;
    free(f->caption);
    f->caption = strdup(f->empty);
    return f->caption ? 0 : error_set(e, "out of memory");
}

/* ---- whole ------------------------------------------------------------------------------------- */

int figure_load(struct figure **out, const char *folder, sqlite3 *db, struct error *e)
{
    char *description = NULL, *query = NULL;
    int rc = -1;
    struct figure_own *own = memory_new(1, sizeof *own, "a figure", e);
    if (!own)
        return -1;
    struct figure *f = &own->f;
    if (!(f->name = path_base(folder, e)) || !(description = path_join(folder, "figure.json", e)) ||
        !(query = path_join(folder, "query.sql", e)))
        goto out;
    if (!(f->json = json_read_file(description, FILE_MAX, e)))
        goto out;
    if (only_keys(f->json, description,
                  "title|label|kind|rows|panels|y|series|baseline|intervals|panel_height|columns|empty|"
                  "table|samples",
                  e) ||
        folder_query(&f->table, folder, query, db, query, e))
        goto out;
    if (caption_read(f, folder, db, e) || describe(f, e) || (f->kind < FIGURE_TABLE && sort_out(own, e)) || empty_say(f, e)) {
        error_prefix(e, "%s", description);
        goto out;
    }
    rc = 0;
out:
    free(description);
    free(query);
    if (rc)
        figure_free(f);
    else
        *out = f;
    return rc;
}

void figure_free(struct figure *f)
{
    if (!f)
        return;
    struct figure_own *own = (struct figure_own *)f;
    for (size_t i = 0; i < f->lines; i++)
        free(f->line[i].point);
    for (size_t i = 0; f->panel && i < f->panels; i++)
        free(f->panel[i].category);
    for (size_t i = 0; i < own->texts; i++)
        free(own->text[i]);
    free(own->text);
    free(f->line);
    free(f->panel);
    free(f->row);
    free(f->series);
    free(f->base);
    free(f->column);
    free(f->caption);
    free(f->name);
    table_free(&f->table);
    json_decref(f->json);
    free(own);
}

bool figure_empty(const struct figure *f)
{
    if (f->kind >= FIGURE_TABLE)
        return !f->table.rows;
    for (size_t i = 0; i < f->lines; i++)
        for (size_t j = 0; j < f->line[i].count; j++)
            if (!isnan(f->line[i].point[j].y))
                return false;
    return true;
}

bool figure_has(const struct figure_keys *k, size_t column)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->column[i] == column)
            return true;
    return false;
}

const struct figure_column *figure_column_of(const struct figure *f, size_t column)
{
    for (size_t i = 0; i < f->columns; i++)
        if (f->column[i].column == column)
            return &f->column[i];
    return NULL;
}

char *figure_caption_plain(const struct figure *f, struct error *e)
{
    char *text = memory_new(strlen(f->caption) + 1, 1, "a caption", e);
    size_t n = 0;
    for (const char *p = f->caption; text && *p; p++)
        if (*p != '*' && *p != '`')
            text[n++] = *p == '\n' ? ' ' : *p;
    return text;
}

const struct figure_baseline *figure_base(const struct figure *f, size_t row, size_t panel)
{
    return &f->base[row * f->panels + panel];
}

const char *figure_text(const struct figure_column *c, const struct cell *cell, char *out, size_t n)
{
    double x = cell_number(cell);
    if (cell->type == CELL_TEXT || cell->type == CELL_NULL || !isfinite(x))
        return cell_exact(cell, out, n);
    if (c->decimals >= 0)
        snprintf(out, n, "%.*f", c->decimals, x);
    else if (cell->type == CELL_INTEGER)
        return cell_exact(cell, out, n);
    else
        snprintf(out, n, "%.6g", x);
    return out;
}

const char *figure_heading(const struct figure_column *c, char *out, size_t n)
{
    if (*c->unit)
        snprintf(out, n, "%s (%s)", c->label, c->unit);
    else
        snprintf(out, n, "%s", c->label);
    return out;
}

bool figure_numeric(const struct figure *f, size_t column)
{
    bool any = false;
    for (size_t r = 0; r < f->table.rows; r++) {
        enum cell_type t = table_cell(&f->table, r, column)->type;
        if (t == CELL_TEXT)
            return false;
        any = any || t != CELL_NULL;
    }
    return any;
}

bool figure_visible(const struct figure *f, const struct figure_column *c)
{
    for (size_t r = 0; r < f->table.rows && !c->hidden && !c->aside; r++)
        if (table_cell(&f->table, r, c->column)->type != CELL_NULL)
            return true;
    return false;
}

static int csv_field(struct buffer *out, const char *s, const char *end, struct error *e)
{
    bool quoted = strpbrk(s, "\",\r\n");
    int failed = quoted ? buffer_append(out, "\"", 1, e) : 0;
    for (; *s && !failed; s++)
        failed = (*s == '"' && buffer_append(out, s, 1, e)) || buffer_append(out, s, 1, e);
    return failed || (quoted && buffer_append(out, "\"", 1, e)) ||
                   buffer_append(out, end, strlen(end), e)
               ? -1
               : 0;
}

int figure_csv(const struct figure *f, struct buffer *out, struct error *e)
{
    const struct table *t = &f->table;
    char text[128];
    for (size_t i = 0; i < t->columns; i++)
        if (csv_field(out, t->name[i], i + 1 < t->columns ? "," : "\r\n", e))
            return -1;
    for (size_t r = 0; r < t->rows; r++)
        for (size_t i = 0; i < t->columns; i++)
            if (csv_field(out, cell_exact(table_cell(t, r, i), text, sizeof text),
                          i + 1 < t->columns ? "," : "\r\n", e))
                return -1;
    return 0;
}

static int by_version(const void *a, const void *b)
{
    return strverscmp(*(char *const *)a, *(char *const *)b);
}

/* The folder of figures that `make install` made: ../share/kick from the running program's. */
static const char *installed_folder(char *path, size_t size)
{
    const char tail[] = "/../share/kick";
    const ssize_t n = readlink("/proc/self/exe", path, size - sizeof tail);
    if (n <= 0)
        return NULL;
    path[n] = 0;
    strcpy(strrchr(path, '/'), tail);
    return path;
}

int figure_folders(const char *dir, char ***list, size_t *count, struct error *e)
{
    *list = NULL;
    *count = 0;
    char installed[4096];
    if (!dir && !path_is_directory(dir = "reports") &&
        !(dir = installed_folder(installed, sizeof installed)))
        dir = "reports";
    DIR *d = opendir(dir);
    if (!d)
        return error_set(e, "%s: no such folder of figures", dir);
    int rc = -1;
    struct dirent *entry;
    while ((entry = readdir(d))) {
        if (entry->d_name[0] == '.')
            continue;
        char *path = path_join(dir, entry->d_name, e);
        char *json = path ? path_join(path, "figure.json", e) : NULL;
        if (!json) {
            free(path);
            goto out;
        }
        bool figure = path_exists(json);
        free(json);
        if (!figure) {
            free(path);
            continue;
        }
        void *p = memory_resize(*list, *count + 1, sizeof **list, "folders", e);
        if (!p) {
            free(path);
            goto out;
        }
        *list = p;
        (*list)[(*count)++] = path;
    }
    if (!*count) {
        error_set(e, "%s holds no folder with a figure.json", dir);
        goto out;
    }
    qsort(*list, *count, sizeof **list, by_version);
    rc = 0;
out:
    closedir(d);
    if (rc) {
        figure_folders_free(*list, *count);
        *list = NULL;
        *count = 0;
    }
    return rc;
}

void figure_folders_free(char **list, size_t count)
{
    for (size_t i = 0; list && i < count; i++)
        free(list[i]);
    free(list);
}

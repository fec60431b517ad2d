/* Flowing text. A line is measured word by word; what does not fit on a page goes to the next. */
#include "pages.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grid.h"
#include "memory.h"

#define INK 0x222222u
#define SOFT 0x555555u
#define RULE 0xbbbbbbu
#define LEADING 1.38
#define COLUMN_GAP 8.0
#define TABLE_SIZE 6.5
#define SAMPLE_SIZE 7.0
#define NUMBER_SIZE 7.0

enum { TEXT_MAX = 320, SAMPLES_MAX = 12 };

struct pages {
    double width, height, margin;
    double y; /* where the next thing stands */
    struct drawing **page;
    size_t count;
};

static int page_add(struct pages *p, struct error *e)
{
    void *list = memory_resize(p->page, p->count + 1, sizeof *p->page, "pages", e);
    if (!list)
        return -1;
    p->page = list;
    if (drawing_new(&p->page[p->count], p->width, p->height > 0 ? p->height : 40, e))
        return -1;
    p->count++;
    p->y = p->margin;
    return 0;
}

int pages_new(struct pages **out, double width, double height, double margin, struct error *e)
{
    struct pages *p = memory_new(1, sizeof *p, "pages", e);
    if (!p)
        return -1;
    *p = (struct pages){.width = width, .height = height, .margin = margin};
    if (page_add(p, e)) {
        pages_free(p);
        return -1;
    }
    *out = p;
    return 0;
}

void pages_free(struct pages *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        drawing_free(p->page[i]);
    free(p->page);
    free(p);
}

double pages_width(const struct pages *p)
{
    return p->width - 2 * p->margin;
}

static struct drawing *current(const struct pages *p)
{
    return p->page[p->count - 1];
}

void pages_space(struct pages *p, double points)
{
    if (p->y > p->margin)
        p->y += points;
}

int pages_need(struct pages *p, double points, struct error *e)
{
    bool full = p->height > 0 && p->y + points > p->height - p->margin && p->y > p->margin;
    return full ? page_add(p, e) : 0;
}

/* ---- lines ------------------------------------------------------------------------------------- */

struct lines {
    char **line;
    size_t count;
};

static void lines_free(struct lines *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->line[i]);
    free(l->line);
    *l = (struct lines){0};
}

static int line_add(struct lines *l, const char *s, size_t n, struct error *e)
{
    void *list = memory_resize(l->line, l->count + 1, sizeof *l->line, "lines", e);
    if (!list)
        return -1;
    l->line = list;
    l->line[l->count] = strndup(s, n);
    return l->line[l->count++] ? 0 : error_set(e, "out of memory for a line");
}

static double width_of(const struct pages *p, const char *s, size_t n, const struct draw_font *f)
{
    char text[1024];
    if (n >= sizeof text)
        for (n = sizeof text - 1; ((unsigned char)s[n] & 0xc0) == 0x80;) /* whole characters */
            n--;
    memcpy(text, s, n);
    text[n] = 0;
    return draw_text_width(current(p), text, f);
}

/* How many bytes of s, at most n, fit the width: whole characters, at least one. */
static size_t cut(const struct pages *p, const char *s, size_t n, double width,
                  const struct draw_font *f)
{
    size_t fits = 0;
    for (size_t i = 1; i <= n; i++) {
        if (i < n && ((unsigned char)s[i] & 0xc0) == 0x80)
            continue;
        if (fits && width_of(p, s, i, f) > width)
            break;
        fits = i;
    }
    return fits;
}

/* Breaks a text at spaces and newlines; a word that is too wide is cut. */
static int wrap(const struct pages *p, const char *s, double width, const struct draw_font *f,
                struct lines *l, struct error *e)
{
    while (*s) {
        size_t line = strcspn(s, "\n"), used = 0;
        double x = 0, space = draw_text_width(current(p), " ", f);
        while (used < line) {
            size_t gap = strspn(s + used, " "), word = strcspn(s + used + gap, " \n");
            if (used + gap >= line)
                break;
            double w = width_of(p, s + used + gap, word, f);
            if (used && x + space * (double)gap + w > width)
                break;
            if (!used && w > width) {
                used = gap + cut(p, s + gap, word, width, f);
                break;
            }
            x += (used ? space * (double)gap : 0) + w;
            used += gap + word;
        }
        used = used ? used : line;
        size_t lead = strspn(s, " ");
        lead = lead < used ? lead : used;
        if (line_add(l, s + lead, used - lead, e))
            return -1;
        s += used;
        s += used < line ? strspn(s, " ") : *s == '\n';
    }
    return 0;
}

static int line_draw(const struct pages *p, double x, double y, const char *text,
                     struct draw_font font, struct error *e)
{
    return *text ? draw_text(current(p), x, y, text, font, e) : 0;
}

int pages_text(struct pages *p, const char *text, struct draw_font font, struct error *e)
{
    struct lines l = {0};
    int rc = wrap(p, text, pages_width(p), &font, &l, e);
    font.across = DRAW_LEFT;
    font.down = DRAW_TOP;
    for (size_t i = 0; i < l.count && !rc; i++) {
        rc = pages_need(p, font.size * LEADING, e) ||
             line_draw(p, p->margin, p->y, l.line[i], font, e);
        p->y += font.size * LEADING;
    }
    lines_free(&l);
    return rc ? -1 : 0;
}

int pages_beside(struct pages *p, const char *left, const char *right, struct draw_font font,
                 struct error *e)
{
    struct lines l[2] = {{0}};
    double width = (pages_width(p) - 2 * COLUMN_GAP) / 2;
    int rc = wrap(p, left, width, &font, &l[0], e) || wrap(p, right, width, &font, &l[1], e);
    size_t most = l[0].count > l[1].count ? l[0].count : l[1].count;
    font.across = DRAW_LEFT;
    font.down = DRAW_TOP;
    rc = rc || pages_need(p, fmin((double)most * font.size * LEADING, 300), e);
    for (size_t i = 0; i < most && !rc; i++) {
        rc = pages_need(p, font.size * LEADING, e);
        for (int side = 0; side < 2 && !rc; side++)
            if (i < l[side].count)
                rc = line_draw(p, p->margin + side * (width + 2 * COLUMN_GAP), p->y,
                               l[side].line[i], font, e);
        p->y += font.size * LEADING;
    }
    lines_free(&l[0]);
    lines_free(&l[1]);
    return rc ? -1 : 0;
}

int pages_drawing(struct pages *p, const struct drawing *d, struct error *e)
{
    double most = p->height > 0 ? p->height - 2 * p->margin - PAGES_BESIDE_DRAWING : INFINITY;
    double by = fmin(1, most / drawing_height(d));
    if (pages_need(p, by * drawing_height(d), e) || draw_drawing(current(p), d, p->margin, p->y, by, e))
        return -1;
    p->y += by * drawing_height(d);
    return 0;
}

/* ---- tables ------------------------------------------------------------------------------------ */

static int rule(struct pages *p, double y, double length, double width, struct error *e)
{
    struct draw_point q[2] = {{p->margin, y}, {p->margin + length, y}};
    return draw_line(current(p), q, 2, (struct draw_stroke){INK, 1, width, DRAW_SOLID}, e);
}

/* Natural widths and a little more where they fit; otherwise the wide columns share what the narrow ones
 * leave. Returns the width of all with the gaps between them. */
static double share_widths(double *want, size_t n, double available)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += want[i];
    for (double limit = available; sum > available && limit > 8; limit *= 0.97) {
        sum = 0;
        for (size_t i = 0; i < n; i++) {
            want[i] = fmin(want[i], limit);
            sum += want[i];
        }
    }
    double more = fmin(fmax(available - sum, 0) / (double)n, COLUMN_GAP);
    for (size_t i = 0; i < n; i++)
        want[i] += more;
    return sum + more * (double)n + COLUMN_GAP * (double)(n - 1);
}

/* The cells of a row as lines; *most: of the cell with most. */
static int row_wrap(struct pages *p, const struct pages_table *t, size_t row, const double *width,
                    struct lines *l, size_t *most, struct error *e)
{
    struct draw_font font = {.size = TABLE_SIZE};
    *most = 1;
    for (size_t i = 0; i < t->columns; i++) {
        size_t at = row * t->columns + i;
        font.bold = row == 0 || (t->bold && t->bold[at]);
        if (wrap(p, t->text[at], width[i], &font, &l[i], e))
            return -1;
        *most = l[i].count > *most ? l[i].count : *most;
    }
    return 0;
}

/* Lines `from` to `to` of the cells. */
static int row_draw(struct pages *p, const struct pages_table *t, size_t row, const double *width,
                    const struct lines *l, size_t from, size_t to, struct error *e)
{
    struct draw_font font = {.size = TABLE_SIZE, .color = INK, .down = DRAW_TOP};
    double x = p->margin;
    for (size_t i = 0; i < t->columns; i++) {
        font.bold = row == 0 || (t->bold && t->bold[row * t->columns + i]);
        font.across = t->right[i] ? DRAW_RIGHT : DRAW_LEFT;
        /* The head stands at the foot of its row. */
        size_t skip = row == 0 ? to - l[i].count : 0;
        for (size_t k = from; k < l[i].count && k < to; k++)
            if (line_draw(p, x + (t->right[i] ? width[i] : 0),
                          p->y + (double)(k - from + skip) * TABLE_SIZE * LEADING, l[i].line[k], font, e))
                return -1;
        x += width[i] + COLUMN_GAP;
    }
    p->y += (double)(to - from) * TABLE_SIZE * LEADING;
    return 0;
}

static int row_put(struct pages *p, const struct pages_table *t, size_t row, const double *width, double length,
                   struct error *e);

static int head_draw(struct pages *p, const struct pages_table *t, const double *width, double length,
                     struct error *e)
{
    if (rule(p, p->y, length, 0.8, e))
        return -1;
    p->y += 3;
    if (row_put(p, t, 0, width, length, e) || rule(p, p->y + 0.5, length, 0.5, e))
        return -1;
    p->y += 4;
    return 0;
}

/* A row, on the next page under another head where this one has no room for it; what no page has room for goes
 * on over several. */
static int row_put(struct pages *p, const struct pages_table *t, size_t row, const double *width, double length,
                   struct error *e)
{
    struct lines *l = memory_new(t->columns, sizeof *l, "a table", e);
    size_t most = 1, before = p->count;
    int rc = l ? row_wrap(p, t, row, width, l, &most, e) : -1;
    rc = rc || (row && pages_need(p, (double)most * TABLE_SIZE * LEADING, e)) ? -1 : 0;
    for (size_t from = 0, to; from < most && !rc; from = to) {
        rc = from ? page_add(p, e) : 0;
        if (!rc && p->count > before)
            rc = head_draw(p, t, width, length, e);
        before = p->count;
        to = most;
        while (row && p->height > 0 && to > from + 1 &&
               p->y + (double)(to - from) * TABLE_SIZE * LEADING > p->height - p->margin)
            to--;
        rc = rc || row_draw(p, t, row, width, l, from, to, e) ? -1 : 0;
    }
    for (size_t i = 0; l && i < t->columns; i++)
        lines_free(&l[i]);
    free(l);
    return rc;
}

int pages_table(struct pages *p, const struct pages_table *t, struct error *e)
{
    double *width = memory_new(t->columns, sizeof *width, "a table", e);
    if (!width)
        return -1;
    for (size_t i = 0; i < t->rows * t->columns; i++) {
        struct draw_font font = {.size = TABLE_SIZE,
                                 .bold = i < t->columns || (t->bold && t->bold[i])};
        width[i % t->columns] = fmax(width[i % t->columns],
                                     ceil(draw_text_width(current(p), t->text[i], &font)) + 1);
    }
    double length =
        share_widths(width, t->columns, pages_width(p) - COLUMN_GAP * (double)(t->columns - 1));
    int rc = pages_need(p, 5 * TABLE_SIZE * LEADING, e) || head_draw(p, t, width, length, e);
    for (size_t r = 1; r < t->rows && !rc; r++) {
        const char *const *text = t->text + r * t->columns;
        if (t->grouped && r > 1 && strcmp(text[0], text[-(ptrdiff_t)t->columns]))
            p->y += 3;
        rc = row_put(p, t, r, width, length, e);
    }
    rc = rc || rule(p, p->y + 1.5, length, 0.8, e);
    p->y += 4;
    free(width);
    return rc ? -1 : 0;
}

int pages_figure_table(struct pages *p, const struct figure *f, struct error *e)
{
    struct grid *g;
    char text[TEXT_MAX];
    if (grid_new(&g, f, true, e))
        return -1;
    size_t n = (g->rows + 1) * g->columns;
    char **list = memory_new(n + 1, sizeof *list, "a table", e);
    bool *right = memory_new(g->columns + 1, sizeof *right, "a table", e);
    bool *bold = memory_new(n + 1, sizeof *bold, "a table", e);
    int rc = list && right && bold ? 0 : -1;
    for (size_t i = 0; i < n && !rc; i++) {
        size_t row = i / g->columns, column = i % g->columns;
        right[column] = g->column[column].right;
        bold[i] = row && grid_at(g, row - 1, column)->best;
        list[i] = strdup(row ? grid_text(grid_at(g, row - 1, column), text, sizeof text)
                             : grid_heading(&g->column[column], text, sizeof text));
        rc = list[i] ? 0 : error_set(e, "out of memory for a table");
    }
    struct pages_table t = {(const char *const *)list, right, bold, g->rows + 1, g->columns, g->folded};
    rc = rc || !g->columns ? rc : pages_table(p, &t, e);
    if (!rc && g->starred) {
        snprintf(text, sizeof text, "Bold: %s.", f->pivot.bold);
        pages_space(p, 3);
        rc = pages_text(p, text, (struct draw_font){.size = TABLE_SIZE, .color = SOFT, .italic = true}, e);
    }
    for (size_t i = 0; list && i < n; i++)
        free(list[i]);
    free(list);
    free(right);
    free(bold);
    grid_free(g);
    return rc;
}

/* ---- samples ----------------------------------------------------------------------------------- */

static int label_draw(struct pages *p, const char *left, const char *right, struct error *e)
{
    struct draw_font font = {.size = SAMPLE_SIZE - 0.5, .color = SOFT, .italic = true};
    pages_space(p, 2);
    if (pages_need(p, 4 * SAMPLE_SIZE * LEADING, e))
        return -1;
    return right ? pages_beside(p, left, right, font, e) : pages_text(p, left, font, e);
}

int pages_samples(struct pages *p, const struct figure *f, struct error *e)
{
    struct draw_font head = {.size = SAMPLE_SIZE + 0.5, .color = INK, .bold = true};
    struct draw_font body = {.size = SAMPLE_SIZE, .color = INK};
    char text[TEXT_MAX], number[TEXT_MAX];
    for (size_t r = 0; r < f->table.rows; r++) {
        if (r == SAMPLES_MAX) {
            snprintf(text, sizeof text, "… and %zu more, in the page and the csv.", f->table.rows - r);
            pages_space(p, 8);
            return pages_text(p, text, body, e);
        }
        text[0] = 0;
        for (size_t i = 0; i < f->head.count; i++) {
            const struct figure_column *c = figure_column_of(f, f->head.column[i]);
            size_t n = strlen(text);
            snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : "",
                     figure_text(c, table_cell(&f->table, r, c->column), number, sizeof number));
        }
        pages_space(p, 8);
        if (pages_need(p, 8 * SAMPLE_SIZE * LEADING, e) || pages_text(p, text, head, e))
            return -1;
        const struct figure_column *first = NULL; /* of two texts side by side */
        char first_text[TEXT_MAX];
        for (size_t i = 0; i < f->columns; i++) {
            const struct figure_column *c = &f->column[i];
            const struct cell *cell = table_cell(&f->table, r, c->column);
            if (c->hidden || c->aside || figure_has(&f->head, c->column))
                continue;
            bool side = figure_has(&f->side, c->column);
            if (cell->type == CELL_NULL && !side)
                continue;
            const char *s = cell->type == CELL_NULL ? "–" : figure_text(c, cell, number, sizeof number);
            s += strspn(s, " \n");
            if (side && !first) {
                first = c;
                continue;
            }
            if (side) {
                const struct cell *other = table_cell(&f->table, r, first->column);
                const char *left = other->type == CELL_NULL
                                       ? "–"
                                       : figure_text(first, other, first_text, sizeof first_text);
                left += strspn(left, " \n");
                if (label_draw(p, first->label, c->label, e) || pages_beside(p, left, s, body, e))
                    return -1;
                first = NULL;
                continue;
            }
            if (label_draw(p, c->label, NULL, e) || pages_text(p, s, body, e))
                return -1;
        }
    }
    return 0;
}

/* ---- whole ------------------------------------------------------------------------------------- */

struct drawing *const *pages_list(struct pages *p, size_t *count, struct error *e)
{
    if (p->height <= 0) {
        drawing_set_height(p->page[0], ceil(p->y + p->margin));
    } else {
        for (size_t i = 0; i < p->count; i++) {
            char number[32];
            snprintf(number, sizeof number, "%zu", i + 1);
            struct draw_font f = {.size = NUMBER_SIZE, .color = SOFT, .across = DRAW_CENTER,
                                  .down = DRAW_TOP};
            if (draw_text(p->page[i], p->width / 2, p->height - p->margin / 2, number, f, e))
                return NULL;
        }
    }
    *count = p->count;
    return p->page;
}

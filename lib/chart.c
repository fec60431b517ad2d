/* Layout of charts.
 *
 * Panels flow like words: as many side by side as the width allows, the y axis again at the start of
 * each line. A numeric panel takes a share of what is left over, a panel of categories only what its
 * labels need, so an N:M strip stands beside the sparsity axis. Colours are those of Okabe and Ito
 * (Color Universal Design, 2008) without black, which is the dense model's; shape and dash repeat
 * what colour says. */
#include "chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "scale.h"

/* Points. */
#define TICK_SIZE 6.5
#define LABEL_SIZE 7.0
#define TITLE_SIZE 7.5
#define MARGIN 2.0
#define PANEL_GAP 12.0
#define LABEL_STEP 8.6 /* between direct labels */
#define MARKER 4.4
#define PANEL_MIN 84.0 /* width of a plot */

#define INK 0x222222u
#define AXIS 0x555555u
#define GRID 0xe4e4e4u

enum { LABELS_MAX = 64 };

struct place {
    double width, minimum, weight; /* of the plot */
    double gutter;                 /* for direct labels, right of the plot */
    double left;
    size_t line;
    double lo, hi; /* of the numeric values */
    size_t distinct;
    bool empty;
};

struct chart {
    const struct figure *f;
    struct drawing *d;
    struct error *e;
    double width, axis; /* of the page; of the y axis with its labels */
    struct place *place;
    size_t lines;      /* of panels, in each row */
    size_t *label_in;  /* panel where a series is labelled; FIGURE_NONE: nowhere */
    size_t base_in;    /* the same for the dense rule */
    bool legend, base_legend; /* names of series, and the dense rule, stand above the panels */
    double base;              /* its value, where all panels have the same */
    double plot_height;
    struct scale y; /* of the current row */
};

struct chart_style chart_style(size_t i)
{
    static const uint32_t color[7] = {0x0072b2, 0xd55e00, 0x009e73, 0xe69f00,
                                      0xcc79a7, 0x56b4e9, 0xf0e442};
    static const uint32_t text[7] = {0x00629a, 0xb54f00, 0x007a59, 0x9a6a00,
                                     0xa24f7d, 0x26779f, 0x857c00};
    static const enum draw_dash dash[4] = {DRAW_SOLID, DRAW_LONG_DASH, DRAW_DASH_DOT, DRAW_DOTTED};
    /* The first seven have one shape each; later ones come back in colour with another shape. */
    return (struct chart_style){color[i % 7], text[i % 7],
                                (enum draw_shape)((i + i / 7) % DRAW_SHAPES), dash[i % 4]};
}

static struct draw_font font(double size, uint32_t color, enum draw_across across,
                             enum draw_down down)
{
    return (struct draw_font){.size = size, .color = color, .across = across, .down = down};
}

/* Text cut to a width, with an ellipsis where something is missing. */
static int text_fit(struct chart *c, double x, double y, const char *text, double width,
                    struct draw_font f)
{
    if (draw_text_width(c->d, text, &f) <= width)
        return draw_text(c->d, x, y, text, f, c->e);
    char cut[256];
    size_t n = strlen(text);
    if (n > sizeof cut - 4)
        n = sizeof cut - 4;
    for (; n; n--) {
        if (((unsigned char)text[n] & 0xc0) == 0x80)
            continue; /* not inside a character */
        memcpy(cut, text, n);
        memcpy(cut + n, "…", 4);
        if (draw_text_width(c->d, cut, &f) <= width)
            return draw_text(c->d, x, y, cut, f, c->e);
    }
    return 0;
}

static double width_of(struct chart *c, const char *text, double size, bool bold)
{
    struct draw_font f = {.size = size, .bold = bold};
    return draw_text_width(c->d, text, &f);
}

static int rule(struct chart *c, double x0, double y0, double x1, double y1, uint32_t color,
                double width, enum draw_dash dash)
{
    struct draw_point p[2] = {{x0, y0}, {x1, y1}};
    return draw_line(c->d, p, 2, (struct draw_stroke){color, 1, width, dash}, c->e);
}

/* ---- what there is ----------------------------------------------------------------------------- */

static bool shown(const struct figure_line *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (!isnan(l->point[i].y))
            return true;
    return false;
}

static void include(double v, bool log, double *lo, double *hi)
{
    if (!isfinite(v) || (log && v <= 0))
        return;
    *lo = fmin(*lo, v);
    *hi = fmax(*hi, v);
}

static void measure_x(struct chart *c)
{
    const struct figure *f = c->f;
    for (size_t p = 0; p < f->panels; p++) {
        struct place *at = &c->place[p];
        at->lo = INFINITY;
        at->hi = -INFINITY;
        at->empty = true;
        for (size_t i = 0; i < f->lines; i++) {
            const struct figure_line *l = &f->line[i];
            if (l->panel != p || !shown(l))
                continue;
            at->empty = false;
            if (l->count > at->distinct)
                at->distinct = l->count;
            for (size_t j = 0; j < l->count; j++) {
                include(l->point[j].x, f->panel[p].x.log, &at->lo, &at->hi);
                include(l->point[j].x_low, f->panel[p].x.log, &at->lo, &at->hi);
                include(l->point[j].x_high, f->panel[p].x.log, &at->lo, &at->hi);
            }
        }
    }
}

/* Range of y over one row of panels, or over all. */
static void measure_y(struct chart *c, size_t row)
{
    const struct figure *f = c->f;
    double lo = INFINITY, hi = -INFINITY;
    for (size_t i = 0; i < f->lines; i++) {
        const struct figure_line *l = &f->line[i];
        if (!f->share_y && l->row != row)
            continue;
        for (size_t j = 0; j < l->count; j++) {
            include(l->point[j].y, f->y.log, &lo, &hi);
            include(l->point[j].low, f->y.log, &lo, &hi);
            include(l->point[j].high, f->y.log, &lo, &hi);
        }
    }
    for (size_t i = 0; i < f->rows * f->panels; i++)
        if (f->share_y || i / f->panels == row) {
            include(f->base[i].value, f->y.log, &lo, &hi);
            include(f->base[i].low, f->y.log, &lo, &hi);
            include(f->base[i].high, f->y.log, &lo, &hi);
        }
    c->y = (struct scale){.log = f->y.log};
    scale_range(&c->y, lo, hi, 0.05, f->y.min, f->y.max);
}

static struct scale scale_x(const struct chart *c, size_t p)
{
    const struct figure_axis *x = &c->f->panel[p].x;
    const struct place *at = &c->place[p];
    struct scale s = {.log = x->log};
    if (x->category) {
        s.min = -0.5;
        s.max = (double)c->f->panel[p].categories - 0.5;
    } else {
        scale_range(&s, at->lo, at->hi, 0.04, x->min, x->max);
        /* A point at the very edge would be cut in half. */
        if (!isfinite(x->max) && isfinite(x->min))
            s.max = fmax(s.max, at->hi);
    }
    s.from = x->reverse ? at->left + at->width : at->left;
    s.to = x->reverse ? at->left : at->left + at->width;
    return s;
}

/* ---- layout ------------------------------------------------------------------------------------ */

enum base { BASE_NONE, BASE_BESIDE, BASE_ABOVE };

/* Where the dense rule of a panel is labelled: once in a row of panels beside the rule, where the
 * series are, and above the panel wherever it stands elsewhere. */
static enum base base_label(const struct chart *c, size_t row, size_t p)
{
    double here = figure_base(c->f, row, p)->value;
    if (c->place[p].empty || c->base_legend || !isfinite(here))
        return BASE_NONE;
    if (p == c->base_in)
        return c->legend ? BASE_ABOVE : BASE_BESIDE;
    return here != figure_base(c->f, row, c->base_in)->value ? BASE_ABOVE : BASE_NONE;
}

/* Label text of a dense rule, with its value. */
static const char *base_text(const struct chart *c, double value, char *out, size_t n)
{
    char number[SCALE_TEXT];
    snprintf(out, n, "%s %s", c->f->baseline_label, scale_number(value, 3, number));
    return out;
}

/* What the label above a panel takes of its title's line. */
static double base_width(struct chart *c, size_t row, size_t p)
{
    char text[120];
    return base_label(c, row, p) == BASE_ABOVE
               ? 6 + width_of(c, base_text(c, figure_base(c->f, row, p)->value, text, sizeof text), TICK_SIZE, false)
               : 0;
}

/* Which panel labels which series: the first with lines, else the first at all. */
static void place_labels(struct chart *c)
{
    const struct figure *f = c->f;
    c->base_in = FIGURE_NONE;
    for (size_t s = 0; s < f->series_count; s++) {
        c->label_in[s] = FIGURE_NONE;
        for (size_t i = 0; i < f->lines; i++) {
            const struct figure_line *l = &f->line[i];
            if (l->series != s || !shown(l))
                continue;
            size_t old = c->label_in[s];
            if (old == FIGURE_NONE ||
                (f->panel[old].x.category && !f->panel[l->panel].x.category) ||
                (f->panel[old].x.category == f->panel[l->panel].x.category && l->panel < old))
                c->label_in[s] = l->panel;
        }
    }
    size_t most = 0, panels = 0;
    double widest = 0;
    c->base = NAN;
    c->base_legend = f->baseline != FIGURE_NONE;
    for (size_t p = 0; p < f->panels; p++) {
        size_t n = 0;
        panels += !c->place[p].empty;
        for (size_t s = 0; s < f->series_count; s++)
            if (c->label_in[s] == p && *f->series[s]) {
                n++;
                widest = fmax(widest, width_of(c, f->series[s], LABEL_SIZE, false));
            }
        for (size_t r = 0; r < f->rows; r++) {
            double here = figure_base(f, r, p)->value;
            if (isfinite(here) && isfinite(c->base) && here != c->base)
                c->base_legend = false;
            c->base = isfinite(here) ? here : c->base;
        }
        if (n && c->base_in == FIGURE_NONE)
            c->base_in = p;
        most = n > most ? n : most;
    }
    for (size_t p = 0; p < f->panels && c->base_in == FIGURE_NONE; p++)
        if (!c->place[p].empty)
            c->base_in = p;
    /* Beside three panels and more, long names would leave them no width. */
    c->legend = f->kind == FIGURE_POINTS || most >= LABELS_MAX || (panels > 2 && widest > PANEL_MIN / 2) ||
                (double)(most + 1) * LABEL_STEP > c->plot_height;
    c->base_legend = c->base_legend && c->legend && isfinite(c->base);
}

static double gutter_of(struct chart *c, size_t p)
{
    const struct figure *f = c->f;
    double w = 0;
    for (size_t s = 0; s < f->series_count && !c->legend; s++)
        if (c->label_in[s] == p && *f->series[s])
            w = fmax(w, width_of(c, f->series[s], LABEL_SIZE, false));
    char text[120];
    for (size_t r = 0; r < f->rows; r++)
        if (base_label(c, r, p) == BASE_BESIDE)
            w = fmax(w, width_of(c, base_text(c, figure_base(c->f, r, p)->value, text, sizeof text), LABEL_SIZE, false));
    return w > 0 ? fmin(w, 0.35 * c->width) + 13 : 0;
}

/* Widest y tick label of any row of panels. */
static double axis_width(struct chart *c)
{
    struct tick tick[SCALE_TICKS_MAX];
    double w = 0;
    for (size_t r = 0; r < c->f->rows; r++) {
        measure_y(c, r);
        c->y.from = c->plot_height;
        c->y.to = 0;
        size_t n = scale_ticks(&c->y, 2 * TICK_SIZE, tick);
        for (size_t i = 0; i < n; i++)
            w = fmax(w, width_of(c, tick[i].text, TICK_SIZE, false));
    }
    return MARGIN + (*c->f->y.label ? LABEL_SIZE + 5 : 0) + w + 4;
}

static void size_panel(struct chart *c, size_t p)
{
    const struct figure_panel *panel = &c->f->panel[p];
    struct place *at = &c->place[p];
    at->gutter = gutter_of(c, p);
    at->minimum = PANEL_MIN;
    at->weight = fmin(fmax((double)at->distinct, 5), 12);
    if (panel->x.category) {
        double w = 16;
        for (size_t i = 0; i < panel->categories; i++)
            w = fmax(w, width_of(c, panel->category[i], TICK_SIZE, false) + 6);
        at->minimum = fmin(w, 40) * (double)panel->categories;
        at->weight = 0.6 * (double)panel->categories;
    }
    at->minimum = fmax(at->minimum, width_of(c, panel->x.label, LABEL_SIZE, false));
    double above = 0;
    for (size_t r = 0; r < c->f->rows; r++)
        above = fmax(above, base_width(c, r, p));
    at->minimum = fmax(at->minimum, width_of(c, panel->title, TITLE_SIZE, true) +
                                        (above > 0 ? above : -at->gutter));
    at->minimum = fmin(at->minimum, c->width - c->axis - at->gutter - MARGIN);
}

/* As many panels side by side as fit, at most `most`; returns the number of lines. */
static size_t break_lines(struct chart *c, size_t most)
{
    double used = 0, available = c->width - c->axis - MARGIN;
    size_t lines = 1, in_line = 0;
    for (size_t p = 0; p < c->f->panels; p++) {
        struct place *at = &c->place[p];
        if (at->empty)
            continue;
        double need = at->minimum + at->gutter + (in_line ? PANEL_GAP : 0);
        if (in_line && (in_line == most || used + need > available)) {
            lines++;
            used = 0;
            in_line = 0;
            need -= PANEL_GAP;
        }
        at->line = lines - 1;
        used += need;
        in_line++;
    }
    return lines;
}

/* Breaks the panels into lines, as even as can be, and shares out each line's width. */
static void flow(struct chart *c)
{
    const struct figure *f = c->f;
    double available = c->width - c->axis - MARGIN;
    size_t shown_panels = 0;
    for (size_t p = 0; p < f->panels; p++)
        shown_panels += !c->place[p].empty;
    c->lines = break_lines(c, shown_panels);
    for (size_t most = (shown_panels + c->lines - 1) / c->lines; most < shown_panels; most++)
        if (break_lines(c, most) == c->lines)
            break;
    for (size_t line = 0; line < c->lines; line++) {
        double rest = available, weight = 0;
        size_t n = 0;
        for (size_t p = 0; p < f->panels; p++)
            if (!c->place[p].empty && c->place[p].line == line) {
                rest -= c->place[p].minimum + c->place[p].gutter + (n ? PANEL_GAP : 0);
                weight += c->place[p].weight;
                n++;
            }
        double x = c->axis;
        for (size_t p = 0; p < f->panels; p++) {
            struct place *at = &c->place[p];
            if (at->empty || at->line != line)
                continue;
            at->width = at->minimum + (rest > 0 ? rest * at->weight / weight : 0);
            at->left = x;
            x += at->width + at->gutter + PANEL_GAP;
        }
    }
}

/* ---- marks ------------------------------------------------------------------------------------- */

/* Where values beyond the limits of the axis stand: at its edge. */
static double place_y(const struct chart *c, double v)
{
    if (v > c->y.max)
        return c->y.to;
    if (v < c->y.min)
        return c->y.from;
    return scale_place(&c->y, v);
}

static bool beyond(const struct chart *c, double v)
{
    return v > c->y.max || v < c->y.min;
}

/* An upright (or level) interval bar. */
static int bar(struct chart *c, double x0, double y0, double x1, double y1, uint32_t color)
{
    struct draw_point p[2] = {{x0, y0}, {x1, y1}};
    return draw_line(c->d, p, 2, (struct draw_stroke){color, 0.75, 0.9, DRAW_SOLID}, c->e);
}

struct mark {
    double x, y, low, high; /* on the page; NaN without */
    bool shown, beyond, above;
};

/* Sideways shift of a series among those in a panel of categories; none where no category has two. */
static double dodge(const struct chart *c, size_t row, size_t p, size_t series)
{
    size_t n = 0, mine = 0;
    bool used[64] = {false}, apart = true;
    for (size_t i = 0; i < c->f->lines; i++) {
        const struct figure_line *l = &c->f->line[i];
        if (l->row != row || l->panel != p)
            continue;
        if (l->series == series)
            mine = n;
        n++;
        for (size_t j = 0; j < l->count && apart; j++) {
            size_t k = (size_t)l->point[j].x;
            apart = k < sizeof used && !used[k];
            if (apart)
                used[k] = true;
        }
    }
    double slot = c->place[p].width / (double)c->f->panel[p].categories;
    double step = n > 1 && !apart ? fmin(7, 0.75 * slot / (double)n) : 0;
    return step * ((double)mine - 0.5 * (double)(n - 1));
}

/* Bands of many series lie over each other: all of them together may hide no more than four would. */
static double band_alpha(const struct chart *c, const struct figure_line *l)
{
    size_t n = 0;
    for (size_t i = 0; i < c->f->lines; i++)
        n += c->f->line[i].row == l->row && c->f->line[i].panel == l->panel;
    return n > 4 ? 0.13 * 4 / (double)n : 0.13;
}

static int draw_band(struct chart *c, const struct mark *m, size_t n, uint32_t color, double alpha)
{
    int rc = 0;
    struct draw_point *p = memory_new(2 * n, sizeof *p, "a band", c->e);
    if (!p)
        return -1;
    for (size_t i = 0, k = 0; i <= n && !rc; i++) {
        if (i < n && m[i].shown && isfinite(m[i].low) && isfinite(m[i].high)) {
            k++;
            continue;
        }
        /* m[i-k .. i-1] have intervals. */
        for (size_t j = 0; j < k; j++) {
            p[j] = (struct draw_point){m[i - k + j].x, m[i - k + j].high};
            p[2 * k - 1 - j] = (struct draw_point){m[i - k + j].x, m[i - k + j].low};
        }
        if (k > 1)
            rc = draw_polygon(c->d, p, 2 * k, color, alpha, c->e);
        else if (k == 1)
            rc = bar(c, m[i - 1].x, m[i - 1].low, m[i - 1].x, m[i - 1].high, color);
        k = 0;
    }
    free(p);
    return rc;
}

/* What a marker stands for: "Wanda; Sparsity (%) 50; Perplexity 9.12 (95 %: 8.9 to 9.4)". */
static int draw_value(struct chart *c, const struct figure_line *l, const struct figure_point *q)
{
    const struct figure *f = c->f;
    const struct figure_panel *p = &f->panel[l->panel];
    char text[512], x[SCALE_TEXT], y[SCALE_TEXT], low[SCALE_TEXT], high[SCALE_TEXT];
    int n = snprintf(text, sizeof text, "%.80s%s%.80s%s%.80s; %.80s %s", f->series[l->series],
                     *f->series[l->series] ? "; " : "", p->x.label, *p->x.label ? " " : "",
                     p->x.category ? p->category[(size_t)q->x] : scale_number(q->x, 4, x), f->y.label,
                     isfinite(q->y) ? scale_number(q->y, 4, y) : "∞");
    if (isfinite(q->low) && isfinite(q->high) && n > 0 && (size_t)n < sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, " (95 %%: %s to %s)",
                 scale_number(q->low, 4, low), scale_number(q->high, 4, high));
    return draw_title(c->d, text, c->e);
}

static int draw_series(struct chart *c, const struct figure_line *l, const struct scale *sx,
                       bool under)
{
    const struct figure_panel *panel = &c->f->panel[l->panel];
    const struct chart_style style = chart_style(l->series);
    bool category = panel->x.category;
    bool lines = c->f->kind == FIGURE_LINES && !category;
    double shift = category ? dodge(c, l->row, l->panel, l->series) : 0;
    int rc = -1;
    size_t n = l->count;
    struct mark *m = memory_new(n, sizeof *m, "marks", c->e);
    struct draw_point *p = memory_new(n, sizeof *p, "marks", c->e);
    if (!m || !p)
        goto out;
    for (size_t i = 0; i < n; i++) {
        const struct figure_point *q = &l->point[i];
        m[i].x = scale_place(sx, q->x) + shift;
        m[i].shown = !isnan(q->y) && m[i].x >= fmin(sx->from, sx->to) - 0.01 &&
                     m[i].x <= fmax(sx->from, sx->to) + 0.01;
        m[i].y = m[i].shown ? place_y(c, q->y) : NAN;
        m[i].low = isnan(q->low) ? NAN : place_y(c, q->low);
        m[i].high = isnan(q->high) ? NAN : place_y(c, q->high);
        m[i].beyond = m[i].shown && beyond(c, q->y);
        m[i].above = q->y > c->y.max;
    }
    if (under && lines && !c->f->bars) {
        if (draw_band(c, m, n, style.color, band_alpha(c, l)))
            goto out;
    } else if (under) {
        for (size_t i = 0; i < n; i++) {
            if (m[i].shown && isfinite(m[i].low) && isfinite(m[i].high) &&
                bar(c, m[i].x, m[i].low, m[i].x, m[i].high, style.color))
                goto out;
            const struct figure_point *q = &l->point[i];
            if (m[i].shown && isfinite(q->x_low) && isfinite(q->x_high) &&
                bar(c, scale_place(sx, fmax(q->x_low, sx->min)), m[i].y,
                    scale_place(sx, fmin(q->x_high, sx->max)), m[i].y, style.color))
                goto out;
        }
    } else {
        size_t k = 0;
        for (size_t i = 0; lines && i <= n; i++) {
            if (i < n && m[i].shown && isfinite(l->point[i].y)) {
                p[k++] = (struct draw_point){m[i].x, m[i].y};
                continue;
            }
            if (k > 1 && draw_line(c->d, p, k,
                                   (struct draw_stroke){style.color, 1, 1.2, style.dash}, c->e))
                goto out;
            k = 0;
        }
        for (size_t i = 0; i < n; i++)
            if (m[i].shown &&
                (draw_marker(c->d, m[i].x, m[i].y,
                             m[i].beyond ? (m[i].above ? DRAW_TRIANGLE : DRAW_TRIANGLE_DOWN)
                                         : style.shape,
                             n > 12 && lines ? 0.85 * MARKER : MARKER, m[i].beyond, style.color,
                             c->e) ||
                 draw_value(c, l, &l->point[i])))
                goto out;
    }
    rc = 0;
out:
    free(m);
    free(p);
    return rc;
}

/* ---- direct labels ----------------------------------------------------------------------------- */

struct label {
    const char *text;
    double from_x, from_y; /* end of the line it names */
    double y;              /* where it stands */
    uint32_t color, marker;
    enum draw_shape shape;
};

static int by_height(const void *a, const void *b)
{
    const struct label *p = a, *q = b;
    return p->from_y < q->from_y ? -1 : p->from_y > q->from_y;
}

/* Moves labels apart with the least sum of squared shifts: isotonic regression (pool adjacent
 * violators) of the places less i steps, then held between top and bottom. */
static void spread(struct label *l, size_t n, double top, double bottom)
{
    double mean[LABELS_MAX];
    size_t size[LABELS_MAX], blocks = 0;
    qsort(l, n, sizeof *l, by_height);
    for (size_t i = 0; i < n; i++) {
        mean[blocks] = l[i].from_y - (double)i * LABEL_STEP;
        size[blocks++] = 1;
        while (blocks > 1 && mean[blocks - 2] > mean[blocks - 1]) {
            size_t a = size[blocks - 2], b = size[blocks - 1];
            mean[blocks - 2] = (mean[blocks - 2] * (double)a + mean[blocks - 1] * (double)b) /
                               (double)(a + b);
            size[blocks - 2] = a + b;
            blocks--;
        }
    }
    double last = bottom - (double)(n ? n - 1 : 0) * LABEL_STEP;
    for (size_t b = 0, i = 0; b < blocks; b++)
        for (size_t k = 0; k < size[b]; k++, i++)
            l[i].y = fmin(fmax(mean[b], top), fmax(last, top)) + (double)i * LABEL_STEP;
}

static int draw_labels(struct chart *c, size_t row, size_t p, const struct scale *sx, double top)
{
    const struct figure *f = c->f;
    const struct place *at = &c->place[p];
    struct label label[LABELS_MAX];
    size_t n = 0;
    char dense[120];
    double right = at->left + at->width;
    if (base_label(c, row, p) == BASE_BESIDE) {
        double y = place_y(c, figure_base(f, row, p)->value);
        label[n++] = (struct label){.text = base_text(c, figure_base(f, row, p)->value, dense, sizeof dense),
                                    .from_x = right, .from_y = y, .color = INK};
    }
    for (size_t i = 0; i < f->lines && !c->legend && n < LABELS_MAX; i++) {
        const struct figure_line *l = &f->line[i];
        if (l->row != row || l->panel != p || c->label_in[l->series] != p || !shown(l) ||
            !*f->series[l->series])
            continue;
        double shift =
            f->panel[p].x.category ? dodge(c, row, p, l->series) : 0;
        struct label *to = &label[n];
        struct chart_style style = chart_style(l->series);
        *to = (struct label){.text = f->series[l->series], .from_x = -1, .color = style.text,
                             .marker = style.color, .shape = style.shape};
        for (size_t j = 0; j < l->count; j++) {
            double x = scale_place(sx, l->point[j].x) + shift;
            if (isnan(l->point[j].y) || x <= to->from_x || x > right + 0.01)
                continue;
            to->from_x = x;
            to->from_y = place_y(c, l->point[j].y);
        }
        n += to->from_x >= 0;
    }
    double half = draw_cap_height(LABEL_SIZE) / 2;
    spread(label, n, top + half, top + c->plot_height - half);
    for (size_t i = 0; i < n; i++) {
        double x = right + 9;
        bool far = right - label[i].from_x > 24;
        bool near = fabs(label[i].y - label[i].from_y) < 1.5 && !far;
        if (far) {
            /* A leader across the panel would pass for a line of data; the marker tells instead. */
            if (draw_marker(c->d, right + 7, label[i].y, label[i].shape, MARKER, false,
                            label[i].marker, c->e))
                return -1;
            x = right + 12;
        } else if (!near) {
            struct draw_point q[3] = {{label[i].from_x + 3.2, label[i].from_y},
                                      {fmax(right + 1, label[i].from_x + 3.2), label[i].from_y},
                                      {x - 1.5, label[i].y}};
            if (draw_line(c->d, q, 3, (struct draw_stroke){label[i].color, 0.6, 0.4, DRAW_SOLID},
                          c->e))
                return -1;
        } else {
            x = right + 6;
        }
        if (text_fit(c, x, label[i].y, label[i].text, at->gutter - (x - right),
                     font(LABEL_SIZE, label[i].color, DRAW_LEFT, DRAW_MIDDLE)))
            return -1;
    }
    return 0;
}

/* ---- panels ------------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return p < q ? -1 : p > q;
}

/* Ticks at the values that occur, those left out that would touch their neighbour. */
static int value_ticks(struct chart *c, size_t p, const struct scale *s, struct tick *tick,
                       size_t *n)
{
    size_t total = 0, k = 0;
    for (size_t i = 0; i < c->f->lines; i++)
        total += c->f->line[i].panel == p ? c->f->line[i].count : 0;
    double *v = memory_new(total + 1, sizeof *v, "ticks", c->e);
    if (!v)
        return -1;
    for (size_t i = 0; i < c->f->lines; i++)
        for (size_t j = 0; c->f->line[i].panel == p && j < c->f->line[i].count; j++)
            v[k++] = c->f->line[i].point[j].x;
    qsort(v, k, sizeof *v, by_value);
    *n = 0;
    double edge = -INFINITY;
    for (size_t i = 0; i < k && *n < SCALE_TICKS_MAX; i++) {
        struct tick *t = &tick[*n];
        if (i && v[i] == v[i - 1])
            continue;
        t->value = v[i];
        scale_number(v[i], 4, t->text);
        double half = width_of(c, t->text, TICK_SIZE, false) / 2;
        double at = fabs(scale_place(s, v[i]) - s->from);
        if (at - half < edge + 3)
            continue;
        edge = at + half;
        ++*n;
    }
    free(v);
    return 0;
}

/* How far the tick labels of a panel reach below its axis. */
static double ticks_height(struct chart *c, size_t p, bool *rotated)
{
    const struct figure_panel *panel = &c->f->panel[p];
    double slot = panel->x.category ? c->place[p].width / (double)panel->categories : 0, w = 0;
    for (size_t i = 0; i < panel->categories; i++)
        w = fmax(w, width_of(c, panel->category[i], TICK_SIZE, false));
    *rotated = panel->x.category && w + 3 > slot;
    return 4 + (*rotated ? fmin(w, 80) : draw_cap_height(TICK_SIZE) + 1);
}

/* The finest round ticks whose labels keep apart. */
static size_t number_ticks(struct chart *c, const struct scale *s, struct tick *tick)
{
    size_t n = 0;
    for (double gap = 14; gap < 200; gap *= 1.25) {
        bool free = true;
        n = scale_ticks(s, gap, tick);
        for (size_t i = 1; i < n && free; i++) {
            double need = (width_of(c, tick[i - 1].text, TICK_SIZE, false) +
                           width_of(c, tick[i].text, TICK_SIZE, false)) /
                              2 +
                          5;
            free = fabs(scale_place(s, tick[i].value) - scale_place(s, tick[i - 1].value)) >= need;
        }
        if (free)
            break;
    }
    return n;
}

static int draw_x_axis(struct chart *c, size_t p, const struct scale *sx, double bottom,
                       double deepest, bool labelled)
{
    const struct figure_panel *panel = &c->f->panel[p];
    const struct place *at = &c->place[p];
    struct tick tick[SCALE_TICKS_MAX];
    size_t n = 0;
    bool rotated;
    ticks_height(c, p, &rotated);
    if (rule(c, at->left, bottom, at->left + at->width, bottom, AXIS, 0.6, DRAW_SOLID))
        return -1;
    if (panel->x.category) {
        for (size_t i = 0; i < panel->categories && labelled; i++) {
            double x = scale_place(sx, (double)i);
            struct draw_font f = font(TICK_SIZE, INK, rotated ? DRAW_RIGHT : DRAW_CENTER,
                                      rotated ? DRAW_MIDDLE : DRAW_TOP);
            f.rotated = rotated;
            if (text_fit(c, x, bottom + 4, panel->category[i], rotated ? 80 : at->width, f))
                return -1;
        }
    } else {
        if (panel->x.tick_values) {
            if (value_ticks(c, p, sx, tick, &n))
                return -1;
        } else {
            n = number_ticks(c, sx, tick);
        }
        for (size_t i = 0; i < n; i++) {
            double x = scale_place(sx, tick[i].value);
            if (rule(c, x, bottom, x, bottom + 2.2, AXIS, 0.6, DRAW_SOLID))
                return -1;
            x = fmin(x, c->width - width_of(c, tick[i].text, TICK_SIZE, false) / 2); /* the last stays on the page */
            if (labelled && draw_text(c->d, x, bottom + 4, tick[i].text,
                                      font(TICK_SIZE, INK, DRAW_CENTER, DRAW_TOP), c->e))
                return -1;
        }
    }
    if (!labelled || !*panel->x.label)
        return 0;
    return text_fit(c, at->left + at->width / 2, bottom + deepest + 4, panel->x.label,
                    at->width + at->gutter,
                    font(LABEL_SIZE, INK, DRAW_CENTER, DRAW_TOP));
}

static int draw_y_axis(struct chart *c, double top)
{
    double bottom = top + c->plot_height;
    struct tick tick[SCALE_TICKS_MAX];
    size_t n = scale_ticks(&c->y, 2 * TICK_SIZE, tick);
    for (size_t i = 0; i < n; i++)
        if (draw_text(c->d, c->axis - 4, scale_place(&c->y, tick[i].value), tick[i].text,
                      font(TICK_SIZE, INK, DRAW_RIGHT, DRAW_MIDDLE), c->e))
            return -1;
    if (!*c->f->y.label)
        return 0;
    struct draw_font f = font(LABEL_SIZE, INK, DRAW_CENTER, DRAW_TOP);
    f.rotated = true;
    return text_fit(c, MARGIN, (top + bottom) / 2, c->f->y.label, c->plot_height, f);
}

static int draw_panel(struct chart *c, size_t row, size_t p, double top)
{
    const struct figure *f = c->f;
    const struct place *at = &c->place[p];
    struct scale sx = scale_x(c, p);
    double right = at->left + at->width, bottom = top + c->plot_height;
    struct tick tick[SCALE_TICKS_MAX];
    size_t n = scale_ticks(&c->y, 2 * TICK_SIZE, tick);
    for (size_t i = 0; i < n; i++) {
        double y = scale_place(&c->y, tick[i].value);
        if (rule(c, at->left, y, right, y, GRID, 0.5, DRAW_SOLID))
            return -1;
    }
    struct draw_box clip = {at->left - 4, top - 4, right + 4, bottom + 4};
    draw_clip(c->d, &clip);
    const struct figure_baseline *b = figure_base(f, row, p);
    if (isfinite(b->low) && isfinite(b->high)) {
        double y0 = place_y(c, b->high), y1 = place_y(c, b->low);
        struct draw_point q[4] = {{at->left, y0}, {right, y0}, {right, y1}, {at->left, y1}};
        if (draw_polygon(c->d, q, 4, 0x000000, 0.06, c->e))
            return -1;
    }
    for (int under = 1; under >= 0; under--) {
        if (!under && isfinite(b->value) &&
            rule(c, at->left, place_y(c, b->value), right, place_y(c, b->value), INK, 0.8,
                 DRAW_DASHED))
            return -1;
        for (size_t i = 0; i < f->lines; i++)
            if (f->line[i].row == row && f->line[i].panel == p &&
                draw_series(c, &f->line[i], &sx, under))
                return -1;
    }
    draw_clip(c->d, NULL);
    return at->gutter > 0 ? draw_labels(c, row, p, &sx, top) : 0;
}

/* Swatches and names in lines across the page; *y moves below them. The last may be the dense rule. */
static int draw_legend(struct chart *c, double *y)
{
    const struct figure *f = c->f;
    double x = c->axis;
    bool any = false;
    char dense[120];
    for (size_t s = 0; s <= f->series_count; s++) {
        bool base = s == f->series_count;
        if (base ? !c->base_legend : c->label_in[s] == FIGURE_NONE || !*f->series[s])
            continue;
        struct chart_style style = base ? (struct chart_style){.color = INK, .text = INK, .dash = DRAW_DASHED}
                                        : chart_style(s);
        const char *name = base ? base_text(c, c->base, dense, sizeof dense) : f->series[s];
        double w = fmin(width_of(c, name, LABEL_SIZE, false), c->width - c->axis - 20);
        if (any && x + 18 + w > c->width - MARGIN) {
            x = c->axis;
            *y += LABEL_SIZE + 4;
        }
        double middle = *y + draw_cap_height(LABEL_SIZE) / 2;
        if (f->kind == FIGURE_LINES || base) {
            struct draw_point q[2] = {{x, middle}, {x + 14, middle}};
            if (draw_line(c->d, q, 2, (struct draw_stroke){style.color, 1, base ? 0.8 : 1.2, style.dash}, c->e))
                return -1;
        }
        if ((!base && draw_marker(c->d, x + 7, middle, style.shape, MARKER, false, style.color, c->e)) ||
            text_fit(c, x + 18, middle, name, w + 0.1,
                     font(LABEL_SIZE, style.text, DRAW_LEFT, DRAW_MIDDLE)))
            return -1;
        x += 18 + w + 12;
        any = true;
    }
    if (any)
        *y += LABEL_SIZE + 6;
    return 0;
}

/* One line of panels of one row; *y is its top and moves below it. */
static int draw_line_of_panels(struct chart *c, size_t row, size_t line, double *y)
{
    const struct figure *f = c->f;
    bool wrapped = c->lines > 1;
    bool titled = wrapped || row == 0, labelled = wrapped || row + 1 == f->rows;
    double deepest = 0, title = 0, below = 0, above = 0;
    char text[120];
    for (size_t p = 0; p < f->panels; p++) {
        if (c->place[p].empty || c->place[p].line != line)
            continue;
        bool rotated;
        deepest = fmax(deepest, ticks_height(c, p, &rotated));
        if (*f->panel[p].title)
            title = TITLE_SIZE + 5;
        if (*f->panel[p].x.label)
            below = LABEL_SIZE + 6;
        double start = c->place[p].left + c->place[p].width - base_width(c, row, p);
        if (base_label(c, row, p) == BASE_ABOVE && start < c->axis + width_of(c, f->row[row], TITLE_SIZE, false))
            above = TICK_SIZE + 4; /* beside the heading of the row there is no room */
    }
    *y += titled && title > 0 ? title : above;
    double top = *y, bottom = top + c->plot_height;
    measure_y(c, row);
    c->y.from = bottom;
    c->y.to = top;
    if (draw_y_axis(c, top))
        return -1;
    for (size_t p = 0; p < f->panels; p++) {
        const struct place *at = &c->place[p];
        if (at->empty || at->line != line)
            continue;
        struct draw_font bold = font(TITLE_SIZE, INK, DRAW_LEFT, DRAW_BASELINE);
        bold.bold = true;
        struct scale sx = scale_x(c, p);
        if ((titled && *f->panel[p].title &&
             text_fit(c, at->left, top - 6, f->panel[p].title, at->width + at->gutter - base_width(c, row, p),
                      bold)) ||
            draw_x_axis(c, p, &sx, bottom, deepest, labelled) || draw_panel(c, row, p, top))
            return -1;
        if (base_label(c, row, p) == BASE_ABOVE &&
            text_fit(c, at->left + at->width, top - 6, base_text(c, figure_base(c->f, row, p)->value, text, sizeof text), at->width,
                     font(TICK_SIZE, INK, DRAW_RIGHT, DRAW_BASELINE)))
            return -1;
    }
    *y = bottom + (labelled ? deepest + below + 3 : 8);
    return 0;
}

static int draw_all(struct chart *c, const struct chart_options *o)
{
    const struct figure *f = c->f;
    double y = MARGIN + 2;
    if (o->title) {
        struct draw_font head = font(9, INK, DRAW_LEFT, DRAW_TOP);
        head.bold = true;
        if (text_fit(c, MARGIN, y, f->title, c->width - 2 * MARGIN, head))
            return -1;
        y += 15;
    }
    if (!c->place || !f->rows || c->axis <= 0)
        return 0;
    if (c->legend && draw_legend(c, &y))
        return -1;
    for (size_t r = 0; r < f->rows; r++) {
        if (*f->row[r]) {
            struct draw_font head = font(TITLE_SIZE, AXIS, DRAW_LEFT, DRAW_TOP);
            if (text_fit(c, c->axis, y, f->row[r], c->width - c->axis - MARGIN, head))
                return -1;
            y += TITLE_SIZE + 5;
        }
        for (size_t line = 0; line < c->lines; line++)
            if (draw_line_of_panels(c, r, line, &y))
                return -1;
        y += r + 1 < f->rows ? 4 : 0;
    }
    drawing_set_height(c->d, ceil(y + MARGIN));
    return 0;
}

int chart_draw(struct drawing **out, const struct figure *f, const struct chart_options *options,
               struct error *e)
{
    struct chart c = {.f = f, .e = e, .width = 72 * options->width};
    c.plot_height = 72 * f->panel_height;
    int rc = -1;
    bool any = false;
    c.place = memory_new(f->panels, sizeof *c.place, "panels", e);
    c.label_in = memory_new(f->series_count + 1, sizeof *c.label_in, "labels", e);
    if (!c.place || !c.label_in || drawing_new(&c.d, c.width, 40, e))
        goto out;
    if (drawing_set_title(c.d, f->title, e))
        goto out;
    measure_x(&c);
    for (size_t p = 0; p < f->panels; p++)
        any = any || !c.place[p].empty;
    if (!any) {
        /* Said on the page: an empty picture would look like a fault of the viewer. */
        if (text_fit(&c, c.width / 2, 20, f->empty, c.width - 2 * MARGIN,
                     font(LABEL_SIZE, AXIS, DRAW_CENTER, DRAW_MIDDLE)))
            goto out;
    } else {
        place_labels(&c);
        c.axis = axis_width(&c);
        for (size_t p = 0; p < f->panels; p++)
            size_panel(&c, p);
        flow(&c);
        if (draw_all(&c, options))
            goto out;
    }
    *out = c.d;
    rc = 0;
out:
    free(c.place);
    free(c.label_in);
    if (rc)
        drawing_free(c.d);
    return rc;
}

/* Drawing lists, painted with cairo (svg is written here, see below); text is laid out by Pango in DejaVu Sans without hinting, so
 * that what was measured is what is painted at every resolution. */
#include "draw.h"

#include <cairo-pdf.h>
#include <cairo.h>
#include <math.h>
#include <pango/pangocairo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fmath.h"

#define FONT_FAMILY "DejaVu Sans"
/* Height of a capital letter of DejaVu Sans, in em. */
#define CAP_HEIGHT 0.729

/* Pens of markers. */
#define CROSS_WIDTH 1.2
#define HOLLOW_WIDTH 0.8
#define RIM_WIDTH 0.4

struct drawing {
    double width, height;
    struct draw_item *item;
    size_t count, capacity;
    bool clipped;
    struct draw_box clip;
    PangoContext *pango;
    char *title;
};

/* ---- text -------------------------------------------------------------------------------------- */

static void context_prepare(PangoContext *c)
{
    cairo_font_options_t *o = cairo_font_options_create();
    cairo_font_options_set_antialias(o, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(o, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(o, CAIRO_HINT_METRICS_OFF);
    pango_cairo_context_set_font_options(c, o);
    cairo_font_options_destroy(o);
    pango_cairo_context_set_resolution(c, 72);
    pango_context_set_round_glyph_positions(c, FALSE);
}

static PangoFontDescription *font_description(const struct draw_font *f)
{
    PangoFontDescription *p = pango_font_description_new();
    pango_font_description_set_family(p, FONT_FAMILY);
    pango_font_description_set_weight(p, f->bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_font_description_set_style(p, f->italic ? PANGO_STYLE_OBLIQUE : PANGO_STYLE_NORMAL);
    pango_font_description_set_absolute_size(p, f->size * PANGO_SCALE);
    return p;
}

static PangoLayout *layout_new(PangoContext *c, const char *text, const struct draw_font *f)
{
    PangoLayout *l = pango_layout_new(c);
    PangoFontDescription *p = font_description(f);
    pango_layout_set_font_description(l, p);
    pango_font_description_free(p);
    pango_layout_set_single_paragraph_mode(l, TRUE);
    pango_layout_set_text(l, text, -1);
    return l;
}

/* Another family in place of a missing one would change every figure without a word. */
static int font_check(PangoContext *c, struct error *e)
{
    struct draw_font f = {.size = 8};
    PangoFontDescription *p = font_description(&f);
    PangoFont *font = pango_context_load_font(c, p);
    pango_font_description_free(p);
    if (!font)
        return error_set(e, "no font at all is installed: install fonts-dejavu-core");
    PangoFontDescription *got = pango_font_describe(font);
    const char *family = pango_font_description_get_family(got);
    int rc = 0;
    if (!family || strcmp(family, FONT_FAMILY))
        rc = error_set(e, "the font %s is not installed (%s came in its place): install "
                          "fonts-dejavu-core",
                       FONT_FAMILY, family ? family : "nothing");
    pango_font_description_free(got);
    g_object_unref(font);
    return rc;
}

double draw_cap_height(double size)
{
    return CAP_HEIGHT * size;
}

double draw_text_width(struct drawing *d, const char *text, const struct draw_font *font)
{
    PangoLayout *l = layout_new(d->pango, text, font);
    PangoRectangle r;
    pango_layout_get_extents(l, NULL, &r);
    g_object_unref(l);
    return (double)r.width / PANGO_SCALE;
}

/* Offset from the anchor to the layout's origin (top left), along and across the writing. */
static void text_offset(PangoLayout *l, const struct draw_font *f, double *along, double *down)
{
    PangoRectangle r;
    pango_layout_get_extents(l, NULL, &r);
    double width = (double)r.width / PANGO_SCALE;
    double base = (double)pango_layout_get_baseline(l) / PANGO_SCALE;
    *along = f->across == DRAW_LEFT ? 0 : f->across == DRAW_CENTER ? -width / 2 : -width;
    double cap = draw_cap_height(f->size);
    *down = -base + (f->down == DRAW_BASELINE ? 0 : f->down == DRAW_MIDDLE ? cap / 2 : cap);
}

/* ---- the list ---------------------------------------------------------------------------------- */

int drawing_new(struct drawing **out, double width, double height, struct error *e)
{
    struct drawing *d = memory_new(1, sizeof *d, "a drawing", e);
    if (!d)
        return -1;
    d->width = width;
    d->height = height;
    d->pango = pango_font_map_create_context(pango_cairo_font_map_get_default());
    context_prepare(d->pango);
    if (font_check(d->pango, e)) {
        drawing_free(d);
        return -1;
    }
    *out = d;
    return 0;
}

void drawing_free(struct drawing *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->count; i++) {
        free(d->item[i].point);
        free(d->item[i].text);
        free(d->item[i].title);
    }
    free(d->item);
    free(d->title);
    if (d->pango)
        g_object_unref(d->pango);
    free(d);
}

void drawing_set_height(struct drawing *d, double height)
{
    d->height = height;
}

double drawing_width(const struct drawing *d)
{
    return d->width;
}

double drawing_height(const struct drawing *d)
{
    return d->height;
}

size_t drawing_count(const struct drawing *d)
{
    return d->count;
}

const struct draw_item *drawing_item(const struct drawing *d, size_t i)
{
    return &d->item[i];
}

void draw_clip(struct drawing *d, const struct draw_box *box)
{
    d->clipped = box != NULL;
    if (box)
        d->clip = *box;
}

/* A new item with its own copy of the points; NULL without memory. */
static struct draw_item *item_add(struct drawing *d, enum draw_kind kind,
                                  const struct draw_point *point, size_t count, struct error *e)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(point[i].x) || !isfinite(point[i].y)) {
            error_set(e, "a mark of the drawing has a place that is not finite");
            return NULL;
        }
    if (d->count == d->capacity) {
        size_t capacity = d->capacity ? 2 * d->capacity : 256;
        void *p = memory_resize(d->item, capacity, sizeof *d->item, "a drawing", e);
        if (!p)
            return NULL;
        d->item = p;
        d->capacity = capacity;
    }
    struct draw_item *it = &d->item[d->count];
    memset(it, 0, sizeof *it);
    it->point = memory_new(count ? count : 1, sizeof *point, "a drawing", e);
    if (!it->point)
        return NULL;
    if (count)
        memcpy(it->point, point, count * sizeof *point);
    it->kind = kind;
    it->count = count;
    it->clipped = d->clipped;
    it->clip = d->clip;
    d->count++;
    return it;
}

int draw_line(struct drawing *d, const struct draw_point *point, size_t count,
              struct draw_stroke stroke, struct error *e)
{
    struct draw_item *it = item_add(d, DRAW_LINE, point, count, e);
    if (!it)
        return -1;
    it->stroke = stroke;
    return 0;
}

int draw_polygon(struct drawing *d, const struct draw_point *point, size_t count, uint32_t color,
                 double alpha, struct error *e)
{
    struct draw_item *it = item_add(d, DRAW_POLYGON, point, count, e);
    if (!it)
        return -1;
    it->stroke = (struct draw_stroke){.color = color, .alpha = alpha};
    return 0;
}

int draw_marker(struct drawing *d, double x, double y, enum draw_shape shape, double size,
                bool hollow, uint32_t color, struct error *e)
{
    struct draw_point p = {x, y};
    struct draw_item *it = item_add(d, DRAW_MARKER, &p, 1, e);
    if (!it)
        return -1;
    it->shape = shape;
    it->size = size;
    it->hollow = hollow;
    it->stroke = (struct draw_stroke){.color = color, .alpha = 1, .width = 0.8};
    return 0;
}

static int set_text(char **to, const char *text, struct error *e)
{
    free(*to);
    *to = strdup(text);
    return *to ? 0 : error_set(e, "out of memory for a title");
}

int draw_title(struct drawing *d, const char *text, struct error *e)
{
    for (size_t i = d->count; i-- > 0;)
        if (d->item[i].kind == DRAW_MARKER)
            return set_text(&d->item[i].title, text, e);
    return 0;
}

int drawing_set_title(struct drawing *d, const char *text, struct error *e)
{
    return set_text(&d->title, text, e);
}

int draw_text(struct drawing *d, double x, double y, const char *text, struct draw_font font,
              struct error *e)
{
    struct draw_point p = {x, y};
    struct draw_item *it = item_add(d, DRAW_TEXT, &p, 1, e);
    if (!it)
        return -1;
    it->clipped = false;
    it->font = font;
    it->text = strdup(text);
    if (!it->text)
        return error_set(e, "out of memory for a text of the drawing");
    PangoLayout *l = layout_new(d->pango, text, &font);
    double along, down;
    text_offset(l, &font, &along, &down);
    PangoRectangle ink;
    pango_layout_get_extents(l, &ink, NULL);
    double a0 = along + (double)ink.x / PANGO_SCALE, a1 = a0 + (double)ink.width / PANGO_SCALE;
    double b0 = down + (double)ink.y / PANGO_SCALE, b1 = b0 + (double)ink.height / PANGO_SCALE;
    g_object_unref(l);
    if (font.rotated)
        it->box = (struct draw_box){x + b0, y - a1, x + b1, y - a0};
    else
        it->box = (struct draw_box){x + a0, y + b0, x + a1, y + b1};
    return 0;
}

static void shift(struct draw_box *b, double x, double y)
{
    *b = (struct draw_box){b->x0 + x, b->y0 + y, b->x1 + x, b->y1 + y};
}

static void enlarge(struct draw_box *b, double by)
{
    *b = (struct draw_box){b->x0 * by, b->y0 * by, b->x1 * by, b->y1 * by};
}

int draw_drawing(struct drawing *d, const struct drawing *from, double x, double y, double by, struct error *e)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct draw_item *old = &from->item[i];
        struct draw_item *it = item_add(d, old->kind, old->point, old->count, e);
        if (!it)
            return -1;
        struct draw_point *point = it->point;
        *it = *old;
        it->point = point;
        it->text = old->text ? strdup(old->text) : NULL;
        it->title = NULL;
        if (old->text && !it->text)
            return error_set(e, "out of memory for a text of the drawing");
        for (size_t k = 0; k < it->count; k++) {
            point[k].x = point[k].x * by + x;
            point[k].y = point[k].y * by + y;
        }
        it->stroke.width *= by;
        it->size *= by;
        it->font.size *= by;
        enlarge(&it->clip, by);
        enlarge(&it->box, by);
        shift(&it->clip, x, y);
        shift(&it->box, x, y);
    }
    return 0;
}

int drawing_check(const struct drawing *d, struct error *e)
{
    const double slack = 0.01;
    for (size_t i = 0; i < d->count; i++) {
        const struct draw_item *a = &d->item[i];
        if (a->kind != DRAW_TEXT)
            continue;
        if (a->box.x0 < -slack || a->box.y0 < -slack || a->box.x1 > d->width + slack ||
            a->box.y1 > d->height + slack)
            return error_set(e, "the text \"%s\" leaves the page", a->text);
        for (size_t j = i + 1; j < d->count; j++) {
            const struct draw_item *b = &d->item[j];
            if (b->kind == DRAW_TEXT && a->box.x0 < b->box.x1 - slack &&
                b->box.x0 < a->box.x1 - slack && a->box.y0 < b->box.y1 - slack &&
                b->box.y0 < a->box.y1 - slack)
                return error_set(e, "the texts \"%s\" and \"%s\" overlap", a->text, b->text);
        }
    }
    return 0;
}

/* ---- painting ---------------------------------------------------------------------------------- */

static void set_color(cairo_t *c, uint32_t color, double alpha)
{
    cairo_set_source_rgba(c, (double)(color >> 16 & 255) / 255, (double)(color >> 8 & 255) / 255,
                          (double)(color & 255) / 255, alpha);
}

static void path(cairo_t *c, const struct draw_item *it)
{
    for (size_t i = 0; i < it->count; i++) {
        if (i)
            cairo_line_to(c, it->point[i].x, it->point[i].y);
        else
            cairo_move_to(c, it->point[i].x, it->point[i].y);
    }
}

static void corners(cairo_t *c, double x, double y, double r, int n, double turn)
{
    static const double pi = 3.14159265358979323846;
    for (int i = 0; i < n; i++) {
        double a = turn + 2 * pi * i / n;
        cairo_line_to(c, x + r * fmath_cos(a), y + r * fmath_sin(a));
    }
    cairo_close_path(c);
}

/* False for the shapes that are only stroked. */
static bool marker_path(cairo_t *c, const struct draw_item *it)
{
    static const double pi = 3.14159265358979323846;
    double x = it->point[0].x, y = it->point[0].y, r = it->size / 2;
    /* Radii that give the shapes about the same area to the eye. */
    switch (it->shape) {
    case DRAW_SQUARE:
        cairo_rectangle(c, x - 0.88 * r, y - 0.88 * r, 1.76 * r, 1.76 * r);
        break;
    case DRAW_TRIANGLE:
        corners(c, x, y + 0.1 * r, 1.25 * r, 3, -pi / 2);
        break;
    case DRAW_TRIANGLE_DOWN:
        corners(c, x, y - 0.1 * r, 1.25 * r, 3, pi / 2);
        break;
    case DRAW_DIAMOND:
        corners(c, x, y, 1.25 * r, 4, 0);
        break;
    case DRAW_CROSS:
        cairo_move_to(c, x - 0.85 * r, y - 0.85 * r);
        cairo_line_to(c, x + 0.85 * r, y + 0.85 * r);
        cairo_move_to(c, x - 0.85 * r, y + 0.85 * r);
        cairo_line_to(c, x + 0.85 * r, y - 0.85 * r);
        return false;
    case DRAW_PLUS:
        cairo_move_to(c, x - 1.1 * r, y);
        cairo_line_to(c, x + 1.1 * r, y);
        cairo_move_to(c, x, y - 1.1 * r);
        cairo_line_to(c, x, y + 1.1 * r);
        return false;
    default:
        cairo_arc(c, x, y, r, 0, 2 * pi);
    }
    return true;
}

static void paint_marker(cairo_t *c, const struct draw_item *it)
{
    if (!marker_path(c, it)) {
        set_color(c, it->stroke.color, 1);
        cairo_set_line_width(c, CROSS_WIDTH);
        cairo_stroke(c);
        return;
    }
    set_color(c, it->hollow ? 0xffffff : it->stroke.color, 1);
    cairo_fill_preserve(c);
    /* A white rim keeps markers apart where they lie on each other. */
    set_color(c, it->hollow ? it->stroke.color : 0xffffff, 1);
    cairo_set_line_width(c, it->hollow ? HOLLOW_WIDTH : RIM_WIDTH);
    cairo_stroke(c);
}

/* The pen at the layout's origin, turned as the text is. */
static PangoLayout *text_begin(cairo_t *c, PangoContext *pango, const struct draw_item *it)
{
    cairo_translate(c, it->point[0].x, it->point[0].y);
    if (it->font.rotated)
        cairo_rotate(c, -3.14159265358979323846 / 2);
    PangoLayout *l = layout_new(pango, it->text, &it->font);
    double along, down;
    text_offset(l, &it->font, &along, &down);
    cairo_move_to(c, along, down);
    pango_cairo_update_layout(c, l);
    return l;
}

static void paint_text(cairo_t *c, PangoContext *pango, const struct draw_item *it)
{
    PangoLayout *l = text_begin(c, pango, it);
    set_color(c, it->font.color, 1);
    pango_cairo_show_layout(c, l);
    g_object_unref(l);
}

/* Lengths in line widths. */
static const double dash_pattern[DRAW_DASHES][4] = {
    {0}, {4, 2}, {1, 1.6}, {5, 1.6, 1, 1.6}, {8, 2.4},
};
static const int dash_length[DRAW_DASHES] = {0, 2, 2, 4, 2};

static void set_dash(cairo_t *c, enum draw_dash dash, double w)
{
    double scaled[4];
    for (int i = 0; i < dash_length[dash]; i++)
        scaled[i] = dash_pattern[dash][i] * w;
    cairo_set_dash(c, scaled, dash_length[dash], 0);
    cairo_set_line_cap(c, CAIRO_LINE_CAP_BUTT);
    cairo_set_line_join(c, CAIRO_LINE_JOIN_ROUND);
}

static void paint(const struct drawing *d, cairo_t *c, PangoContext *pango)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct draw_item *it = &d->item[i];
        cairo_save(c);
        cairo_new_path(c);
        if (it->clipped) {
            cairo_rectangle(c, it->clip.x0, it->clip.y0, it->clip.x1 - it->clip.x0,
                            it->clip.y1 - it->clip.y0);
            cairo_clip(c);
        }
        switch (it->kind) {
        case DRAW_LINE:
            path(c, it);
            set_color(c, it->stroke.color, it->stroke.alpha);
            cairo_set_line_width(c, it->stroke.width);
            set_dash(c, it->stroke.dash, it->stroke.width);
            cairo_stroke(c);
            break;
        case DRAW_POLYGON:
            path(c, it);
            cairo_close_path(c);
            set_color(c, it->stroke.color, it->stroke.alpha);
            cairo_fill(c);
            break;
        case DRAW_MARKER:
            paint_marker(c, it);
            break;
        case DRAW_TEXT:
            paint_text(c, pango, it);
            break;
        }
        cairo_restore(c);
    }
}

/* ---- surfaces ---------------------------------------------------------------------------------- */

struct sink {
    struct buffer *out;
    struct error *e;
};

static cairo_status_t sink_write(void *context, const unsigned char *data, unsigned int n)
{
    struct sink *s = context;
    return buffer_append(s->out, data, n, s->e) ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

/* Paints one page onto a surface. */
static int surface_paint(const struct drawing *d, cairo_surface_t *surface, double scale,
                         bool white, const char *what, struct error *e)
{
    cairo_t *c = cairo_create(surface);
    PangoContext *pango = pango_cairo_create_context(c);
    context_prepare(pango);
    if (white) {
        set_color(c, 0xffffff, 1);
        cairo_paint(c);
    }
    cairo_scale(c, scale, scale);
    paint(d, c, pango);
    if (!white)
        cairo_show_page(c);
    g_object_unref(pango);
    cairo_status_t status = cairo_status(c);
    cairo_destroy(c);
    if (!status)
        status = cairo_surface_status(surface);
    return status ? error_set(e, "%s: %s", what, cairo_status_to_string(status)) : 0;
}

/* ---- svg --------------------------------------------------------------------------------------- */

/* cairo numbers an svg's ids through the life of a process, so that two drawings in one page, or two
 * runs in another order, would clash or differ. This writer needs no ids: texts are outlines (with
 * the words in aria-label), and what is clipped lies in an svg of its own. */
struct svg {
    struct buffer *out;
    cairo_t *c; /* scratch, for paths */
    PangoContext *pango;
    struct drawing *measure; /* texts as texts: measured here; NULL: as outlines */
    struct error *e;
    bool failed;
};

enum { SVG_PRECISION = 64 }; /* cairo keeps 1/256 of a unit: paths are made this much larger */

static void say(struct svg *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct svg *s, const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    s->failed = s->failed || buffer_append(s->out, text, (size_t)n, s->e);
}

/* At most two decimals (a hundredth of a point), none that say nothing. */
static const char *decimal(double v, char out[32])
{
    snprintf(out, 32, "%.2f", v);
    size_t n = strlen(out);
    while (out[n - 1] == '0')
        out[--n] = 0;
    if (out[n - 1] == '.')
        out[--n] = 0;
    return strcmp(out, "-0") ? out : "0";
}

/* The scratch path as the attribute d. */
static void say_path(struct svg *s)
{
    cairo_path_t *path = cairo_copy_path(s->c);
    static const char command[] = {
        [CAIRO_PATH_MOVE_TO] = 'M', [CAIRO_PATH_LINE_TO] = 'L', [CAIRO_PATH_CURVE_TO] = 'C',
        [CAIRO_PATH_CLOSE_PATH] = 'Z'};
    say(s, " d=\"");
    for (int i = 0; i < path->num_data; i += path->data[i].header.length) {
        const cairo_path_data_t *p = &path->data[i];
        bool last = i + p->header.length >= path->num_data;
        if (last && i && p->header.type == CAIRO_PATH_MOVE_TO)
            break;
        say(s, "%c", command[p->header.type]);
        for (int k = 1; k < p->header.length; k++) {
            char x[32], y[32];
            say(s, "%s%s %s", k > 1 ? " " : "", decimal(p[k].point.x, x),
                decimal(p[k].point.y, y));
        }
    }
    say(s, "\"");
    cairo_path_destroy(path);
}

static void say_escaped(struct svg *s, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            say(s, "&amp;");
            break;
        case '<':
            say(s, "&lt;");
            break;
        case '"':
            say(s, "&quot;");
            break;
        default:
            say(s, "%c", *text);
        }
}

static void say_title(struct svg *s, const char *text)
{
    say(s, "<title>");
    say_escaped(s, text);
    say(s, "</title>");
}

/* A text as wide as it was measured, whatever the reader's font. */
static void say_text(struct svg *s, const struct draw_item *it)
{
    static const char *const anchor[] = {
        [DRAW_LEFT] = "start", [DRAW_CENTER] = "middle", [DRAW_RIGHT] = "end"};
    char x[32], y[32], v[32];
    const struct draw_font *f = &it->font;
    double cap = draw_cap_height(f->size);
    double down = f->down == DRAW_BASELINE ? 0 : f->down == DRAW_MIDDLE ? cap / 2 : cap;
    decimal(it->point->x + (f->rotated ? down : 0), x);
    decimal(it->point->y + (f->rotated ? 0 : down), y);
    say(s, "<text x=\"%s\" y=\"%s\" font-size=\"%s\" fill=\"#%06x\"", x, y, decimal(f->size, v),
        f->color);
    if (f->across != DRAW_LEFT)
        say(s, " text-anchor=\"%s\"", anchor[f->across]);
    if (f->bold)
        say(s, " font-weight=\"bold\"");
    if (f->italic)
        say(s, " font-style=\"italic\"");
    if (f->rotated)
        say(s, " transform=\"rotate(-90 %s %s)\"", x, y);
    say(s, " textLength=\"%s\" lengthAdjust=\"spacingAndGlyphs\">",
        decimal(draw_text_width(s->measure, it->text, f), v));
    say_escaped(s, it->text);
    say(s, "</text>\n");
}

static void say_item(struct svg *s, const struct draw_item *it)
{
    char a[32];
    const struct draw_stroke *pen = &it->stroke;
    if (it->kind == DRAW_TEXT && s->measure) {
        say_text(s, it);
        return;
    }
    cairo_save(s->c);
    cairo_new_path(s->c);
    say(s, "<path");
    switch (it->kind) {
    case DRAW_LINE:
        path(s->c, it);
        say_path(s);
        say(s, " fill=\"none\" stroke=\"#%06x\"", pen->color);
        say(s, " stroke-width=\"%s\" stroke-linejoin=\"round\"", decimal(pen->width, a));
        if (pen->alpha < 1)
            say(s, " stroke-opacity=\"%s\"", decimal(pen->alpha, a));
        for (int i = 0; i < dash_length[pen->dash]; i++)
            say(s, "%s%s", i ? " " : " stroke-dasharray=\"",
                decimal(dash_pattern[pen->dash][i] * pen->width, a));
        say(s, "%s", dash_length[pen->dash] ? "\"" : "");
        break;
    case DRAW_POLYGON:
        path(s->c, it);
        cairo_close_path(s->c);
        say_path(s);
        say(s, " fill=\"#%06x\" fill-opacity=\"%s\"", pen->color, decimal(pen->alpha, a));
        break;
    case DRAW_MARKER:
        if (marker_path(s->c, it)) {
            say_path(s);
            say(s, " fill=\"#%06x\" stroke=\"#%06x\"", it->hollow ? 0xffffff : pen->color,
                it->hollow ? pen->color : 0xffffff);
            say(s, " stroke-width=\"%s\"", decimal(it->hollow ? HOLLOW_WIDTH : RIM_WIDTH, a));
        } else {
            say_path(s);
            say(s, " fill=\"none\" stroke=\"#%06x\" stroke-width=\"%s\"", pen->color,
                decimal(CROSS_WIDTH, a));
        }
        break;
    case DRAW_TEXT: {
        cairo_save(s->c);
        PangoLayout *l = text_begin(s->c, s->pango, it);
        pango_cairo_layout_path(s->c, l);
        g_object_unref(l);
        cairo_restore(s->c); /* back to the page's coordinates; the path stays */
        say(s, " aria-label=\"");
        say_escaped(s, it->text);
        say(s, "\"");
        say_path(s);
        say(s, " fill=\"#%06x\"", it->font.color);
        break;
    }
    }
    if (it->title) {
        say(s, ">");
        say_title(s, it->title);
        say(s, "</path>\n");
    } else {
        say(s, "/>\n");
    }
    cairo_restore(s->c);
}

static bool same_clip(const struct draw_item *a, const struct draw_item *b)
{
    return a->clipped == b->clipped && (!a->clipped || !memcmp(&a->clip, &b->clip, sizeof a->clip));
}

static int write_svg(const struct drawing *d, struct drawing *measure, struct buffer *out,
                     struct error *e)
{
    /* Without limits: cairo leaves glyphs out that lie off the surface, from paths too. */
    cairo_surface_t *surface = cairo_recording_surface_create(CAIRO_CONTENT_ALPHA, NULL);
    struct svg s = {.out = out, .c = cairo_create(surface), .measure = measure, .e = e};
    cairo_scale(s.c, SVG_PRECISION, SVG_PRECISION);
    s.pango = pango_cairo_create_context(s.c);
    context_prepare(s.pango);
    char w[32], h[32], x[32], y[32];
    decimal(d->width, w);
    decimal(d->height, h);
    say(&s, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%spt\" height=\"%spt\" "
            "viewBox=\"0 0 %s %s\" role=\"img\"%s>\n",
        w, h, w, h,
        measure ? " font-family=\"DejaVu Sans, Verdana, Geneva, sans-serif\"" : "");
    if (d->title) {
        say_title(&s, d->title);
        say(&s, "\n");
    }
    say(&s, "<rect width=\"%s\" height=\"%s\" fill=\"#ffffff\"/>\n", w, h);
    for (size_t i = 0; i < d->count; i++) {
        const struct draw_item *it = &d->item[i];
        if (it->clipped && (!i || !same_clip(it, it - 1))) {
            decimal(it->clip.x0, x);
            decimal(it->clip.y0, y);
            decimal(it->clip.x1 - it->clip.x0, w);
            decimal(it->clip.y1 - it->clip.y0, h);
            say(&s, "<svg x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\" viewBox=\"%s %s %s "
                    "%s\" overflow=\"hidden\">\n",
                x, y, w, h, x, y, w, h);
        }
        say_item(&s, it);
        if (it->clipped && (i + 1 == d->count || !same_clip(it, it + 1)))
            say(&s, "</svg>\n");
    }
    say(&s, "</svg>\n");
    cairo_status_t status = cairo_status(s.c);
    g_object_unref(s.pango);
    cairo_destroy(s.c);
    cairo_surface_destroy(surface);
    if (s.failed)
        return -1;
    return status ? error_set(e, "svg: %s", cairo_status_to_string(status)) : 0;
}

int drawing_svg(const struct drawing *d, struct buffer *out, struct error *e)
{
    return write_svg(d, NULL, out, e);
}

int drawing_svg_inline(struct drawing *d, struct buffer *out, struct error *e)
{
    return write_svg(d, d, out, e);
}

/* ---- pdf and png ------------------------------------------------------------------------------- */

int drawing_pdf(struct drawing *const *page, size_t pages, int64_t date, const char *title,
                struct buffer *out, struct error *e)
{
    time_t t = (time_t)date;
    struct tm tm;
    char text[40];
    if (!gmtime_r(&t, &tm) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        return error_set(e, "pdf: %lld is no date (SOURCE_DATE_EPOCH)", (long long)date);
    struct sink s = {out, e};
    cairo_surface_t *surface =
        cairo_pdf_surface_create_for_stream(sink_write, &s, page[0]->width, page[0]->height);
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, text);
    if (title)
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, title);
    int rc = 0;
    for (size_t i = 0; i < pages && !rc; i++) {
        cairo_pdf_surface_set_size(surface, page[i]->width, page[i]->height);
        rc = surface_paint(page[i], surface, 1, false, "pdf", e);
    }
    cairo_surface_finish(surface);
    cairo_status_t status = cairo_surface_status(surface);
    if (!rc && status)
        rc = error_set(e, "pdf: %s", cairo_status_to_string(status));
    cairo_surface_destroy(surface);
    return rc;
}

int drawing_png(const struct drawing *d, double dpi, struct buffer *out, struct error *e)
{
    double scale = dpi / 72, w = ceil(d->width * scale), h = ceil(d->height * scale);
    if (!(w >= 1 && w <= 32000 && h >= 1 && h <= 32000))
        return error_set(e, "png: %.0f x %.0f pixels; at most 32000 each way: lower --dpi", w, h);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)w, (int)h);
    struct sink s = {out, e};
    int rc = surface_paint(d, surface, scale, true, "png", e);
    if (!rc) {
        cairo_status_t status = cairo_surface_write_to_png_stream(surface, sink_write, &s);
        if (status)
            rc = error_set(e, "png: %s", cairo_status_to_string(status));
    }
    cairo_surface_destroy(surface);
    return rc;
}

int64_t draw_date(void)
{
    static const int64_t unset = 315532800;
    const char *s = getenv("SOURCE_DATE_EPOCH");
    if (!s || !*s)
        return unset;
    char *end;
    long long v = strtoll(s, &end, 10);
    return *end || v <= 0 ? unset : (int64_t)v;
}

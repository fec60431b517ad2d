/* A drawing as a list: lines, polygons, markers and measured text boxes, in points (1/72 inch, y
 * downwards). One list is painted as svg, pdf and png, and a test can ask it whether any two texts
 * overlap or one leaves the page. */
#ifndef KICK_DRAW_H
#define KICK_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "memory.h"

struct draw_point {
    double x, y;
};

struct draw_box {
    double x0, y0, x1, y1;
};

enum draw_kind { DRAW_LINE, DRAW_POLYGON, DRAW_MARKER, DRAW_TEXT };

enum draw_shape {
    DRAW_CIRCLE,
    DRAW_SQUARE,
    DRAW_TRIANGLE,
    DRAW_DIAMOND,
    DRAW_TRIANGLE_DOWN,
    DRAW_CROSS,
    DRAW_PLUS,
    DRAW_SHAPES
};

enum draw_dash { DRAW_SOLID, DRAW_DASHED, DRAW_DOTTED, DRAW_DASH_DOT, DRAW_LONG_DASH, DRAW_DASHES };

/* Where the anchor lies in the text: across its width, and down its capital letters. */
enum draw_across { DRAW_LEFT, DRAW_CENTER, DRAW_RIGHT };
enum draw_down { DRAW_BASELINE, DRAW_MIDDLE, DRAW_TOP };

struct draw_stroke {
    uint32_t color; /* 0xRRGGBB */
    double alpha, width;
    enum draw_dash dash;
};

struct draw_font {
    double size; /* points */
    bool bold, italic;
    uint32_t color;
    bool rotated; /* reads upwards */
    enum draw_across across;
    enum draw_down down;
};

struct draw_item {
    enum draw_kind kind;
    struct draw_point *point; /* line, polygon: count corners; marker, text: one */
    size_t count;
    struct draw_stroke stroke; /* of a line or marker; a polygon is filled with its colour */
    enum draw_shape shape;
    double size; /* marker: diameter */
    bool hollow;
    bool clipped;
    struct draw_box clip;
    char *text;
    char *title; /* marker: what it stands for, shown where somebody points at it (svg); or NULL */
    struct draw_font font;
    struct draw_box box; /* text: its ink on the page */
};

struct drawing;

/* A page; the height may be changed later. Fails when the font (DejaVu Sans) is not there. */
int drawing_new(struct drawing **out, double width, double height, struct error *e);
void drawing_free(struct drawing *d);
void drawing_set_height(struct drawing *d, double height);
double drawing_width(const struct drawing *d);
double drawing_height(const struct drawing *d);

/* Lines, polygons and markers added from here on are cut at this box (NULL: at nothing). */
void draw_clip(struct drawing *d, const struct draw_box *box);

int draw_line(struct drawing *d, const struct draw_point *point, size_t count,
              struct draw_stroke stroke, struct error *e);
int draw_polygon(struct drawing *d, const struct draw_point *point, size_t count, uint32_t color,
                 double alpha, struct error *e);
int draw_marker(struct drawing *d, double x, double y, enum draw_shape shape, double size,
                bool hollow, uint32_t color, struct error *e);
int draw_text(struct drawing *d, double x, double y, const char *text, struct draw_font font,
              struct error *e);

/* All of another drawing with its origin at (x, y), without its titles, `by` times as large. */
int draw_drawing(struct drawing *d, const struct drawing *from, double x, double y, double by,
                 struct error *e);

/* What the last marker stands for; what the whole drawing shows. Both are <title>s of the svg. */
int draw_title(struct drawing *d, const char *text, struct error *e);
int drawing_set_title(struct drawing *d, const char *text, struct error *e);

/* Advance width of a text; height of capital letters at a size. */
double draw_text_width(struct drawing *d, const char *text, const struct draw_font *font);
double draw_cap_height(double size);

size_t drawing_count(const struct drawing *d);
const struct draw_item *drawing_item(const struct drawing *d, size_t i);

/* 0 when every text lies on the page and no two overlap; otherwise -1, e names them. */
int drawing_check(const struct drawing *d, struct error *e);

/* Paint into a buffer; a pdf takes any number of pages. Its date is `date` (seconds since 1970). dpi is for png. */
int drawing_svg(const struct drawing *d, struct buffer *out, struct error *e);
/* The same for a page: texts stay texts, in the reader's DejaVu Sans or another sans, as wide as
 * they were measured. */
int drawing_svg_inline(struct drawing *d, struct buffer *out, struct error *e);
int drawing_pdf(struct drawing *const *page, size_t pages, int64_t date, const char *title,
                struct buffer *out, struct error *e);
int drawing_png(const struct drawing *d, double dpi, struct buffer *out, struct error *e);

/* The date that outputs carry: SOURCE_DATE_EPOCH, or 1980-01-01 (where zip archives begin). */
int64_t draw_date(void);

#endif

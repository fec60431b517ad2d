/* A figure laid out as small multiples: rows of panels with shared axes, direct labels where they
 * fit and a legend where they do not, intervals, and a rule for the dense model. */
#ifndef KICK_CHART_H
#define KICK_CHART_H

#include "draw.h"
#include "error.h"
#include "figure.h"

struct chart_options {
    double width; /* inches */
    bool title;   /* the figure's title above it */
};

/* The page is as high as the figure needs. */
int chart_draw(struct drawing **out, const struct figure *f, const struct chart_options *options,
               struct error *e);

/* How the i-th series looks, in every renderer. */
struct chart_style {
    uint32_t color, text; /* text: darker where the colour is pale */
    enum draw_shape shape;
    enum draw_dash dash;
};
struct chart_style chart_style(size_t series);

#endif

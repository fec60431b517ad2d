/* Figures and charts: descriptions that are refused, and drawings in which no text overlaps another
 * or leaves the page, whatever the data. */
#include <math.h>

#include "figure_folder.h"

#include "chart.h"
#include "draw.h"
#include "scale.h"

static const char description[] =
    "{\"title\": \"T\", \"rows\": \"facet\", \"panels\": ["
    "{\"title\": \"Unstructured\", \"where\": {\"column\": \"kind\", \"equals\": \"s\"},"
    " \"x\": {\"column\": \"x\", \"label\": \"Sparsity (%)\", \"min\": 0}},"
    "{\"title\": \"N:M\", \"where\": {\"column\": \"kind\", \"equals\": \"p\"},"
    " \"x\": {\"column\": \"pattern\", \"label\": \"Pattern\", \"type\": \"category\",  \"order\": [\"1:2\", \"2:4\", \"4:8\"]}},"
    "{\"title\": \"Quantized\", \"where\": {\"column\": \"kind\", \"equals\": \"b\"},"
    " \"x\": {\"column\": \"x\", \"label\": \"Bits\", \"ticks\": \"values\", \"reverse\": true}}],"
    "\"y\": {\"column\": \"y\", \"low\": \"low\", \"high\": \"high\", \"label\": \"Perplexity\","
    " \"scale\": \"log\"},"
    "\"series\": {\"column\": \"series\", \"order\": [\"Magnitude\", \"Wanda\"]},"
    "\"baseline\": {\"column\": \"dense\"}}";

#define HEAD "WITH t (facet, kind, series, x, pattern, y, low, high, dense) AS (VALUES "
#define TAIL ") SELECT * FROM t"

/* Data that a layout might stumble over. */
static const char *const cases[][2] = {
    {"usual",
     HEAD "('a', 's', 'Magnitude', 10, NULL, 8.5, 8.1, 8.9, 8.4),"
          "('a', 's', 'Magnitude', 50, NULL, 12, 11, 13, 8.4),"
          "('a', 's', 'Wanda', 10, NULL, 8.5, 8.1, 8.9, 8.4),"
          "('a', 's', 'Wanda', 50, NULL, 9, 8.5, 9.5, 8.4),"
          "('a', 'p', 'Wanda', NULL, '2:4', 20, 18, 22, 8.4),"
          "('a', 'p', 'Magnitude', NULL, '4:8', 15, 14, 16, 8.4),"
          "('a', 'b', 'RTN', 8, NULL, 8.4, 8, 8.8, 8.4),"
          "('a', 'b', 'RTN', 2, NULL, 300, 250, 350, 8.4)" TAIL},
    {"extreme",
     HEAD "('a', 's', 'Magnitude', 10, NULL, 3.4, 3.3, 3.5, 3.4),"
          "('a', 's', 'Magnitude', 80, NULL, 1e9, 1e8, 1e10, 3.4),"
          "('b', 's', 'Wanda', 80, NULL, 9e999, NULL, 9e999, 1e-4)" TAIL},
    {"one point", HEAD "('a', 's', 'Magnitude', 50, NULL, 12, 12, 12, 12)" TAIL},
    {"no interval, no baseline", HEAD "('a', 's', 'Wanda', 50, NULL, 12, NULL, NULL, NULL)" TAIL},
    {"one kind only", HEAD "('a', 'p', 'Wanda', NULL, '2:4', 12, 11, 13, 8)" TAIL},
    {"gaps",
     HEAD "('a', 's', 'Wanda', 10, NULL, 12, 11, 13, 8),('a', 's', 'Wanda', 20, NULL, NULL, NULL,"
          " NULL, 8),('a', 's', 'Wanda', 30, NULL, 12, 11, 13, 8),"
          "('a', 's', 'Wanda', NULL, NULL, 12, 11, 13, 8),('a', 's', 'RTN', 30, NULL, NULL, NULL,"
          " NULL, 8)" TAIL},
    {"nothing", "SELECT 'a' AS facet, 's' AS kind, 'q' AS series, 1 AS x, '' AS pattern, 1.0 AS y,"
                " 1.0 AS low, 1.0 AS high, 1.0 AS dense WHERE 0"},
    {"equal values",
     "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) "
     "SELECT 'a' AS facet, 's' AS kind, 'Method ' || i AS series, 10 * j AS x, NULL AS pattern,"
     " 5.0 AS y, 5.0 AS low, 5.0 AS high, 5.0 AS dense FROM n, (SELECT i AS j FROM n)"},
    {"forty series",
     "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) "
     "SELECT 'a' AS facet, 's' AS kind, 'Series number ' || i AS series, i AS x, NULL AS pattern,"
     " i AS y, i AS low, i AS high, 5.0 AS dense FROM n"},
    {"long names",
     "SELECT 'A row of panels whose name is much too long for a page of this width, and then goes on "
     "and on, past all that is reasonable, until nobody reads it any more' AS facet, 'p' AS kind,"
     " 'Ein Verfahren mit einem sehr langen Namen, ßäöü, 量化方法量化方法量化方法' AS series, 1 AS x,"
     " column1 AS pattern, 10.0 AS y, 9.0 AS low, 11.0 AS high, 8.0 AS dense FROM (VALUES"
     " ('high school european history'), ('college computer science'), ('2:4'), ('a'),"
     " ('professional medicine'), ('us foreign policy'), ('world religions'))"},
    {"numbers side by side",
     HEAD "('a', 's', 'Magnitude', 100000, NULL, 3.4301, 3.4300, 3.4302, 3.43),"
          "('a', 's', 'Magnitude', 200000, NULL, 3.4304, 3.4303, 3.4305, 3.43),"
          "('a', 's', 'Wanda', 1000000, NULL, 3.4302, 3.4301, 3.4303, 3.43)" TAIL},
};

static void no_text_overlaps(void **state)
{
    static const double widths[] = {6.75, 3.25, 5, 12};
    (void)state;
    for (size_t kind = 0; kind < 2; kind++) {
        char json[4096];
        snprintf(json, sizeof json, "{\"kind\": \"%s\", %s", kind ? "points" : "lines",
                 description + 1);
        put("figure.json", json);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            put("query.sql", cases[i][1]);
            struct error e = {0};
            struct figure *f;
            if (load(&f, &e))
                fail_msg("%s: %s", cases[i][0], e.text);
            for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
                struct drawing *d;
                struct chart_options how = {.width = widths[w], .title = true};
                if (chart_draw(&d, f, &how, &e) || drawing_check(d, &e))
                    fail_msg("%s at %g inches: %s", cases[i][0], widths[w], e.text);
                drawing_free(d);
            }
            figure_free(f);
        }
    }
}

/* How many markers and texts of a kind are in the drawing of a case. */
static size_t count(const char *query, enum draw_kind kind)
{
    put("figure.json", description);
    put("query.sql", query);
    struct error e = {0};
    struct figure *f;
    struct drawing *d;
    struct chart_options how = {.width = 6.75};
    if (load(&f, &e) || chart_draw(&d, f, &how, &e))
        fail_msg("%s", e.text);
    size_t n = 0;
    for (size_t i = 0; i < drawing_count(d); i++)
        n += drawing_item(d, i)->kind == kind;
    drawing_free(d);
    figure_free(f);
    return n;
}

static void every_point_has_its_marker(void **state)
{
    (void)state;
    assert_int_equal(count(cases[0][1], DRAW_MARKER), 8);
    assert_int_equal(count(cases[5][1], DRAW_MARKER), 2);
    assert_int_equal(count(cases[6][1], DRAW_MARKER), 0);
    assert_int_equal(count(cases[6][1], DRAW_TEXT), 1); /* says that there is nothing */
}

/* Panels that wrap stand as evenly as they can: four as two and two, not three and one. */
static void lines_of_panels_are_even(void **state)
{
    struct error e = {0};
    struct figure *f;
    struct drawing *d;
    struct chart_options how = {.width = 4.5};
    double top[4], left[4];
    size_t n = 0;
    (void)state;
    put("figure.json",
        "{\"title\": \"T\", \"y\": {\"column\": \"y\"}, \"panels\": ["
        "{\"title\": \"A\", \"x\": {\"column\": \"x\"}}, {\"title\": \"B\", \"x\": {\"column\": \"x\"}},"
        "{\"title\": \"C\", \"x\": {\"column\": \"x\"}}, {\"title\": \"D\", \"x\": {\"column\": \"x\"}}]}");
    put("query.sql", "SELECT column1 AS x, column2 AS y FROM (VALUES (1, 1), (2, 2))");
    assert_int_equal(load(&f, &e), 0);
    assert_int_equal(chart_draw(&d, f, &how, &e), 0);
    for (size_t i = 0; i < drawing_count(d); i++) {
        const struct draw_item *it = drawing_item(d, i);
        if (it->kind == DRAW_TEXT && it->font.bold && n < 4) {
            top[n] = it->point->y;
            left[n++] = it->point->x;
        }
    }
    assert_int_equal(n, 4);
    assert_true(top[0] == top[1] && top[2] == top[3] && top[0] < top[2]);
    assert_true(left[0] == left[2] && left[1] == left[3]);
    drawing_free(d);
    figure_free(f);
}

/* Each panel has the rule of its own rows; another value in the same panel is an error. */
static void panels_have_their_own_baseline(void **state)
{
    struct error e = {0};
    struct figure *f;
    (void)state;
    put("figure.json", description);
    put("query.sql", HEAD "('a', 's', 'Wanda', 10, NULL, 8, 7, 9, 5),"
                          "('a', 'b', 'RTN', 4, NULL, 8, 7, 9, 6)" TAIL);
    assert_int_equal(load(&f, &e), 0);
    assert_true(figure_base(f, 0, 0)->value == 5 && figure_base(f, 0, 2)->value == 6);
    assert_true(isnan(figure_base(f, 0, 1)->value));
    figure_free(f);
    put("query.sql", HEAD "('a', 's', 'Wanda', 10, NULL, 8, 7, 9, 5),"
                          "('a', 's', 'Wanda', 20, NULL, 8, 7, 9, 6)" TAIL);
    assert_int_equal(load(&f, &e), -1);
}

/* A figure without results says in its caption and on its page what it needs. */
static void empty_figures_say_what_is_missing(void **state)
{
    struct error e = {0};
    struct figure *f;
    struct drawing *d;
    struct chart_options how = {.width = 6.75};
    char json[4096], path[128];
    (void)state;
    snprintf(json, sizeof json, "{\"empty\": \"Missing: a model\", %s", description + 1);
    put("figure.json", json);
    put("query.sql", cases[6][1]);
    put("caption.md", "All of them");
    assert_int_equal(load(&f, &e), 0);
    assert_string_equal(f->caption, "Missing: a model");
    assert_int_equal(chart_draw(&d, f, &how, &e), 0);
    assert_string_equal(drawing_item(d, 0)->text, "Missing: a model");
    drawing_free(d);
    figure_free(f);
    snprintf(path, sizeof path, "%s/caption.md", folder);
    unlink(path);
}

/* Markers tell what they stand for; what stands in a title or a text cannot break the svg. */
static void markers_have_titles(void **state)
{
    struct error e = {0};
    struct figure *f;
    struct drawing *d;
    struct chart_options how = {.width = 6.75};
    struct buffer svg = {0};
    (void)state;
    put("figure.json", description);
    put("query.sql", HEAD "('a', 's', '<Wanda & co>', 10, NULL, 8.25, 7, 9, 5)" TAIL);
    assert_int_equal(load(&f, &e), 0);
    assert_int_equal(chart_draw(&d, f, &how, &e), 0);
    assert_int_equal(drawing_svg_inline(d, &svg, &e), 0);
    assert_int_equal(buffer_append(&svg, "", 1, &e), 0);
    assert_non_null(strstr((char *)svg.data, "<title>&lt;Wanda &amp; co>; Sparsity (%) 10; "
                                             "Perplexity 8.25 (95 %: 7 to 9)</title>"));
    assert_non_null(strstr((char *)svg.data, ">Sparsity (%)</text>"));
    assert_null(strstr((char *)svg.data, "<Wanda"));
    buffer_free(&svg);
    drawing_free(d);
    figure_free(f);
}

/* An order may name categories that the data lacks: they take no place. */
static void absent_categories_take_no_place(void **state)
{
    struct error e = {0};
    struct figure *f;
    (void)state;
    put("figure.json", description);
    put("query.sql", cases[0][1]);
    assert_int_equal(load(&f, &e), 0);
    assert_int_equal(f->panel[1].categories, 2);
    assert_string_equal(f->panel[1].category[0], "2:4");
    for (size_t i = 0; i < f->lines; i++)
        if (f->line[i].panel == 1)
            assert_true(f->line[i].point[0].x == (f->line[i].series ? 0 : 1));
    figure_free(f);
}

static void drawing_check_sees_overlaps(void **state)
{
    struct error e = {0};
    struct drawing *d;
    struct draw_font f = {.size = 8};
    (void)state;
    assert_int_equal(drawing_new(&d, 100, 50, &e), 0);
    assert_int_equal(draw_text(d, 10, 20, "first", f, &e), 0);
    assert_int_equal(draw_text(d, 60, 20, "apart", f, &e), 0);
    assert_int_equal(drawing_check(d, &e), 0);
    assert_int_equal(draw_text(d, 14, 22, "second", f, &e), 0);
    assert_int_equal(drawing_check(d, &e), -1);
    assert_non_null(strstr(e.text, "\"first\" and \"second\""));
    drawing_free(d);
    assert_int_equal(drawing_new(&d, 100, 50, &e), 0);
    assert_int_equal(draw_text(d, 90, 20, "outside", f, &e), 0);
    assert_int_equal(drawing_check(d, &e), -1);
    assert_non_null(strstr(e.text, "leaves the page"));
    drawing_free(d);
}

#define PANEL "\"panels\": [{\"x\": {\"column\": \"x\"}}]"
#define Y "\"y\": {\"column\": \"y\"}"

/* What with.sql names is there for the query and for the caption. */
static void queries_share_a_beginning(void **state)
{
    struct error e = {0};
    struct figure *f;
    char path[128];
    (void)state;
    put("figure.json", "{\"title\": \"T\", " PANEL ", " Y "}");
    put("with.sql", "WITH t (x, y) AS (VALUES (1, 2), (3, 4)) -- two");
    put("query.sql", "SELECT x, y FROM t");
    put("caption.sql", "SELECT count(*) AS n FROM t");
    put("caption.md", "n = {{n}}");
    if (load(&f, &e))
        fail_msg("%s", e.text);
    assert_int_equal(f->table.rows, 2);
    assert_string_equal(f->caption, "n = 2");
    figure_free(f);
    put("query.sql", "SELECT x, y FROM u");
    assert_int_equal(load(&f, &e), -1);
    assert_non_null(strstr(e.text, "query.sql: no such table: u"));
    snprintf(path, sizeof path, "%s/with.sql", folder);
    unlink(path);
}

static void ticks_are_round(void **state)
{
    static const struct {
        double lo, hi;
        bool log;
        const char *text;
    } want[] = {
        {0, 100, false, "0 20 40 60 80 100"}, {0, 1, false, "0.0 0.2 0.4 0.6 0.8 1.0"},
        {8, 300, true, "10 20 50 100 200"},   {1, 1e6, true, "1 10 100 1000 10,000 100,000 1M"},
        {3.4, 3.6, true, "3.2 3.4 3.6 3.8 4.0"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct scale s = {.log = want[i].log, .from = 0, .to = 100};
        struct tick tick[SCALE_TICKS_MAX];
        char text[1024] = "";
        scale_range(&s, want[i].lo, want[i].hi, 0, NAN, NAN);
        size_t n = scale_ticks(&s, 13, tick);
        for (size_t k = 0; k < n; k++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", k ? " " : "",
                     tick[k].text);
        assert_string_equal(text, want[i].text);
    }
}

static void painted_twice_is_the_same(void **state)
{
    struct error e = {0};
    struct figure *f;
    struct drawing *d;
    struct chart_options how = {.width = 6.75};
    (void)state;
    put("figure.json", description);
    put("query.sql", cases[0][1]);
    assert_int_equal(load(&f, &e), 0);
    struct buffer b[2][3] = {0};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(chart_draw(&d, f, &how, &e), 0);
        assert_int_equal(drawing_svg(d, &b[i][0], &e), 0);
        assert_int_equal(drawing_pdf(&d, 1, 1000, "T", &b[i][1], &e), 0);
        assert_int_equal(drawing_png(d, 100, &b[i][2], &e), 0);
        drawing_free(d);
    }
    /* Every text of the svg has its outlines. */
    assert_int_equal(buffer_append(&b[0][0], "", 1, &e), 0);
    assert_null(strstr((char *)b[0][0].data, "d=\"\""));
    b[0][0].length--;
    for (int k = 0; k < 3; k++) {
        assert_true(b[0][k].length > 1000);
        assert_int_equal(b[0][k].length, b[1][k].length);
        assert_memory_equal(b[0][k].data, b[1][k].data, b[0][k].length);
        buffer_free(&b[0][k]);
        buffer_free(&b[1][k]);
    }
    figure_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_text_overlaps, setup, teardown),
        cmocka_unit_test_setup_teardown(every_point_has_its_marker, setup, teardown),
        cmocka_unit_test_setup_teardown(absent_categories_take_no_place, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_of_panels_are_even, setup, teardown),
        cmocka_unit_test_setup_teardown(panels_have_their_own_baseline, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_figures_say_what_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(markers_have_titles, setup, teardown),
        cmocka_unit_test(drawing_check_sees_overlaps),
        cmocka_unit_test_setup_teardown(queries_share_a_beginning, setup, teardown),
        cmocka_unit_test(ticks_are_round),
        cmocka_unit_test_setup_teardown(painted_twice_is_the_same, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

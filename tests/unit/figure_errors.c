/* Figures that are refused: every message of figure.json, of its queries and of its caption, of the
 * database, and of drawings. */
#include "figure_folder.h"

#include <math.h>

#include "draw.h"
#include "file.h"
#include "grid.h"
#include "query.h"

static struct error e;

#define PANEL "\"panels\": [{\"x\": {\"column\": \"x\"}}]"
#define X(more) "\"panels\": [{\"x\": {\"column\": \"x\", " more "}}]"
#define Y "\"y\": {\"column\": \"y\"}"
#define FIGURE(parts) "{\"title\": \"T\", " parts "}"
#define TABLE(parts) FIGURE("\"kind\": \"table\", " parts)
#define FOLDED(rows, parts) TABLE("\"table\": {\"rows\": " rows ", \"columns\": \"name\", \"value\": \"y\"" parts "}")

static const struct {
    const char *json, *query, *says;
} rows[] = {
    {"{", NULL, "figure.json"},
    {"[]", NULL, "is not an object"},
    {"{" PANEL "," Y "}", NULL, "the key \"title\" is missing"},
    {"{\"title\": 3, " PANEL "," Y "}", NULL, "\"title\" is not a string"},
    {FIGURE("\"colour\": 1, " PANEL "," Y), NULL, "there is no key \"colour\""},
    {FIGURE("\"kind\": \"pie\", " PANEL "," Y), NULL, "\"kind\" is \"pie\""},
    {FIGURE("\"panel_height\": 11, " PANEL "," Y), NULL, "\"panel_height\" is not from 0.5 to 10"},
    {FIGURE("\"panel_height\": \"x\", " PANEL "," Y), NULL, "\"panel_height\" is not a number"},
    {FIGURE(Y), NULL, "\"panels\" is not an array of 1 to"},
    {FIGURE(PANEL), NULL, "the key \"y\" is missing"},
    {FIGURE(PANEL ", \"y\": {}"), NULL, "y: the key \"column\" is missing"},
    {FIGURE(PANEL ", \"y\": {\"column\": \"z\"}"), NULL, "y: \"column\": query.sql has no column z"},
    {FIGURE(PANEL ", \"y\": {\"column\": \"y\", \"low\": \"x\"}"), NULL, "y: \"low\" and \"high\" come together"},
    {FIGURE(PANEL ", \"y\": {\"column\": \"y\", \"scale\": \"ln\"}"), NULL, "y: \"scale\" is \"ln\", not"},
    {FIGURE(PANEL ", \"y\": {\"column\": \"y\", \"scale\": \"log\", \"min\": 0}"), NULL,
     "y: the limits of a log scale must be above 0"},
    {FIGURE(PANEL ", \"y\": {\"column\": \"y\", \"min\": 2, \"max\": 1}"), NULL, "y: \"min\" is not below \"max\""},
    {FIGURE(PANEL ", \"y\": {\"column\": \"y\", \"ticks\": \"all\"}"), NULL, "y: \"ticks\" is \"all\", not \"values\""},
    {FIGURE("\"panels\": [7], " Y), NULL, "panels[0] is not an object"},
    {FIGURE("\"panels\": [{}], " Y), NULL, "panels[0]: the key \"x\" is missing"},
    {FIGURE("\"panels\": [{\"where\": {\"column\": \"x\"}}], " Y), NULL, "panels[0].where: \"equals\" is not a string"},
    {FIGURE(X("\"tick\": 1") "," Y), NULL, "panels[0].x: there is no key \"tick\""},
    {FIGURE(X("\"reverse\": 1") "," Y), NULL, "panels[0].x: \"reverse\" is not true or false"},
    {FIGURE(X("\"order\": 7") "," Y), NULL, "panels[0].x: \"order\" is not an array"},
    {FIGURE(X("\"order\": [7]") "," Y), NULL, "panels[0].x: \"order\": entry 0 is not a string"},
    {FIGURE(X("\"order\": [\"a\"]") "," Y), NULL, "\"order\" is for the type \"category\""},
    {FIGURE(PANEL ", " Y ", \"columns\": 7"), NULL, "\"columns\" is not an array"},
    {FIGURE(PANEL ", " Y ", \"columns\": [{\"name\": \"q\"}]"), NULL, "columns[0]: \"name\": query.sql has no column q"},
    {TABLE("\"columns\": [{\"name\": \"x\", \"decimals\": 13}]"), NULL, "\"decimals\" is not a whole number"},
    {TABLE("\"columns\": [{\"name\": \"x\"}, {\"name\": \"x\"}]"), NULL, "columns[1]: the column x stands there twice"},
    {TABLE(Y), NULL, "table or samples has no panels, y or series"},
    {FOLDED("7", ""), NULL, "table: \"rows\" is not an array of at most"},
    {FOLDED("[7]", ""), NULL, "table: \"rows\": query.sql has no column of this kind"},
    {FOLDED("[]", ""), NULL, "table: \"rows\" names no column"},
    {FOLDED("[\"x\"]", ", \"low\": \"x\""), NULL, "table: \"low\" and \"high\" come together"},
    {FOLDED("[\"x\"]", ", \"bold\": 1"), NULL, "table: \"bold\" is not a string"},
    {FIGURE("\"kind\": \"samples\""), NULL, "the key \"samples\" is missing"},
    {TABLE("\"samples\": {}"), NULL, "\"samples\" is for the kind \"samples\""},
    {FIGURE(PANEL ", \"y\": {\"column\": \"name\"}"), NULL, "row 1: name is the text \"a\""},
    {FIGURE(PANEL ", \"y\": {\"column\": \"y\", \"scale\": \"log\"}"), "SELECT 1 AS x, 0 AS y",
     "row 1: y is 0, which a log scale cannot show"},
    {FIGURE(X("\"type\": \"category\"") "," Y),
     "WITH RECURSIVE n (x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n LIMIT 5000) SELECT x, 1 AS y FROM n",
     "different names, the last \""},
    {FIGURE(PANEL ", " Y), "SELECT 1 AS x, 2 AS x", "two columns are named x"},
    {FIGURE(PANEL ", " Y), "SELECT 1 AS x; SELECT 2", "holds more than one statement"},
    {FIGURE(PANEL ", " Y), "-- nothing", "query.sql holds no SELECT"},
    {FIGURE(PANEL ", " Y), "SELECT absent", "no such column: absent"},
    {FIGURE(PANEL ", " Y), "SELECT x'00' AS x, 1 AS y", "the column x holds a blob"},
    {FIGURE(PANEL ", " Y), "SELECT abs(-9223372036854775808) AS x, 1 AS y", "query.sql: integer overflow"},
};

static void refused(const char *json, const char *query, const char *says)
{
    struct figure *f;
    put("figure.json", json);
    put("query.sql", query ? query : "SELECT 1 AS x, 2 AS y, 'a' AS name");
    const int got = load(&f, &e);
    if (!got)
        figure_free(f);
    assert_int_equal(got, -1);
    if (!strstr(e.text, says))
        fail_msg("said \"%s\", not \"%s\"", e.text, says);
}

static void test_figures(void **state)
{
    struct figure *f;
    char **list;
    size_t n;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refused(rows[i].json, rows[i].query, rows[i].says);
    put("caption.sql", "SELECT 83 AS n");
    put("caption.md", "n = {{n}}, {{absent}}");
    refused(FIGURE(PANEL ", " Y), NULL, "{{absent}} is no column of caption.sql");
    put("caption.md", "n = {{n");
    refused(FIGURE(PANEL ", " Y), NULL, "\"{{\" without \"}}\"");
    put("caption.md", "n = {{n}}\n");
    assert_int_equal(load(&f, &e), 0);
    assert_string_equal(f->caption, "n = 83");
    figure_free(f);
    assert_int_equal(figure_folders("/nowhere", &list, &n, &e), -1);
    assert_non_null(strstr(e.text, "/nowhere: no such folder of figures"));
    assert_int_equal(figure_folders(folder, &list, &n, &e), -1);
    assert_non_null(strstr(e.text, "holds no folder with a figure.json"));
}

/* A table has room for so many columns. */
static void test_wide_tables(void **state)
{
    struct figure *f;
    struct grid *g;
    (void)state;
    put("figure.json", FOLDED("[\"x\"]", ""));
    put("query.sql", "WITH RECURSIVE n (name) AS (VALUES (1) UNION ALL SELECT name + 1 FROM n LIMIT 200)"
                     " SELECT 1 AS x, 2 AS y, name FROM n");
    assert_int_equal(load(&f, &e), 0);
    assert_int_equal(grid_new(&g, f, true, &e), -1);
    assert_non_null(strstr(e.text, "table: more than "));
    figure_free(f);
}

static void test_databases(void **state)
{
    static const char *const made[][2] = {
        {"CREATE TABLE t (x)", "is not a database made by kick-analyze-load"},
        {"PRAGMA application_id = 1802068843; PRAGMA user_version = 99", "has schema version 99, this program reads"},
    };
    char path[128];
    sqlite3 *db;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/query.sql", folder); /* which teardown() takes away */
        unlink(path);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, made[i][0], NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        assert_int_equal(database_open(&db, path, &e), -1);
        assert_non_null(strstr(e.text, made[i][1]));
    }
    assert_int_equal(database_open(&db, folder, &e), -1);
    assert_non_null(strstr(e.text, "is a directory; name the file"));
}

static void test_drawings(void **state)
{
    struct drawing *d;
    struct draw_font f = {.size = 8};
    struct buffer out = {0};
    (void)state;
    assert_int_equal(drawing_new(&d, 100, 50, &e), 0);
    assert_int_equal(draw_text(d, 10, 20, "first", f, &e), 0);
    assert_int_equal(draw_text(d, NAN, 20, "nowhere", f, &e), -1);
    assert_non_null(strstr(e.text, "has a place that is not finite"));
    assert_int_equal(drawing_pdf(&d, 1, INT64_MAX, "T", &out, &e), -1);
    assert_non_null(strstr(e.text, "pdf: 9223372036854775807 is no date"));
    assert_int_equal(drawing_png(d, 1e6, &out, &e), -1);
    assert_non_null(strstr(e.text, "at most 32000 each way: lower --dpi"));
    buffer_free(&out);
    struct buffer full = {.length = SIZE_MAX / 2, .capacity = SIZE_MAX / 2}; /* which nothing goes into */
    assert_int_equal(drawing_png(d, 72, &full, &e), -1);
    assert_non_null(strstr(e.text, "png: "));
    assert_int_equal(drawing_pdf(&d, 1, 1000, "T", &full, &e), -1);
    assert_non_null(strstr(e.text, "pdf: "));
    drawing_free(d);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_figures),
        TEST(test_wide_tables),
        TEST(test_databases),
        cmocka_unit_test(test_drawings),
    };
    return cmocka_run_group_tests_name("figure_errors", tests, NULL, NULL);
}

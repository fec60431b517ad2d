/* Tables as people read them: folded, with intervals and the best in bold; and pages on which texts and
 * tables flow. */
#include "figure_folder.h"

#include "grid.h"
#include "pages.h"

static struct figure *loaded(const char *json, const char *query)
{
    struct error e = {0};
    struct figure *f;
    put("figure.json", json);
    put("query.sql", query);
    if (load(&f, &e))
        fail_msg("%s", e.text);
    return f;
}

#define FOLDED "{\"title\": \"T\", \"kind\": \"table\", \"table\": {\"rows\": [\"task\"], \"columns\": \"method\", \"value\": \"score\"," \
               " \"low\": \"low\", \"high\": \"high\", \"best\": \"best\"}, \"columns\": [{\"name\": \"score\", \"decimals\": 1}]}"
#define ROWS "SELECT column1 AS task, column2 AS method, column3 AS score, column4 AS low, column5 AS high, column6 AS best FROM (VALUES "

static void a_folded_table_holds_value_half_and_best(void **state)
{
    struct error e = {0};
    struct grid *g;
    char text[100];
    (void)state;
    struct figure *f = loaded(FOLDED, ROWS "('A', 'x', 50.04, 46.0, 54.0, 1), ('A', 'y', 40, 36, 44, 0), ('B', 'y', 7, NULL, NULL, 1))");
    assert_int_equal(grid_new(&g, f, true, &e), 0);
    assert_int_equal(g->rows, 2);
    assert_int_equal(g->columns, 3);
    assert_true(g->folded && g->starred);
    assert_string_equal(grid_text(grid_at(g, 0, 1), text, sizeof text), "50.0 ± 4.0");
    assert_true(grid_at(g, 0, 1)->best && !grid_at(g, 0, 2)->best);
    assert_string_equal(grid_text(grid_at(g, 1, 1), text, sizeof text), "–");
    assert_string_equal(grid_text(grid_at(g, 1, 2), text, sizeof text), "7.0");
    assert_true(!g->column[0].right && g->column[1].right);
    grid_free(g);
    figure_free(f);
}

static void a_folded_table_of_texts_stands_left(void **state)
{
    struct error e = {0};
    struct grid *g;
    (void)state;
    struct figure *f = loaded("{\"title\": \"T\", \"kind\": \"table\", \"table\": {\"rows\": [\"task\"], \"columns\": \"method\", \"value\": \"answer\"}}",
                            "SELECT 'A' AS task, 'x' AS method, 'yes' AS answer");
    assert_int_equal(grid_new(&g, f, true, &e), 0);
    assert_false(g->column[1].right);
    grid_free(g);
    figure_free(f);
}

static void two_rows_for_one_cell_are_an_error(void **state)
{
    struct error e = {0};
    struct grid *g;
    (void)state;
    struct figure *f = loaded(FOLDED, ROWS "('A', 'x', 1, 1, 1, 1), ('A', 'x', 2, 2, 2, 0))");
    assert_int_equal(grid_new(&g, f, true, &e), -1);
    assert_non_null(strstr(e.text, "row 2: its cell of the folded table is taken"));
    figure_free(f);
}

/* Where a row comes from stands in the csv, not in what people read. */
static void result_ids_stand_aside(void **state)
{
    struct error e = {0};
    struct grid *g;
    struct buffer csv = {0};
    (void)state;
    struct figure *f = loaded("{\"title\": \"T\", \"kind\": \"table\"}", "SELECT 'A' AS task, 'ab12' AS result_id");
    assert_int_equal(grid_new(&g, f, true, &e), 0);
    assert_int_equal(g->columns, 1);
    assert_int_equal(figure_csv(f, &csv, &e), 0);
    assert_int_equal(buffer_append(&csv, "", 1, &e), 0);
    assert_string_equal((char *)csv.data, "task,result_id\r\nA,ab12\r\n");
    buffer_free(&csv);
    grid_free(g);
    figure_free(f);
}

/* Labels of figure.json, like the caption, may hold what caption.sql tells. */
static void texts_are_filled(void **state)
{
    (void)state;
    put("caption.sql", "SELECT 'points' AS unit, 3 AS n");
    put("caption.md", "n = {{n}}");
    struct figure *f = loaded("{\"title\": \"T of {{n}}\", \"kind\": \"table\", \"columns\": [{\"name\": \"x\", \"unit\": \"{{unit}}\"}]}", "SELECT 1 AS x");
    assert_string_equal(f->title, "T of 3");
    assert_string_equal(f->caption, "n = 3");
    assert_string_equal(f->column[0].unit, "points");
    figure_free(f);
}

/* How often a text stands on the pages. */
static size_t count(struct drawing *const *page, size_t pages, const char *text)
{
    size_t n = 0;
    for (size_t p = 0; p < pages; p++)
        for (size_t i = 0; i < drawing_count(page[p]); i++) {
            const struct draw_item *it = drawing_item(page[p], i);
            n += it->kind == DRAW_TEXT && !strcmp(it->text, text);
        }
    return n;
}

/* A long table breaks between rows, its head again on each page; all is on the pages, nothing overlaps. */
static void tables_break_over_pages(void **state)
{
    enum { ROWS_OF = 61, COLUMNS = 3 };
    struct error e = {0};
    struct pages *p;
    char text[ROWS_OF][COLUMNS][80];
    const char *list[ROWS_OF * COLUMNS];
    const bool right[COLUMNS] = {false, true, false};
    size_t pages;
    (void)state;
    for (size_t r = 0; r < ROWS_OF; r++)
        for (size_t c = 0; c < COLUMNS; c++) {
            if (!r)
                snprintf(text[r][c], sizeof *text[r], "Head %zu", c);
            else if (c < 2)
                snprintf(text[r][c], sizeof *text[r], c ? "%zu.5" : "row-%zu", r);
            else
                snprintf(text[r][c], sizeof *text[r], "some words that need more than one line of this column %zu", r);
            list[r * COLUMNS + c] = text[r][c];
        }
    assert_int_equal(pages_new(&p, 250, 300, 20, &e), 0);
    struct pages_table t = {list, right, NULL, ROWS_OF, COLUMNS, true};
    assert_int_equal(pages_text(p, "A paragraph that is wider than the page and therefore goes on in a second line.",
                                (struct draw_font){.size = 8}, &e), 0);
    assert_int_equal(pages_table(p, &t, &e), 0);
    struct drawing *const *page = pages_list(p, &pages, &e);
    assert_non_null(page);
    assert_true(pages > 3);
    for (size_t i = 0; i < pages; i++)
        if (drawing_check(page[i], &e))
            fail_msg("page %zu: %s", i + 1, e.text);
    assert_int_equal(count(page, pages, "Head 0"), pages);
    for (size_t r = 1; r < ROWS_OF; r++) {
        assert_int_equal(count(page, pages, text[r][0]), 1);
        assert_int_equal(count(page, pages, text[r][1]), 1);
    }
    pages_free(p);
}

/* A drawing that is higher than a page is made smaller, not cut. */
static void high_drawings_fit_a_page(void **state)
{
    struct error e = {0};
    struct pages *p;
    struct drawing *d;
    size_t pages;
    (void)state;
    assert_int_equal(drawing_new(&d, 160, 2000, &e), 0);
    assert_int_equal(draw_text(d, 10, 20, "top", (struct draw_font){.size = 8}, &e), 0);
    assert_int_equal(draw_text(d, 10, 1990, "foot", (struct draw_font){.size = 8}, &e), 0);
    assert_int_equal(pages_new(&p, 200, 300, 20, &e), 0);
    assert_int_equal(pages_text(p, "A heading", (struct draw_font){.size = 8}, &e), 0);
    assert_int_equal(pages_drawing(p, d, &e), 0);
    struct drawing *const *page = pages_list(p, &pages, &e);
    assert_int_equal(pages, 1);
    assert_int_equal(drawing_check(page[0], &e), 0);
    assert_int_equal(count(page, pages, "foot"), 1);
    for (size_t i = 0; i < drawing_count(page[0]); i++)
        assert_true(drawing_item(page[0], i)->box.y1 < 300);
    pages_free(p);
    drawing_free(d);
}

/* A word that no line takes is parted, and no character with it. */
static void endless_words_are_parted(void **state)
{
    struct error e = {0};
    struct pages *p;
    char word[601];
    size_t pages, bytes = 0;
    (void)state;
    for (size_t i = 0; i < 300; i++)
        memcpy(word + 2 * i, "ж", 2);
    word[600] = 0;
    assert_int_equal(pages_new(&p, 200, 0, 10, &e), 0);
    assert_int_equal(pages_text(p, word, (struct draw_font){.size = 8}, &e), 0);
    struct drawing *const *page = pages_list(p, &pages, &e);
    assert_int_equal(pages, 1);
    assert_int_equal(drawing_check(page[0], &e), 0);
    for (size_t i = 0; i < drawing_count(page[0]); i++) {
        const char *s = drawing_item(page[0], i)->text;
        assert_true(strlen(s) % 2 == 0);
        bytes += strlen(s);
    }
    assert_int_equal(bytes, 600);
    pages_free(p);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_folded_table_holds_value_half_and_best), TEST(a_folded_table_of_texts_stands_left),
        TEST(two_rows_for_one_cell_are_an_error),       TEST(result_ids_stand_aside),
        TEST(texts_are_filled),                         TEST(tables_break_over_pages),
        TEST(endless_words_are_parted),                 TEST(high_drawings_fit_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

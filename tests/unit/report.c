/* Result streams to database to renderers, with streams made here and the programs run as users do. */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zlib.h>

#include <cmocka.h>

#include "file.h"
#include "memory.h"
#include "output.h"
#include "query.h"
#include "stream.h"

static char dir[64];

#define FIGURE "reports/figure-1-perplexity"

/* Runs a command line in which every "@" stands for the test's folder. */
static int run(const char *command)
{
    char line[4096];
    size_t n = 0;
    const char *build = getenv("KICK_BUILD");
    n += (size_t)snprintf(line, sizeof line, "PATH=$PWD/%s/bin:$PATH; exec 2>%s/stderr; ",
                          build ? build : "build", dir);
    for (; *command; command++)
        n += (size_t)snprintf(line + n, sizeof line - n, *command == '@' ? "%s" : "%.1s",
                              *command == '@' ? dir : command);
    int status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *slurp(const char *name, size_t *n)
{
    char path[256], *data;
    struct error e = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (file_read(path, 1 << 28, &data, n, &e))
        fail_msg("%s", e.text);
    return data;
}

static void says(const char *text)
{
    size_t n;
    char *s = slurp("stderr", &n);
    if (!strstr(s, text))
        fail_msg("said \"%s\", not \"%s\"", s, text);
    free(s);
}

static void succeeds(const char *command)
{
    if (run(command)) {
        size_t n;
        char *s = slurp("stderr", &n);
        fail_msg("%s: %s", command, s);
    }
}

static void same_files(const char *a, const char *b)
{
    size_t n, m;
    char *p = slurp(a, &n), *q = slurp(b, &m);
    if (n != m || memcmp(p, q, n))
        fail_msg("%s and %s differ", a, b);
    free(p);
    free(q);
}

/* ---- streams ----------------------------------------------------------------------------------- */

/* A result of one variant: dense (program NULL) or made by one step; windows i get nll_sum
 * 10 * mean + i. */
static void write_result(const char *name, const char *program, json_t *options, double mean,
                         double stderror)
{
    struct error e = {0};
    char path[256], id[STREAM_DIGEST_LENGTH];
    json_t *ingest = json_pack("{s:s}", "name", "tiny"), *none = json_object();
    json_t *eval = json_pack("{s:i}", "length", 11);
    digest_buffer("checkpoint", 10, id);
    json_t *model = stream_header_new("model", id, NULL, "ingest-model", 1, ingest, none, &e);
    json_t *steps = json_array();
    if (program) {
        json_t *from = model;
        model = stream_header_new("model", json_string_value(json_object_get(from, "id")), from,
                                  program, 1, options, none, &e);
        json_array_append_new(steps,
                              json_pack("{s:s, s:O}", "program", program, "options", options));
        json_decref(from);
    }
    const char *model_id = json_string_value(json_object_get(model, "id"));
    json_t *header =
        stream_header_new("results", model_id, model, "eval-perplexity", 1, eval, none, &e);
    assert_non_null(header);
    json_object_set_new(header, "task", json_string("perplexity"));
    json_object_set_new(header, "model",
                        json_pack("{s:s, s:s, s:s, s:o, s:f, s:i, s:f}", "id", model_id, "name",
                                  "tiny-1M", "role", "large", "steps", steps, "bits_per_weight",
                                  16.0, "stored_bytes", 2000000, "sparsity", 0.25));
    json_object_set_new(header, "data",
                        json_pack("{s:s, s:s}", "name", "wiki", "digest", "00ff"));
    json_object_set_new(header, "definition", json_pack("{s:i}", "window", 11));
    snprintf(path, sizeof path, "%s/%s", dir, name);
    struct output *o;
    struct stream_writer *w;
    assert_int_equal(output_open(&o, path, &e), 0);
    assert_int_equal(stream_create(&w, o, header, NULL, &e), 0);
    for (int i = 0; i < 3; i++) {
        json_t *record = json_pack("{s:i, s:i, s:f}", "window", i, "tokens", 11, "nll_sum",
                                   10 * mean + i);
        assert_int_equal(stream_write(w, record, NULL, 0, &e), 0);
        json_decref(record);
    }
    json_t *summary = json_pack("{s:{s:f, s:f, s:f, s:i, s:i, s:f}}", "summary", "perplexity",
                                exp(mean), "nll_mean", mean, "stderr", stderror, "windows", 3,
                                "scored", 30, "bits_per_byte", 1.5);
    assert_int_equal(stream_write(w, summary, NULL, 0, &e), 0);
    assert_int_equal(stream_finish(w, NULL, &e), 0);
    assert_int_equal(output_commit(o, &e), 0);
    stream_writer_free(w);
    output_free(o);
    json_decref(summary);
    json_decref(header);
    json_decref(model);
    json_decref(ingest);
    json_decref(none);
    json_decref(eval);
    json_decref(options);
}

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/kick-report-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    write_result("dense.kick", NULL, NULL, 2.0, 0.01);
    for (int i = 1; i <= 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%d.kick", i);
        write_result(name, "prune-magnitude", json_pack("{s:f}", "sparsity", 0.25 * i),
                     2 + 0.1 * i * i, 0.01);
    }
    write_result("p.kick", "prune-magnitude", json_pack("{s:s}", "pattern", "2:4"), 2.3, 0.02);
    write_result("b4.kick", "quantize-rtn", json_pack("{s:i, s:i}", "bits", 4, "group", 128), 2.1,
                 0.01);
    write_result("b3.kick", "quantize-rtn", json_pack("{s:i, s:i}", "bits", 3, "group", 128), 2.6,
                 0.01);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    DIR *d = opendir(dir);
    struct dirent *entry;
    char path[512];
    while (d && (entry = readdir(d))) {
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        unlink(path);
    }
    if (d)
        closedir(d);
    return rmdir(dir);
}

/* Every table of a database, rows by key, as text. */
static char *dump(const char *name)
{
    static const char *const tables[] = {"variant", "result", "step", "window", "item", "metric"};
    char path[256], sql[64], number[64];
    struct error e = {0};
    struct buffer b = {0};
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (database_open(&db, path, &e))
        fail_msg("%s", e.text);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct table t;
        snprintf(sql, sizeof sql, "SELECT * FROM %s", tables[i]);
        if (query_run(&t, db, sql, "dump", &e))
            fail_msg("%s", e.text);
        for (size_t k = 0; k < t.rows * t.columns; k++) {
            const char *s = cell_exact(&t.cell[k], number, sizeof number);
            assert_int_equal(buffer_append(&b, s, strlen(s), &e), 0);
            assert_int_equal(buffer_append(&b, "|", 1, &e), 0);
        }
        table_free(&t);
    }
    assert_int_equal(buffer_append(&b, "", 1, &e), 0);
    database_close(db);
    return (char *)b.data;
}

static void same_databases(const char *a, const char *b)
{
    char *p = dump(a), *q = dump(b);
    assert_string_equal(p, q);
    free(p);
    free(q);
}

static double value(const char *name, const char *sql)
{
    char path[256];
    struct error e = {0};
    sqlite3 *db;
    struct table t;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (database_open(&db, path, &e) || query_run(&t, db, sql, sql, &e))
        fail_msg("%s", e.text);
    assert_int_equal(t.rows, 1);
    double x = cell_number(table_cell(&t, 0, 0));
    table_free(&t);
    database_close(db);
    return x;
}

/* ---- loading ----------------------------------------------------------------------------------- */

static void the_same_result_twice_is_one_row(void **state)
{
    (void)state;
    succeeds("kick-analyze-load -D @/a.db @/dense.kick @/s1.kick @/s2.kick @/s3.kick @/p.kick "
             "@/b4.kick @/b3.kick");
    assert_true(value("a.db", "SELECT count(*) FROM result") == 7);
    succeeds("kick-analyze-load -D @/a.db @/s2.kick @/dense.kick");
    assert_true(value("a.db", "SELECT count(*) FROM result") == 7);
    assert_true(value("a.db", "SELECT count(*) FROM window") == 21);
    /* Another order, one by one, and joined on a pipe. */
    succeeds("cat @/b3.kick @/s3.kick @/dense.kick | kick-analyze-load -D @/b.db");
    succeeds("kick-analyze-load -D @/b.db @/p.kick @/s2.kick @/b4.kick @/s1.kick @/s1.kick");
    same_databases("a.db", "b.db");
}

static void columns_follow_from_the_steps(void **state)
{
    (void)state;
    succeeds("cat @/*.kick | kick-analyze-load -D @/a.db");
    assert_true(value("a.db", "SELECT count(*) FROM variant WHERE compression = 'unstructured' AND "
                              "method_label = 'Magnitude' AND sparsity_target IN (0.25, 0.5, 0.75) "
                              "AND pattern IS NULL") == 3);
    assert_true(value("a.db", "SELECT count(*) FROM variant WHERE compression = 'n:m' AND pattern "
                              "= '2:4' AND sparsity_target IS NULL") == 1);
    assert_true(value("a.db", "SELECT sum(bits) FROM variant WHERE compression = 'quantized' AND "
                              "group_columns = 128 AND method = 'rtn'") == 7);
    assert_true(value("a.db", "SELECT count(*) FROM variant AS v JOIN variant AS d ON d.id = "
                              "v.checkpoint_id WHERE d.method = 'dense'") == 7);
    assert_true(value("a.db", "SELECT count(*) FROM perplexity WHERE dense_perplexity IS NULL") ==
                0);
    double low = value("a.db", "SELECT low FROM perplexity WHERE bits = 4");
    double high = value("a.db", "SELECT high FROM perplexity WHERE bits = 4");
    assert_true(fabs(low / exp(2.1 - 0.0196) - 1) < 1e-14);
    assert_true(fabs(high / exp(2.1 + 0.0196) - 1) < 1e-14);
}

static void one_id_with_two_contents_is_refused(void **state)
{
    (void)state;
    succeeds("kick-analyze-load -D @/a.db @/dense.kick && cp @/a.db @/before.db");
    write_result("other.kick", NULL, NULL, 2.0001, 0.01);
    assert_int_equal(run("kick-analyze-load -D @/a.db @/s1.kick @/other.kick"), 1);
    says("with other content");
    same_databases("a.db", "before.db");
}

static void a_failed_load_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(run("head -c 300 @/s1.kick >@/cut.kick; kick-analyze-load -D @/a.db "
                         "@/dense.kick @/cut.kick"), 1);
    assert_int_equal(run("test -e @/a.db"), 1);
    assert_int_equal(run("kick-analyze-load -D @/a.db @/absent.kick"), 1);
    says("absent.kick");
    assert_int_equal(run("kick-analyze-load @/dense.kick"), 2);
    assert_int_equal(run("echo no database >@/x.db; kick-analyze-load -D @/x.db @/dense.kick"), 1);
}

/* ---- rendering --------------------------------------------------------------------------------- */

static void load_all(void)
{
    succeeds("cat @/*.kick | kick-analyze-load -D @/a.db");
}

static void rendered_twice_is_the_same(void **state)
{
    (void)state;
    load_all();
    for (int i = 1; i <= 2; i++) {
        char line[512];
        static const char *const suffix[] = {"svg", "pdf", "png"};
        static const char *const format[] = {"text", "md", "csv"};
        for (int k = 0; k < 3; k++) {
            snprintf(line, sizeof line, "kick-render-chart -D @/a.db -o @/%d.%s " FIGURE, i,
                     suffix[k]);
            succeeds(line);
            snprintf(line, sizeof line, "kick-render-table -D @/a.db -f %s -o @/%d.%s " FIGURE,
                     format[k], i, format[k]);
            succeeds(line);
        }
        snprintf(line, sizeof line,
                 "SOURCE_DATE_EPOCH=1700000000 kick-render-workbook -D @/a.db -o @/%d.xlsx " FIGURE,
                 i);
        succeeds(line);
    }
    same_files("1.svg", "2.svg");
    same_files("1.pdf", "2.pdf");
    same_files("1.png", "2.png");
    same_files("1.text", "2.text");
    same_files("1.md", "2.md");
    same_files("1.csv", "2.csv");
    same_files("1.xlsx", "2.xlsx");
}

static void tables_hold_the_numbers(void **state)
{
    size_t n;
    (void)state;
    load_all();
    succeeds("kick-render-table -D @/a.db -f csv " FIGURE " >@/t.csv");
    char *s = slurp("t.csv", &n), number[64];
    snprintf(number, sizeof number, ",%.10s", "8.16616991"); /* exp(2.1) */
    assert_non_null(strstr(s, number));
    free(s);
    succeeds("kick-render-table -D @/a.db --reports reports >@/t.txt");
    s = slurp("t.txt", &n);
    assert_non_null(strstr(s, "Text wiki"));
    assert_non_null(strstr(s, "8.17"));
    free(s);
    assert_int_equal(run("kick-render-table -D @/a.db -f csv"), 2);
    assert_int_equal(run("kick-render-chart -D @/absent.db -o @/x.svg " FIGURE), 1);
    assert_int_equal(run("kick-render-chart -D @/a.db -o @/x.gif " FIGURE), 2);
    assert_int_equal(run("kick-render-chart -D @/a.db -o @/x.svg"), 2);
    assert_int_equal(run("kick-render-chart -D @/a.db -o @/x.svg @"), 1);
    says("figure.json");
    assert_int_equal(run("test -e @/x.svg"), 1);
}

/* A figure may come from anywhere: its query can only read. */
static void queries_cannot_write(void **state)
{
    static const char *const queries[] = {
        "DELETE FROM metric RETURNING value", "ATTACH 'x.db' AS x", "PRAGMA user_version = 7",
        "SELECT load_extension('x')", "CREATE TABLE t (x)", "PRAGMA database_list",
    };
    (void)state;
    load_all();
    succeeds("cp @/a.db @/before.db; cp " FIGURE "/figure.json @/");
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        char path[256];
        struct error e = {0};
        snprintf(path, sizeof path, "%s/query.sql", dir);
        assert_int_equal(output_file(path, queries[i], strlen(queries[i]), &e), 0);
        assert_int_equal(run("kick-render-table -D @/a.db @"), 1);
        says("query.sql");
    }
    same_files("a.db", "before.db");
}

static unsigned word(const char *p, int n)
{
    unsigned v = 0;
    for (int i = n; i-- > 0;)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

/* Calls each(name, text) for every part of a zip archive. */
static size_t unzip(const char *data, size_t n, void (*each)(const char *name, const char *text))
{
    size_t end = n - 22, parts;
    assert_true(n > 22);
    while (memcmp(data + end, "PK\5\6", 4))
        assert_true(end-- > 0);
    parts = word(data + end + 10, 2);
    const char *p = data + word(data + end + 16, 4);
    for (size_t i = 0; i < parts; i++) {
        char name[256];
        unsigned packed = word(p + 20, 4), size = word(p + 24, 4), length = word(p + 28, 2);
        const char *local = data + word(p + 42, 4);
        const char *from = local + 30 + word(local + 26, 2) + word(local + 28, 2);
        snprintf(name, sizeof name, "%.*s", (int)length, p + 46);
        char *text = calloc(size + 1, 1);
        z_stream z = {.next_in = (Bytef *)(uintptr_t)from, .avail_in = packed,
                      .next_out = (Bytef *)text, .avail_out = size};
        assert_non_null(text);
        if (word(p + 10, 2) == 8) {
            assert_int_equal(inflateInit2(&z, -15), Z_OK);
            assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
            inflateEnd(&z);
        } else {
            memcpy(text, from, size);
        }
        each(name, text);
        free(text);
        p += 46 + length + word(p + 30, 2) + word(p + 32, 2);
    }
    return parts;
}

static int charts, sheets, merged;

static void part(const char *name, const char *text)
{
    sheets += strstr(name, "xl/worksheets/sheet") != NULL;
    merged += strstr(text, "<mergeCell") != NULL;
    if (!strstr(name, "xl/charts/chart"))
        return;
    charts++;
    /* Names that libxlsxwriter has for markers and the format has not. */
    assert_null(strstr(text, "_dash\""));
    /* Every range was filled from cells that hold something. */
    const char *p = text;
    int ranges = 0;
    while ((p = strstr(p, "<c:f>"))) {
        const char *end = strstr(p, "</c:f>"), *next = strstr(end, "<c:f>");
        const char *v = strstr(end, "<c:v>");
        assert_non_null(v);
        if (next && v > next)
            fail_msg("%s: the range %.*s is empty", name, (int)(end - p - 5), p + 5);
        ranges++;
        p = end;
    }
    assert_true(ranges >= 8);
}

static void charts_of_the_workbook_hold_data(void **state)
{
    size_t n;
    (void)state;
    load_all();
    succeeds("kick-render-workbook -D @/a.db -o @/t.xlsx " FIGURE);
    char *s = slurp("t.xlsx", &n);
    charts = sheets = merged = 0;
    unzip(s, n, part);
    free(s);
    assert_int_equal(charts, 3);
    assert_int_equal(sheets, 6);
    assert_int_equal(merged, 0);
}

static bool twelve;

static void styles(const char *name, const char *text)
{
    twelve = twelve || (strstr(name, "xl/styles.xml") && strstr(text, "formatCode=\"#,##0.000000000000\""));
}

/* The most decimals that figure.json may ask for had no format of the book. */
static void twelve_decimals_have_a_format(void **state)
{
    size_t n;
    (void)state;
    load_all();
    succeeds("mkdir @/mine; echo 'SELECT 0.5 AS x' >@/mine/query.sql; echo '{\"title\": \"T\", \"kind\": \"table\","
             " \"columns\": [{\"name\": \"x\", \"decimals\": 12}]}' >@/mine/figure.json");
    succeeds("kick-render-workbook -D @/a.db -o @/t.xlsx @/mine");
    char *s = slurp("t.xlsx", &n);
    twelve = false;
    unzip(s, n, styles);
    free(s);
    assert_true(twelve);
    succeeds("rm -r @/mine");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_same_result_twice_is_one_row), TEST(columns_follow_from_the_steps),
        TEST(one_id_with_two_contents_is_refused), TEST(a_failed_load_leaves_nothing),
        TEST(rendered_twice_is_the_same), TEST(tables_hold_the_numbers),
        TEST(queries_cannot_write), TEST(charts_of_the_workbook_hold_data),
        TEST(twelve_decimals_have_a_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

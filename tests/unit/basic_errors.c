/* What the parts below everything else refuse: memory, files, JSON, tables of text, threads, other
 * programs. Limits of the process stand for a system that has no more to give. */
#include "scratch.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "child.h"
#include "cpu.h"
#include "csv.h"
#include "file.h"
#include "hessian.h"
#include "json.h"
#include "matrix.h"
#include "memory.h"
#include "output.h"
#include "pool.h"
#include "source.h"
#include "spill.h"
#include "statistics.h"
#include "sweep.h"
#include "text_input.h"

static struct error e;

static void test_memory(void **state)
{
    struct buffer b = {0};
    struct spill s;
    (void)state;
    assert_refused(!memory_new(SIZE_MAX, 8, "a test", &e), e, "no memory for a test (");
    assert_refused(!memory_new(1, SIZE_MAX - 7, "a test", &e), e, "no memory for a test (1 x ");
    assert_refused(!memory_resize(NULL, SIZE_MAX, 8, "a test", &e), e, "no memory for a test (");
    assert_refused(buffer_reserve(&b, SIZE_MAX, &e), e, "no memory for a buffer of ");
    assert_refused(spill_new(&s, SIZE_MAX, 8, 0, &e), e, "rows of activations are too many");
    assert_refused(spill_new(&s, SIZE_MAX / 4, 1, 0, &e), e, "bytes of activations: ");
}

static void test_json(void **state)
{
    json_t *o = json_pack("{s:s, s:f, s:s%}", "text", "x", "half", 0.5, "nul", "a\0b", (size_t)3);
    int64_t n;
    double x;
    bool b;
    const char *s;
    (void)state;
    assert_refused(!json_parse("{\"a\":1,\"a\":2}", 13, "it", &e), e, "it: not valid JSON: line 1, column");
    assert_refused(json_get_integer(o, "none", 0, 9, &n, &e), e, "\"none\" is missing");
    assert_refused(json_get_integer(o, "half", 0, 9, &n, &e), e, "\"half\" is not an integer");
    assert_refused(json_get_integer_or(o, "text", 0, 9, 1, &n, &e), e, "\"text\" is not an integer");
    assert_refused(json_get_real_or(o, "text", 0, &x, &e), e, "\"text\" is not a number");
    assert_refused(json_get_bool_or(o, "text", false, &b, &e), e, "\"text\" is not true or false");
    assert_refused(json_get_string(o, "none", &s, &e), e, "\"none\" is missing");
    assert_refused(json_get_string(o, "nul", &s, &e), e, "\"nul\" is not a text");
    assert_refused(json_set(o, "bad", json_string("\xff"), &e), e, "\"bad\", or a text that is not UTF-8");
    json_decref(o);
}

static void test_csv(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        const char *says;
    } rows[] = {
        {"\"a", 2, "a quoted field does not end"},
        {"\"a\"b,c\n", 7, "text follows the closing quote"},
        {"a,b\0c\n", 6, "its field 2 holds a NUL byte"},
        {"a,\xff\n", 4, "it is not UTF-8"},
        {",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n", 65, "it has over 64 fields"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct csv c;
        csv_begin(&c, rows[i].text, rows[i].n, ',');
        assert_refused(csv_next(&c, &e) < 0, e, rows[i].says);
        csv_free(&c);
    }
}

static void test_files(void **state)
{
    char *text, *name;
    size_t n;
    struct file_map m;
    struct output *o;
    const char *folder;
    (void)state;
    assert_refused(file_read(scratch_path("none"), 9, &text, &n, &e), e, "cannot open it: No such file");
    assert_refused(file_read(scratch, 9, &text, &n, &e), e, "is a directory, not a file");
    assert_refused(file_read("/proc/self/mem", 9, &text, &n, &e), e, "cannot read it: ");
    assert_done(output_file(scratch_path("ten"), "0123456789", 10, &e), e);
    assert_refused(file_read(scratch_path("ten"), 9, &text, &n, &e), e, "is larger than the 9 bytes");
    assert_refused(file_map(&m, "/dev/null", &e), e, "/dev/null: is not a regular file");
    struct text_input *t;
    struct buffer long_text = {.data = malloc((1u << 30) + (1 << 20)), .length = (1u << 30) + 1,
                               .capacity = (1u << 30) + (1 << 20)};
    assert_done(text_input_open(&t, scratch_path("ten"), &e), e);
    assert_refused(text_input_all(t, &long_text, &e), e, "ten: a document is longer than 1 GiB; use -f lines");
    text_input_close(t);
    buffer_free(&long_text);
    /* temporary ones */
    char *old = getenv("TMPDIR") ? strdup(getenv("TMPDIR")) : NULL, longer[5000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    setenv("TMPDIR", longer, 1);
    assert_refused(file_temporary(&folder, &e) < 0, e, "TMPDIR is too long");
    setenv("TMPDIR", scratch_path("none"), 1);
    assert_refused(file_temporary(&folder, &e) < 0, e, "cannot make a temporary file: No such file");
    old ? setenv("TMPDIR", old, 1) : unsetenv("TMPDIR");
    free(old);
    /* outputs */
    assert_done(output_open(&o, "/dev/null", &e), e);
    assert_refused(output_rewrite(o, 0, "x", 1, &e), e, "is no file that can be written out of order");
    output_free(o);
    assert_done(output_open(&o, scratch_path("whole"), &e), e);
    assert_done(output_keep(o, name = strdup(scratch_path("part")), &e), e);
    unlink(name);
    assert_done(output_file(name, "other", 5, &e), e);
    assert_refused(output_commit(o, &e), e, "part: another run has taken its place");
    output_free(o);
    free(name);
}

/* An address space that has no room for what is asked. */
static void test_limits(void **state)
{
    struct rlimit was, none = {0};
    double seconds;
    long kilobytes = 0;
    const char *const no[] = {"/nowhere/program", NULL}, *const fails[] = {"false", NULL};
    (void)state;
    assert_refused(child_run(no, false, &seconds, &kilobytes, NULL, 0, &e), e, "cannot be started");
    assert_refused(child_run(fails, false, &seconds, &kilobytes, NULL, 0, &e), e, "false failed; call it by hand");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    none.rlim_max = was.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const int result = child_run(fails, false, &seconds, &kilobytes, NULL, 0, &e);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_refused(result, e, "no pipe for false");
#ifndef __SANITIZE_ADDRESS__ /* whose address space is a large one */
    struct file_map m;
    struct spill s;
    struct pool *p;
    FILE *f = fopen(scratch_path("large"), "w");
    assert_int_equal(ftruncate(fileno(f), 1 << 30), 0);
    fclose(f);
    assert_int_equal(getrlimit(RLIMIT_AS, &was), 0);
    none.rlim_cur = 1 << 20; /* less than there is: nothing more */
    none.rlim_max = was.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    struct error map, room, threads;
    const int mapped = file_map(&m, scratch_path("large"), &map),
              spilt = spill_new(&s, 1 << 20, 1, 0, &room), started = pool_new(&p, 3, &threads);
    assert_int_equal(setrlimit(RLIMIT_AS, &was), 0);
    assert_refused(mapped, map, "cannot map it: ");
    assert_refused(spilt, room, "cannot map 1048576 bytes of activations: ");
    assert_refused(started, threads, "cannot start thread 2 of 3; try a smaller -j");
#endif
}

static void test_arguments(void **state)
{
    struct bootstrap b;
    struct draws d;
    double x = 1;
    enum cpu_level level;
    struct sweep s = {.kernels = kernels_of(CPU_SCALAR), .block = 7};
    struct random_key key = {0};
    (void)state;
    char *old = getenv("KICK_CPU") ? strdup(getenv("KICK_CPU")) : NULL;
    setenv("KICK_CPU", "vax", 1);
    assert_refused(cpu_choose(&level, &e), e, "KICK_CPU=vax is not a level");
    assert_true(e.usage);
    if (cpu_best() < CPU_AVX512) {
        setenv("KICK_CPU", "avx512", 1);
        assert_refused(cpu_choose(&level, &e), e, "KICK_CPU=avx512: this machine offers ");
    }
    old ? setenv("KICK_CPU", old, 1) : unsetenv("KICK_CPU");
    free(old);
    assert_refused(statistics_bootstrap(&x, 0, 9, 0.95, key, &b, &e), e, "needs at least one value and one draw");
    assert_done(draws_new(&d, 1, 9, key, &e), e);
    assert_refused(draws_bootstrap(&d, &x, 0, 0.95, key, &b, &e), e, "needs at least one value and one draw");
    draws_free(&d);
    const struct tensor bias = {.name = "b", .rows = 1, .cols = 2};
    struct matrix three = {.rows = 3};
    assert_refused(matrix_bias(&three, &bias, &e), e, "b: 2 numbers for a matrix of 3 rows");
    struct hessian h;
    struct factor f;
    const struct factor_options direct = {.damping = 0.01};
    assert_done(hessian_new(&h, 2, &e), e);
    h.sum[0] = h.sum[2] = 1;
    h.samples = 1;
    h.sum[1] = 100;
    assert_refused(factor_new(&f, &h, NULL, &direct, kernels_of(CPU_SCALAR), NULL, &e), e,
                   "not positive definite even with damping 1");
    hessian_free(&h);
    assert_refused(sweep_run(&s, &e), e, "blocks of 7 columns: use a multiple of 16");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory), cmocka_unit_test(test_json),
        cmocka_unit_test(test_csv),    cmocka_unit_test(test_files),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests_name("basic_errors", tests, scratch_setup, scratch_teardown);
}

/* What the library says where jansson, or strdup(), gets no memory. The programs end at once then (lib/cli.c); the library
 * by itself gives an error, whichever allocation it is that fails. */
#include "scratch.h"

#include <limits.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "chat.h"
#include "checkpoint.h"
#include "evaluation.h"
#include "filter.h"
#include "gguf.h"
#include "harness.h"
#include "ingest.h"
#include "json.h"
#include "judged.h"
#include "output.h"
#include "pruning.h"
#include "query.h"
#include "source.h"
#include "tensor.h"
#include "timings.h"
#include "tokenizer_convert.h"

static struct error e;
static long left; /* allocations that are still given */
static long plain = LONG_MAX; /* of those, malloc()'s, strdup()'s among them */

#ifndef __SANITIZE_ADDRESS__ /* which has a malloc() of its own */
void *__libc_malloc(size_t n);
void *malloc(size_t n)
{
    return plain == LONG_MAX || plain-- > 0 ? __libc_malloc(n) : NULL;
}
#endif

static void *few(size_t n)
{
    return left-- > 0 ? malloc(n ? n : 1) : NULL;
}

/* ---- what may fail; each returns what the library does ----------------------------------------- */

static json_t *record;
static struct stream_writer *writer;
static struct source source;
static sqlite3 *db;

static int freed(json_t *j)
{
    json_decref(j);
    return j ? 0 : -1;
}

static int an_id(void)
{
    char id[STREAM_DIGEST_LENGTH];
    return stream_id("source", "program", 1, NULL, NULL, id, &e);
}

static int a_header(void)
{
    return freed(stream_header_new("text", "source", NULL, "program", 1, NULL, NULL, &e));
}

static int a_text_of_json(void)
{
    return freed(json_parse("{\"a\":[1]}", 9, "it", &e));
}

static int extra_keys(void)
{
    return freed(filter_extra_keys(record, &e));
}

static int a_tensor(void)
{
    float x = 1;
    const struct tensor t = {.name = "t", .rank = 1, .shape = {1}, .rows = 1, .cols = 1, .values = VALUES_F32,
                             .data = &x, .data_bytes = 4};
    return tensor_write(&t, record, writer, &e);
}

static int merges(void)
{
    struct buffer out = {0};
    const char *settings = "{\"bos_token\":\"a\"}";
    const int result = tokenizer_from_merges("{\"a\":0}", 7, "", 0, "{\"b\":1}", settings, &out, &e);
    buffer_free(&out);
    return result;
}

static int ranks(void)
{
    struct buffer out = {0};
    const char *list = "YQ== 0\nYg== 1\nYWI= 2\n";
    const int result = tokenizer_from_tiktoken(list, strlen(list), NULL, &out, &e);
    buffer_free(&out);
    return result && !strstr(e.text, "vocabulary of 3 tokens"); /* which is its end */
}

static int a_checkpoint(void)
{
    struct checkpoint c;
    const int result = checkpoint_open(&c, scratch_path("model"), &e);
    checkpoint_free(&c);
    return result;
}

static int items(void)
{
    struct judged j;
    const int result = judged_read(&j, scratch_path("answers.kick"), &e);
    judged_free(&j);
    return result;
}

static int a_harness_file(void)
{
    json_t *list = NULL;
    const int result = harness_read(scratch_path("results.json"), &list, &e);
    json_decref(list);
    return result < 0;
}

static int harness_files(void)
{
    size_t n;
    return harness_write(scratch_path("written"), db, &n, &e);
}

static int a_description(void)
{
    return freed(source_describe(&source, &e));
}

static int an_end(void)
{
    struct output *o;
    struct stream_writer *w;
    const long given = left;
    left = LONG_MAX;
    json_t *header = stream_header_new("text", "source", NULL, "program", 1, NULL, NULL, &e);
    assert_done(output_open(&o, "/dev/null", &e), e);
    assert_done(stream_create(&w, o, header, NULL, &e), e);
    json_decref(header);
    left = given;
    const int result = stream_finish(w, NULL, &e);
    stream_writer_free(w);
    output_free(o);
    return result;
}

static int results_begin(void)
{
    struct cli c = {.name = "x"};
    struct evaluation v = {.cli = &c, .source = source};
    return evaluation_begin(&v, "task", NULL, NULL, &e);
}

static int a_judge_begins(void)
{
    struct cli c = {.name = "x"};
    struct judged j = {.header = record};
    struct output *o;
    struct stream_writer *w;
    return judged_begin(&j, &c, "judge", NULL, NULL, &o, &w, &e);
}

static int results_end(void)
{
    struct evaluation v = {0};
    return evaluation_end(&v, NULL, &e);
}

static int a_projection(void)
{
    struct cli c = {.name = "x"};
    struct filter f = {.cli = &c};
    const struct tensor t = {0};
    left = 0;
    return filter_write(&f, &t, record, NULL, &e);
}

static int a_note(void)
{
    return filter_note(record, NULL, &e);
}

static int a_time(void)
{
    return timings_add(NULL, NULL, &e);
}

static int an_item(void)
{
    struct ingest g = {0};
    return ingest_record(&g, NULL, &e);
}

static int an_answer(void)
{
    json_t *list = json_array();
    const int result = ingest_add(list, "\xff", &e);
    json_decref(list);
    return result;
}

static int a_map(void)
{
    struct cli c = {.name = "x"};
    struct pruning p = {.encoding = "auto", .map = scratch_path("map")};
    const int result = pruning_read(&p, &c, &e);
    pruning_free(&p);
    return result;
}

static int a_template(void)
{
    char *text = NULL;
    const int result = chat_template_of("{\"chat_template\":\"x\"}", &text, &e);
    free(text);
    return result;
}

static int a_gguf_file(void)
{
    struct gguf *g = NULL;
    const int result = gguf_open(&g, "tests/data/gguf/spm.gguf", &e);
    if (!result)
        gguf_close(g);
    return result;
}

static int a_kept_file(void)
{
    struct output *o;
    const long given = plain;
    plain = LONG_MAX;
    assert_done(output_open(&o, scratch_path("kept"), &e), e);
    plain = given;
    const int result = output_keep(o, scratch_path("part"), &e);
    plain = LONG_MAX;
    output_free(o);
    return result;
}

static const struct {
    int (*call)(void);
    const char *says;
    bool always; /* fails however much there is: what it is given failed before */
} calls[] = {
    {an_id, "no memory for an id", false},
    {a_header, "no memory for a header", false},
    {a_text_of_json, "it: no memory to read it", false},
    {extra_keys, "no memory for a record", false},
    {a_tensor, "no memory for ", false},
    {merges, "no memory for a tokenizer", false},
    {ranks, "a tiktoken vocabulary: no memory for a tokenizer", false},
    {a_checkpoint, "no memory for a chat template", false},
    {items, "no memory for items", false},
    {a_harness_file, "no memory for results", false},
    {a_harness_file, "no memory for a result", false},
    {harness_files, "no memory for a file", false},
    {a_description, "no memory for a header", true}, /* before the last tensor: not a number */
    {an_end, "no memory for the end record", false},
    {results_begin, "no memory for a header", true},
    {a_judge_begins, "no memory for a header", true},
    {results_end, "no memory for a summary", true},
    {a_projection, "no memory for a record", true},
    {a_note, "no memory for a record", true},
    {a_time, "no memory for a record", true},
    {an_item, "no memory for a record", true},
    {an_answer, "no memory for a list of answers", true},
};

static void test_calls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        bool said = false;
        int result = -1;
        long given = 0;
        for (; result && given < (calls[i].always ? 1 : 5000); given++) {
            e = (struct error){{0}, 0};
            left = calls[i].always ? LONG_MAX : given;
            result = calls[i].call();
            left = LONG_MAX;
            if (result && !*e.text)
                fail_msg("call %zu (%s) with %ld allocations: fails without a word", i, calls[i].says, given);
            said |= result && strstr(e.text, calls[i].says);
        }
        if (!said || (result != 0) != calls[i].always)
            fail_msg("call %zu: never said '%s', or never came to its end: '%s'", i, calls[i].says, e.text);
    }
}

/* ---- files that they need ----------------------------------------------------------------------- */

static void test_copies(void **state)
{
    static const struct {
        int (*call)(void);
        const char *says;
    } rows[] = {
        {a_template, "no memory for a chat template"},
        {a_gguf_file, "no memory for a path"},
        {a_kept_file, "no memory for a file name"},
        {a_map, "no memory for a map"},
        {harness_files, "no memory for a path"},
    };
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip();
#endif
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool said = false;
        for (long given = 0; !said && given < 5000; given++) {
            plain = given;
            const int result = rows[i].call();
            plain = LONG_MAX;
            said = result && strstr(e.text, rows[i].says);
        }
        if (!said)
            fail_msg("call %zu: never said '%s'", i, rows[i].says);
    }
}

static void put(const char *name, const char *text)
{
    assert_done(output_file(scratch_path(name), text, strlen(text), &e), e);
}

static int setup_files(void **state)
{
    char command[1024];
    struct output *o;
    const char *build = getenv("KICK_BUILD");
    build = build ? build : "build";
    left = LONG_MAX;
    json_set_alloc_funcs(few, free);
    if (scratch_setup(state))
        return -1;
    record = json_pack("{s:s, s:[s]}", "name", "n", "more", "x");
    mkdir(scratch_path("model"), 0700);
    put("map", "x 0.5\n");
    put("model/config.json", "{}");
    put("model/tokenizer.json", "{}");
    put("model/chat_template.jinja", "x");
    snprintf(command, sizeof command, "cp tests/data/torch/expected.safetensors '%s/model/model.safetensors' && "
             "%s/bin/kick-ingest-model -q tests/data/models/llama -o '%s/m.kick'", scratch, build, scratch);
    if (system(command))
        return -1;
    put("results.json", "{\"results\":{\"arc\":{\"acc,none\":0.5,\"acc_stderr,none\":0.1}},\"config\":{\"model\":\"hf\"},"
                        "\"model_name\":\"a\"}");
    snprintf(command, sizeof command, "%s/bin/kick-analyze-load -q -D '%s/r.db' '%s/results.json'", build, scratch, scratch);
    if (system(command))
        return -1;
    json_t *header = stream_header_new("results", "source", NULL, "program", 1, NULL, NULL, &e);
    json_object_set_new(header, "task", json_string("summary"));
    struct stream_writer *w;
    json_t *item = json_pack("{s:s}", "item", "1");
    if (output_open(&o, scratch_path("answers.kick"), &e) || stream_create(&w, o, header, NULL, &e) ||
        stream_write(w, item, NULL, 0, &e) || stream_finish(w, NULL, &e) || output_commit(o, &e))
        return -1;
    stream_writer_free(w);
    output_free(o);
    json_decref(item);
    if (output_open(&o, "/dev/null", &e) || stream_create(&writer, o, header, NULL, &e))
        return -1;
    json_decref(header);
    if (database_open(&db, scratch_path("r.db"), &e) || source_open(&source, scratch_path("m.kick"), NULL, &e))
        return -1;
    *state = o;
    return 0;
}

static int teardown_files(void **state)
{
    stream_writer_free(writer);
    output_free(*state);
    source_close(&source);
    database_close(db);
    json_decref(record);
    return scratch_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls), cmocka_unit_test(test_copies)};
    return cmocka_run_group_tests_name("memory_errors", tests, setup_files, teardown_files);
}

/* Shows what is in a stream: its records as JSON lines, or a table of the tensors. */
#include "cli.h"
#include "json.h"
#include "memory.h"
#include "pool.h"
#include "stream.h"
#include "tensor.h"

#include <stdio.h>
#include <string.h>

static bool header_only, compression, digests, history;
static const char *trace;

static int print_json(const json_t *json, struct error *e)
{
    struct buffer line = {0};
    int result = json_append(json, &line, e) || buffer_append(&line, "\n", 1, e) ? -1 : 0;
    if (!result && fwrite(line.data, 1, line.length, stdout) != line.length)
        result = error_set(e, "standard output: cannot write");
    buffer_free(&line);
    return result;
}

/* A record, its attachment as a digest where asked for. */
static int show_record(const struct stream_record *record, struct error *e)
{
    if (digests && record->data) {
        char hex[STREAM_DIGEST_LENGTH];
        digest_buffer(record->data, record->bytes, hex);
        if (json_set(record->json, "attachment", json_string(hex), e))
            return -1;
    }
    return print_json(record->json, e);
}

/* What the last step that has it says under `key`. */
static void print_note(const json_t *notes, const char *key, int width, const char *format)
{
    const json_t *note, *value = NULL;
    size_t i;
    json_array_foreach(notes, i, note) value =
        json_object_get(note, key) ? json_object_get(note, key) : value;
    char text[32] = "-";
    if (value)
        snprintf(text, sizeof text, format, json_number_value(value));
    printf("%*s ", width, text);
}

static int show_tensor(const struct stream_record *record, struct error *e)
{
    struct tensor t;
    size_t zeros, i;
    json_t *note;
    if (!json_object_get(record->json, "tensor"))
        return 0;
    if (tensor_parse(&t, record, e))
        return -1;
    int result = tensor_zeros(&t, &zeros, e);
    if (!result) {
        char shape[64], type[32];
        snprintf(shape, sizeof shape, "%zu x %zu", t.rows, t.cols);
        if (t.values == VALUES_INT)
            snprintf(type, sizeof type, "int%d g%zu", t.bits, t.groups == 1 ? 0 : t.group);
        else
            snprintf(type, sizeof type, "%s", values_name(t.values));
        printf("%-44s %15s %-9s %-7s %8.4f %8.3f ", t.name, shape, type,
               t.mask == MASK_NONE     ? "-"
               : t.mask == MASK_BITMAP ? "bitmap"
                                       : "nm",
               (double)zeros / (double)(t.rows * t.cols), tensor_bits_per_weight(&t));
        print_note(json_object_get(record->json, "compression"), "error", 8, "%.4f");
        print_note(json_object_get(record->json, "compression"), "damping", 8, "%.4g");
        json_array_foreach(json_object_get(record->json, "compression"), i, note) {
            const char *fallback = json_get_string_or(note, "fallback", NULL);
            printf("%s%s", i ? ", " : " ", json_get_string_or(note, "program", "?"));
            if (fallback)
                printf(" (%s)", fallback);
        }
        putchar('\n');
    }
    tensor_free(&t);
    return result;
}

static int show_history(const json_t *header, struct error *e)
{
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(header, "history"), i, step) {
        if (print_json(step, e))
            return -1;
    }
    return 0;
}

static struct cli_option options[] = {
    {0, "header", CLI_FLAG, &header_only, NULL, "the header only"},
    {0, "history", CLI_FLAG, &history, NULL, "the steps that made it, one a line"},
    {0, "compression", CLI_FLAG, &compression, NULL, "a table of the tensors: sparsity, bits, error"},
    {0, "trace", CLI_TEXT, &trace, "ID", "of streams one after another only that with this id"},
    {0, "digests", CLI_FLAG, &digests, NULL, "add the digest of each attachment"},
    {0},
};

/* Shows the stream, or passes over one that is not asked for. */
static int show(const struct cli *c, struct stream_reader *r, bool *shown, struct error *e)
{
    struct stream_record record;
    size_t most = 4 << 20; /* that a small need covers */
    int got;
    if (trace && strcmp(json_get_string_or(stream_header(r), "id", ""), trace)) {
        while ((got = stream_next(r, &record, e)) == 1)
            ;
        return got;
    }
    *shown = true;
    if (compression)
        printf("%-44s %15s %-9s %-7s %8s %8s %8s %8s  %s\n", "tensor", "rows x columns", "values",
               "mask", "sparsity", "bits", "error", "damping", "steps");
    else if (history ? show_history(stream_header(r), e) : print_json(stream_header(r), e))
        return -1;
    if (header_only || history)
        return 0;
    while ((got = stream_next(r, &record, e)) == 1)
        if ((record.bytes > most && cli_memory(c, cli_memory_small(c) + (most = record.bytes), e)) ||
            (compression ? show_tensor(&record, e) : show_record(&record, e)))
            return -1;
    return got;
}

static int run(struct cli *c, struct error *e)
{
    struct pool *pool = NULL;
    struct stream_reader *r = NULL;
    bool shown = false;
    int result = -1, more;
    if (pool_new(&pool, c->threads, e) || stream_open(&r, cli_input(c), NULL, pool, e))
        goto out;
    do {
        if (show(c, r, &shown, e))
            goto out;
        more = shown && (trace || header_only || history) ? 0 : stream_next_stream(r, NULL, e);
    } while (more == 1);
    result = more;
    if (!result && !shown)
        result = error_set(e, "none of these streams has the id %.64s; ids are in the column result_id of a report's csv and "
                              "sheets, and in each stream's first record", trace);
    if (!result && fflush(stdout))
        result = error_set(e, "standard output: cannot write");
out:
    stream_close(r);
    pool_free(pool);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "stream-show",
                    .revision = 1,
                    .summary = "print the records of a stream as JSON lines",
                    .operand = "[FILE]",
                    .flags = CLI_THREADS,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}

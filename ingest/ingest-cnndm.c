/* ingest-cnndm: CNN/DailyMail stories (Hermann et al. 2015; See et al. 2017): .story files, in which
 * the summary's points follow the article after "@highlight" lines, or jsonl rows with "article" and
 * "highlights". An item is bucket/file: the bucket is the folder of a .story file, else by words
 * (small < 470, mid < 790, large). Its "story" is what the released LLM-KICK code feeds to the
 * model: for .story files all lines stripped and joined by nothing, highlights included (a leak of
 * the reference, kept as it is); "article" is the text without them, "reference" the highlights. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "file.h"
#include "ingest.h"
#include "json.h"
#include "pytext.h"
#include "utf8.h"

static struct ingest_options o;
static struct cli_option options[] = {INGEST_OPTIONS(o), {0}};

struct input {
    struct ingest_file file;
    char *bucket; /* NULL: by words */
};

struct inputs {
    struct input *list;
    size_t count;
};

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

static const char *bucket_of(const char *text, size_t n)
{
    const size_t words = pytext_words(text, n);
    return words < 470 ? "small" : words < 790 ? "mid" : "large";
}

static int add_line(struct buffer *b, const char *line, size_t n, struct error *e)
{
    return (b->length && buffer_append(b, "\n", 1, e)) || buffer_append(b, line, n, e) ? -1 : 0;
}

static int story(struct ingest *g, const struct input *in, struct error *e)
{
    const struct ingest_file *f = &in->file;
    const char *p = (const char *)f->bytes.data, *end = p + f->bytes.length;
    struct buffer all = {0}, article = {0}, reference = {0};
    char *name = NULL;
    bool highlights = false;
    int result = -1;
    const size_t bad = utf8_check(p, f->bytes.length);
    if (bad < f->bytes.length || memchr(p, 0, f->bytes.length))
        return error_set(e, "it is not UTF-8 text");
    while (p < end) {
        const char *line = p;
        while (p < end && *p != '\n' && *p != '\r')
            p++;
        size_t n = (size_t)(p - line);
        p++;
        pytext_strip(&line, &n);
        if (buffer_append(&all, line, n, e))
            goto out;
        if (n == 10 && !memcmp(line, "@highlight", 10))
            highlights = true;
        else if (n && add_line(highlights ? &reference : &article, line, n, e))
            goto out;
    }
    if (article.length == 0) {
        error_set(e, "it holds no text");
        goto out;
    }
    const char *bucket =
        in->bucket ? in->bucket : bucket_of((const char *)all.data, all.length);
    const size_t stem = strlen(f->name) - (ends_with(f->name, ".story") ? 6 : 0);
    const size_t size = strlen(bucket) + stem + 2;
    if (!(name = memory_new(size, 1, "a name", e)))
        goto out;
    snprintf(name, size, "%s/%.*s", bucket, (int)stem, f->name);
    result = ingest_item(g,
                         json_pack("{s:s, s:s, s:s%, s:s%, s:s%}", "item", name, "group", bucket,
                                   "story", all.data, all.length, "article", article.data,
                                   article.length, "reference",
                                   reference.length ? (char *)reference.data : "",
                                   reference.length),
                         e)
                 ? -2
                 : 0;
out:
    free(name);
    buffer_free(&all);
    buffer_free(&article);
    buffer_free(&reference);
    return result;
}

static int row(struct ingest *g, const json_t *json, size_t number, struct error *e)
{
    const char *article = ingest_string(json, "article document", e), *reference;
    if (!article || !(reference = ingest_string(json, "highlights summary", e)))
        return -1;
    const json_t *id = ingest_any(json, "id");
    const char *bucket = bucket_of(article, strlen(article));
    json_t *name = json_is_string(id) ? json_sprintf("%s/%s", bucket, json_string_value(id))
                                      : json_sprintf("%s/%zu", bucket, number);
    return ingest_item(g,
                       json_pack("{s:o, s:s, s:s, s:s, s:s}", "item", name, "group", bucket,
                                 "story", article, "article", article, "reference", reference),
                       e)
               ? -2
               : 0;
}

static int rows(struct ingest *g, const struct ingest_file *f, struct error *e)
{
    const char *line;
    size_t at = 0, n, number = 0;
    while (!ingest_full(g) && ingest_line(&f->bytes, &at, &line, &n)) {
        number++;
        if (n == 0)
            continue;
        json_t *json = json_parse(line, n, "this row", e);
        const int got = json ? row(g, json, number - 1, e) : -1;
        json_decref(json);
        if (got == -2 || (got && ingest_bad(g, f->path, number, e)))
            return -1;
    }
    return 0;
}

static int add_file(struct ingest *g, struct inputs *in, const char *path, const char *bucket,
                    struct error *e)
{
    struct input *list = memory_resize(in->list, in->count + 1, sizeof *list, "files", e);
    if (!list)
        return -1;
    in->list = list;
    struct input *one = &in->list[in->count];
    *one = (struct input){.bucket = bucket ? path_base(bucket, e) : NULL};
    in->count++;
    if (bucket && !one->bucket)
        return -1;
    return ingest_file_read(g, &one->file, path, e);
}

/* A file; a folder of .story files, whose name is the bucket unless it is the operand itself; or a
 * folder of such folders. */
static int add(struct ingest *g, struct inputs *in, const char *path, const char *bucket, int depth,
               struct error *e)
{
    struct ingest_list files = {0}, folders = {0};
    int result = -1;
    if (!path_is_directory(path))
        return add_file(g, in, path, NULL, e);
    if (ingest_list_read(&files, path, ".story", false, e) ||
        (depth == 0 && ingest_list_read(&folders, path, "", true, e)))
        goto out;
    for (size_t i = 0; i < folders.count; i++) {
        char *sub = path_join(path, folders.name[i], e);
        const int got = sub ? add(g, in, sub, folders.name[i], depth + 1, e) : -1;
        free(sub);
        if (got)
            goto out;
    }
    for (size_t i = 0; i < files.count; i++) {
        char *sub = path_join(path, files.name[i], e);
        const int got = sub ? add_file(g, in, sub, bucket, e) : -1;
        free(sub);
        if (got)
            goto out;
    }
    result = 0;
out:
    ingest_list_free(&files);
    ingest_list_free(&folders);
    return result;
}

static int run(struct cli *c, struct error *e)
{
    struct ingest g;
    struct inputs in = {0};
    static char *standard_input[] = {"-"};
    char **list = c->operands ? c->operand_list : standard_input;
    const int count = c->operands ? c->operands : 1;
    int result = -1;
    if (ingest_new(&g, c, &o, e))
        goto out;
    for (int i = 0; i < count; i++)
        if (add(&g, &in, list[i], NULL, 0, e))
            goto out;
    if (in.count == 0) {
        error_set(e, "%s: holds no .story file, nor do its folders", list[0]);
        goto out;
    }
    if (ingest_start(&g, "summary", list[0], e))
        goto out;
    for (size_t i = 0; i < in.count && !ingest_full(&g); i++) {
        if (!ends_with(in.list[i].file.name, ".story")) {
            if (rows(&g, &in.list[i].file, e))
                goto out;
            continue;
        }
        const int got = story(&g, &in.list[i], e);
        if (got == -2 || (got && ingest_bad(&g, in.list[i].file.path, 0, e)))
            goto out;
    }
    result = ingest_finish(&g, e);
out:
    for (size_t i = 0; i < in.count; i++) {
        ingest_file_free(&in.list[i].file);
        free(in.list[i].bucket);
    }
    free(in.list);
    ingest_free(&g);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "ingest-cnndm",
                    .revision = 1,
                    .summary = "read CNN/DailyMail stories as a stream of texts to summarise",
                    .operand = "[FILE|DIRECTORY...]",
                    .flags = CLI_OUTPUT | CLI_MEMORY | CLI_OPERANDS,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}

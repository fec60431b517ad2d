/* ingest-triviaqa: TriviaQA (Joshi et al., ACL 2017): the official JSON, with the evidence texts
 * beside it (wikipedia/ and web/ in --evidence, by default ../evidence of the file), or questions
 * and answers without: jsonl rows ("question" or "context", "aliases" or "answers" or "answer";
 * "ctxs" as evidence), or lines "question TAB ['alias', …]" as DPR has them.
 *
 * Items are QuestionId#n: n is the row, from 0, of the question's first pair in the list of
 * question–document pairs over all files (documents of a Web file: its search results; of a
 * Wikipedia file: its entity pages). One item a question; --pairs gives every pair. As in the
 * released LLM-KICK code the evidence of any of them is the question's first entity page ("wiki", in
 * the order of file names) and first search result ("web"), each kept to -l characters. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "csv.h"
#include "file.h"
#include "ingest.h"
#include "json.h"
#include "pytext.h"

static struct ingest_options o;
static const char *evidence = NULL;
static long characters = 3072;
static bool pairs = false;
static struct cli_option options[] = {
    {0, "evidence", CLI_TEXT, &evidence, "DIR", "holds wikipedia/ and web/ [../evidence]"},
    {'l', "length", CLI_INT, &characters, "L", "characters kept of an evidence text", .min = 0,
     .max = 1e9, .result = true},
    {0, "pairs", CLI_FLAG, &pairs, NULL, "an item for every question–document pair",
     .result = true},
    INGEST_OPTIONS(o),
    {0},
};

struct work {
    struct ingest g;
    json_t *items; /* to be written once all that they need has been digested */
    size_t pair;   /* rows of the list so far */
    size_t absent; /* evidence files that are named but not there */
};

static bool full(const struct work *w)
{
    return o.limit > 0 && json_array_size(w->items) >= (size_t)o.limit;
}

static int keep(struct work *w, json_t *item, struct error *e)
{
    if (!item || json_array_append_new(w->items, item)) {
        error_set(e, "no memory for an item");
        return -2;
    }
    return 0;
}

/* ---- the official format -----------------------------------------------------------------------
 */

/* A data set names nothing outside its folder; dots at the end of a title are none. */
static bool leaves_folder(const char *name)
{
    if (*name == '/')
        return true;
    for (const char *at = name; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (!strncmp(at, "..", 2) && (at[2] == '/' || !at[2]))
            return true;
    }
    return false;
}

/* First -l characters of the evidence text of the first page in `list` whose file is there (the
 * release's loader passes over absent ones too); NULL where there is none. Search results come in
 * the list's order, their rank; entity pages in the order of their file names. */
static int evidence_text(struct work *w, const char *dir, bool entity, const json_t *list,
                         json_t **text, struct error *e)
{
    const json_t *page;
    const char *best = NULL;
    char *folder = NULL, *path = NULL;
    size_t i;
    int result = -1;
    *text = NULL;
    if (!dir || characters == 0)
        return 0;
    if (!(folder = path_join(dir, entity ? "wikipedia" : "web", e)))
        return -1;
    json_array_foreach(list, i, page)
    {
        const char *name = ingest_string(page, "Filename", e);
        if (!name)
            goto out;
        if (leaves_folder(name)) {
            error_set(e, "the evidence file \"%.200s\" is outside the evidence folder", name);
            goto out;
        }
        if (best && (!entity || strcmp(name, best) >= 0))
            continue;
        char *here = path_join(folder, name, e);
        if (!here)
            goto out;
        if (path_exists(here)) {
            free(path);
            path = here;
            best = name;
        } else {
            free(here);
            w->absent++;
        }
    }
    if (path) {
        struct ingest_file f = {0};
        const int got = ingest_file_read(&w->g, &f, path, e);
        const char *p = (const char *)f.bytes.data;
        if (!got)
            *text = json_stringn(p, pytext_prefix(p, f.bytes.length, (size_t)characters));
        ingest_file_free(&f);
        if (got)
            goto out;
    }
    result = 0;
out:
    free(folder);
    free(path);
    return result;
}

static int question(struct work *w, const json_t *q, bool web, const char *dir, struct error *e)
{
    const json_t *answer = json_object_get(q, "Answer");
    const json_t *entity = json_object_get(q, "EntityPages"),
                 *search = json_object_get(q, "SearchResults"), *normalized;
    const char *id, *text, *value = json_get_string_or(answer, "Value", NULL);
    json_t *aliases = NULL, *wiki = NULL, *page = NULL;
    const size_t first = w->pair, documents = json_array_size(web ? search : entity);
    int result = -1;
    w->pair += documents;
    if (!(id = ingest_string(q, "QuestionId", e)) || !(text = ingest_string(q, "Question", e)) ||
        !(aliases = ingest_strings(answer, "Aliases Value", e)))
        goto out;
    if (value && ingest_add(aliases, value, e))
        goto out;
    if (evidence_text(w, dir, true, entity, &wiki, e) ||
        evidence_text(w, dir, false, search, &page, e))
        goto out;
    normalized = json_object_get(answer, "NormalizedAliases");
    const size_t rows = pairs && documents ? documents : 1;
    for (size_t i = 0; i < rows && !full(w); i++) {
        json_t *item = json_pack("{s:o, s:s, s:O}", "item", json_sprintf("%s#%zu", id, first + i),
                                 "question", text, "aliases", aliases);
        if (item && json_is_array(normalized) && json_array_size(normalized))
            json_object_set(item, "normalized", (json_t *)normalized);
        if (item && wiki)
            json_object_set(item, "wiki", wiki);
        if (item && page)
            json_object_set(item, "web", page);
        if ((result = keep(w, item, e)))
            goto out;
    }
    result = 0;
out:
    json_decref(aliases);
    json_decref(wiki);
    json_decref(page);
    return result;
}

static int official(struct work *w, const struct ingest_file *f, const json_t *all,
                    const char *path, struct error *e)
{
    const json_t *list = json_object_get(all, "Data"), *q;
    const bool web = strcmp(json_get_string_or(all, "Domain", "Web"), "Wikipedia") != 0;
    char *dir = NULL;
    size_t i;
    int result = -1;
    if (!json_is_array(list))
        return error_set(e, "%s: has no list \"Data\": is it a TriviaQA file?", f->path);
    if (evidence) {
        if (!path_is_directory(evidence))
            return error_usage(e, "--evidence %s: is not a folder", evidence);
        dir = strdup(evidence);
        if (!dir)
            return error_set(e, "no memory for a file name");
    } else {
        const char *slash = strrchr(path, '/');
        char *here = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
        dir = here ? path_join(here, "../evidence", e) : NULL;
        free(here);
        if (!dir)
            return error_set(e, "no memory for a file name");
        if (!path_is_directory(dir)) {
            free(dir);
            dir = NULL;
        }
    }
    json_array_foreach(list, i, q)
    {
        if (full(w))
            break;
        const int got = question(w, q, web, dir, e);
        if (got == -2)
            goto out;
        if (got && ingest_bad(&w->g, f->path, ingest_element_line(f, "Data", i), e))
            goto out;
    }
    result = 0;
out:
    free(dir);
    return result;
}

/* ---- questions and aliases ---------------------------------------------------------------------
 */

static json_t *row_name(const struct ingest_file *f, size_t number)
{
    return json_sprintf("%.*s/%zu", (int)strcspn(f->name, "."), f->name, number);
}

/* "Question: …\nAnswer:" as some files have it; else the text itself. */
static json_t *bare_question(const char *text)
{
    const size_t n = strlen(text);
    static const char before[] = "Question: ", after[] = "\nAnswer:";
    const size_t b = sizeof before - 1, a = sizeof after - 1;
    if (n > a + b && !strncmp(text, before, b) && !strcmp(text + n - a, after))
        return json_stringn(text + b, n - a - b);
    return json_string(text);
}

static int json_row(struct work *w, const struct ingest_file *f, const json_t *row, size_t number,
                    struct error *e)
{
    const char *text = ingest_string(row, "question context", e), *answer;
    json_t *aliases = text ? ingest_strings(row, "aliases answers answer", e) : NULL;
    if (!aliases)
        return -1;
    answer = json_get_string_or(row, "answer", NULL);
    if (answer && ingest_add(aliases, answer, e)) {
        json_decref(aliases);
        return -1;
    }
    json_t *item = json_pack("{s:o, s:o, s:o}", "item", row_name(f, number), "question",
                             bare_question(text), "aliases", aliases);
    const json_t *page = json_array_get(json_object_get(row, "ctxs"), 0);
    const char *title = json_get_string_or(page, "title", ""),
               *body = json_get_string_or(page, "text", NULL);
    if (item && body && characters) {
        const size_t size = strlen(title) + strlen(body) + 2;
        char *both = memory_new(size, 1, "evidence", e);
        if (both) {
            snprintf(both, size, "%s%s%s", title, *title ? "\n" : "", body);
            json_object_set_new(
                item, "web",
                json_stringn(both, pytext_prefix(both, strlen(both), (size_t)characters)));
        }
        free(both);
    }
    return keep(w, item, e);
}

/* A Python list of strings: ['a', "b's", …]. */
static json_t *python_list(const char *p, struct error *e)
{
    json_t *list = json_array();
    struct buffer one = {0};
    p += strspn(p, " ");
    if (*p++ != '[')
        goto bad;
    for (;;) {
        p += strspn(p, " ,");
        if (*p == ']')
            break;
        const char quote = *p++;
        if (quote != '\'' && quote != '"')
            goto bad;
        for (one.length = 0; *p != quote; p++) {
            unsigned code = 0;
            int digits = 0;
            if (!*p)
                goto bad;
            if (*p != '\\') {
                if (buffer_append(&one, p, 1, e))
                    goto out;
                continue;
            }
            switch (*++p) {
            case 'n': code = '\n'; break;
            case 't': code = '\t'; break;
            case 'r': code = '\r'; break;
            case 'x': digits = 2; break;
            case 'u': digits = 4; break;
            case 'U': digits = 8; break;
            case '\\': case '\'': case '"': code = (unsigned char)*p; break;
            default: goto bad;
            }
            for (int i = 0; i < digits; i++) {
                if (!isxdigit((unsigned char)p[1]))
                    goto bad;
                const char d = (char)tolower((unsigned char)*++p);
                code = code << 4 | (unsigned)(d <= '9' ? d - '0' : d - 'a' + 10);
            }
            if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
                goto bad;
            if (pytext_put(&one, code, e))
                goto out;
        }
        p++;
        if (buffer_append(&one, "", 1, e) || ingest_add(list, (char *)one.data, e))
            goto out;
    }
    if (json_array_size(list)) {
        buffer_free(&one);
        return list;
    }
bad:
    error_set(e, "its second field is not a list ['alias', …]");
out:
    buffer_free(&one);
    json_decref(list);
    return NULL;
}

static int tab_rows(struct work *w, const struct ingest_file *f, struct error *e)
{
    struct csv c;
    int got, result = -1;
    csv_begin(&c, (const char *)f->bytes.data, f->bytes.length, '\t');
    for (size_t number = 0; !full(w) && (got = csv_next(&c, e)); number++) {
        json_t *aliases = NULL;
        if (got > 0 && c.fields != 2)
            error_set(e, "it has %zu fields, not question and aliases", c.fields);
        else if (got > 0)
            aliases = python_list(c.field[1], e);
        if (!aliases) {
            if (ingest_bad(&w->g, f->path, c.row_line, e))
                goto out;
            continue;
        }
        if (keep(w,
                 json_pack("{s:o, s:s, s:o}", "item", row_name(f, number), "question", c.field[0],
                           "aliases", aliases),
                 e))
            goto out;
    }
    result = 0;
out:
    csv_free(&c);
    return result;
}

static int json_rows(struct work *w, const struct ingest_file *f, struct error *e)
{
    const char *line;
    size_t at = 0, n, number = 0;
    while (!full(w) && ingest_line(&f->bytes, &at, &line, &n)) {
        number++;
        if (n == 0)
            continue;
        json_t *row = json_parse(line, n, "this row", e);
        const int got = row ? json_row(w, f, row, number - 1, e) : -1;
        json_decref(row);
        if (got == -2 || (got && ingest_bad(&w->g, f->path, number, e)))
            return -1;
    }
    return 0;
}

/* Told apart by their content: an object over the whole file, an object a line, or tabs. */
static int read_file(struct work *w, const char *path, struct error *e)
{
    struct ingest_file f = {0};
    json_t *all = NULL;
    int result = -1;
    if (ingest_file_read(&w->g, &f, path, e))
        goto out;
    const char *p = (const char *)f.bytes.data, *line;
    size_t at = 0, n = 0;
    if (p[strspn(p, " \t\r\n")] != '{') {
        result = tab_rows(w, &f, e);
        goto out;
    }
    ingest_line(&f.bytes, &at, &line, &n);
    json_t *first = json_parse(line, n, "its first line", e);
    const bool lines = first && !json_object_get(first, "Data");
    json_decref(first);
    if (lines)
        result = json_rows(w, &f, e);
    else if ((all = json_parse(p, f.bytes.length, f.path, e)))
        result = official(w, &f, all, path, e);
out:
    json_decref(all);
    ingest_file_free(&f);
    return result;
}

static int run(struct cli *c, struct error *e)
{
    struct work w = {.items = json_array()};
    static char *standard_input[] = {"-"};
    char **list = c->operands ? c->operand_list : standard_input;
    const int count = c->operands ? c->operands : 1;
    size_t i;
    json_t *item;
    int result = -1;
    if (!w.items) {
        error_set(e, "no memory for items");
        goto out;
    }
    if (ingest_new(&w.g, c, &o, e))
        goto out;
    w.g.per_byte = INGEST_LIST;
    for (int k = 0; k < count && !full(&w); k++)
        if (read_file(&w, list[k], e))
            goto out;
    if (ingest_start(&w.g, "retrieval", list[0], e))
        goto out;
    json_array_foreach(w.items, i, item)
    {
        if (ingest_item(&w.g, json_incref(item), e))
            goto out;
    }
    if (w.absent)
        cli_warn(c, "%zu evidence files are named but not there; the next page was taken, if any",
                 w.absent);
    result = ingest_finish(&w.g, e);
out:
    json_decref(w.items);
    ingest_free(&w.g);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "ingest-triviaqa",
                    .revision = 2,
                    .summary = "read TriviaQA as a stream of questions with evidence",
                    .operand = "[FILE...]",
                    .flags = CLI_OUTPUT | CLI_MEMORY | CLI_OPERANDS,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}

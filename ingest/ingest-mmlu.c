/* ingest-mmlu: MMLU (Hendrycks et al., ICLR 2021) from its folders of CSV files dev/, val/ and
 * test/: no header, columns question, A, B, C, D, answer. The shots of a subject are the rows of its
 * dev file, all of them; eval-choice takes as many as it is told to. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "csv.h"
#include "file.h"
#include "ingest.h"
#include "json.h"
#include "utf8.h"

static struct ingest_options o;
static const char *split = "test";
static long per_subject = 0;
static struct cli_option options[] = {
    {0, "split", CLI_CHOICE, &split, "S", "test, val or dev", .choices = "test|val|dev",
     .result = true},
    {0, "per-subject", CLI_INT, &per_subject, "N", "only the first N rows of each subject (0: all)",
     .min = 0, .max = 1e15, .result = true},
    INGEST_OPTIONS(o),
    {0},
};

/* Disciplines of the 57 subjects, by their authors' two-step table of categories. */
static const struct {
    const char *subject, *discipline;
} table[] = {
    {"abstract_algebra", "STEM"},
    {"anatomy", "other"},
    {"astronomy", "STEM"},
    {"business_ethics", "other"},
    {"clinical_knowledge", "other"},
    {"college_biology", "STEM"},
    {"college_chemistry", "STEM"},
    {"college_computer_science", "STEM"},
    {"college_mathematics", "STEM"},
    {"college_medicine", "other"},
    {"college_physics", "STEM"},
    {"computer_security", "STEM"},
    {"conceptual_physics", "STEM"},
    {"econometrics", "social sciences"},
    {"electrical_engineering", "STEM"},
    {"elementary_mathematics", "STEM"},
    {"formal_logic", "humanities"},
    {"global_facts", "other"},
    {"high_school_biology", "STEM"},
    {"high_school_chemistry", "STEM"},
    {"high_school_computer_science", "STEM"},
    {"high_school_european_history", "humanities"},
    {"high_school_geography", "social sciences"},
    {"high_school_government_and_politics", "social sciences"},
    {"high_school_macroeconomics", "social sciences"},
    {"high_school_mathematics", "STEM"},
    {"high_school_microeconomics", "social sciences"},
    {"high_school_physics", "STEM"},
    {"high_school_psychology", "social sciences"},
    {"high_school_statistics", "STEM"},
    {"high_school_us_history", "humanities"},
    {"high_school_world_history", "humanities"},
    {"human_aging", "other"},
    {"human_sexuality", "social sciences"},
    {"international_law", "humanities"},
    {"jurisprudence", "humanities"},
    {"logical_fallacies", "humanities"},
    {"machine_learning", "STEM"},
    {"management", "other"},
    {"marketing", "other"},
    {"medical_genetics", "other"},
    {"miscellaneous", "other"},
    {"moral_disputes", "humanities"},
    {"moral_scenarios", "humanities"},
    {"nutrition", "other"},
    {"philosophy", "humanities"},
    {"prehistory", "humanities"},
    {"professional_accounting", "other"},
    {"professional_law", "humanities"},
    {"professional_medicine", "other"},
    {"professional_psychology", "social sciences"},
    {"public_relations", "social sciences"},
    {"security_studies", "social sciences"},
    {"sociology", "social sciences"},
    {"us_foreign_policy", "social sciences"},
    {"virology", "other"},
    {"world_religions", "humanities"},
};

static json_t *discipline(const char *subject)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].subject, subject))
            return json_string(table[i].discipline);
    return json_null();
}

/* Question, options and answer of the row at hand. */
static json_t *row_json(const struct csv *c, struct error *e)
{
    if (c->fields != 6) {
        error_set(e, "it has %zu fields, not question, A, B, C, D and answer", c->fields);
        return NULL;
    }
    const char *a = c->field[5];
    if (strlen(a) != 1 || *a < 'A' || *a > 'D') {
        error_set(e, "its answer is '%.20s', not A, B, C or D", a);
        return NULL;
    }
    json_t *row = json_pack("{s:s, s:[s,s,s,s], s:i}", "question", c->field[0], "options",
                            c->field[1], c->field[2], c->field[3], c->field[4], "answer", *a - 'A');
    if (!row)
        error_set(e, "no memory for a row");
    return row;
}

/* All rows of a dev file as the shots of their subject. */
static int shots(struct ingest *g, const struct ingest_file *f, const char *subject,
                 struct error *e)
{
    struct csv c;
    json_t *rows = json_array();
    int got, result = -1;
    csv_begin(&c, (const char *)f->bytes.data, f->bytes.length, ',');
    while ((got = csv_next(&c, e))) {
        json_t *row = got < 0 ? NULL : row_json(&c, e);
        if (!row && ingest_bad(g, f->path, c.row_line, e))
            goto out;
        if (row)
            json_array_append_new(rows, row);
    }
    result = ingest_record(g, json_pack("{s:s, s:O}", "shots", subject, "rows", rows), e);
out:
    json_decref(rows);
    csv_free(&c);
    return result;
}

static int items(struct ingest *g, const struct ingest_file *f, const char *subject,
                 struct error *e)
{
    struct csv c;
    char name[512];
    int got, result = -1;
    csv_begin(&c, (const char *)f->bytes.data, f->bytes.length, ',');
    for (long row = 0; !ingest_full(g) && (!per_subject || row < per_subject); row++) {
        if ((got = csv_next(&c, e)) == 0)
            break;
        json_t *json = got < 0 ? NULL : row_json(&c, e);
        if (!json) {
            if (ingest_bad(g, f->path, c.row_line, e))
                goto out;
            continue;
        }
        snprintf(name, sizeof name, "%s/%ld", subject, row);
        json_t *item = json_pack("{s:s, s:s, s:o}", "item", name, "group", subject, "discipline",
                                 discipline(subject));
        if (!item || json_object_update(item, json)) {
            json_decref(item);
            item = NULL;
        }
        json_decref(json);
        if (ingest_item(g, item, e))
            goto out;
    }
    result = 0;
out:
    csv_free(&c);
    return result;
}

struct subject {
    char *name;
    struct ingest_file dev, rows;
};

static int read_file(struct ingest *g, struct ingest_file *f, const char *dir, const char *of,
                     const char *subject, bool needed, struct error *e)
{
    char name[512];
    int result = 0;
    snprintf(name, sizeof name, "%s_%s.csv", subject, of);
    char *folder = path_join(dir, of, e), *path = folder ? path_join(folder, name, e) : NULL;
    if (!path)
        result = -1;
    else if (needed || path_exists(path))
        result = ingest_file_read(g, f, path, e);
    free(path);
    free(folder);
    return result;
}

static int run(struct cli *c, struct error *e)
{
    struct ingest g;
    struct ingest_list list = {0};
    struct subject *s = NULL;
    const char *dir = cli_input(c);
    char suffix[16], *folder = NULL;
    size_t count = 0;
    int result = -1;
    snprintf(suffix, sizeof suffix, "_%s.csv", split);
    if (ingest_new(&g, c, &o, e))
        goto out;
    if (!path_is_directory(dir)) {
        error_usage(e, "%s: is not a folder with dev/, val/ and test/", dir);
        goto out;
    }
    if (!(folder = path_join(dir, split, e)) || ingest_list_read(&list, folder, suffix, false, e) ||
        !(s = memory_new(list.count + 1, sizeof *s, "subjects", e)))
        goto out;
    if (list.count == 0) {
        error_set(e, "%s: holds no file *%s", folder, suffix);
        goto out;
    }
    for (; count < list.count; count++) {
        const size_t n = strlen(list.name[count]) - strlen(suffix);
        s[count].name = strndup(list.name[count], n);
        if (!s[count].name || n > 400 || utf8_check(s[count].name, n) < n) {
            error_set(e, "%s: %s: the name is too long or not UTF-8", folder, list.name[count]);
            count++;
            goto out;
        }
        if ((strcmp(split, "dev") &&
             read_file(&g, &s[count].dev, dir, "dev", s[count].name, false, e)) ||
            read_file(&g, &s[count].rows, dir, split, s[count].name, true, e)) {
            count++;
            goto out;
        }
    }
    if (ingest_start(&g, "choice", dir, e))
        goto out;
    for (size_t i = 0; i < count && !ingest_full(&g); i++)
        if ((s[i].dev.bytes.length && shots(&g, &s[i].dev, s[i].name, e)) ||
            items(&g, &s[i].rows, s[i].name, e))
            goto out;
    cli_note(c, "%zu subjects", count);
    result = ingest_finish(&g, e);
out:
    for (size_t i = 0; i < count; i++) {
        free(s[i].name);
        ingest_file_free(&s[i].dev);
        ingest_file_free(&s[i].rows);
    }
    free(s);
    free(folder);
    ingest_list_free(&list);
    ingest_free(&g);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "ingest-mmlu",
                    .revision = 1,
                    .summary = "read MMLU as a stream of multiple-choice questions",
                    .operand = "DIRECTORY",
                    .flags = CLI_OUTPUT | CLI_MEMORY | CLI_NO_INPUT,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}

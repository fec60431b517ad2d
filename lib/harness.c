/* lm-evaluation-harness files. What a harness measured is known by its metrics only: its models have
 * one step, the harness, and no items. */
#include "harness.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "json.h"
#include "memory.h"
#include "output.h"
#include "query.h"
#include "stream.h"

enum { FILE_MAX = 1 << 28 };

/* ---- reading -----------------------------------------------------------------------------------
 */

/* Python writes numbers that are not finite as NaN, Infinity and -Infinity, which is no JSON: null. */
static int without_nonfinite(struct buffer *out, const char *text, struct error *e)
{
    static const char *const words[] = {"NaN", "-Infinity", "Infinity"};
    bool quoted = false;
    const char *from = text, *p = text;
    while (*p) {
        size_t n = 0;
        if (quoted && *p == '\\' && p[1])
            p++;
        else if (*p == '"')
            quoted = !quoted;
        for (size_t i = 0; !quoted && !n && i < sizeof words / sizeof *words; i++)
            n = strncmp(p, words[i], strlen(words[i])) ? 0 : strlen(words[i]);
        if (n && (buffer_append(out, from, (size_t)(p - from), e) ||
                  buffer_append(out, "null", 4, e)))
            return -1;
        p += n ? n : 1;
        from = n ? p : from;
    }
    return buffer_append(out, from, (size_t)(p - from), e);
}

static int digest_json(const json_t *o, char hex[STREAM_DIGEST_LENGTH], struct error *e)
{
    char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    if (!text)
        return error_set(e, "no memory for a result");
    digest_buffer(text, strlen(text), hex);
    free(text);
    return 0;
}

/* Who was measured: "model_name", else what follows "pretrained=" in the model's arguments. */
static json_t *model_name(const json_t *root)
{
    const json_t *config = json_object_get(root, "config");
    const json_t *arguments = json_object_get(config, "model_args");
    const char *name = json_get_string_or(root, "model_name", "");
    if (!*name && json_is_object(arguments))
        name = json_get_string_or(arguments, "pretrained", "");
    if (!*name && json_is_string(arguments)) {
        const char *at = strstr(json_string_value(arguments), "pretrained=");
        if (at)
            return json_stringn(at + 11, strcspn(at + 11, ","));
    }
    return json_string(*name ? name : json_get_string_or(config, "model", "unnamed"));
}

/* {"program":"lm-evaluation-harness",…}: the step that made the model what it is is not known. */
static json_t *model_step(const json_t *root)
{
    json_t *config = json_object_get(root, "config");
    json_t *model = json_object_get(config, "model"), *given = json_object_get(config, "model_args");
    return json_pack("{s:s, s:i, s:{s:O*, s:O*}}", "program", "lm-evaluation-harness", "revision", 1,
                     "options", "model", model, "model_args", given);
}

/* "acc_stderr,none" as its name, acc_stderr, and its filter, "none". */
static void metric_parts(const char *key, char *name, size_t size, const char **filter)
{
    const size_t n = strcspn(key, ",");
    snprintf(name, size, "%.*s", (int)(n < size ? n : size - 1), key);
    *filter = key[n] ? key + n + 1 : "none";
}

static int summary_add(json_t *summary, const json_t *metrics, struct error *e)
{
    const char *key, *filter;
    json_t *value;
    char name[256];
    json_object_foreach((json_t *)metrics, key, value)
    {
        if ((!json_is_number(value) && !json_is_null(value)) || !strcmp(key, "sample_len"))
            continue; /* alias, "N/A"; a count */
        metric_parts(key, name, sizeof name, &filter);
        if (!strcmp(name, "nll_mean_stderr")) /* as a perplexity's summary has it */
            snprintf(name, sizeof name, "stderr");
        json_t *at = summary;
        if (strcmp(filter, "none")) {
            at = json_object_get(summary, filter);
            if (!at && json_set(summary, filter, at = json_object(), e))
                return -1;
        }
        if (json_set(at, name, json_incref(value), e))
            return -1;
    }
    return 0;
}

/* What the file says about a task under a key that holds an object by task; NULL. */
static json_t *of_task(const json_t *root, const char *key, const char *task)
{
    return json_object_get(json_object_get(root, key), task);
}

static int task_read(json_t *list, const json_t *root, const char *task, const json_t *metrics,
                     struct error *e)
{
    char hex[STREAM_DIGEST_LENGTH];
    json_t *name = model_name(root), *step = model_step(root), *model = NULL, *header = NULL;
    json_t *summary = json_object(), *entry = NULL;
    json_t *definition = json_pack(
        "{s:s, s:O*, s:O*, s:O*, s:O*}", "source", "lm-evaluation-harness", "version",
        of_task(root, "versions", task), "shots", of_task(root, "n-shot", task), "config",
        of_task(root, "configs", task), "subtasks", of_task(root, "group_subtasks", task));
    json_t *n = json_object_get(of_task(root, "n-samples", task), "effective");
    const char *hash = json_get_string_or(json_object_get(root, "task_hashes"), task, NULL);
    int result = -1;
    if (!name || !step || !summary || !definition ||
        !(model = json_pack("{s:O, s:[O]}", "name", name, "steps", step))) {
        error_set(e, "no memory for a result");
        goto out;
    }
    if (summary_add(summary, metrics, e) ||
        (json_is_integer(n) && json_set(summary, "n", json_incref(n), e)) ||
        digest_json(model, hex, e) || json_set(model, "id", json_string(hex), e))
        goto out;
    /* The data: by the harness's own hash, or by what defines them. */
    if (digest_json(definition, hex, e))
        goto out;
    header = json_pack("{s:s, s:O, s:{s:s, s:s}, s:O}", "task", task, "model", model, "data",
                       "name", task, "digest", hash ? hash : hex, "definition", definition);
    entry = json_pack("{s:O, s:O}", "header", header, "summary", summary);
    if (!header || !entry) {
        error_set(e, "no memory for a result");
        goto out;
    }
    if (digest_json(entry, hex, e) || json_set(header, "id", json_string(hex), e) ||
        json_set(header, "history", json_pack("[o]", json_copy(step)), e) ||
        json_set(json_array_get(json_object_get(header, "history"), 0), "id", json_string(hex), e) ||
        json_array_append(list, entry))
        goto out;
    result = 0;
out:
    json_decref(name);
    json_decref(step);
    json_decref(model);
    json_decref(header);
    json_decref(summary);
    json_decref(definition);
    json_decref(entry);
    return result;
}

/* Does the file begin as JSON text does? Of a pipe nothing must be taken: it holds a stream. */
static int begins_as_json(const char *path, bool *yes, struct error *e)
{
    char bytes[64];
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode))
        return 0;
    FILE *in = fopen(path, "rb");
    if (!in)
        return error_set(e, "%s: %s", path, strerror(errno));
    const size_t n = fread(bytes, 1, sizeof bytes, in);
    size_t i = 0;
    while (i < n && isspace((unsigned char)bytes[i]))
        i++;
    *yes = i < n && bytes[i] == '{';
    fclose(in);
    return 0;
}

int harness_read(const char *path, json_t **list, struct error *e)
{
    char *text = NULL;
    size_t n = 0;
    struct buffer plain = {0};
    json_t *root = NULL, *metrics;
    const char *task;
    bool json = false;
    int result = -1;
    *list = NULL;
    if (begins_as_json(path, &json, e))
        return -1;
    if (!json)
        return 0;
    if (file_read(path, FILE_MAX, &text, &n, e) || without_nonfinite(&plain, text, e) ||
        !(root = json_parse((const char *)plain.data, plain.length, path, e)))
        goto out;
    const json_t *results = json_object_get(root, "results");
    if (!json_is_object(results) || json_object_size(results) == 0) {
        error_set(e, "%s: is neither a result stream nor a result file of lm-evaluation-harness "
                     "(no \"results\")", path);
        goto out;
    }
    if (!(*list = json_array())) {
        error_set(e, "no memory for results");
        goto out;
    }
    json_object_foreach((json_t *)results, task, metrics)
    {
        if (!json_is_object(metrics)) {
            error_set(e, "%s: results.%s is no object", path, task);
            goto out;
        }
        if (task_read(*list, root, task, metrics, e))
            goto out;
    }
    result = 0;
out:
    if (result) {
        json_decref(*list);
        *list = NULL;
    }
    json_decref(root);
    buffer_free(&plain);
    free(text);
    return result;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

/* Columns of the query below. */
enum { VARIANT, MODEL, METHOD, STEPS, RESULT, TASK, DATA, SHOTS, DEFINITION, REVISION, METRIC, VALUE,
       STDERR, COUNT, COLUMNS };

static const char query[] =
    "SELECT v.id AS variant, v.model, v.method_label, v.steps, r.id AS result, CASE json_extract("
    "r.definition, '$.source') WHEN 'lm-evaluation-harness' THEN r.task ELSE r.task || ifnull('_' || "
    "r.mode, '') || ifnull('_' || r.judge, '') || '_' || r.data_name || CASE WHEN json_extract("
    "r.definition, '$.shots') > 0 THEN '_' || json_extract(r.definition, '$.shots') || 'shot' ELSE '' "
    "END END AS task, "
    "r.data_name, ifnull(json_extract(r.definition, '$.shots'), 0) AS shots, r.definition, "
    "(SELECT s.revision FROM step AS s WHERE s.result_id = r.id ORDER BY s.position DESC LIMIT 1) AS "
    "revision, m.metric, m.value, "
    /* The error of a mean: given, of a share as the harness has it, or from the interval. */
    "coalesce(m.stderr, CASE s.interval WHEN 'wilson' THEN CASE WHEN s.item_count > 1 THEN "
    "sqrt(s.mean * (1 - s.mean) / (s.item_count - 1)) END WHEN 'bootstrap' THEN (s.high - s.low) / "
    "3.92 END) AS error, coalesce(c.value, w.value) AS count "
    "FROM variant AS v JOIN result AS r ON r.variant_id = v.id JOIN metric AS m ON m.result_id = r.id "
    "LEFT JOIN score AS s ON s.result_id = r.id AND ((s.part_kind = 'all' AND s.rule = m.metric) "
    "OR (s.part_kind = 'discipline' AND s.part || '/' || s.rule = m.metric)) "
    "LEFT JOIN metric AS c ON c.result_id = r.id AND c.metric = 'n' "
    "LEFT JOIN metric AS w ON w.result_id = r.id AND w.metric = 'windows' "
    /* Counts are no metrics. */
    "WHERE m.metric NOT IN ('n', 'skipped', 'windows', 'tokens', 'scored', 'words', 'bytes') AND "
    "m.metric NOT LIKE '%/n' AND m.metric NOT LIKE '%/skipped' "
    "ORDER BY v.model, v.id, 6, r.id, m.metric";

static const char *text_at(const struct table *t, size_t row, size_t column)
{
    const struct cell *c = table_cell(t, row, column);
    return c->type == CELL_TEXT ? c->text : "";
}

static bool higher_is_better(const char *metric)
{
    return !strstr(metric, "perplexity") && !strstr(metric, "nll") && strcmp(metric, "bits_per_byte");
}

/* root[key], made an object where it is not there yet. */
static json_t *object_at(json_t *root, const char *key)
{
    json_t *o = json_object_get(root, key);
    if (!o) {
        o = json_object();
        if (json_object_set_new(root, key, o))
            return NULL;
    }
    return o;
}

static int put_metric(json_t *root, const char *task, const char *metric, const char *filter,
                      double value, double error, struct error *e)
{
    json_t *at = object_at(object_at(root, "results"), task);
    json_t *better = object_at(object_at(root, "higher_is_better"), task);
    char key[640];
    snprintf(key, sizeof key, "%s,%s", metric, filter);
    if (json_set(at, key, json_number(value), e) ||
        json_set(better, metric, json_boolean(higher_is_better(metric)), e))
        return -1;
    snprintf(key, sizeof key, "%s_stderr,%s", metric, filter);
    return json_set(at, key, isfinite(error) ? json_number(error) : json_string("N/A"), e);
}

/* What the harness keeps by task: alias, definition, version, shots, numbers of samples. */
static int put_task(json_t *root, const char *task, const struct table *t, size_t row,
                    struct error *e)
{
    const struct cell *shots = table_cell(t, row, SHOTS), *revision = table_cell(t, row, REVISION);
    const double n = cell_number(table_cell(t, row, COUNT));
    json_t *definition = json_loads(text_at(t, row, DEFINITION), 0, NULL);
    json_t *version = json_object_get(definition, "version"); /* of a harness task */
    json_t *subtasks = json_object_get(definition, "subtasks");
    if (!definition || json_set(definition, "dataset_name", json_string(text_at(t, row, DATA)), e) ||
        json_set(definition, "result_id", json_string(text_at(t, row, RESULT)), e) ||
        json_set(object_at(object_at(root, "results"), task), "alias", json_string(task), e) ||
        json_set(object_at(root, "configs"), task, json_incref(definition), e) ||
        json_set(object_at(root, "versions"), task,
                 version ? json_incref(version) : json_integer(revision->integer), e) ||
        (subtasks &&
         json_set(object_at(root, "group_subtasks"), task, json_incref(subtasks), e)) ||
        json_set(object_at(root, "n-shot"), task, json_integer(shots->integer), e) ||
        (isfinite(n) && json_set(object_at(root, "n-samples"), task,
                                 json_pack("{s:I, s:I}", "original", (json_int_t)n, "effective",
                                           (json_int_t)n),
                                 e))) {
        json_decref(definition);
        return error_set(e, "no memory for a result");
    }
    json_decref(definition);
    return 0;
}

/* "STEM/strict": the metric of a subtask. */
static int put_part(json_t *root, const char *task, const char *part, const char *metric,
                    double value, double error, struct error *e)
{
    char sub[800];
    snprintf(sub, sizeof sub, "%s_%s", task, part);
    json_t *group = object_at(root, "group_subtasks"), *list = json_object_get(group, task);
    if (!list && json_set(group, task, list = json_array(), e))
        return -1;
    if (!of_task(root, "results", sub) &&
        (json_array_append_new(list, json_string(sub)) ||
         json_set(object_at(object_at(root, "results"), sub), "alias", json_string(sub), e)))
        return -1;
    return put_metric(root, sub, metric, "none", value, error, e);
}

/* Rows from `row` on that are of one result. */
static int put_result(json_t *root, const struct table *t, size_t row, size_t *next, struct error *e)
{
    const char *result = text_at(t, row, RESULT);
    const bool harness = strstr(text_at(t, row, DEFINITION), "\"source\":\"lm-evaluation-harness\"");
    char task[512], part[256];
    snprintf(task, sizeof task, "%s", text_at(t, row, TASK));
    if (of_task(root, "results", task)) /* the same by another definition */
        snprintf(task, sizeof task, "%s_%.8s", text_at(t, row, TASK), result);
    if (put_task(root, task, t, row, e))
        return -1;
    for (; row < t->rows && !strcmp(text_at(t, row, RESULT), result); row++) {
        const char *metric = text_at(t, row, METRIC), *slash = strrchr(metric, '/');
        const double value = cell_number(table_cell(t, row, VALUE));
        const double error = cell_number(table_cell(t, row, STDERR));
        snprintf(part, sizeof part, "%.*s", slash ? (int)(slash - metric) : 0, metric);
        if (harness || !slash ? put_metric(root, task, slash ? slash + 1 : metric,
                                           slash ? part : "none", value, error, e)
                              : put_part(root, task, part, slash + 1, value, error, e))
            return -1;
    }
    *next = row;
    return 0;
}

/* A directory below dir, of a name in which only letters, digits, '.', '-' and '_' stay. */
static char *folder_new(const char *dir, const char *name, struct error *e)
{
    char *path = NULL, *last = strdup(name);
    for (char *p = last; p && *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
            *p = '_';
    if (last && *last == '.')
        *last = '_';
    if (!last)
        error_set(e, "no memory for a path");
    else if (mkdir(dir, 0777) && errno != EEXIST)
        error_set(e, "%s: %s", dir, strerror(errno));
    else if ((path = path_join(dir, *last ? last : "_", e)) && mkdir(path, 0777) &&
             errno != EEXIST) {
        error_set(e, "%s: %s", path, strerror(errno));
        free(path);
        path = NULL;
    }
    free(last);
    return path;
}

static int file_write(const char *dir, const json_t *root, const char *model, const char *id,
                      struct error *e)
{
    char name[128];
    char *folder = folder_new(dir, model, e), *path = NULL;
    struct buffer text = {0};
    int result = -1;
    snprintf(name, sizeof name, "results_%.100s.json", id);
    if (!folder || !(path = path_join(folder, name, e)))
        goto out;
    if (json_append(root, &text, e) || buffer_append(&text, "\n", 1, e))
        goto out;
    result = output_file(path, text.data, text.length, e);
out:
    free(folder);
    free(path);
    buffer_free(&text);
    return result;
}

int harness_write(const char *dir, sqlite3 *db, size_t *count, struct error *e)
{
    struct table t = {0};
    json_t *root = NULL;
    int result = -1;
    *count = 0;
    if (query_run(&t, db, query, "results", e))
        return -1;
    for (size_t row = 0; row < t.rows; ++*count) {
        const char *variant = text_at(&t, row, VARIANT), *model = text_at(&t, row, MODEL);
        json_t *steps = json_loads(text_at(&t, row, STEPS), 0, NULL);
        const size_t first = row;
        root = json_pack("{s:{}, s:{s:s, s:{s:s, s:s, s:s, s:o}}, s:s}", "results", "config", "model",
                         "kick", "model_args", "pretrained", model, "variant", variant, "method",
                         text_at(&t, row, METHOD), "steps", steps, "model_name", model);
        if (!root) {
            error_set(e, "no memory for a file");
            goto out;
        }
        while (row < t.rows && !strcmp(text_at(&t, row, VARIANT), variant))
            if (put_result(root, &t, row, &row, e))
                goto out;
        if (file_write(dir, root, model, text_at(&t, first, VARIANT), e))
            goto out;
        json_decref(root);
        root = NULL;
    }
    result = 0;
out:
    json_decref(root);
    table_free(&t);
    return result;
}

/* Evaluations of tasks: the common part. */
#include "evaluation.h"

#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "fmath.h"
#include "json.h"
#include "memory.h"
#include "pytext.h"
#include "utf8.h"

/* The text of the EOS token in tokenizer_config.json: a string, or an object with "content". */
static char *eos_text(const char *settings)
{
    json_t *all = settings ? json_loads(settings, 0, NULL) : NULL;
    const json_t *one = json_object_get(all, "eos_token");
    const char *text = json_is_object(one) ? json_get_string_or(one, "content", "</s>")
                       : json_is_string(one) ? json_string_value(one)
                                             : "</s>";
    char *out = strdup(text);
    json_decref(all);
    return out;
}

int evaluation_open(struct evaluation *v, struct cli *c, const char *data, const char *kinds,
                    long limit, struct error *e)
{
    *v = (struct evaluation){.cli = c};
    if (!data)
        return error_usage(e, "-d DATA is needed: a task stream of the task \"%.*s\"",
                           (int)strcspn(kinds, " "), kinds);
    if (pool_new(&v->pool, c->threads, e) || tasks_read(&v->tasks, data, kinds, (size_t)limit, e) ||
        source_open(&v->source, cli_input(c), v->pool, e))
        return -1;
    if (!(v->eos = eos_text(v->source.settings)))
        return error_set(e, "no memory for a text");
    if (!v->source.tokenizer)
        return error_set(e, "%s: the model came without a tokenizer, which tasks need",
                         stream_name(v->source.reader));
    return 0;
}

void evaluation_free(struct evaluation *v)
{
    stream_writer_free(v->writer);
    output_free(v->output);
    source_close(&v->source);
    tasks_free(&v->tasks);
    pool_free(v->pool);
    free(v->eos);
    *v = (struct evaluation){0};
}

size_t evaluation_room(const struct evaluation *v)
{
    return v->source.model.positions < 2048 ? v->source.model.positions : 2048;
}

int evaluation_encode(const struct evaluation *v, const char *text, size_t n, struct token_ids *out,
                      struct error *e)
{
    const struct tokenizer *t = v->source.tokenizer;
    out->count = 0;
    if (tokenizer_adds_bos(t)) {
        if (out->capacity == 0) {
            out->ids = memory_resize(NULL, 64, sizeof *out->ids, "ids", e);
            if (!out->ids)
                return -1;
            out->capacity = 64;
        }
        out->ids[out->count++] = tokenizer_bos(t);
    }
    if (tokenizer_encode(t, text, n, out, e))
        return -1;
    for (size_t i = 0; i < out->count; i++)
        if ((size_t)out->ids[i] >= v->source.model.vocab)
            return error_set(e, "the tokenizer gives id %ld, outside the model's vocabulary of %zu",
                             (long)out->ids[i], v->source.model.vocab);
    return 0;
}

int evaluation_decode(const struct evaluation *v, const int32_t *prompt, size_t prompt_count,
                      const int32_t *ids, size_t n, char **text, size_t *length, size_t *before,
                      struct error *e)
{
    const struct tokenizer *t = v->source.tokenizer;
    int32_t *all = memory_new(prompt_count + n, sizeof *all, "ids", e);
    char *head = NULL;
    size_t same = 0, k = 0;
    int result = -1;
    *text = NULL;
    *length = *before = 0;
    if (!all)
        return -1;
    memcpy(all, prompt, prompt_count * sizeof *all);
    if (n)
        memcpy(all + prompt_count, ids, n * sizeof *all);
    if (tokenizer_decode(t, all, prompt_count, &head, &k, e) ||
        tokenizer_decode(t, all, prompt_count + n, text, length, e))
        goto out;
    /* A prompt that ends inside a character reads differently once the rest is there. */
    while (same < k && same < *length && head[same] == (*text)[same])
        same++;
    while (same < k && same > 0 && ((*text)[same] & 0xc0) == 0x80)
        same--;
    *before = same;
    if (!*text)
        *text = memory_new(1, 1, "a text", e);
    result = *text ? 0 : -1;
out:
    free(head);
    free(all);
    return result;
}

/* ---- results -----------------------------------------------------------------------------------
 */

int evaluation_begin(struct evaluation *v, const char *task, json_t *definition, json_t *extra,
                     struct error *e)
{
    json_t *from = stream_header(v->source.reader), *own = cli_options_json(v->cli), *header = NULL;
    json_t *sides = json_pack("{s:s}", "data", v->tasks.digest);
    int result = -1;
    if (!own || !sides || !definition) {
        error_set(e, "no memory for a header");
        goto out;
    }
    if (*v->source.tokenizer_digest &&
        json_set(definition, "tokenizer", json_string(v->source.tokenizer_digest), e))
        goto out;
    header = stream_header_new("results", stream_header_id(v->source.reader), from, v->cli->name,
                               v->cli->revision, own, sides, e);
    if (!header || json_set(header, "task", json_string(task), e) ||
        json_set(header, "model", source_describe(&v->source, e), e) ||
        json_set(header, "data",
                 json_pack("{s:s, s:s}", "name", v->tasks.name, "digest", v->tasks.digest), e) ||
        (extra && json_object_update(header, extra)) ||
        json_set(header, "definition", json_incref(definition), e) ||
        output_open(&v->output, v->cli->output, e) ||
        stream_create(&v->writer, v->output, header, v->pool, e))
        goto out;
    result = 0;
out:
    json_decref(definition);
    json_decref(extra);
    json_decref(own);
    json_decref(sides);
    json_decref(header);
    return result;
}

json_t *evaluation_record(const struct task_item *item, struct error *e)
{
    json_t *record = json_object();
    if (json_set(record, "item", json_string(item->name), e) ||
        (item->group && json_set(record, "group", json_string(item->group), e))) {
        json_decref(record);
        return NULL;
    }
    return record;
}

int evaluation_prompt(json_t *record, const char *text, size_t n, bool keep, struct error *e)
{
    char hex[STREAM_DIGEST_LENGTH];
    digest_buffer(text, n, hex);
    if (json_set(record, "prompt_digest", json_string(hex), e))
        return -1;
    return keep ? json_set(record, "prompt", json_stringn(text, n), e) : 0;
}

int evaluation_write(struct evaluation *v, json_t *record, struct error *e)
{
    const int result = stream_write(v->writer, record, NULL, 0, e);
    json_decref(record);
    return result;
}

int evaluation_end(struct evaluation *v, json_t *summary, struct error *e)
{
    json_t *record = json_pack("{s:o}", "summary", summary);
    if (!record)
        return error_set(e, "no memory for a summary");
    return evaluation_write(v, record, e) ||
                   stream_finish(v->writer, stream_end_digest(v->source.reader), e) ||
                   output_commit(v->output, e)
               ? -1
               : 0;
}

/* ---- prompts -----------------------------------------------------------------------------------
 */

int evaluation_fill(struct buffer *out, const char *template, const char *const *names,
                    const char *const *values, size_t count, struct error *e)
{
    out->length = 0;
    for (const char *p = template; *p;) {
        const size_t plain = strcspn(p, "{");
        size_t i = count;
        if (buffer_append(out, p, plain, e))
            return -1;
        p += plain;
        if (!*p)
            break;
        const size_t k = strcspn(p, "}");
        for (i = 0; i < count; i++)
            if (p[k] && strlen(names[i]) == k - 1 && !memcmp(names[i], p + 1, k - 1))
                break;
        if (i < count) {
            if (values[i] && buffer_append(out, values[i], strlen(values[i]), e))
                return -1;
            p += k + 1;
        } else if (buffer_append(out, p++, 1, e)) {
            return -1;
        }
    }
    if (buffer_append(out, "", 1, e))
        return -1;
    out->length--;
    return 0;
}

char *evaluation_template(const char *path, const char *other, struct error *e)
{
    char *text = NULL;
    size_t n = 0;
    if (!path) {
        if (!(text = strdup(other)))
            error_set(e, "no memory for a prompt");
        return text;
    }
    if (file_read(path, 1 << 20, &text, &n, e))
        return NULL;
    if (utf8_check(text, n) < n || strlen(text) != n) {
        error_set(e, "%s: a prompt must be UTF-8 text", path);
        free(text);
        return NULL;
    }
    if (n && text[n - 1] == '\n')
        text[n - 1] = 0;
    return text;
}

int answer_prompt(const struct evaluation *v, struct answer *a, const char *text, size_t n,
                  struct error *e)
{
    a->prompt = memory_new(n + 1, 1, "a prompt", e);
    if (!a->prompt)
        return -1;
    memcpy(a->prompt, text, n);
    a->prompt_length = n;
    if (evaluation_encode(v, text, n, &a->ids, e))
        return -1;
    return a->ids.count ? 0 : error_set(e, "the prompt is empty");
}

/* Ids need not grow with every character, since a word cut off may take more of them than the whole:
 * after the bisection the next lengths are tried one by one, to the end of the next whole word. */
int evaluation_fit(const char *text, size_t most,
                   int (*attempt)(void *context, size_t bytes, struct error *e), void *context,
                   size_t *kept, struct error *e)
{
    enum { BEYOND = 24 };
    const size_t length = strlen(text), all = pytext_length(text, length);
    size_t low = 0, words = 0, last;
    most = most < all ? most : all;
    *kept = last = most;
    int fits = attempt(context, pytext_prefix(text, length, most), e);
    if (fits)
        return fits < 0 ? -1 : 0;
    for (size_t high = most; high - low > 1;) {
        const size_t middle = low + (high - low) / 2;
        if ((fits = attempt(context, pytext_prefix(text, length, middle), e)) < 0)
            return -1;
        *(fits ? &low : &high) = middle;
        last = middle;
    }
    *kept = low;
    for (size_t i = low + 1; i <= most && i <= *kept + BEYOND && words < 2; i++) {
        const size_t bytes = pytext_prefix(text, length, i);
        if ((fits = attempt(context, bytes, e)) < 0)
            return -1;
        last = i;
        *kept = fits ? i : *kept;
        words = fits ? 0 : words + (strchr(" \n", text[bytes]) && !strchr(" \n", text[bytes - 1]));
    }
    return last == *kept || attempt(context, pytext_prefix(text, length, *kept), e) >= 0 ? 0 : -1;
}

/* ---- generation --------------------------------------------------------------------------------
 */

struct stopping {
    struct evaluation *v;
    struct answer *answers; /* a generation's item is its number */
    char *stop;
    bool first_line;
};

/* The i-th of an answer's stop strings, of which some may not be there (NULL). */
static const char *stop_string(const struct stopping *s, const struct answer *a, size_t i)
{
    const char *word = i < a->stops    ? a->stop[i]
                       : i == a->stops ? s->stop
                       : s->first_line ? "\n"
                                       : NULL;
    return word && *word ? word : NULL;
}

/* First place at or after `from` where a stop string begins; length if there is none. The first
 * line is the first that says something. */
static size_t stop_at(const struct stopping *s, const struct answer *a, const char *text,
                      size_t from, size_t length)
{
    size_t best = length;
    for (size_t i = 0; i < a->stops + 2 && from <= length; i++) {
        const char *word = stop_string(s, a, i), *start = text + from;
        size_t n = length - from;
        if (i > a->stops)
            pytext_strip(&start, &n);
        const char *at =
            word ? memmem(start, length - (size_t)(start - text), word, strlen(word)) : NULL;
        if (at && (size_t)(at - text) < best)
            best = (size_t)(at - text);
    }
    return best;
}

/* Whether the last ids, read alone, hold a byte that a stop string ends with. Most do not, and then
 * nothing has ended that had not before. */
static bool may_stop(const struct stopping *s, const struct answer *a, const struct generation *g)
{
    enum { LAST = 4 }; /* tokens of a character */
    const size_t n = g->count < LAST ? g->count : LAST;
    const size_t given = g->prompt_count < LAST - n ? g->prompt_count : LAST - n;
    int32_t ids[LAST];
    char *text = NULL;
    size_t length = 0;
    struct error ignored;
    if (given)
        memcpy(ids, g->prompt + g->prompt_count - given, given * sizeof *ids);
    memcpy(ids + given, g->ids + g->count - n, n * sizeof *ids);
    bool found = tokenizer_decode(s->v->source.tokenizer, ids, given + n, &text, &length, &ignored);
    for (size_t i = 0; i < a->stops + 2 && !found; i++) {
        const char *word = stop_string(s, a, i);
        found = word && length && memchr(text, word[strlen(word) - 1], length);
    }
    free(text);
    return found;
}

static bool is_stopped(void *context, const struct generation *g)
{
    struct stopping *s = context;
    const struct answer *a = &s->answers[g->item];
    char *text = NULL;
    size_t length, before;
    struct error ignored;
    if ((!a->stops && !s->stop && !s->first_line) || !may_stop(s, a, g))
        return false;
    if (evaluation_decode(s->v, g->prompt, g->prompt_count, g->ids, g->count, &text, &length,
                          &before, &ignored)) {
        free(text);
        return false;
    }
    const bool found = stop_at(s, a, text, before, length) < length;
    free(text);
    return found;
}

/* \n, \t and \\ become what they mean. */
static char *unescape(const char *text, struct error *e)
{
    char *out = memory_new(strlen(text) + 1, 1, "a stop string", e), *p = out;
    for (; out && *text; text++) {
        if (*text == '\\' && (text[1] == 'n' || text[1] == 't' || text[1] == '\\')) {
            text++;
            *p++ = *text == 'n' ? '\n' : *text == 't' ? '\t' : '\\';
        } else {
            *p++ = *text;
        }
    }
    return out;
}

int evaluation_generate(struct evaluation *v, struct network *n, const struct generation_options *o,
                        const char *name, struct answer *list, size_t count, struct error *e)
{
    struct generate_options g = {.max_new = (size_t)o->max_new,
                                 .batch = (size_t)o->batch,
                                 .temperature = o->temperature,
                                 .top_p = o->top_p,
                                 .seed = (uint64_t)o->seed,
                                 .name = name,
                                 .stop_when = is_stopped};
    struct stopping s = {.v = v, .answers = list, .first_line = o->first_line};
    struct generation *work = memory_new(count, sizeof *work, "prompts", e);
    size_t used = 0;
    int result = -1;
    if (!work)
        return -1;
    g.stop_context = &s;
    if (o->stop && !(s.stop = unescape(o->stop, e)))
        goto out;
    g.stops = v->source.model.stops;
    memcpy(g.stop, v->source.model.stop, sizeof g.stop);
    if (g.stops == 0 && tokenizer_eos(v->source.tokenizer) >= 0)
        g.stop[g.stops++] = tokenizer_eos(v->source.tokenizer);
    for (size_t i = 0; i < count; i++)
        if (!list[i].skip)
            work[used++] = (struct generation){.prompt = list[i].ids.ids,
                                               .prompt_count = list[i].ids.count,
                                               .item = i,
                                               .max_new = list[i].max_new,
                                               .score = true};
    if (network_generate(n, &g, work, used, v->cli, e))
        goto out;
    for (size_t i = 0; i < used; i++) {
        struct answer *a = &list[work[i].item];
        a->new_ids = work[i].ids;
        a->logprob = work[i].logprob;
        a->count = work[i].count;
        work[i].ids = NULL;
        work[i].logprob = NULL;
        a->finish = work[i].eos ? "eos" : work[i].stopped ? "stop" : "length";
        if (evaluation_decode(v, a->ids.ids, a->ids.count, a->new_ids, a->count, &a->text,
                              &a->length, &a->before, e))
            goto out;
        a->length = stop_at(&s, a, a->text, a->before, a->length);
        a->text[a->length] = 0;
    }
    result = 0;
out:
    for (size_t i = 0; i < count; i++) {
        free(work[i].ids);
        free(work[i].logprob);
    }
    free(work);
    free(s.stop);
    return result;
}

void answer_free(struct answer *a)
{
    free(a->prompt);
    token_ids_free(&a->ids);
    free(a->stop);
    free(a->text);
    free(a->new_ids);
    free(a->logprob);
    *a = (struct answer){0};
}

static int id_compare(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int unique(const struct answer *a, size_t *count, struct error *e)
{
    int32_t *ids = memory_new(a->count, sizeof *ids, "ids", e);
    *count = 0;
    if (!ids)
        return -1;
    if (a->count)
        memcpy(ids, a->new_ids, a->count * sizeof *ids);
    qsort(ids, a->count, sizeof *ids, id_compare);
    for (size_t i = 0; i < a->count; i++)
        *count += i == 0 || ids[i] != ids[i - 1];
    free(ids);
    return 0;
}

int answer_record(json_t *record, const struct answer *a, struct error *e)
{
    json_t *list = json_array();
    size_t distinct = 0;
    if (a->skip) {
        json_decref(list);
        return json_set(record, "output", json_null(), e) ||
                       json_set(record, "finish", json_null(), e) ||
                       json_set(record, "tokens", json_integer(0), e) ||
                       json_set(record, "prompt_tokens",
                                json_integer((json_int_t)a->ids.count), e)
                   ? -1
                   : 0;
    }
    if (!list || unique(a, &distinct, e)) {
        json_decref(list);
        return -1;
    }
    for (size_t i = 0; i < a->count; i++) { /* to six places: they are for reading */
        const double x = a->logprob[i] * 1e6;
        json_array_append_new(list, x > -1e15 && x < 1e15
                                        ? json_number((double)(int64_t)(x - 0.5) / 1e6)
                                        : json_null());
    }
    return json_set(record, "output", json_stringn(a->text + a->before, a->length - a->before),
                    e) ||
                   json_set(record, "finish", json_string(a->finish), e) ||
                   json_set(record, "logprob", list, e) ||
                   json_set(record, "tokens", json_integer((json_int_t)a->count), e) ||
                   json_set(record, "unique_tokens", json_integer((json_int_t)distinct), e) ||
                   json_set(record, "prompt_tokens", json_integer((json_int_t)a->ids.count), e)
               ? -1
               : 0;
}

/* ---- chat --------------------------------------------------------------------------------------
 */

int evaluation_chat_format(const struct evaluation *v, const char *name,
                           const struct chat_format **out, struct error *e)
{
    char *template = NULL;
    int result = name ? 0 : chat_template_of(v->source.settings, &template, e);
    if (!result)
        result = chat_find(out, name, template, e);
    free(template);
    return result;
}

int answer_chat(const struct evaluation *v, struct answer *a, const struct chat_format *f,
                const struct chat_message *list, size_t count, struct error *e)
{
    const struct tokenizer *t = v->source.tokenizer;
    const char *eos = v->eos;
    struct buffer text = {0};
    struct token_ids part = {0};
    const int32_t eos_id = tokenizer_eos(t), bos_id = tokenizer_bos(t);
    int result = -1;
    if (chat_render(&text, f, list, count, true, NULL, eos, e))
        goto out;
    const char *p = (const char *)text.data, *end = p + text.length;
    a->prompt = strdup(p);
    a->prompt_length = text.length;
    if (!a->prompt) {
        error_set(e, "no memory for a prompt");
        goto out;
    }
    if (!(a->ids.ids = memory_resize(NULL, 16, sizeof *a->ids.ids, "ids", e)))
        goto out;
    a->ids.capacity = 16;
    if (bos_id >= 0 && (tokenizer_adds_bos(t) || (f->flags & CHAT_BOS)))
        a->ids.ids[a->ids.count++] = bos_id;
    while (p < end) {
        const char *at = eos_id >= 0 ? strstr(p, eos) : NULL;
        const size_t n = at ? (size_t)(at - p) : (size_t)(end - p), need = a->ids.count + 1;
        part.count = 0;
        if (tokenizer_encode(t, p, n, &part, e))
            goto out;
        if (need + part.count > a->ids.capacity) {
            int32_t *ids =
                memory_resize(a->ids.ids, 2 * (need + part.count), sizeof *ids, "ids", e);
            if (!ids)
                goto out;
            a->ids.ids = ids;
            a->ids.capacity = 2 * (need + part.count);
        }
        if (part.count)
            memcpy(a->ids.ids + a->ids.count, part.ids, part.count * sizeof *part.ids);
        a->ids.count += part.count;
        if (at)
            a->ids.ids[a->ids.count++] = eos_id;
        p += n + (at ? strlen(eos) : 0);
    }
    for (size_t i = 0; i < a->ids.count; i++)
        if ((size_t)a->ids.ids[i] >= v->source.model.vocab) {
            error_set(e, "the tokenizer gives id %ld, outside the model's vocabulary of %zu",
                      (long)a->ids.ids[i], v->source.model.vocab);
            goto out;
        }
    result = 0;
out:
    buffer_free(&text);
    token_ids_free(&part);
    return result;
}

struct span {
    const char *p;
    size_t n;
};

static int span_compare(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    const int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

int answer_words(json_t *record, const struct answer *a, struct error *e)
{
    const char *text = a->text + a->before, *word;
    const size_t n = a->length - a->before;
    size_t at = 0, k, count = 0, distinct = 0;
    struct span *list = memory_new(n / 2 + 1, sizeof *list, "words", e);
    if (!list)
        return -1;
    while (pytext_split(text, n, &at, &word, &k))
        list[count++] = (struct span){word, k};
    qsort(list, count, sizeof *list, span_compare);
    for (size_t i = 0; i < count; i++)
        distinct += i == 0 || span_compare(&list[i - 1], &list[i]);
    free(list);
    return json_set(record, "words", json_integer((json_int_t)count), e) ||
                   json_set(record, "unique_words", json_integer((json_int_t)distinct), e)
               ? -1
               : 0;
}

/* Finding and rendering chat formats. */
#include "chat.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "pytext.h"
#include "stream.h"

int chat_find(const struct chat_format **out, const char *name, const char *template,
              struct error *e)
{
    char hex[STREAM_DIGEST_LENGTH];
    if (!name && template) {
        size_t n = strlen(template);
        pytext_strip(&template, &n);
        digest_buffer(template, n, hex);
        for (size_t i = 0; i < chat_format_count; i++)
            for (int k = 0; k < 2; k++)
                if (chat_formats[i].digest[k] && !strcmp(chat_formats[i].digest[k], hex)) {
                    *out = &chat_formats[i];
                    return 0;
                }
        return error_set(e,
                         "the model's chat template (digest %s) is not known; name one with "
                         "--template, for instance vicuna_v1.1",
                         hex);
    }
    if (!name)
        name = "vicuna_v1.1";
    for (size_t i = 0; i < chat_format_count; i++)
        if (!strcmp(chat_formats[i].name, name)) {
            *out = &chat_formats[i];
            return 0;
        }
    return error_usage(e, "--template %s: there is no such chat format; the page lists them", name);
}

int chat_template_of(const char *settings, char **out, struct error *e)
{
    *out = NULL;
    if (!settings)
        return 0;
    json_t *all = json_parse(settings, strlen(settings), "tokenizer_config.json", e), *one;
    if (!all)
        return -1;
    const json_t *t = json_object_get(all, "chat_template");
    const char *text = json_string_value(t);
    size_t i;
    int result = 0;
    json_array_foreach(t, i, one)
    {
        if (!strcmp(json_get_string_or(one, "name", ""), "default"))
            text = json_get_string_or(one, "template", NULL);
    }
    if (json_is_array(t) && !text)
        result = error_set(e, "none of the tokenizer's chat templates is \"default\"; name a format "
                              "with --template");
    if (text && !(*out = strdup(text)))
        result = error_set(e, "no memory for a chat template");
    json_decref(all);
    return result;
}

static int put(struct buffer *out, const char *text, const char *eos, struct error *e)
{
    for (; *text; text++) {
        const bool mark = *text == 1;
        if (mark ? eos && buffer_append(out, eos, strlen(eos), e) : buffer_append(out, text, 1, e))
            return -1;
    }
    return 0;
}

static int put_message(struct buffer *out, const struct chat_format *f,
                       const struct chat_message *m, struct error *e)
{
    const char *text = m->text, *next;
    if ((f->flags & CHAT_THINK) && !strcmp(m->role, "assistant"))
        while ((next = strstr(text, "</think>")))
            text = next + strlen("</think>");
    size_t n = strlen(text);
    if (f->flags & CHAT_TRIM)
        pytext_strip(&text, &n);
    return n ? buffer_append(out, text, n, e) : 0;
}

int chat_render(struct buffer *out, const struct chat_format *f, const struct chat_message *list,
                size_t count, bool generate, const char *bos, const char *eos, struct error *e)
{
    const bool system = count > 0 && !strcmp(list[0].role, "system");
    const size_t first = system;
    out->length = 0;
    if (system && !f->system_after)
        return error_set(e, "the chat format %s has no system message", f->name);
    if (count <= first || (count - first) % 2 == 0)
        return error_set(e, "a conversation ends with a user's message");
    if ((f->flags & CHAT_BOS) && bos && buffer_append(out, bos, strlen(bos), e))
        return -1;
    for (size_t i = first; i < count; i++) {
        const bool user = (i - first) % 2 == 0;
        if (strcmp(list[i].role, user ? "user" : "assistant"))
            return error_set(e, "message %zu of a conversation is not the %s's", i,
                             user ? "user" : "assistant");
        const bool here = system && (f->flags & CHAT_SYSTEM_LAST ? i + 1 == count : i == first);
        if (i == first && (!system || (f->flags & CHAT_SYSTEM_LAST)) && put(out, f->plain, eos, e))
            return -1;
        if (i > first && put(out, user ? f->to_user : f->to_assistant, eos, e))
            return -1;
        if (here && (put(out, f->system_before, eos, e) || put_message(out, f, &list[0], e) ||
                     put(out, f->system_after, eos, e)))
            return -1;
        if (put_message(out, f, &list[i], e))
            return -1;
    }
    if (put(out, generate ? f->generate : f->end, eos, e) || buffer_append(out, "", 1, e))
        return -1;
    out->length--;
    return 0;
}

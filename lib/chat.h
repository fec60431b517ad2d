/* Chat formats: how a conversation becomes the text that a model was trained on. A format belongs to
 * the model: it is found by the digest of the tokenizer's Jinja template, or named. What is unknown
 * is an error, never a guess. */
#ifndef KICK_CHAT_H
#define KICK_CHAT_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "memory.h"

enum {
    CHAT_BOS = 1,         /* the template writes the tokenizer's BOS in front */
    CHAT_TRIM = 2,        /* messages are stripped of white space */
    CHAT_THINK = 4,       /* of an answer only what follows its last </think> stays */
    CHAT_SYSTEM_LAST = 8, /* the system message stands in the last user message */
    CHAT_TOOLS = 16,      /* the template wants a list of tools: an empty one is given */
};

/* The text between the messages. Byte 1 stands for the tokenizer's EOS. */
struct chat_format {
    const char *name;
    const char *digest[2]; /* xxh3-128 of templates, stripped of outer white space */
    int flags;
    const char *plain;                        /* before the first user message, without a system message */
    const char *system_before, *system_after; /* around one; NULL: it has no such role */
    const char *to_assistant, *to_user;       /* user | assistant, assistant | user */
    const char *generate, *end;               /* user | the answer to be written, or nothing */
};

extern const struct chat_format chat_formats[];
extern const size_t chat_format_count;

struct chat_message {
    const char *role; /* "system" (first only), "user", "assistant", in turn */
    const char *text;
};

/* The format named (name not NULL), else that of the template (not NULL), else vicuna_v1.1. */
int chat_find(const struct chat_format **out, const char *name, const char *template,
              struct error *e);

/* The chat template in the text of a tokenizer_config.json (may be NULL), malloc'ed; *out NULL where
 * there is none. Of a list of named ones "default" is taken. */
int chat_template_of(const char *settings, char **out, struct error *e);

/* The prompt. bos and eos (may be NULL) are the texts of those tokens; a caller whose tokenizer adds
 * the BOS itself gives none. */
int chat_render(struct buffer *out, const struct chat_format *f, const struct chat_message *list,
                size_t count, bool generate, const char *bos, const char *eos, struct error *e);

#endif

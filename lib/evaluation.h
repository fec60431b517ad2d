/* What the evaluations of tasks share: the model and the items coming in, prompts and texts,
 * batched generation with its options, result records going out. */
#ifndef KICK_EVALUATION_H
#define KICK_EVALUATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "chat.h"
#include "cli.h"
#include "error.h"
#include "memory.h"
#include "network.h"
#include "output.h"
#include "source.h"
#include "stream.h"
#include "tasks.h"

struct evaluation {
    struct cli *cli;
    char *eos; /* the text of the EOS token in a chat */
    struct pool *pool;
    struct source source;
    struct tasks tasks;
    struct output *output;
    struct stream_writer *writer;
};

/* data: the task stream; kinds: see tasks_read(). A model without a tokenizer is refused. */
int evaluation_open(struct evaluation *v, struct cli *c, const char *data, const char *kinds,
                    long limit, struct error *e);
void evaluation_free(struct evaluation *v);

/* min(2048, the model's positions): what a prompt and its answer share. */
size_t evaluation_room(const struct evaluation *v);

/* Ids of a text (which replace those in out), with the BOS that the tokenizer gives. */
int evaluation_encode(const struct evaluation *v, const char *text, size_t n, struct token_ids *out,
                      struct error *e);

/* Text of a prompt's ids and n more; *before: how much of it is the prompt's. free() it. */
int evaluation_decode(const struct evaluation *v, const int32_t *prompt, size_t prompt_count,
                      const int32_t *ids, size_t n, char **text, size_t *length, size_t *before,
                      struct error *e);

/* Writes the header: task, model, data, definition (taken). After the model's last tensor. */
int evaluation_begin(struct evaluation *v, const char *task, json_t *definition, json_t *extra,
                     struct error *e);
/* A record with "item" and, where it has one, "group". */
json_t *evaluation_record(const struct task_item *item, struct error *e);
/* Adds prompt_digest and, if keep, the prompt. */
int evaluation_prompt(json_t *record, const char *text, size_t n, bool keep, struct error *e);
/* Takes the record. */
int evaluation_write(struct evaluation *v, json_t *record, struct error *e);
/* Takes the summary; ends the stream and commits it. */
int evaluation_end(struct evaluation *v, json_t *summary, struct error *e);

/* ---- prompts -----------------------------------------------------------------------------------
 */

/* A prompt from a template in which {name} is replaced by the values[i] (NULL: empty) whose names[i]
 * it is; other braces stay. */
int evaluation_fill(struct buffer *out, const char *template, const char *const *names,
                    const char *const *values, size_t count, struct error *e);

/* The template of --prompt FILE (a last line end is dropped), or `other`; free() it. */
char *evaluation_template(const char *path, const char *other, struct error *e);

/* The most characters of a text, at most `most`, with which a prompt fits. attempt() makes the prompt
 * with so many bytes of the text; 1: it fits, 0: it does not, -1: an error. The prompt of *kept
 * characters is what it was called for last. */
int evaluation_fit(const char *text, size_t most,
                   int (*attempt)(void *context, size_t bytes, struct error *e), void *context,
                   size_t *kept, struct error *e);

/* ---- generation --------------------------------------------------------------------------------
 */

struct generation_options {
    long max_new, batch, seed;
    double temperature, top_p;
    const char *stop; /* \n, \t and \\ are understood */
    bool first_line;  /* an answer ends with its first line that is not blank */
};

#define GENERATION_OPTIONS(o)                                                                      \
    {0, "max-new", CLI_INT, &(o).max_new, "N", "new tokens at most", .min = 1, .max = 1 << 24,     \
     .result = true},                                                                              \
        {0, "temperature", CLI_REAL, &(o).temperature, "T", "0: always the most likely token",     \
         .min = 0, .max = 100, .result = true},                                                    \
        {0, "top-p", CLI_REAL, &(o).top_p, "P", "draw from the most likely tokens that hold P",    \
         .min = 0, .max = 1, .result = true},                                                      \
        {'S', "seed", CLI_INT, &(o).seed, "SEED", "of the draws", .min = 0, .max = 9e15,           \
         .result = true},                                                                          \
        {0, "stop", CLI_TEXT, &(o).stop, "TEXT", "ends an answer, which is cut before it",         \
         .result = true},                                                                          \
        {'B', "batch", CLI_INT, &(o).batch, "N", "prompts at a time; no result changes (0: choose)", \
         .max = 4096}

/* One prompt, and the answer to it. */
struct answer {
    char *prompt; /* as sent, freed with the answer */
    size_t prompt_length;
    struct token_ids ids; /* of the prompt */
    size_t max_new;       /* 0: that of the options */
    bool skip;            /* the prompt does not fit: not sent, no answer */
    const char **stop;    /* strings of its own, or NULL; freed with the answer */
    size_t stops;

    char *text; /* prompt and output decoded together; the output is text + before … length */
    size_t length, before;
    int32_t *new_ids;
    double *logprob;
    size_t count;
    const char *finish; /* "eos", "length" or "stop" */
};

/* Runs all prompts through the network (loaded before) and decodes their answers. name: of the
 * random numbers. Without a stop string the whole answer is kept. */
int evaluation_generate(struct evaluation *v, struct network *n, const struct generation_options *o,
                        const char *name, struct answer *list, size_t count, struct error *e);
void answer_free(struct answer *a);

/* Adds output, finish, logprob, tokens, unique_tokens and prompt_tokens to a record; of a skipped
 * one output and finish are null. */
int answer_record(json_t *record, const struct answer *a, struct error *e);

/* Encodes text as the prompt of an answer; the text is copied. */
int answer_prompt(const struct evaluation *v, struct answer *a, const char *text, size_t n,
                  struct error *e);

/* ---- chat --------------------------------------------------------------------------------------
 */

/* The chat format of the model, or the one named (not NULL). */
int evaluation_chat_format(const struct evaluation *v, const char *name,
                           const struct chat_format **out, struct error *e);

/* A conversation as the prompt of an answer. The tokenizer gives the BOS by its own rule, and where
 * the template writes one; an EOS between turns is the id, not its letters. */
int answer_chat(const struct evaluation *v, struct answer *a, const struct chat_format *f,
                const struct chat_message *list, size_t count, struct error *e);

/* Adds words and unique_words (split at white space) of the output. */
int answer_words(json_t *record, const struct answer *a, struct error *e);

#endif

/* A task stream in memory: items as JSON objects, and the few-shot rows of their groups. */
#ifndef KICK_TASKS_H
#define KICK_TASKS_H

#include <jansson.h>
#include <stddef.h>

#include "error.h"
#include "stream.h"

struct task_item {
    json_t *json;
    const char *name, *group; /* group may be NULL; both lie in json */
};

struct tasks {
    struct task_item *list;
    size_t count;
    json_t *shots; /* {group: [row, …]} */
    char *name, *task;
    char digest[STREAM_DIGEST_LENGTH];
};

/* Reads the task stream at path, which must be of one of the tasks in `kinds` ("factoid retrieval");
 * limit: at most so many items (0: all). Never "-": stdin is the model's. */
int tasks_read(struct tasks *t, const char *path, const char *kinds, size_t limit, struct error *e);
void tasks_free(struct tasks *t);

/* The text under a key of an item, or NULL. */
const char *task_text(const struct task_item *item, const char *key);
/* The texts under a key, as a new array (free() it) that borrows them; count 0 where there are
 * none. NULL: no memory. */
const char **task_texts(const struct task_item *item, const char *key, size_t *count,
                        struct error *e);

#endif

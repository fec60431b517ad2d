/* A result stream of eval-summary or eval-chat in memory, for the judges: its header, its items in
 * order, and the items of the task stream that they came from. */
#ifndef KICK_JUDGED_H
#define KICK_JUDGED_H

#include <jansson.h>
#include <stddef.h>

#include "cli.h"
#include "error.h"
#include "output.h"
#include "stream.h"
#include "tasks.h"

struct judged {
    json_t *header, *items; /* items: a list of records */
    char end[STREAM_DIGEST_LENGTH];
    char *name;
};

/* Reads the result stream at path ("-": stdin), of the task summary or chat. */
int judged_read(struct judged *j, const char *path, struct error *e);
void judged_free(struct judged *j);

/* The task item that a record is about, or NULL. */
const struct task_item *judged_task(const struct tasks *t, const json_t *record);

/* Last answer of a record: "output", or NULL where the item was skipped. */
const char *judged_output(const json_t *record);
/* Its text by turn (0, 1), or NULL. */
const char *judged_turn(const json_t *record, size_t turn);

/* Starts the judge's own result stream: model, data and task are those of the judged one.
 * definition is taken; sides (taken) may be NULL. */
int judged_begin(const struct judged *j, struct cli *c, const char *judge, json_t *definition,
                 json_t *sides, struct output **output, struct stream_writer **writer,
                 struct error *e);

#endif

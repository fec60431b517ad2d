/* Result files of lm-evaluation-harness: one JSON object a run, "results" by task. Read as headers and
 * summaries of result streams, and written from the database of results, one file a variant. */
#ifndef KICK_HARNESS_H
#define KICK_HARNESS_H

#include <jansson.h>
#include <sqlite3.h>
#include <stddef.h>

#include "error.h"

/* Reads the file at path if it is JSON text, which no stream is: *list becomes a list with one
 * {"header":…,"summary":…} a task, as a result stream has them, else NULL. The header's id is a digest
 * of all of it: the same file is the same results. Both layouts, "acc,none" (0.4) and "acc" (0.3), are
 * understood; the metrics of a filter other than "none" come under the filter's name. */
int harness_read(const char *path, json_t **list, struct error *e);

/* Writes dir/MODEL/results_ID.json for each variant of the database; *count: how many. */
int harness_write(const char *dir, sqlite3 *db, size_t *count, struct error *e);

#endif

/* What the readers of task data sets share: the inputs and their digest, the task stream they
 * write, and rows that are malformed. A task stream has, after its header, one record an item
 *   {"item":…,"group":…, …}  and, before the items that use them, {"shots":GROUP,"rows":[…]},
 * and last {"summary":{"items":n,"bad":n}}. */
#ifndef KICK_INGEST_H
#define KICK_INGEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli.h"
#include "error.h"
#include "memory.h"
#include "stream.h"

struct ingest_options {
    long limit; /* -n, or 0 */
    bool skip_bad;
    const char *name;
};

/* Rows of an options table. */
#define INGEST_OPTIONS(o)                                                                          \
    {'n', "count", CLI_INT, &(o).limit, "N", "only the first N items (0: all)", .min = 0, .max = 1e15,      \
     .result = true},                                                                              \
        {0, "skip-bad", CLI_FLAG, &(o).skip_bad, NULL, "leave malformed rows out and count them",  \
         .result = true},                                                                          \
    {                                                                                              \
        0, "name", CLI_TEXT, &(o).name, "NAME", "what reports call the data [its file name]"       \
    }

struct ingest_file {
    char *path;          /* to open and to name in messages */
    char *name;          /* last part */
    struct buffer bytes; /* unpacked (gzip, zstd); a NUL follows */
};

enum { INGEST_LIST = 11 };

struct ingest {
    struct cli *cli;
    const struct ingest_options *o;
    struct digest *digest;
    struct output *output;
    struct stream_writer *writer;
    size_t items, bad;
    unsigned per_byte; /* of a file: what is held of it, in bytes; of a list in JSON INGEST_LIST */
    uint64_t announced;
};

int ingest_new(struct ingest *g, struct cli *c, const struct ingest_options *o, struct error *e);
void ingest_free(struct ingest *g);

/* Reads a whole file ("-": stdin), checks that it is UTF-8 (with --skip-bad its rows must be checked
 * by who reads them: JSON and csv_next() do) and adds it to the digest. */
int ingest_file_read(struct ingest *g, struct ingest_file *f, const char *path, struct error *e);
void ingest_file_free(struct ingest_file *f);

/* Names in a directory that end in `suffix`, sorted by bytes; directories too if `directories`. */
struct ingest_list {
    char **name;
    size_t count;
};
int ingest_list_read(struct ingest_list *l, const char *dir, const char *suffix, bool directories,
                     struct error *e);
void ingest_list_free(struct ingest_list *l);

/* After all inputs were digested: writes the header. task: "choice", "factoid" …; name_from: the
 * path that gives the name when there is no --name. */
int ingest_start(struct ingest *g, const char *task, const char *name_from, struct error *e);

/* True once -n items are written. */
bool ingest_full(const struct ingest *g);

/* Writes an item or another record; takes the reference. */
int ingest_item(struct ingest *g, json_t *item, struct error *e);
int ingest_record(struct ingest *g, json_t *record, struct error *e);

/* A malformed row, e saying what is wrong: with --skip-bad counted (0), else e is completed with
 * file and line (from 1; 0: none) and -1. */
int ingest_bad(struct ingest *g, const char *file, size_t line, struct error *e);

/* Summary, end record, commit. No item at all is an error. */
int ingest_finish(struct ingest *g, struct error *e);

/* Lines of a buffer: the next one from *at on, without LF or CRLF; false at the end. */
bool ingest_line(const struct buffer *b, size_t *at, const char **line, size_t *n);

/* Line, from 1, of element `index` of the list under a key of the file's one JSON object. */
size_t ingest_element_line(const struct ingest_file *f, const char *key, size_t index);

/* First member of `keys` (space-separated) that the object has, or NULL. */
json_t *ingest_any(const json_t *o, const char *keys);
/* The string under the first of `keys`; missing or no string: NULL and an error. */
const char *ingest_string(const json_t *o, const char *keys, struct error *e);
/* A new list of the strings under the first of `keys`, which is a string or a list of strings,
 * without repeats; NULL and an error when there is none. */
json_t *ingest_strings(const json_t *o, const char *keys, struct error *e);
/* Appends a string to a list unless it is there. */
int ingest_add(json_t *list, const char *text, struct error *e);

#endif

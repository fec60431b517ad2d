/* Output files that are whole or absent: written without a name (O_TMPFILE; else under a temporary
 * one), synced, and only then put under the final name. stdout is written as it is, its errors
 * checked. */
#ifndef KICK_OUTPUT_H
#define KICK_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct output;

/* path NULL or "-": stdout. */
int output_open(struct output **out, const char *path, struct error *e);
int output_write(struct output *o, const void *data, size_t n, struct error *e);
/* Writes what is buffered. */
int output_flush(struct output *o, struct error *e);
/* Writes n bytes over those at `offset`, which are written already; regular files with a name only. */
int output_rewrite(struct output *o, uint64_t offset, const void *data, size_t n, struct error *e);
/* Flush, fsync, rename; for stdout flush and close. */
int output_commit(struct output *o, struct error *e);
/* From now on a regular file is to be found under `path`, in the same directory, in place of what is
 * there, and stays there when it is not committed. */
int output_keep(struct output *o, const char *path, struct error *e);
/* Frees; what was not committed leaves nothing behind. NULL is fine. */
void output_free(struct output *o);

/* Removes the temporary files of all outputs, for a program that ends at once; safe in a signal
 * handler. A temporary folder (of files) can be among them from output_remember() to output_forget();
 * the name must live as long. */
void output_abandon(void);
void output_remember(char *name);
void output_forget(const char *name);

/* Bytes written so far; true where the target is a regular file; its descriptor. */
uint64_t output_offset(const struct output *o);
bool output_is_file(const struct output *o);
int output_fd(const struct output *o);
const char *output_name(const struct output *o);

/* Puts a whole file of n bytes under path ("-": stdout): open, write, commit. */
int output_file(const char *path, const void *data, size_t n, struct error *e);

#endif

/* Text files as they come: plain, gzip or zstd (told apart by their first bytes), read as a stream of
 * bytes or by lines. Standard input is first copied to an unnamed temporary file, so that every
 * input can be digested before it is read. */
#ifndef KICK_TEXT_INPUT_H
#define KICK_TEXT_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "memory.h"
#include "stream.h"

struct text_input;

/* path "-": standard input. */
int text_input_open(struct text_input **out, const char *path, struct error *e);
void text_input_close(struct text_input *t);
const char *text_input_name(const struct text_input *t);

/* What text_input_all() will hold, in bytes; of a packed file a guess, four times what is stored. */
uint64_t text_input_size(const struct text_input *t);

/* Adds the file's bytes, as stored, to d; reading then begins at the start. */
int text_input_digest(struct text_input *t, struct digest *d, struct error *e);

/* Back to the start. */
int text_input_rewind(struct text_input *t, struct error *e);

/* Next line without its LF (a CR stays) into *line. 1: a line; 0: the end; -1: an error. */
int text_input_line(struct text_input *t, struct buffer *line, struct error *e);

/* All that is left. */
int text_input_all(struct text_input *t, struct buffer *text, struct error *e);

#endif

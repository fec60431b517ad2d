/* Writing a safetensors file (safetensors.h) tensor by tensor: the header, which stands first, is
 * filled in at the end, behind it spaces up to the room that was left for it. The file appears whole
 * or not at all. */
#ifndef KICK_SAFETENSORS_WRITE_H
#define KICK_SAFETENSORS_WRITE_H

#include <stddef.h>

#include "error.h"

struct safetensors_writer;

/* Room is left for at most `tensors` names of at most `name_bytes` bytes each. */
int safetensors_create(struct safetensors_writer **out, const char *path, size_t tensors,
                       size_t name_bytes, struct error *e);
/* Starts the next tensor; its data follow, in any number of parts, before the next one starts. */
int safetensors_begin(struct safetensors_writer *w, const char *name, const char *dtype, int rank,
                      const size_t *shape, struct error *e);
int safetensors_append(struct safetensors_writer *w, const void *data, size_t bytes,
                       struct error *e);
/* Writes the header and puts the file under its name. */
int safetensors_finish(struct safetensors_writer *w, struct error *e);
/* Frees; what was not finished leaves nothing behind. NULL is fine. */
void safetensors_writer_free(struct safetensors_writer *w);

#endif

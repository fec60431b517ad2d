/* The zip archives that torch.save() writes: entries stored, not compressed (APPNOTE.TXT of PKWARE,
 * sections 4.3 and 4.5.3). Two readers of one archive must not see different things, so what the
 * central directory says is checked against each entry's own header; names twice, entries that
 * overlap or go past the directory, encryption and compression are refused. */
#ifndef KICK_ZIP_H
#define KICK_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct zip_entry {
    const char *name;
    uint64_t header, offset, bytes; /* its own header; its data */
    uint32_t crc;
};

struct zip {
    struct zip_entry *entry; /* sorted by name */
    size_t count;
    char *names;
};

/* Reads the directory of an archive of `size` bytes. The caller keeps fd. */
int zip_open(struct zip *z, int fd, uint64_t size, struct error *e);
void zip_free(struct zip *z);
/* The entry of that name, or NULL. */
const struct zip_entry *zip_find(const struct zip *z, const char *name);
/* Reads an entry and compares its checksum. */
int zip_check(const struct zip_entry *t, int fd, struct error *e);

#endif

/* Zip archives of stored entries. */
#include "zip.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "memory.h"
#include "window.h"

enum {
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    CENTRAL_BYTES = 46,
    LOCAL_BYTES = 30,
    COMMENT_MAX = 65535,
    DIRECTORY_MAX = 256 << 20,
};

struct directory {
    uint64_t at, bytes, count;
};

/* Finds the end record: the last place where its signature stands and its comment ends the file. */
static int find_end(int fd, uint64_t size, struct directory *d, struct error *e)
{
    unsigned char *tail = NULL;
    const size_t n = size < END_BYTES + COMMENT_MAX ? (size_t)size : END_BYTES + COMMENT_MAX;
    int result = -1;
    if (size < END_BYTES)
        return error_set(e, "is too small for a zip archive");
    if (!(tail = memory_new(n, 1, "a zip's end", e)))
        return -1;
    if (file_read_at(fd, size - n, tail, n, e))
        goto out;
    size_t i = n - END_BYTES;
    while (load_u32(tail + i) != 0x06054b50 || i + END_BYTES + load_u16(tail + i + 20) != n)
        if (i-- == 0) {
            error_set(e, "has no zip directory at its end: it was cut, or is damaged");
            goto out;
        }
    const unsigned char *p = tail + i;
    const uint64_t end = size - n + i;
    *d = (struct directory){load_u32(p + 16), load_u32(p + 12), load_u16(p + 10)};
    if (load_u16(p + 4) || load_u16(p + 6) || load_u16(p + 8) != load_u16(p + 10)) {
        error_set(e, "is a part of a zip archive in several files, which are not read");
        goto out;
    }
    uint64_t limit = end;
    if (end >= LOCATOR_BYTES) { /* zip64 */
        unsigned char b[END64_BYTES];
        if (file_read_at(fd, end - LOCATOR_BYTES, b, LOCATOR_BYTES, e))
            goto out;
        const uint64_t at = load_u64(b + 8);
        if (load_u32(b) == 0x07064b50) {
            if (load_u32(b + 4) || at > end - LOCATOR_BYTES ||
                end - LOCATOR_BYTES - at < END64_BYTES) {
                error_set(e, "its zip64 locator points outside the file");
                goto out;
            }
            if (file_read_at(fd, at, b, END64_BYTES, e))
                goto out;
            if (load_u32(b) != 0x06064b50 || load_u32(b + 16) || load_u32(b + 20) ||
                load_u64(b + 24) != load_u64(b + 32)) {
                error_set(e, "its zip64 end record is damaged");
                goto out;
            }
            const struct directory wide = {load_u64(b + 48), load_u64(b + 40), load_u64(b + 32)};
            if ((d->at != UINT32_MAX && d->at != wide.at) ||
                (d->bytes != UINT32_MAX && d->bytes != wide.bytes) ||
                (d->count != UINT16_MAX && d->count != wide.count)) {
                error_set(e, "its two zip end records disagree");
                goto out;
            }
            *d = wide;
            limit = at;
        }
    }
    if (d->at > limit || d->bytes != limit - d->at) {
        error_set(e, "its zip directory is not where its end record says");
        goto out;
    }
    if (d->bytes > DIRECTORY_MAX || d->count > d->bytes / CENTRAL_BYTES) {
        error_set(e, "its zip directory would have %llu entries in %llu bytes",
                  (unsigned long long)d->count, (unsigned long long)d->bytes);
        goto out;
    }
    result = 0;
out:
    free(tail);
    return result;
}

/* Sizes and place in the zip64 extra field, where the plain fields say so, in this order. */
static int read_extra(const unsigned char *p, size_t n, uint64_t *const field[3], struct error *e)
{
    bool found = false;
    for (size_t i = 0; i + 4 <= n;) {
        const size_t length = load_u16(p + i + 2);
        if (length > n - i - 4)
            break; /* padding need not be fields */
        if (load_u16(p + i) == 1 && !found) {
            size_t at = i + 4;
            found = true;
            for (int k = 0; k < 3; k++)
                if (*field[k] == UINT32_MAX) {
                    if (at + 8 > i + 4 + length)
                        return error_set(e, "its zip64 sizes are missing");
                    *field[k] = load_u64(p + at);
                    at += 8;
                }
        }
        i += 4 + length;
    }
    return 0;
}

/* Compares an entry with its own header, which gives the place of its data. */
static int read_local(struct zip_entry *t, int fd, uint64_t limit, unsigned flags, struct error *e)
{
    unsigned char b[LOCAL_BYTES + 65535];
    const size_t n = strlen(t->name);
    if (t->header > limit || limit - t->header < LOCAL_BYTES + n)
        return error_set(e, "lies outside the archive");
    if (file_read_at(fd, t->header, b, LOCAL_BYTES + n, e))
        return -1;
    const size_t name = load_u16(b + 26), extra = load_u16(b + 28);
    if (load_u32(b) != 0x04034b50 || name != n || memcmp(b + LOCAL_BYTES, t->name, n))
        return error_set(e, "its own header has another name than the directory");
    const uint64_t data = t->header + LOCAL_BYTES + n + extra;
    if (data > limit || t->bytes > limit - data)
        return error_set(e, "goes past the end of the archive");
    if (load_u16(b + 6) != flags || load_u16(b + 8) != 0)
        return error_set(e, "its own header disagrees with the directory");
    uint64_t plain = load_u32(b + 22), packed = load_u32(b + 18), none = 0;
    uint64_t *const field[3] = {&plain, &packed, &none};
    if (file_read_at(fd, t->header + LOCAL_BYTES + n, b + LOCAL_BYTES, extra, e) ||
        read_extra(b + LOCAL_BYTES, extra, field, e))
        return -1;
    /* With flag 3 sizes and checksum may stand behind the data instead. */
    const bool behind = (flags & 8) && !load_u32(b + 14) && !plain && !packed;
    if (!behind && (plain != t->bytes || packed != t->bytes || load_u32(b + 14) != t->crc))
        return error_set(e, "its own header disagrees with the directory");
    t->offset = data;
    return 0;
}

static int read_entry(struct zip_entry *t, const unsigned char *p, int fd, uint64_t limit,
                      struct error *e)
{
    const unsigned flags = load_u16(p + 8), method = load_u16(p + 10);
    const size_t n = load_u16(p + 28), extra = load_u16(p + 30);
    uint64_t packed = load_u32(p + 20);
    uint64_t *const field[3] = {&t->bytes, &packed, &t->header};
    t->crc = load_u32(p + 16);
    t->bytes = load_u32(p + 24);
    t->header = load_u32(p + 42);
    if (n == 0 || strlen(t->name) != n)
        return error_set(e, "an entry of the zip has no proper name");
    if (flags & (1 | 32 | 64 | 8192))
        return error_set(e, "zip entry %.200s: is encrypted or patched", t->name);
    if (method)
        return error_set(e, "zip entry %.200s: is compressed; torch.save() only stores", t->name);
    if (load_u16(p + 34) || read_extra(p + CENTRAL_BYTES + n, extra, field, e) || packed != t->bytes ||
        read_local(t, fd, limit, flags, e))
        return error_prefix(e, "zip entry %.200s", t->name);
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct zip_entry *x = a, *y = b;
    return x->header < y->header ? -1 : x->header > y->header;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct zip_entry *)a)->name, ((const struct zip_entry *)b)->name);
}

int zip_open(struct zip *z, int fd, uint64_t size, struct error *e)
{
    struct directory d = {0};
    unsigned char *bytes = NULL;
    *z = (struct zip){0};
    if (find_end(fd, size, &d, e))
        return -1;
    z->entry = memory_new((size_t)d.count + 1, sizeof *z->entry, "a zip's directory", e);
    z->names = memory_new((size_t)d.bytes + 1, 1, "a zip's directory", e);
    bytes = memory_new((size_t)d.bytes + 1, 1, "a zip's directory", e);
    if (!z->entry || !z->names || !bytes || file_read_at(fd, d.at, bytes, (size_t)d.bytes, e))
        goto fail;
    size_t names = 0;
    for (uint64_t at = 0; at < d.bytes; z->count++) {
        const unsigned char *p = bytes + at;
        const uint64_t left = d.bytes - at;
        uint64_t length = CENTRAL_BYTES;
        if (left >= CENTRAL_BYTES)
            length += (uint64_t)load_u16(p + 28) + load_u16(p + 30) + load_u16(p + 32);
        if (length > left || load_u32(p) != 0x02014b50 || z->count == d.count) {
            error_set(e, "its zip directory is damaged at entry %zu", z->count);
            goto fail;
        }
        memcpy(z->names + names, p + CENTRAL_BYTES, load_u16(p + 28));
        z->entry[z->count].name = z->names + names;
        names += (size_t)load_u16(p + 28) + 1;
        if (read_entry(&z->entry[z->count], p, fd, d.at, e))
            goto fail;
        at += length;
    }
    if (z->count != d.count) {
        error_set(e, "its zip directory has %zu entries, not %llu", z->count,
                  (unsigned long long)d.count);
        goto fail;
    }
    qsort(z->entry, z->count, sizeof *z->entry, by_place);
    for (size_t i = 1; i < z->count; i++)
        if (z->entry[i].header < z->entry[i - 1].offset + z->entry[i - 1].bytes) {
            error_set(e, "zip entry %.200s: overlaps with %.200s", z->entry[i].name,
                      z->entry[i - 1].name);
            goto fail;
        }
    qsort(z->entry, z->count, sizeof *z->entry, by_name);
    for (size_t i = 1; i < z->count; i++)
        if (!strcmp(z->entry[i].name, z->entry[i - 1].name)) {
            error_set(e, "zip entry %.200s: is there twice", z->entry[i].name);
            goto fail;
        }
    free(bytes);
    return 0;
fail:
    free(bytes);
    zip_free(z);
    return -1;
}

void zip_free(struct zip *z)
{
    free(z->entry);
    free(z->names);
    *z = (struct zip){0};
}

const struct zip_entry *zip_find(const struct zip *z, const char *name)
{
    const struct zip_entry key = {.name = name};
    return z->count ? bsearch(&key, z->entry, z->count, sizeof key, by_name) : NULL;
}

int zip_check(const struct zip_entry *t, int fd, struct error *e)
{
    unsigned char b[1 << 14];
    uLong crc = crc32(0, NULL, 0);
    for (uint64_t at = 0; at < t->bytes;) {
        const size_t n = t->bytes - at < sizeof b ? (size_t)(t->bytes - at) : sizeof b;
        if (file_read_at(fd, t->offset + at, b, n, e))
            return -1;
        crc = crc32(crc, b, (uInt)n);
        at += n;
    }
    return crc == t->crc ? 0 : error_set(e, "zip entry %.200s: its checksum is wrong: damaged",
                                         t->name);
}

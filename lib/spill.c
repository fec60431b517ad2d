/* Memory that may lie in a file. */
#include "spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file.h"
#include "memory.h"

int spill_new(struct spill *s, size_t count, size_t size, size_t limit, struct error *e)
{
    size_t bytes;
    *s = (struct spill){0};
    if (!size_multiply(count, size, &bytes))
        return error_set(e, "%zu rows of activations are too many", count);
    if (bytes <= limit) {
        s->data = memory_new(count, size, "activations", e);
        return s->data ? 0 : -1;
    }
    const char *folder;
    const int fd = file_temporary(&folder, e);
    if (fd < 0)
        return -1;
    const int full = posix_fallocate(fd, 0, (off_t)bytes);
    if (full) {
        close(fd);
        return error_set(e, "%s: no room for %zu bytes of activations: %s; set TMPDIR", folder,
                         bytes, strerror(full));
    }
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return error_set(e, "cannot map %zu bytes of activations: %s", bytes, strerror(errno));
    s->data = p;
    s->mapped = bytes;
    return 0;
}

void spill_free(struct spill *s)
{
    if (s->mapped)
        munmap(s->data, s->mapped);
    else
        free(s->data);
    *s = (struct spill){0};
}

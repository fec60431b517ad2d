/* Fuzzing of PyTorch files, zip and older: the tensors of what is accepted can be read. */
#include "file.h"
#include "torch_file.h"
#include "zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char path[64];
    struct torch_file *f;
    struct zip z;
    int fd = fuzz_file(data, n, path);
    if (!zip_open(&z, fd, n, NULL)) {
        for (size_t i = 0; i < z.count; i++) {
            if (z.entry[i].offset + z.entry[i].bytes > n || zip_find(&z, z.entry[i].name) != &z.entry[i])
                abort();
            zip_check(&z.entry[i], fd, NULL);
        }
        zip_free(&z);
    }
    if (!torch_open(&f, path, NULL)) {
        for (size_t i = 0; i < torch_count(f); i++) {
            const struct torch_entry *t = torch_entry(f, i);
            /* strides of 0 make much of little */
            size_t bytes = t->bytes < 1 << 16 ? t->bytes : 1 << 16;
            bytes -= bytes % t->width;
            void *p = malloc(bytes + 1);
            if (!p || torch_read(f, t, 0, bytes, p, NULL) ||
                torch_read(f, t, t->bytes - bytes, bytes, p, NULL))
                abort();
            free(p);
        }
        torch_close(f);
    }
    close(fd);
    return 0;
}

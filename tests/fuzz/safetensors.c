/* Fuzzing of safetensors files: what is accepted can be read. */
#include "file.h"
#include "safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char path[64];
    struct safetensors *s;
    int fd = fuzz_file(data, n, path);
    if (!safetensors_open(&s, path, NULL)) {
        for (size_t i = 0; i < safetensors_count(s); i++) {
            const struct safetensors_entry *t = safetensors_entry(s, i);
            void *p = t->bytes <= n ? malloc(t->bytes + 1) : NULL;
            if (!p || safetensors_read(s, t, 0, t->bytes, p, NULL))
                abort();
            free(p);
        }
        safetensors_close(s);
    }
    close(fd);
    return 0;
}

/* Fuzzing of checkpoints: config.json, then, with a NUL between, the other small files of a directory, and
 * model.safetensors, which is quantized or not as the config says. What is accepted can be read. */
#include "checkpoint.h"
#include "folder.h"
#include "memory.h"

static const char *const files[] = {"config.json", "generation_config.json", "tokenizer_config.json",
                                    "model.safetensors.index.json", "model.safetensors"};
enum { FILES = sizeof files / sizeof *files };

static void use(const struct checkpoint *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct checkpoint_entry *t = &c->entry[i];
        struct packed p;
        if (!strcmp(t->dtype, "INT")) {
            if (t->shape[0] * t->shape[1] > 1 << 22 || checkpoint_read_packed(c, t, &p, NULL))
                continue;
            float *row = malloc(p.cols * sizeof *row);
            for (size_t r = 0; row && r < p.rows; r += p.rows / 3 + 1)
                packed_row(&p, r, row);
            free(row);
            packed_free(&p);
        } else {
            const size_t k = t->bytes < 4096 ? t->bytes : 4096;
            void *bytes = malloc(k + 1);
            if (!bytes)
                abort();
            checkpoint_read(c, t, 0, k, bytes, NULL);
            const size_t last = (t->bytes - k) / 4096 * 4096;
            checkpoint_read(c, t, last, k < t->bytes - last ? k : t->bytes - last, bytes, NULL);
            free(bytes);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct checkpoint c;
    const uint8_t *at = data, *end = data + n;
    static bool made;
    if (!made) {
        folder_make();
        made = true;
    }
    folder_clear();
    for (size_t i = 0; i < FILES && at < end; i++) {
        const uint8_t *stop = i + 1 < FILES ? memchr(at, 0, (size_t)(end - at)) : NULL;
        const size_t k = (size_t)((stop ? stop : end) - at);
        if (k)
            folder_put(files[i], at, k);
        at += k + 1;
    }
    if (!checkpoint_open(&c, folder, NULL))
        use(&c);
    checkpoint_free(&c);
    return 0;
}

/* Fuzzing of GGUF files: what is accepted can be read; configs and vocabularies are valid or refused. */
#include "file.h"
#include "gguf_model.h"
#include "tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char path[64];
    struct gguf *g;
    struct gguf_model m;
    struct tokenizer *t = NULL;
    struct buffer bytes = {0}, settings = {0};
    const char *kind;
    int fd = fuzz_file(data, n, path);
    if (!gguf_open(&g, path, NULL)) {
        if (!gguf_tokenizer(g, &kind, &bytes, &settings, NULL) && kind)
            tokenizer_new(&t, kind, bytes.data, bytes.length, (char *)settings.data, NULL);
        tokenizer_free(t);
        buffer_free(&bytes);
        buffer_free(&settings);
        gguf_close(g);
    }
    if (!gguf_model_open(&m, path, NULL))
        for (size_t i = 0; i < m.count; i++) {
            const struct gguf_model_entry *e = &m.entry[i];
            const size_t k = e->bytes < 4096 ? e->bytes : 4096;
            void *p = malloc(k + 1);
            if (!p || gguf_model_read(&m, e, 0, k, p, NULL) ||
                gguf_model_read(&m, e, e->bytes - k, k, p, NULL))
                abort();
            free(p);
        }
    gguf_model_free(&m);
    close(fd);
    return 0;
}

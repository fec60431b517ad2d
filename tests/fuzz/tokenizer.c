/* Fuzzing of the tokenizer files. The first byte chooses the kind, the rest is the file. */
#include <stdint.h>
#include <stdlib.h>

#include "tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char text[] = "The heron,  \xE2\x96\x81 42 \xF0\x9F\x98\x80 e\xCC\x81 <s>[MASK]\n";
    struct tokenizer *t;
    struct token_ids ids = {0};
    char *back = NULL;
    size_t length = 0;
    if (!n || tokenizer_new(&t, data[0] & 1 ? "tokenizer.json" : "sentencepiece", data + 1, n - 1,
                            NULL, NULL))
        return 0;
    if (!tokenizer_encode(t, text, sizeof text - 1, &ids, NULL))
        tokenizer_decode(t, ids.ids, ids.count, &back, &length, NULL);
    free(back);
    token_ids_free(&ids);
    tokenizer_free(t);
    return 0;
}

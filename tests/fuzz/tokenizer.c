/* Fuzzing of the tokenizer files. The first byte chooses the form, the rest is its files, of those that
 * are text one after another with a NUL between: tokenizer.json, a tiktoken vocabulary, vocab.json with
 * merges.txt and added_tokens.json; then tokenizer_config.json. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer.h"
#include "tokenizer_convert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void use(const char *kind, const void *bytes, size_t n, const char *settings)
{
    static const char text[] = "The heron,  \xE2\x96\x81 42 \xF0\x9F\x98\x80 e\xCC\x81 <s>[MASK]\n";
    struct tokenizer *t;
    struct token_ids ids = {0};
    char *back = NULL;
    size_t length = 0;
    if (tokenizer_new(&t, kind, bytes, n, settings, NULL))
        return;
    if (!tokenizer_encode(t, text, sizeof text - 1, &ids, NULL))
        tokenizer_decode(t, ids.ids, ids.count, &back, &length, NULL);
    free(back);
    token_ids_free(&ids);
    tokenizer_free(t);
}

/* A copy of the next file with a NUL behind it; NULL: there is none. */
static char *next_file(const uint8_t **at, const uint8_t *end, size_t *n)
{
    if (*at >= end)
        return NULL;
    const uint8_t *stop = memchr(*at, 0, (size_t)(end - *at));
    *n = (size_t)((stop ? stop : end) - *at);
    char *text = malloc(*n + 1);
    if (!text)
        abort();
    memcpy(text, *at, *n);
    text[*n] = 0;
    *at += *n + 1;
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const uint8_t *at = data + 1, *end = data + n;
    char *file[4] = {NULL}, *settings = NULL;
    size_t bytes[4] = {0}, files = 0, unused;
    struct buffer json = {0};
    if (!n)
        return 0;
    const int form = data[0] & 3, wanted = form == 3 ? 3 : 1;
    if (form == 0) {
        use("sentencepiece", data + 1, n - 1, NULL);
        return 0;
    }
    while (files < (size_t)wanted && (file[files] = next_file(&at, end, &bytes[files])))
        files++;
    settings = next_file(&at, end, &unused);
    if (form == 1 && files)
        use("tokenizer.json", file[0], bytes[0], settings);
    if ((form == 2 && files && !tokenizer_from_tiktoken(file[0], bytes[0], settings, &json, NULL)) ||
        (form == 3 && files > 1 &&
         !tokenizer_from_merges(file[0], bytes[0], file[1], bytes[1], file[2], settings, &json, NULL)))
        use("tokenizer.json", json.data, json.length, settings);
    buffer_free(&json);
    for (size_t i = 0; i < files; i++)
        free(file[i]);
    free(settings);
    return 0;
}

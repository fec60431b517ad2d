/* Fuzzing of tensor records: a line of JSON, then the attachment. What is accepted must survive being
 * made dense and encoded again. */
#include <string.h>

#include "file.h"
#include "json.h"
#include "tensor.h"

static void again(const struct tensor *t)
{
    enum tensor_values type, back;
    struct tensor_store store;
    size_t zeros, zeros_again;
    void *dense = tensor_dense(t, &type, NULL);
    if (!dense)
        return;
    if (!tensor_encode(&store, t, type, dense, ENCODING_AUTO, 0, 0, NULL)) {
        void *copy = tensor_dense(&store.tensor, &back, NULL);
        if (!copy || back != type || memcmp(copy, dense, t->rows * t->cols * values_size(type)))
            abort();
        if (tensor_zeros(t, &zeros, NULL) || tensor_zeros(&store.tensor, &zeros_again, NULL) ||
            zeros != zeros_again)
            abort();
        free(copy);
        tensor_store_free(&store);
    }
    free(dense);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const uint8_t *newline = n ? memchr(data, '\n', n) : NULL;
    struct tensor t;
    if (!newline)
        return 0;
    size_t line = (size_t)(newline - data), bytes = n - line - 1;
    json_t *json = json_parse((const char *)data, line, "fuzz", NULL);
    unsigned char *copy = malloc(bytes ? bytes : 1); /* its own size: a byte too far is seen */
    if (json && copy) {
        struct stream_record record = {json, copy, bytes};
        memcpy(copy, newline + 1, bytes);
        if (!tensor_parse(&t, &record, NULL)) {
            if (t.rows * t.cols < 1 << 22)
                again(&t);
            tensor_free(&t);
        }
    }
    free(copy);
    json_decref(json);
    return 0;
}

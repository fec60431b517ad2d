/* Fuzzing of streams, as fuzz_stream() makes them. */
#include "file.h"
#include "pool.h"
#include "stream.h"
#include "tensor.h"

static void use(struct stream_record *record)
{
    static volatile unsigned char sink;
    struct tensor t;
    for (size_t i = 0; i < record->bytes; i += 997)
        sink = record->data[i];
    (void)sink;
    if (json_object_get(record->json, "tensor") && !tensor_parse(&t, record, NULL)) {
        size_t zeros;
        tensor_zeros(&t, &zeros, NULL);
        tensor_free(&t);
    }
}

static void read_all(const char *path, struct pool *pool)
{
    struct stream_reader *r;
    struct stream_record record;
    char hex[STREAM_DIGEST_LENGTH];
    size_t count;
    if (!stream_open(&r, path, NULL, pool, NULL)) {
        int more = 1;
        while (more == 1) {
            int got;
            while ((got = stream_next(r, &record, NULL)) == 1)
                use(&record);
            more = got ? got : stream_next_stream(r, NULL, NULL);
        }
        stream_close(r);
    }
    if (!stream_open(&r, path, NULL, pool, NULL)) {
        if (!stream_index(r, &count, NULL))
            for (size_t i = 0; i <= count && i < 50; i++)
                if (!stream_read_at(r, i, &record, NULL))
                    use(&record);
        stream_close(r);
    }
    stream_file_digest(path, hex, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct pool *pool;
    static unsigned char packed[1 << 21];
    char path[64];
    if (!pool && pool_new(&pool, 2, NULL))
        abort();
    const size_t length = fuzz_stream(data, n, packed, sizeof packed);
    if (!length)
        return 0;
    int fd = fuzz_file(packed, length, path);
    read_all(path, data[0] & 2 ? pool : NULL);
    close(fd);
    return 0;
}

/* Fuzzing of streams. The first byte is 0: the rest is a stream as it is. Else it is frames, each two
 * bytes of length and its content, which are compressed here: behind zstd's checksums, which random
 * changes never pass. */
#include <string.h>
#include <zstd.h>

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
    static ZSTD_CCtx *z;
    char path[64];
    size_t length = 0;
    if (!z) {
        z = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
        if (!z || pool_new(&pool, 2, NULL))
            abort();
    }
    if (!n || n > 1 << 20)
        return 0;
    if (data[0] == 0) {
        length = n - 1;
        memcpy(packed, data + 1, length);
    }
    for (size_t at = 1; data[0] && at + 2 <= n;) {
        size_t k = (size_t)data[at] | (size_t)data[at + 1] << 8;
        at += 2;
        k = k < n - at ? k : n - at;
        size_t m = ZSTD_compress2(z, packed + length, sizeof packed - length, data + at, k);
        if (ZSTD_isError(m))
            break;
        length += m;
        at += k;
    }
    int fd = fuzz_file(packed, length, path);
    read_all(path, data[0] & 2 ? pool : NULL);
    close(fd);
    return 0;
}

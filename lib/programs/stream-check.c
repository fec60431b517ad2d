/* Is a stream whole and undamaged? Reads every record, verifies checksums, counts and digests, and
 * parses every tensor. */
#include "cli.h"
#include "json.h"
#include "pool.h"
#include "stream.h"
#include "tensor.h"

#include <stdio.h>

/* Every record of every stream in one file. */
static int check(const struct cli *c, const char *path, struct pool *pool, struct error *e)
{
    struct stream_reader *r = NULL;
    struct stream_record record;
    size_t most = 4 << 20; /* that a small need covers */
    int result = -1, got;
    if (stream_open(&r, path, NULL, pool, e))
        return -1;
    do {
        size_t records = 0, bytes = 0;
        while ((got = stream_next(r, &record, e)) == 1) {
            struct tensor t;
            if (record.bytes > most && cli_memory(c, cli_memory_small(c) + (most = record.bytes), e))
                goto out;
            records++;
            bytes += record.bytes;
            if (json_object_get(record.json, "tensor")) {
                if (tensor_parse(&t, &record, e)) {
                    error_prefix(e, "%s", stream_name(r));
                    goto out;
                }
                tensor_free(&t);
            }
        }
        if (got)
            goto out;
        if (!c->quiet)
            printf("%s: whole: %s stream %s, %zu records, %zu bytes in attachments, digest %s\n",
                   stream_name(r), json_get_string_or(stream_header(r), "stream", "?"),
                   stream_header_id(r), records, bytes, stream_end_digest(r));
    } while ((got = stream_next_stream(r, NULL, e)) == 1);
    result = got;
out:
    stream_close(r);
    return result;
}

static int run(struct cli *c, struct error *e)
{
    struct pool *pool = NULL;
    int result = pool_new(&pool, c->threads, e);
    if (!c->operands && !result)
        result = check(c, "-", pool, e);
    for (int i = 0; i < c->operands && !result; i++)
        result = check(c, c->operand_list[i], pool, e);
    pool_free(pool);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "stream-check",
                    .revision = 1,
                    .summary = "verify that streams are whole and undamaged",
                    .operand = "[FILE...]",
                    .flags = CLI_THREADS | CLI_OPERANDS};
    return cli_main(&c, argc, argv, run);
}

/* Writes a stream again with something wrong in it, its frames and digests right:
 *   restream IN OUT EDIT…
 * Records count from 0, without the header. Edits:
 *   order=0-2,1,1   these records, in this order, instead of all
 *   K=JSON          record K's JSON gets these keys ("header=JSON": the header's)
 *   K-KEY           record K (or header) loses a key
 *   K~HEX           record K's attachment begins with these bytes
 *   K<N             record K's attachment is cut to N bytes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "stream.h"

static struct error e;

static void fail(const char *what)
{
    fprintf(stderr, "restream: %s\n", what);
    exit(1);
}

struct kept {
    json_t *json;
    unsigned char *data;
    size_t bytes;
    int has;
};

static void edit(json_t *json, const char *how)
{
    json_t *more = *how == '=' ? json_loads(how + 1, 0, NULL) : NULL;
    if (*how == '=' ? !more || json_object_update(json, more) : json_object_del(json, how + 1))
        fail(how);
    json_decref(more);
}

int main(int argc, char **argv)
{
    struct stream_reader *r = NULL;
    struct stream_writer *w;
    struct stream_record record;
    struct output *o;
    struct kept *list = NULL;
    const char *order = NULL;
    size_t count = 0;
    int got;
    if (argc < 3 || stream_open(&r, argv[1], NULL, NULL, &e))
        fail(argc < 3 ? "restream IN OUT EDIT..." : e.text);
    json_t *header = json_deep_copy(stream_header(r));
    while ((got = stream_next(r, &record, &e)) == 1) {
        list = realloc(list, (count + 1) * sizeof *list);
        struct kept *k = &list[count++];
        *k = (struct kept){json_deep_copy(record.json), malloc(record.bytes + 1), record.bytes, record.data != NULL};
        if (record.bytes)
            memcpy(k->data, record.data, record.bytes);
        json_object_del(k->json, "bytes");
    }
    if (got)
        fail(e.text);
    for (int i = 3; i < argc; i++) {
        if (!strncmp(argv[i], "order=", 6)) {
            order = argv[i] + 6;
        } else if (!strncmp(argv[i], "header", 6)) {
            edit(header, argv[i] + 6);
        } else {
            char *how;
            const size_t at = strtoul(argv[i], &how, 10);
            if (how == argv[i] || at >= count || !strchr("=-~<", *how))
                fail(argv[i]);
            struct kept *k = &list[at];
            unsigned byte;
            if (*how == '<')
                k->bytes = strtoul(how + 1, NULL, 10);
            else if (*how == '~')
                for (size_t b = 0; b < k->bytes && sscanf(how + 1 + 2 * b, "%2x", &byte) == 1; b++)
                    k->data[b] = (unsigned char)byte;
            else
                edit(k->json, how);
        }
    }
    if (output_open(&o, argv[2], &e) || stream_create(&w, o, header, NULL, &e))
        fail(e.text);
    size_t at = 0, last = order ? 0 : count;
    for (;; at++) {
        if (at >= last && order && *order) { /* the next range */
            char *end;
            at = strtoul(order, &end, 10);
            last = *end == '-' ? strtoul(end + 1, &end, 10) + 1 : at + 1;
            order = end + (*end == ',');
        }
        if (at >= last)
            break;
        if (at >= count)
            fail("order");
        const struct stream_section section = {list[at].data, list[at].bytes, 1};
        if (stream_write(w, list[at].json, &section, (size_t)list[at].has, &e))
            fail(e.text);
    }
    if (stream_finish(w, NULL, &e) || output_commit(o, &e))
        fail(e.text);
    for (size_t i = 0; i < count; i++) {
        json_decref(list[i].json);
        free(list[i].data);
    }
    free(list);
    json_decref(header);
    stream_writer_free(w);
    output_free(o);
    stream_close(r);
    return 0;
}

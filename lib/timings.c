/* Times as a stream. */
#include "timings.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cpu.h"
#include "json.h"
#include "memory.h"
#include "stream.h"

struct timings {
    struct output *output;
    struct stream_writer *writer;
};

double timings_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int timings_open(struct timings **out, const struct cli *c, struct error *e)
{
    char host[256] = "";
    enum cpu_level level;
    if (!c->timings)
        return 0;
    struct timings *t = memory_new(1, sizeof *t, "times", e);
    json_t *header = stream_header_new("bench", NULL, NULL, c->name, c->revision, NULL, NULL, e);
    gethostname(host, sizeof host - 1);
    if (!t || !header || cpu_choose(&level, e) ||
        json_set(header, "host", json_string(host), e) ||
        json_set(header, "level", json_string(cpu_level_name(level)), e) ||
        json_set(header, "threads", json_integer(c->threads), e) ||
        output_open(&t->output, c->timings, e) ||
        stream_create(&t->writer, t->output, header, NULL, e)) {
        json_decref(header);
        timings_free(t);
        return -1;
    }
    json_decref(header);
    *out = t;
    return 0;
}

int timings_add(struct timings *t, json_t *record, struct error *e)
{
    const int result = !record ? error_set(e, "no memory for a record")
                       : t     ? stream_write(t->writer, record, NULL, 0, e)
                               : 0;
    json_decref(record);
    return result;
}

int timings_finish(struct timings *t, struct error *e)
{
    return t && (stream_finish(t->writer, NULL, e) || output_commit(t->output, e)) ? -1 : 0;
}

void timings_free(struct timings *t)
{
    if (!t)
        return;
    stream_writer_free(t->writer);
    output_free(t->output);
    free(t);
}

/* --resume: beside the file NAME that is to be, ".NAME.part" holds the blocks that are done. A run that
 * finds such a file of the same work takes over its blocks, record by record, into a new one, which
 * takes the old one's place once it holds as much; then it goes on as usual. Nothing but the blocks has
 * to be kept: the activations behind a block come from its weights, and are the same bytes. */
#include "calibrated_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "filter.h"
#include "json.h"
#include "memory.h"

struct part {
    char *path;
    struct stream_reader *reader; /* NULL: no more blocks are to be had */
    bool saving;                  /* the file is that of this run */
    size_t blocks;                /* that were taken over */
};

static char *part_path(const char *output, struct error *e)
{
    char *base = path_base(output, e), *path = NULL;
    if (base && (path = memory_new(strlen(output) + strlen(base) + 8, 1, "a name", e)))
        sprintf(path, "%.*s.%s.part", (int)(strlen(output) - strlen(base)), output, base);
    free(base);
    return path;
}

static int start_saving(struct run *r, struct error *e)
{
    struct part *p = r->earlier;
    stream_close(p->reader);
    p->reader = NULL;
    p->saving = true;
    return output_flush(r->output, e) || output_keep(r->output, p->path, e) ? -1 : 0;
}

int part_open(struct run *r, const json_t *header, struct error *e)
{
    const struct cli *c = r->c->cli;
    if (!r->c->options->resume)
        return 0;
    if (!c->output || !output_is_file(r->output))
        return error_usage(e, "--resume needs -o FILE: beside it is kept what is done");
    struct part *p = r->earlier = memory_new(1, sizeof *p, "an earlier run", e);
    if (!p || !(p->path = part_path(c->output, e)))
        return -1;
    const char *id = json_get_string_or(header, "id", "");
    if (path_exists(p->path) && !stream_open(&p->reader, p->path, "model", r->c->pool, NULL)) {
        if (!strcmp(stream_header_id(p->reader), id))
            return 0;
        cli_warn(c, "%s: is of another model, other options or other data: not taken up", p->path);
    }
    return start_saving(r, e);
}

/* The next tensor in the earlier run's stream, if it is the one that is wanted. */
static bool take_record(struct part *p, const char *name, struct item *to)
{
    struct stream_record record;
    const char *tensor;
    do {
        if (stream_next(p->reader, &record, NULL) != 1)
            return false;
        tensor = json_get_string_or(record.json, "tensor", NULL);
    } while (!tensor || strcmp(tensor, name));
    to->json = json_deep_copy(record.json);
    to->data = memory_new(record.bytes, 1, "a record", NULL);
    if (!to->json || !to->data)
        return false;
    memcpy(to->data, record.data, record.bytes);
    to->bytes = record.bytes;
    return true;
}

/* Writes a record as the run that made it did, and puts it into the block. */
static int use_record(struct run *r, const struct item *i, const struct item *from, struct error *e)
{
    const struct stream_record record = {from->json, from->data, from->bytes};
    struct tensor t;
    json_t *extra = NULL;
    int result = -1;
    if (tensor_parse(&t, &record, e))
        return -1;
    if (i->role != ROLE_IGNORED && block_take(&r->block, i->role, &t, r->c->pool, e))
        goto out;
    if (!i->projection)
        result = run_write_copy(r, from->json, from->data, from->bytes, e);
    else if ((extra = filter_extra_keys(from->json, e)))
        result = tensor_write(&t, extra, r->out, e);
out:
    json_decref(extra);
    tensor_free(&t);
    return result;
}

int part_take_block(struct run *r, struct error *e)
{
    struct part *p = r->earlier;
    struct item *from = NULL;
    bool there = p && p->reader;
    int result = 0;
    if (!there)
        return 0;
    if (!(from = memory_new(r->items, sizeof *from, "records", e)))
        return -1;
    for (size_t i = 0; i < r->items && there; i++)
        there = !r->item[i].name || take_record(p, r->item[i].name, &from[i]);
    if (!there) {
        cli_note(r->c->cli, "%zu blocks are taken over from %s", p->blocks, p->path);
        result = start_saving(r, e);
        goto out;
    }
    block_free(&r->block);
    for (size_t i = 0; i < r->items; i++)
        if (r->item[i].name ? use_record(r, &r->item[i], &from[i], e)
                            : run_write_copy(r, r->item[i].json, r->item[i].data, r->item[i].bytes, e)) {
            error_prefix(e, "%s", p->path);
            result = -1;
            goto out;
        }
    p->blocks++;
    result = 1;
out:
    for (size_t i = 0; i < r->items; i++) {
        json_decref(from[i].json);
        free(from[i].data);
    }
    free(from);
    return result;
}

int part_save(struct run *r, struct error *e)
{
    return r->earlier && r->earlier->saving ? output_flush(r->output, e) : 0;
}

void part_remove(struct run *r)
{
    if (r->earlier && !r->earlier->saving)
        unlink(r->earlier->path);
}

void part_free(struct part *p)
{
    if (!p)
        return;
    stream_close(p->reader);
    free(p->path);
    free(p);
}

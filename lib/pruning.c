/* Goals of pruning. */
#include "pruning.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "memory.h"

enum { MAP_MAX = 1 << 24 };

struct pruning_rule {
    char *pattern;
    size_t line;
    struct pruning_goal goal;
};

static int parse_value(const char *text, struct pruning_goal *g, struct error *e)
{
    char *end;
    *g = (struct pruning_goal){0};
    if (!strcmp(text, "skip")) {
        g->skip = true;
        return 0;
    }
    if (strchr(text, ':'))
        return cli_pattern(text, &g->n, &g->m, NULL)
                   ? error_set(e, "'%s' is no pattern N:M with N of every M columns kept", text)
                   : 0;
    g->sparsity = strtod(text, &end);
    if (end == text || *end || !(g->sparsity >= 0 && g->sparsity <= 1))
        return error_set(e, "'%s' is neither a share 0 to 1, nor a pattern N:M, nor skip", text);
    return 0;
}

/* One line, which is changed; nothing where it holds no rule. */
static int read_line(struct pruning *p, char *line, size_t number, struct error *e)
{
    static const char *const space = " \t\r";
    char *rest = NULL, *comment = strchr(line, '#');
    if (comment)
        *comment = 0;
    const char *pattern = strtok_r(line, space, &rest), *value = strtok_r(NULL, space, &rest);
    if (!pattern)
        return 0;
    if (!value || strtok_r(NULL, space, &rest))
        return error_set(e, "is not NAME-PATTERN VALUE");
    struct pruning_rule *list = memory_resize(p->rule, p->rules + 1, sizeof *list, "a map", e);
    if (!list)
        return -1;
    p->rule = list;
    list[p->rules] = (struct pruning_rule){strdup(pattern), number, {0}};
    if (!list[p->rules++].pattern)
        return error_set(e, "no memory for a map");
    return parse_value(value, &list[p->rules - 1].goal, e);
}

static int read_map(struct pruning *p, struct error *e)
{
    char *text = NULL;
    size_t n = 0, number = 0;
    int result = -1;
    if (file_read(p->map, MAP_MAX, &text, &n, e))
        return -1;
    digest_buffer(text, n, p->digest);
    if (memchr(text, 0, n)) {
        error_set(e, "%s: is not a text", p->map);
        goto out;
    }
    for (char *line = text, *next; line; line = next) {
        number++;
        if ((next = strchr(line, '\n')))
            *next++ = 0;
        if (read_line(p, line, number, e)) {
            error_prefix(e, "%s: line %zu", p->map, number);
            goto out;
        }
    }
    result = 0;
out:
    free(text);
    return result;
}

int pruning_read(struct pruning *p, struct cli *c, struct error *e)
{
    if (p->pattern && cli_given(c, "sparsity"))
        return error_usage(e, "-s and -p exclude each other: a pattern sets its own sparsity");
    p->goal.sparsity = p->sparsity;
    if (p->pattern && cli_pattern(p->pattern, &p->goal.n, &p->goal.m, e))
        return -1;
    for (struct cli_option *o = c->options; p->pattern && o->name; o++)
        if (!strcmp(o->name, "sparsity"))
            o->result = false; /* a pattern's id does not depend on the unused share */
    p->encoded = tensor_encoding_of(p->encoding);
    return p->map ? read_map(p, e) : 0;
}

void pruning_free(struct pruning *p)
{
    for (size_t i = 0; i < p->rules; i++)
        free(p->rule[i].pattern);
    free(p->rule);
    p->rule = NULL;
    p->rules = 0;
}

int pruning_check(const struct pruning *p, const struct model *m, struct error *e)
{
    enum model_role role;
    size_t layer;
    char name[160];
    for (size_t i = 0; i < p->rules; i++) {
        bool found = false;
        for (size_t t = 0; t < model_tensor_count(m) && !found; t++) {
            model_tensor_at(m, t, &role, &layer, name, sizeof name);
            found = model_role_is_projection(role) && !fnmatch(p->rule[i].pattern, name, 0);
        }
        if (!found)
            return error_set(e, "%s: line %zu: '%s' is the name of no matrix that can be pruned; kick "
                                "stream-show --compression lists the names",
                             p->map, p->rule[i].line, p->rule[i].pattern);
    }
    return 0;
}

struct pruning_goal pruning_goal(const struct pruning *p, const char *name)
{
    for (size_t i = p->rules; i-- > 0;)
        if (!fnmatch(p->rule[i].pattern, name, 0))
            return p->rule[i].goal;
    return p->goal;
}

int pruning_check_block(const struct pruning *p, long block, struct error *e)
{
    for (size_t i = 0; i <= p->rules; i++) {
        const int m = i < p->rules ? p->rule[i].goal.m : p->goal.m;
        if (m && block % m)
            return error_usage(e, "--block %ld is not a multiple of the %d columns of a pattern; use "
                                  "%d", block, m, 16 * m);
    }
    return 0;
}

json_t *pruning_sides(const struct pruning *p)
{
    return p->map ? json_pack("{s:s}", "sparsity-map", p->digest) : NULL;
}

/* What a pruning program is asked for: a share or a pattern for all matrices, and a map that gives some
 * their own or leaves them out. A map is a text file, a rule a line:
 *   PATTERN VALUE     PATTERN matches tensor names as a shell matches file names (* ? []);
 *                     VALUE is a share 0 … 1, a pattern N:M, or skip
 * Empty lines and what follows # do not count. Of several rules that match a name the last counts; one
 * that matches no matrix of the model is an error. */
#ifndef KICK_PRUNING_H
#define KICK_PRUNING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli.h"
#include "error.h"
#include "model.h"
#include "stream.h"
#include "tensor.h"

/* m > 0: n of every m columns stay; else the share sparsity goes. skip: the matrix stays as it is. */
struct pruning_goal {
    double sparsity;
    int n, m;
    bool skip;
};

struct pruning_rule;

struct pruning {
    double sparsity;
    const char *pattern, *encoding, *map; /* as given */
    enum tensor_encoding encoded;
    struct pruning_goal goal;
    struct pruning_rule *rule;
    size_t rules;
    char digest[STREAM_DIGEST_LENGTH]; /* of the map */
};

/* The options, for a table of struct cli_option; of: "weights" or "each row". */
#define PRUNING_DEFAULTS {.sparsity = 0.5, .encoding = "auto"}
#define PRUNING_OPTIONS(p, of)                                                                     \
    {'s', "sparsity", CLI_REAL, &(p).sparsity, "S", "share of " of " to remove, 0 to 1",           \
     .min = 0, .max = 1, .result = true},                                                          \
        {'p', "pattern", CLI_TEXT, &(p).pattern, "N:M", "keep N of every M columns instead of -s", \
         .result = true},                                                                          \
        {0, "sparsity-map", CLI_TEXT, &(p).map, "FILE", "lines NAME-PATTERN S, N:M or skip"},      \
    {                                                                                              \
        0, "encoding", CLI_CHOICE, &(p).encoding, "E", "auto, none, bitmap or nm",                 \
            .choices = "auto|none|bitmap|nm", .result = true                                       \
    }

/* After parsing: the goal, and the map's rules. */
int pruning_read(struct pruning *p, struct cli *c, struct error *e);
void pruning_free(struct pruning *p);
/* Every rule must match a matrix of the model. */
int pruning_check(const struct pruning *p, const struct model *m, struct error *e);
/* What is to be done with a matrix. */
struct pruning_goal pruning_goal(const struct pruning *p, const char *name);
/* Wrong use where the M of a pattern leaves a rest of `block` columns. */
int pruning_check_block(const struct pruning *p, long block, struct error *e);
/* Side files that belong to a result's id (NULL: none, or no memory). */
json_t *pruning_sides(const struct pruning *p);

#endif

/* The command line that all programs share: options, help, exit codes, messages, progress.
 *
 * A program declares a struct cli (its name, revision, one line of purpose and a table of its own
 * options) and calls cli_main(). The same letter means the same thing everywhere; -h -V -q -v --mem-max,
 * and -o -j --timings where asked for, come from here. Exit: 0 done, 1 failed, 2 wrong use. */
#ifndef KICK_CLI_H
#define KICK_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum cli_type {
    CLI_FLAG,   /* bool *, no argument */
    CLI_INT,    /* long *, within min..max */
    CLI_REAL,   /* double *, within min..max */
    CLI_TEXT,   /* const char ** */
    CLI_CHOICE, /* const char **, one of the words in `choices` ("a|b|c") */
};

struct cli_option {
    int letter;       /* 0: long form only */
    const char *name; /* long form */
    enum cli_type type;
    void *value;     /* holds the default before and the argument after parsing */
    const char *arg; /* name of the argument in the help */
    const char *help;
    double min, max;
    const char *choices;
    bool result; /* part of the stream id: the option changes the output */
    bool text;   /* with it the output is text: a terminal is welcome */
    bool given;  /* set by cli_main() */
};

/* What a program takes beside its own options. */
enum {
    CLI_OUTPUT = 1,   /* -o FILE; without it stdout, which must not be a terminal */
    CLI_THREADS = 2,  /* -j N, default: the machine's cores */
    CLI_OPERANDS = 4, /* any number of operands; otherwise at most one */
    CLI_TEXT_OUT = 8, /* the output is text: a terminal is welcome */
    CLI_NO_INPUT = 16, /* stdin is not read: no usage when it is a terminal */
    CLI_MEMORY = 32,  /* calls cli_memory() itself; the others need little, and it is said for them */
    CLI_DRAWS = 128,  /* it holds fonts and pictures */
    CLI_TIMINGS = 64, /* --timings FILE: times and host as a bench stream */
};

struct cli {
    const char *name;    /* without "kick-" */
    int revision;        /* raised whenever the program's output changes */
    const char *summary; /* one line */
    const char *operand; /* e.g. "[MODEL]" */
    int flags;
    struct cli_option *options; /* ended by name == NULL; may be NULL */

    /* Filled by cli_main(): */
    const char *output; /* NULL: stdout */
    const char *timings;
    long threads;
    uint64_t mem_max; /* 0: no limit */
    bool quiet, verbose;
    int operands;
    char **operand_list;
};

typedef int cli_run(struct cli *c, struct error *e);

/* Parses, runs, reports: the whole of main(). */
int cli_main(struct cli *c, int argc, char **argv, cli_run *run);

/* First operand, or "-" (stdin) when there is none. */
const char *cli_input(const struct cli *c);

/* True if the option with this long name stood on the command line. */
bool cli_given(const struct cli *c, const char *name);

/* A new JSON object of the options that affect the result (result == true), by long name in table
 * order; flags that are off and texts that are NULL are left out. NULL without memory. */
json_t *cli_options_json(const struct cli *c);

/* One line on stderr with the program's name in front: always (warn), or with -v (note). */
void cli_warn(const struct cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_note(const struct cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What a program needs in bytes that holds neither a model nor a data set, with so many threads. */
uint64_t cli_memory_small(const struct cli *c);

/* Refuses (returns -1) when `bytes` is over --mem-max; with -v says the estimate. */
int cli_memory(const struct cli *c, uint64_t bytes, struct error *e);

/* Progress: one line on stderr, only on a terminal and without -q, at most ten times a second. Call
 * with done == total to end it. unit: "tensors", "windows" … */
void cli_progress(const struct cli *c, uint64_t done, uint64_t total, const char *unit);

/* "N:M", 1 <= N <= M <= 64 (N of every M kept). Wrong use otherwise. */
int cli_pattern(const char *text, int *n, int *m, struct error *e);

#endif

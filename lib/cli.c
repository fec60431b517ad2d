/* Command line, help, messages, progress. */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "memory.h"
#include "output.h"

enum { SMALL = 16 << 20, FRAMES = 14 << 20 }; /* the latter a thread, for what it reads */
enum { OPTIONS_MAX = 64, LONG_ONLY = 256, MEM_MAX = 512, TIMINGS = 513, COMPLETION = 514 };

static int parse_long(const char *text, long *out)
{
    char *end;
    errno = 0;
    *out = strtol(text, &end, 10);
    return errno || end == text || *end ? -1 : 0;
}

static int parse_real(const char *text, double *out)
{
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    return end == text || *end || !isfinite(*out) ? -1 : 0;
}

static int parse_size(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long x = strtoull(text, &end, 10);
    int shift = 0;
    if (errno || end == text || text[0] == '-')
        return -1;
    switch (*end) {
    case 'K': case 'k':
        shift = 10;
        break;
    case 'M': case 'm':
        shift = 20;
        break;
    case 'G': case 'g':
        shift = 30;
        break;
    case 'T': case 't':
        shift = 40;
        break;
    }
    if (shift)
        end++;
    if (shift && (*end == 'i' || *end == 'B'))
        end += 1 + (end[1] == 'B');
    if (*end || x > UINT64_MAX >> shift)
        return -1;
    *out = (uint64_t)x << shift;
    return 0;
}

/* "-s, --sparsity" */
static void option_text(const struct cli_option *o, char *text, size_t n)
{
    if (o->letter)
        snprintf(text, n, "-%c/--%s", o->letter, o->name);
    else
        snprintf(text, n, "--%s", o->name);
}

static bool choice_listed(const char *choices, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (!strncmp(p, word, n) && (p[n] == '|' || p[n] == 0))
            return true;
    return false;
}

static int option_set(struct cli_option *o, const char *arg, struct error *e)
{
    char name[64];
    long i;
    double x;
    option_text(o, name, sizeof name);
    o->given = true;
    switch (o->type) {
    case CLI_FLAG:
        *(bool *)o->value = true;
        return 0;
    case CLI_INT:
        if (parse_long(arg, &i))
            return error_usage(e, "%s: '%s' is not an integer", name, arg);
        if ((double)i < o->min || (double)i > o->max)
            return error_usage(e, "%s: %ld is not within %.0f and %.0f", name, i, o->min, o->max);
        *(long *)o->value = i;
        return 0;
    case CLI_REAL:
        if (parse_real(arg, &x))
            return error_usage(e, "%s: '%s' is not a number", name, arg);
        if (!(x >= o->min && x <= o->max))
            return error_usage(e, "%s: %g is not within %g and %g", name, x, o->min, o->max);
        *(double *)o->value = x;
        return 0;
    case CLI_TEXT:
        *(const char **)o->value = arg;
        return 0;
    case CLI_CHOICE:
        if (!choice_listed(o->choices, arg))
            return error_usage(e, "%s: '%s' is none of %s", name, arg, o->choices);
        *(const char **)o->value = arg;
        return 0;
    }
    return -1;
}

static void option_default(const struct cli_option *o, char *text, size_t n)
{
    text[0] = 0;
    switch (o->type) {
    case CLI_INT:
        if (*(long *)o->value >= 0)
            snprintf(text, n, " [%ld]", *(long *)o->value);
        break;
    case CLI_REAL:
        if (*(double *)o->value >= 0)
            snprintf(text, n, " [%g]", *(double *)o->value);
        break;
    case CLI_TEXT:
    case CLI_CHOICE:
        if (*(const char **)o->value) {
            size_t k = 0;
            k += (size_t)snprintf(text, n, " [");
            for (const char *p = *(const char **)o->value; *p && k + 6 < n; p++)
                k += (size_t)(*p == '\n' ? snprintf(text + k, n - k, "\\n")
                                         : snprintf(text + k, n - k, "%c", *p));
            snprintf(text + k, n - k, "]");
        }
        break;
    case CLI_FLAG:
        break;
    }
}

static void help(const struct cli *c, FILE *f)
{
    fprintf(f, "kick-%s: %s\nusage: kick-%s [options] %s\n", c->name, c->summary, c->name,
            c->operand ? c->operand : "");
    for (const struct cli_option *o = c->options; o && o->name; o++) {
        char left[48], def[64];
        if (o->letter)
            snprintf(left, sizeof left, "-%c, --%s%s%s", o->letter, o->name, o->arg ? " " : "",
                     o->arg ? o->arg : "");
        else
            snprintf(left, sizeof left, "    --%s%s%s", o->name, o->arg ? " " : "",
                     o->arg ? o->arg : "");
        option_default(o, def, sizeof def);
        fprintf(f, "  %-25s %s%s\n", left, o->help, def);
    }
    if (c->flags & CLI_OUTPUT)
        fprintf(f, "  %-25s %s\n", "-o, --output FILE", "where to write [standard output]");
    if (c->flags & CLI_THREADS)
        fprintf(f, "  %-25s threads; the result is the same for any number [%ld]\n",
                "-j, --threads N", c->threads);
    fprintf(f, "  %-25s %s\n", "    --mem-max SIZE", "refuse at once if more would be needed");
    if (c->flags & CLI_TIMINGS)
        fprintf(f, "  %-25s %s\n", "    --timings FILE", "write times and host to FILE");
    fprintf(f, "  -q/-v quiet/verbose, -h this help, -V version; more: man kick-%s\n", c->name);
}

/* For make install (lib/programs/completion.bash): an option a line, its forms, then what follows it:
 * nothing, "file", "value" or the words to choose from. */
static void completion(const struct cli *c)
{
    static const char *const shared[] = {"-q --quiet\t", "-v --verbose\t", "-h --help\t", "-V --version\t"};
    for (const struct cli_option *o = c->options; o && o->name; o++) {
        if (o->letter)
            printf("-%c ", o->letter);
        printf("--%s\t", o->name);
        if (o->type == CLI_CHOICE)
            for (const char *p = o->choices; *p; p++)
                putchar(*p == '|' ? ' ' : *p);
        puts(o->type == CLI_FLAG || o->type == CLI_CHOICE ? "" : o->type == CLI_TEXT ? "file" : "value");
    }
    if (c->flags & CLI_OUTPUT)
        puts("-o --output\tfile");
    if (c->flags & CLI_THREADS)
        puts("-j --threads\tvalue");
    puts("--mem-max\tvalue");
    if (c->flags & CLI_TIMINGS)
        puts("--timings\tfile");
    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++)
        puts(shared[i]);
}

static int add(struct option *list, char *letters, int n, const char *name, int value, bool arg)
{
    list[n] = (struct option){name, arg ? required_argument : no_argument, NULL, value};
    if (value < LONG_ONLY) {
        size_t k = strlen(letters);
        letters[k++] = (char)value;
        if (arg)
            letters[k++] = ':';
        letters[k] = 0;
    }
    return n + 1;
}

/* 1: everything is said already, exit 0. */
static int parse(struct cli *c, int argc, char **argv, struct error *e)
{
    struct option list[OPTIONS_MAX + 12] = {{0}};
    char letters[3 * OPTIONS_MAX] = ":";
    int n = 0, own = 0;
    for (struct cli_option *o = c->options; o && o->name && own < OPTIONS_MAX; o++, own++)
        n = add(list, letters, n, o->name, o->letter ? o->letter : LONG_ONLY + own,
                o->type != CLI_FLAG);
    if (c->flags & CLI_OUTPUT)
        n = add(list, letters, n, "output", 'o', true);
    if (c->flags & CLI_THREADS)
        n = add(list, letters, n, "threads", 'j', true);
    n = add(list, letters, n, "mem-max", MEM_MAX, true);
    if (c->flags & CLI_TIMINGS)
        n = add(list, letters, n, "timings", TIMINGS, true);
    n = add(list, letters, n, "quiet", 'q', false);
    n = add(list, letters, n, "verbose", 'v', false);
    n = add(list, letters, n, "help", 'h', false);
    n = add(list, letters, n, "version", 'V', false);
    n = add(list, letters, n, "completion", COMPLETION, false);
    opterr = 0;
    int k;
    while ((k = getopt_long(argc, argv, letters, list, NULL)) != -1) {
        struct cli_option *found = NULL;
        for (int i = 0; i < own; i++)
            if (k == (c->options[i].letter ? c->options[i].letter : LONG_ONLY + i))
                found = &c->options[i];
        if (found) {
            if (option_set(found, optarg, e))
                return -1;
            continue;
        }
        switch (k) {
        case 'o':
            c->output = strcmp(optarg, "-") ? optarg : NULL;
            break;
        case 'j':
            if (parse_long(optarg, &c->threads) || c->threads < 1 || c->threads > 1024)
                return error_usage(e, "-j/--threads: '%s' is not within 1 and 1024", optarg);
            break;
        case MEM_MAX:
            if (parse_size(optarg, &c->mem_max))
                return error_usage(e, "--mem-max: '%s' is not a size such as 512M or 2G", optarg);
            break;
        case TIMINGS:
            c->timings = optarg;
            break;
        case 'q':
            c->quiet = true;
            break;
        case 'v':
            c->verbose = true;
            break;
        case 'h':
            help(c, stdout);
            return 1;
        case 'V':
            printf("kick-%s %s, revision %d\n", c->name, KICK_VERSION, c->revision);
            return 1;
        case COMPLETION:
            completion(c);
            return 1;
        case ':':
            return error_usage(e, "%s needs an argument; see kick-%s -h", argv[optind - 1], c->name);
        default:
            if (optopt && optopt < LONG_ONLY && argv[optind - 1][1] != '-')
                return error_usage(e, "unknown option -%c; see kick-%s -h", optopt, c->name);
            return error_usage(e, "unknown option %s; see kick-%s -h", argv[optind - 1], c->name);
        }
    }
    c->operands = argc - optind;
    c->operand_list = argv + optind;
    if (!(c->flags & CLI_OPERANDS) && c->operands > 1)
        return error_usage(e, "one operand at most, not '%s' too; see kick-%s -h",
                           c->operand_list[1], c->name);
    if (!(c->flags & CLI_NO_INPUT) && c->operands == 0 && isatty(STDIN_FILENO)) {
        help(c, stderr);
        return error_usage(e, "nothing to read: name a file, or use it in a pipe");
    }
    bool text = c->flags & CLI_TEXT_OUT;
    for (const struct cli_option *o = c->options; o && o->name; o++)
        text |= o->given && o->text;
    if ((c->flags & CLI_OUTPUT) && !text && !c->output && isatty(STDOUT_FILENO))
        return error_usage(e, "the output is binary and standard output is a terminal: use -o FILE "
                              "or a pipe");
    return 0;
}

static const struct cli *running;

/* For jansson, whose reader forgets a character it has no memory for and then runs past the end of its
 * text: a program that is refused memory there stops at once. */
static void *json_memory(size_t n)
{
    static const char text[] = ": no memory; try a smaller input, or a machine with more\n";
    void *p = malloc(n);
    if (p || !n)
        return p;
    output_abandon();
    if (write(STDERR_FILENO, "kick-", 5) < 0 ||
        write(STDERR_FILENO, running->name, strlen(running->name)) < 0 ||
        write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(1);
    _exit(1);
}

/* Ended by a signal: leaves no temporary file. */
static void ended(int number)
{
    output_abandon();
    signal(number, SIG_DFL);
    raise(number);
}

int cli_main(struct cli *c, int argc, char **argv, cli_run *run)
{
    struct error e = {.text = "failed"};
    /* Tensors always get pages of their own, which go back when they are freed: without this the
     * heap fragments and the peak is neither small nor foreseeable. */
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    running = c;
    json_set_alloc_funcs(json_memory, free);
    signal(SIGPIPE, SIG_IGN); /* a reader that has gone is a write error with a message */
    signal(SIGXFSZ, SIG_IGN); /* and so is a file that may not grow */
    static const int ends[] = {SIGHUP, SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (signal(ends[i], ended) == SIG_IGN)
            signal(ends[i], SIG_IGN);
    c->threads = sysconf(_SC_NPROCESSORS_ONLN);
    if (c->threads < 1)
        c->threads = 1;
    int result = parse(c, argc, argv, &e);
    if (result == 1)
        return fflush(stdout) || fclose(stdout) ? 1 : 0;
    if (result == 0 && !(c->flags & CLI_MEMORY))
        result = cli_memory(c, cli_memory_small(c), &e);
    if (result == 0)
        result = run(c, &e);
    if (result == 0)
        result = memory_short(&e);
    if (result == 0 && (fflush(stdout) || ferror(stdout)))
        result = error_set(&e, "standard output: cannot write: %s", strerror(errno));
    if (result) {
        if (c->verbose || !c->quiet)
            cli_progress(c, 0, 0, NULL);
        fprintf(stderr, "kick-%s: %s\n", c->name, e.text);
        return e.usage ? 2 : 1;
    }
    if (c->verbose) {
        struct rusage u;
        if (!getrusage(RUSAGE_SELF, &u))
            cli_note(c, "done; peak memory %.1f MiB", (double)u.ru_maxrss / 1024);
    }
    return 0;
}

const char *cli_input(const struct cli *c)
{
    return c->operands ? c->operand_list[0] : "-";
}

bool cli_given(const struct cli *c, const char *name)
{
    for (const struct cli_option *o = c->options; o && o->name; o++)
        if (!strcmp(o->name, name))
            return o->given;
    return false;
}

json_t *cli_options_json(const struct cli *c)
{
    json_t *j = json_object();
    for (const struct cli_option *o = c->options; j && o && o->name; o++) {
        json_t *v = NULL;
        if (!o->result)
            continue;
        switch (o->type) {
        case CLI_FLAG:
            v = *(bool *)o->value ? json_true() : NULL;
            break;
        case CLI_INT:
            v = json_integer(*(long *)o->value);
            break;
        case CLI_REAL:
            v = json_real(*(double *)o->value);
            break;
        case CLI_TEXT:
        case CLI_CHOICE:
            v = *(const char **)o->value ? json_string(*(const char **)o->value) : NULL;
            break;
        }
        if (v && json_object_set_new(j, o->name, v)) {
            json_decref(j);
            return NULL;
        }
    }
    return j;
}

static void say(const struct cli *c, const char *format, va_list ap)
{
    char text[1024];
    vsnprintf(text, sizeof text, format, ap);
    cli_progress(c, 0, 0, NULL);
    fprintf(stderr, "kick-%s: %s\n", c->name, text);
}

void cli_warn(const struct cli *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    if (!c->quiet)
        say(c, format, ap);
    va_end(ap);
}

void cli_note(const struct cli *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    if (c->verbose)
        say(c, format, ap);
    va_end(ap);
}

uint64_t cli_memory_small(const struct cli *c)
{
    return c->flags & CLI_THREADS ? SMALL / 2 + (uint64_t)c->threads * FRAMES
           : c->flags & CLI_DRAWS ? 3 * SMALL
                                  : SMALL;
}

int cli_memory(const struct cli *c, uint64_t bytes, struct error *e)
{
    cli_note(c, "needs about %.1f MiB of memory", (double)bytes / 1048576);
    if (c->mem_max && bytes > c->mem_max)
        return error_set(e, "needs about %.1f MiB of memory, more than --mem-max %.1f MiB",
                         (double)bytes / 1048576, (double)c->mem_max / 1048576);
    return 0;
}

/* unit NULL: clears the line that is there, if any. */
void cli_progress(const struct cli *c, uint64_t done, uint64_t total, const char *unit)
{
    static struct timespec start, last;
    static bool shown;
    struct timespec now;
    if (!unit) {
        if (shown)
            fputs(getenv("NO_COLOR") ? "\n" : "\r\033[K", stderr);
        shown = false;
        return;
    }
    if (c->quiet || !isatty(STDERR_FILENO))
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!start.tv_sec)
        start = now;
    double since = (double)(now.tv_sec - last.tv_sec) + 1e-9 * (double)(now.tv_nsec - last.tv_nsec);
    if (since < 0.1 && done < total)
        return;
    last = now;
    double t = (double)(now.tv_sec - start.tv_sec) + 1e-9 * (double)(now.tv_nsec - start.tv_nsec);
    struct rusage u = {0};
    getrusage(RUSAGE_SELF, &u);
    double rate = t > 0 ? (double)done / t : 0;
    fprintf(stderr, "\rkick-%s: %llu", c->name, (unsigned long long)done);
    if (total)
        fprintf(stderr, "/%llu", (unsigned long long)total);
    fprintf(stderr, " %s, %.1f/s, %.0f MiB", unit, rate, (double)u.ru_maxrss / 1024);
    if (total && rate > 0)
        fprintf(stderr, ", %.0f s left", (double)(total - done) / rate);
    fputs(getenv("NO_COLOR") ? "   " : "\033[K", stderr);
    shown = true;
    if (total && done >= total)
        cli_progress(c, 0, 0, NULL);
}

int cli_pattern(const char *text, int *n, int *m, struct error *e)
{
    char *end, *rest;
    long a = strtol(text, &end, 10), b = 0;
    if (end == text || *end != ':')
        return error_usage(e, "-p/--pattern: '%s' is not N:M, such as 2:4", text);
    b = strtol(end + 1, &rest, 10);
    if (rest == end + 1 || *rest)
        return error_usage(e, "-p/--pattern: '%s' is not N:M, such as 2:4", text);
    if (a < 1 || b < 1 || a > b || b > 64)
        return error_usage(e, "-p/--pattern: %ld of every %ld cannot be kept; N must be within 1 and "
                              "M, and M at most 64", a, b);
    *n = (int)a;
    *m = (int)b;
    return 0;
}

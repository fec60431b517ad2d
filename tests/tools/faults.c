/* Runs a command once for every call of a kind that it makes, and lets that call fail (shim.c):
 *   faults [-k KIND,MODE] [-u TIMES] [-n MOST] [-i STDIN] [-s] DIRECTORY -- COMMAND…
 * The command writes into DIRECTORY or to stdout. Each run starts with DIRECTORY as it was found and
 * must end in one of these ways:
 *   exit 0  and the same files and output as without a fault (what failed could be done without);
 *   exit 1  and one more line on stderr than without a fault, which says why, DIRECTORY as before,
 *           nothing leaked;
 *   killed  (mode kill) and all is as after, or no file but as before, as after, or hidden; then the next
 *           run gives the same.
 * A library that draws or writes sheets may end the program when memory fails (GLib does so), leaving
 * nothing behind.
 * -l: a library has caches, which it does not give back, and says things of its own.
 * -u N: only the first N calls from each place (stack of callers); -n N: N runs, evenly spread; -s: a file that is there is a
 * database, which may be left in the middle of a change that the next run takes back.
 * Prints one line: "failed N refused R unharmed U resumed S aborted A survivors B", and what
 * survived before it; exit 1 if anything did. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "../fault/shim.h"

enum { FILES = 64, PATHS = 4096, SECONDS = 60, MANY = 20 };

struct file {
    char name[256];
    size_t bytes;
    char *data;
};

struct state {
    struct file file[FILES];
    size_t count;
};

struct outcome {
    int status; /* as of waitpid() */
    bool late;
    size_t lines; /* on stderr */
    char last[2048];
    XXH64_hash_t said; /* on stdout */
    struct shim_page page;
};

static const char *directory, *stdin_path = "/dev/null", *kind = "memory,fail";
static char **command;
static bool database, library;
static pid_t child;
static volatile sig_atomic_t late;

static void die(const char *what)
{
    fprintf(stderr, "faults: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void *need(void *p)
{
    if (!p)
        die("memory");
    return p;
}

/* ---- the directory ------------------------------------------------------------------------------ */
static char *slurp(int fd, size_t *n)
{
    size_t room = 1 << 16;
    char *data = need(malloc(room));
    *n = 0;
    for (ssize_t k; (k = read(fd, data + *n, room - *n)) > 0;)
        if ((*n += (size_t)k) == room)
            data = need(realloc(data, room *= 2));
    return data;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

/* Files below the directory, and its folders, whose names end in a slash. */
static void walk(struct state *s, const char *below)
{
    char path[PATHS];
    snprintf(path, sizeof path, "%s/%s", directory, below);
    DIR *d = opendir(path);
    if (!d)
        die(path);
    for (struct dirent *e; (e = readdir(d)) && s->count < FILES;) {
        struct file *f = &s->file[s->count];
        char name[512];
        struct stat st;
        snprintf(name, sizeof name, "%s%s%s", below, *below ? "/" : "", e->d_name);
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || fstatat(dirfd(d), e->d_name, &st, 0))
            continue;
        if (S_ISDIR(st.st_mode)) {
            snprintf(f->name, sizeof f->name, "%.254s/", name);
            f->data = need(malloc(1));
            f->bytes = 0;
            s->count++;
            walk(s, name);
            continue;
        }
        int fd = openat(dirfd(d), e->d_name, O_RDONLY);
        if (!S_ISREG(st.st_mode) || fd < 0)
            die(name);
        snprintf(f->name, sizeof f->name, "%.255s", name);
        f->data = slurp(fd, &f->bytes);
        s->count++;
        close(fd);
    }
    closedir(d);
}

static void look(struct state *s)
{
    s->count = 0;
    walk(s, "");
    qsort(s->file, s->count, sizeof *s->file, by_name);
}

static void forget(struct state *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->file[i].data);
    s->count = 0;
}

static const struct file *find(const struct state *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (!strcmp(s->file[i].name, name))
            return &s->file[i];
    return NULL;
}

static bool same_file(const struct file *a, const struct file *b)
{
    return a && b && a->bytes == b->bytes && !memcmp(a->data, b->data, a->bytes);
}

static bool same(const struct state *a, const struct state *b)
{
    bool all = a->count == b->count;
    for (size_t i = 0; all && i < a->count; i++)
        all = same_file(&a->file[i], find(b, a->file[i].name));
    return all;
}

/* After a kill: every file is as before or as after, or has a temporary's name. */
static bool whole(const struct state *now, const struct state *before, const struct state *after)
{
    for (size_t i = 0; i < now->count; i++) {
        const struct file *f = &now->file[i];
        if (f->name[0] != '.' && !(database && (find(after, f->name) || strstr(f->name, "-journal"))) &&
            !same_file(f, find(before, f->name)) && !same_file(f, find(after, f->name)))
            return false;
    }
    return true;
}

static void restore(const struct state *before)
{
    struct state now;
    char path[PATHS];
    look(&now);
    for (size_t i = now.count; i-- > 0;) /* what lies in a folder comes after it */
        if (!find(before, now.file[i].name)) {
            snprintf(path, sizeof path, "%s/%s", directory, now.file[i].name);
            if (remove(path))
                die(path);
        }
    for (size_t i = 0; i < before->count; i++) {
        const struct file *f = &before->file[i];
        if (same_file(f, find(&now, f->name)) || f->name[strlen(f->name) - 1] == '/')
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, f->name);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (fd < 0 || write(fd, f->data, f->bytes) != (ssize_t)f->bytes || close(fd))
            die(path);
    }
    forget(&now);
}

/* ---- one run ------------------------------------------------------------------------------------ */
static void alarmed(int signal)
{
    (void)signal;
    late = 1;
    kill(child, SIGKILL);
}

static void execute(struct outcome *o, const char *what, unsigned long at)
{
    static int shared = -1, out = -1, err = -1;
    char fault[128], number[16];
    if (shared < 0) {
        shared = memfd_create("page", 0);
        out = memfd_create("out", 0);
        err = memfd_create("err", 0);
        if (shared < 0 || out < 0 || err < 0 || ftruncate(shared, sizeof(struct shim_page)))
            die("memfd_create");
    }
    struct shim_page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
    if (page == MAP_FAILED || ftruncate(out, 0) || ftruncate(err, 0))
        die("mmap");
    memset(page, 0, offsetof(struct shim_page, listed));
    lseek(out, 0, SEEK_SET);
    lseek(err, 0, SEEK_SET);
    snprintf(fault, sizeof fault, "%s,%lu", what, at);
    snprintf(number, sizeof number, "%d", shared);
    late = 0;
    child = fork();
    if (child < 0)
        die("fork");
    if (child == 0) {
        int in = open(stdin_path, O_RDONLY);
        if (in < 0)
            _exit(126);
        dup2(in, 0);
        dup2(out, 1);
        dup2(err, 2);
        close(in);
        setenv("LD_PRELOAD", getenv("KICK_SHIM") ? getenv("KICK_SHIM") : "", 1);
        setenv("KICK_FAULT", fault, 1);
        setenv("KICK_FAULT_FD", number, 1);
        execvp(command[0], command);
        _exit(127);
    }
    alarm(SECONDS);
    while (waitpid(child, &o->status, WUNTRACED) < 0 || WIFSTOPPED(o->status))
        if (WIFSTOPPED(o->status))
            kill(child, SIGCONT);
    alarm(0);
    o->late = late;
    memcpy(&o->page, page, at && strstr(what, ",list") ? sizeof *page : offsetof(struct shim_page, listed));
    munmap(page, sizeof *page);
    size_t n;
    lseek(out, 0, SEEK_SET);
    char *text = slurp(out, &n);
    o->said = XXH3_64bits(text, n);
    free(text);
    lseek(err, 0, SEEK_SET);
    text = slurp(err, &n);
    o->lines = 0;
    size_t start = 0;
    o->last[0] = 0;
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\n') {
            o->lines++;
            snprintf(o->last, sizeof o->last, "%.*s", (int)(i - start), text + start);
            start = i + 1;
        }
    if (start < n) { /* a line that does not end */
        o->lines++;
        snprintf(o->last, sizeof o->last, "%.*s", (int)(n - start), text + start);
    }
    free(text);
}

/* ---- all runs ------------------------------------------------------------------------------------ */
static unsigned long failed, refused, unharmed, resumed, aborted, bad, said;

static void survivor(unsigned long at, const struct outcome *o, const char *what)
{
    static unsigned long seen[MANY][SHIM_PLACES];
    bad++;
    for (unsigned long i = 0; i < said; i++)
        if (!memcmp(seen[i], o->page.place, sizeof seen[i]))
            return; /* that place is known already */
    if (said == MANY)
        return;
    memcpy(seen[said++], o->page.place, sizeof seen[0]);
    printf("    %s at %lu in %s from", kind, at, o->page.module);
    for (int i = 0; i < SHIM_PLACES && o->page.place[i]; i++)
        printf(" %#lx", o->page.place[i]);
    printf(": %s; ", what);
    if (o->late)
        printf("no end after %d s", SECONDS);
    else if (WIFEXITED(o->status))
        printf("exit %d", WEXITSTATUS(o->status));
    else
        printf("signal %d", WTERMSIG(o->status));
    printf(", %lu not given back", o->page.live);
    for (size_t i = 0; i < o->page.live && i < 3; i++)
        printf(" %s+%#lx", o->page.leak[i].module, o->page.leak[i].offset);
    printf(", %zu lines: %s\n", o->lines, o->last);
}

static bool draws(const char *module)
{
    static const char *const names[] = {"libpango", "libfontconfig", "libcairo", "libglib", "libgobject",
                                        "libgio", "libfreetype", "libharfbuzz", "libpixman", "libfribidi",
                                        "libthai", "libdatrie", "libexpat", "libxlsxwriter"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strncmp(module, names[i], strlen(names[i])))
            return true;
    return false;
}

static void judge(unsigned long at, const struct outcome *o, const struct outcome *good,
                  const struct state *before, const struct state *after)
{
    struct state now;
    const bool killed = strstr(kind, ",kill");
    look(&now);
    failed++;
    if (WIFSIGNALED(o->status) && !o->late &&
        (killed ? WTERMSIG(o->status) == SIGKILL : draws(o->page.module))) {
        static struct outcome again;
        aborted += !killed;
        if (!whole(&now, before, after) || (!killed && !same(&now, before))) {
            survivor(at, o, "a file that is not whole");
        } else if (killed && same(&now, after)) {
            resumed++; /* after all was done: a directory that is there is not made again */
        } else if (killed) {
            execute(&again, kind, 0);
            forget(&now);
            look(&now);
            size_t hidden = 0;
            for (size_t i = 0; i < now.count; i++)
                hidden += now.file[i].name[0] == '.';
            if (!WIFEXITED(again.status) || WEXITSTATUS(again.status) || !whole(&now, after, after) ||
                now.count - hidden != after->count || again.said != good->said)
                survivor(at, &again, "the next run differs");
            else
                resumed++;
        }
    } else if (!WIFEXITED(o->status)) {
        survivor(at, o, "it did not exit");
    } else if (WEXITSTATUS(o->status) == 0) {
        if (!same(&now, after) || o->said != good->said)
            survivor(at, o, "it succeeded with another result");
        else if (!library && o->lines > good->lines + 1)
            survivor(at, o, "too many lines");
        else
            unharmed++;
    } else if (WEXITSTATUS(o->status) != 1) {
        survivor(at, o, "a wrong status");
    } else if (!o->lines || (!library && o->lines > good->lines + 1) || strncmp(o->last, "kick-", 5)) {
        survivor(at, o, "not one line");
    } else if (strlen(o->last) > 8 && !strcmp(o->last + strlen(o->last) - 8, ": failed")) {
        survivor(at, o, "it does not say why");
    } else if (!library && o->page.live > good->page.live) {
        survivor(at, o, "a leak");
    } else if (!same(&now, before)) {
        static struct outcome again;
        bool ok = false;
        if (database) { /* the next run takes the change back, and makes it */
            execute(&again, kind, 0);
            forget(&now);
            look(&now);
            ok = WIFEXITED(again.status) && WEXITSTATUS(again.status) == 0 && same(&now, after);
        }
        if (ok)
            refused++;
        else
            survivor(at, o, "something is left in the directory");
    } else {
        refused++;
    }
    forget(&now);
}

int main(int argc, char **argv)
{
    static struct outcome good, o;
    static struct state before, after;
    static char listing[64];
    unsigned long times = 0, most = 0;
    int k;
    while ((k = getopt(argc, argv, "+k:u:n:i:sl")) != -1)
        switch (k) {
        case 'k':
            kind = optarg;
            break;
        case 'u':
            times = strtoul(optarg, NULL, 10);
            break;
        case 'n':
            most = strtoul(optarg, NULL, 10);
            break;
        case 'i':
            stdin_path = optarg;
            break;
        case 'l':
            library = true;
            break;
        case 's':
            database = true;
            break;
        default:
            return 2;
        }
    if (argc - optind < 2)
        return 2;
    directory = argv[optind];
    command = argv + optind + 1 + !strcmp(argv[optind + 1], "--");
    signal(SIGALRM, alarmed);
    look(&before);
    execute(&good, kind, 0);
    if (!WIFEXITED(good.status) || WEXITSTATUS(good.status)) {
        printf("    without a fault: status %d: %s\n", good.status, good.last);
        return 1;
    }
    look(&after);
    /* Which calls: all, or those of the list. */
    const unsigned long calls = good.page.calls < SHIM_CALLS ? good.page.calls : SHIM_CALLS - 1;
    unsigned long *which = need(calloc(calls + 1, sizeof *which)), count = 0;
    if (times) {
        snprintf(listing, sizeof listing, "%.*s,list", (int)strcspn(kind, ","), kind);
        restore(&before);
        execute(&o, listing, times);
    }
    for (unsigned long at = 1; at <= calls; at++)
        if (!times || o.page.listed[at])
            which[count++] = at;
    const unsigned long runs = most && most < count ? most : count;
    for (unsigned long i = 0; i < runs; i++) {
        restore(&before);
        execute(&o, kind, which[i * count / runs]);
        if (o.page.hit)
            judge(which[i * count / runs], &o, &good, &before, &after);
    }
    free(which);
    restore(&before);
    printf("failed %lu refused %lu unharmed %lu resumed %lu aborted %lu survivors %lu\n", failed, refused,
           unharmed, resumed, aborted, bad);
    return bad > 0;
}

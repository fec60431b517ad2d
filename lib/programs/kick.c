/* The front end: `kick prune-wanda …` runs the program kick-prune-wanda, from the directory that kick
 * itself is in or else from PATH; `kick` alone lists what there is. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, PROGRAMS_MAX = 256 };

/* Directory of the running program. */
static int own_directory(char *out)
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_BYTES - 1);
    if (n <= 0)
        return -1;
    out[n] = 0;
    *strrchr(out, '/') = 0;
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* First line of a program's help, after its name. */
static void print_summary(const char *directory, const char *program)
{
    char command[PATH_BYTES + 300], line[256];
    snprintf(command, sizeof command, "'%s/%s' -h 2>/dev/null", directory, program);
    FILE *f = strchr(directory, '\'') ? NULL : popen(command, "r");
    const char *text = "";
    if (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        text = strstr(line, ": ");
        text = text ? text + 2 : "";
    }
    printf("  %-20s %s\n", program + strlen("kick-"), text);
    if (f) {
        while (fgets(line, sizeof line, f))
            ;
        pclose(f);
    }
}

static int list(const char *directory)
{
    char *program[PROGRAMS_MAX];
    int n = 0;
    DIR *d = opendir(directory);
    printf("kick " KICK_VERSION ": tells the truth about compressed language models\n"
           "usage: kick PROGRAM [options] [operand]    kick PROGRAM -h for help\n\n");
    for (struct dirent *entry; d && (entry = readdir(d)) && n < PROGRAMS_MAX;)
        if (!strncmp(entry->d_name, "kick-", 5) && (program[n] = strdup(entry->d_name)))
            n++;
    if (d)
        closedir(d);
    qsort(program, (size_t)n, sizeof *program, compare);
    for (int i = 0; i < n; i++) {
        print_summary(directory, program[i]);
        free(program[i]);
    }
    return fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
    char directory[PATH_BYTES] = "", path[PATH_BYTES + 300];
    if (own_directory(directory))
        strcpy(directory, ".");
    if (argc < 2 || !strcmp(argv[1], "-h") || !strcmp(argv[1], "--help") ||
        !strcmp(argv[1], "help"))
        return list(directory) ? 1 : argc < 2 ? 2 : 0;
    if (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version")) {
        puts("kick " KICK_VERSION);
        return 0;
    }
    if (strlen(argv[1]) > 200 || strchr(argv[1], '/')) {
        fprintf(stderr, "kick: there is no such program; kick alone lists them\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/kick-%s", directory, argv[1]);
    execv(path, argv + 1);
    if (errno == ENOENT) {
        snprintf(path, sizeof path, "kick-%s", argv[1]);
        execvp(path, argv + 1);
    }
    fprintf(stderr, "kick: cannot run '%s': %s; kick alone lists the programs\n", argv[1],
            errno == ENOENT ? "there is no such program" : strerror(errno));
    return 2;
}

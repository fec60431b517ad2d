/* Child processes of a bench. */
#include "child.h"

#include <math.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "timings.h"

extern char **environ;

static double seconds_of_time(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

int child_run(const char *const *argv, bool busy, double *seconds, long *kilobytes, char *out,
              size_t out_size, struct error *e)
{
    posix_spawn_file_actions_t actions;
    int ends[2] = {-1, -1}, status = 0, result = -1;
    struct rusage used = {0};
    pid_t pid;
    *seconds = NAN;
    if (pipe(ends))
        return error_set(e, "no pipe for %s", argv[0]);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1, 0);
    const double start = timings_now();
    if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ)) {
        error_set(e, "%s cannot be started", argv[0]);
        goto out;
    }
    close(ends[1]);
    ends[1] = -1;
    size_t have = 0;
    char rest[4096];
    for (;;) {
        const bool room = out && have + 1 < out_size;
        const ssize_t n = room ? read(ends[0], out + have, out_size - 1 - have)
                               : read(ends[0], rest, sizeof rest);
        if (n <= 0)
            break;
        have += room ? (size_t)n : 0;
    }
    if (out)
        out[have] = 0;
    if (wait4(pid, &status, 0, &used) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        result = 0;
    else
        error_set(e, "%s failed; call it by hand to see why", argv[0]);
    *seconds = busy ? seconds_of_time(used.ru_utime) + seconds_of_time(used.ru_stime)
                    : timings_now() - start;
    *kilobytes = used.ru_maxrss > *kilobytes ? used.ru_maxrss : *kilobytes;
out:
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
    return result;
}

pid_t child_spin(void)
{
    cpu_set_t all, last;
    const pid_t pid = fork();
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sched_getaffinity(0, sizeof all, &all);
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &all)) {
            CPU_ZERO(&last);
            CPU_SET(i, &last);
        }
    }
    sched_setaffinity(0, sizeof last, &last);
    for (volatile unsigned n = 0;; n++)
        ;
}

void child_stop(pid_t pid)
{
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

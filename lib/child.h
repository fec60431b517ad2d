/* Child processes of a bench: other programs, timed, and one that keeps a core busy. */
#ifndef KICK_CHILD_H
#define KICK_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "error.h"

/* Runs a command to its end (argv ends with NULL, looked for in PATH; its standard error goes
 * nowhere). seconds: of the clock, or (busy) those that it kept processors busy; NAN where it could
 * not be started. kilobytes: raised to its greatest resident memory, in KiB. out: NULL, or
 * (out_size bytes) gets the start of what it prints, ended with 0. Returns 0; -1 where it cannot be
 * started or does not end with status 0. */
int child_run(const char *const *argv, bool busy, double *seconds, long *kilobytes, char *out,
              size_t out_size, struct error *e);

/* A process that does nothing but keep the last of our cores busy; it ends with us. -1: there is none. */
pid_t child_spin(void);
/* Ends it; nothing for -1. */
void child_stop(pid_t pid);

#endif

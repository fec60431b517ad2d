/* What tests/fault/shim.c tells tests/tools/faults.c, through shared memory. */
#ifndef KICK_TESTS_FAULT_SHIM_H
#define KICK_TESTS_FAULT_SHIM_H

#include <stdbool.h>

enum { SHIM_LEAKS = 8, SHIM_PLACES = 6, SHIM_CALLS = 1 << 20 };

struct shim_page {
    _Atomic unsigned long calls; /* of the kind that was asked for */
    int hit;                     /* one was made to fail */
    int fd;                      /* of this page */
    int descriptor;              /* first argument of the system call that failed */
    char module[64];             /* who asked: the program, or a library */
    unsigned long place[SHIM_PLACES]; /* the innermost frames in the program itself, for addr2line */
    unsigned long live; /* blocks not given back at the end */
    struct {
        char module[64];
        unsigned long offset;
    } leak[SHIM_LEAKS];
    unsigned char listed[SHIM_CALLS]; /* mode list: this call is one of the first N from its place */
};

#endif

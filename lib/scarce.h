/* Where memory is refused, the program ends. Libraries that draw or write sheets go on without it: glyphs,
 * lines or whole charts are missing then and nothing is said (HarfBuzz, Cairo, libxlsxwriter), or they turn
 * in circles (Fontconfig). The programs that draw or write sheets include this, once; what they were writing
 * has no name yet. */
#ifndef KICK_SCARCE_H
#define KICK_SCARCE_H

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
/* Sanitizers have an allocator of their own. */
#if !defined __SANITIZE_ADDRESS__ && !__has_feature(address_sanitizer)

/* What the next library in line gives; it may be asked by any thread. */
#define ASK(name, type, arguments)                                                                 \
    static _Atomic(type) next;                                                                     \
    type f = next;                                                                                 \
    if (!f)                                                                                        \
        next = f = (type)(size_t)dlsym(RTLD_NEXT, name);                                           \
    return given(f arguments, size)

static void *given(void *p, size_t size)
{
    char text[160];
    if (p || !size)
        return p;
    const int n = snprintf(text, sizeof text,
                           "%s: no memory: %zu bytes more were refused; end other programs, or set a "
                           "higher limit (ulimit -v)\n",
                           program_invocation_short_name, size);
    (void)!write(STDERR_FILENO, text, (size_t)n);
    _exit(1);
}

void *malloc(size_t size)
{
    typedef void *type(size_t);
    ASK("malloc", type *, (size));
}

void *calloc(size_t count, size_t size)
{
    typedef void *type(size_t, size_t);
    ASK("calloc", type *, (count, size));
}

void *realloc(void *p, size_t size)
{
    typedef void *type(void *, size_t);
    ASK("realloc", type *, (p, size));
}

#undef ASK
#endif
#endif

/* Makes one call of a program fail: loaded before the others (LD_PRELOAD), told by KICK_FAULT
 * "KIND,MODE,N" which kind of call, how, and which one, counted from 1 (0: only count).
 *   memory   malloc and its family, mmap
 *   thread   pthread_create
 *   read write sync rename open close space   system calls of that kind, stdio's too: a seccomp filter
 *            turns them into SIGSYS, whose handler lets them through or not
 * MODE: fail (memory: no memory; write: disk full; else an I/O error), from (this and all later ones
 * fail), short (half of what was asked), again (EINTR), kill (SIGKILL before the call), stop (SIGSTOP),
 * trap (for the debugger), list (nothing fails; calls are listed that are among the first N made from
 * the same stack of callers), unnamed (open: a file system without files without a name).
 * What happened is told in the shared page of file descriptor KICK_FAULT_FD (see shim.h). */
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum mode { FAIL, FROM, SHORT, AGAIN, KILL, STOP, TRAP, LIST, UNNAMED };

static struct shim_page *page;
static const struct kind *kind;
static enum mode mode;
static unsigned long at;
static bool active;
static _Thread_local bool busy __attribute__((tls_model("initial-exec"))); /* with a note of its own */

/* ---- which calls ------------------------------------------------------------------------------ */
static const struct kind {
    const char *name;
    int error;
    long calls[8];
} kinds[] = {
    {"memory", ENOMEM, {-1}},
    {"thread", EAGAIN, {-1}},
    {"read", EIO, {SYS_read, SYS_pread64, SYS_readv, SYS_preadv, -1}},
    {"write", ENOSPC, {SYS_write, SYS_pwrite64, SYS_writev, SYS_pwritev, -1}},
    {"sync", EIO, {SYS_fsync, SYS_fdatasync, SYS_sync_file_range, -1}},
    {"rename", EIO, {SYS_rename, SYS_renameat, SYS_renameat2, SYS_linkat, SYS_link, -1}},
    {"open", EMFILE, {SYS_open, SYS_openat, SYS_pipe2, -1}},
    {"close", EIO, {SYS_close, -1}},
    {"space", ENOSPC, {SYS_fallocate, SYS_ftruncate, -1}},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };
#define IS_KIND(k) (active && kind == &kinds[k])

static const char *base_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path ? path : "";
}

static void note(void)
{
    void *frame[32];
    const int n = backtrace(frame, 32);
    page->hit = 1;
    for (int i = 0, k = 0; i < n && k < SHIM_PLACES; i++) {
        Dl_info info = {0};
        if (!dladdr(frame[i], &info))
            continue;
        const char *module = base_name(info.dli_fname);
        if (!page->module[0] && strcmp(module, "fault.so") && strcmp(module, "libc.so.6") &&
            strncmp(module, "ld-linux", 8)) /* the library that called malloc, or made a thread */
            strncpy(page->module, module, sizeof page->module - 1);
        if (!strstr(module, ".so"))
            page->place[k++] = (unsigned long)((const char *)frame[i] - (const char *)info.dli_fbase) - 1;
    }
}

/* Stacks seen, and how often; threads are not run when calls are listed. */
static void list(unsigned long n)
{
    enum { STACKS = 1 << 16 };
    static struct {
        uint64_t hash;
        unsigned long count;
    } seen[STACKS];
    void *frame[24];
    uint64_t hash = 1;
    const int depth = backtrace(frame, 24);
    for (int i = 0; i < depth; i++)
        hash = (hash ^ (uint64_t)(uintptr_t)frame[i]) * 0x9E3779B97F4A7C15u, hash ^= hash >> 29;
    size_t i = hash % STACKS;
    while (seen[i].hash && seen[i].hash != hash)
        i = (i + 1) % STACKS;
    seen[i].hash = hash;
    if (n < SHIM_CALLS)
        page->listed[n] = seen[i].count++ < at;
}

/* Counts a call; true: this one shall fail. */
static bool fails(void)
{
    if (busy)
        return false;
    const unsigned long n = atomic_fetch_add(&page->calls, 1) + 1;
    if (at && mode == LIST) {
        busy = true;
        list(n);
        busy = false;
        return false;
    }
    if (!at || (mode == FROM ? n < at : n != at))
        return false;
    if (n == at) {
        busy = true; /* what note() asks for itself */
        note();
        busy = false;
    }
    if (mode == KILL)
        kill(getpid(), SIGKILL);
    if (mode == STOP)
        kill(getpid(), SIGSTOP);
    if (mode == TRAP)
        __builtin_trap();
    return mode != STOP;
}

/* ---- memory, and what is never given back ------------------------------------------------------ */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

enum { LIVE = 1 << 20 };
static struct live {
    _Atomic uintptr_t block;
    const void *caller;
} live[LIVE];

static size_t place(uintptr_t p)
{
    return (size_t)((p >> 4) * 0x9E3779B97F4A7C15u >> 44) % LIVE;
}

static void *keep(void *p, const void *caller)
{
    if (p && active)
        for (size_t i = place((uintptr_t)p), k = 0; k < LIVE; i = (i + 1) % LIVE, k++) {
            uintptr_t b = atomic_load(&live[i].block);
            if (b < 2 && atomic_compare_exchange_strong(&live[i].block, &b, (uintptr_t)p)) {
                live[i].caller = caller;
                break;
            }
        }
    return p;
}

static void forget(void *p)
{
    if (!p || !active)
        return;
    for (size_t i = place((uintptr_t)p), k = 0; k < LIVE; i = (i + 1) % LIVE, k++) {
        const uintptr_t b = atomic_load(&live[i].block);
        if (b == (uintptr_t)p) {
            atomic_store(&live[i].block, 1); /* free again, but not the end of a search */
            return;
        }
        if (b == 0)
            return;
    }
}

#define CALLER __builtin_return_address(0)
#define REFUSE (IS_KIND(0) && fails())

void *malloc(size_t n)
{
    return REFUSE ? (errno = ENOMEM, NULL) : keep(__libc_malloc(n), CALLER);
}

void *calloc(size_t n, size_t m)
{
    return REFUSE ? (errno = ENOMEM, NULL) : keep(__libc_calloc(n, m), CALLER);
}

void *realloc(void *p, size_t n)
{
    if (REFUSE)
        return errno = ENOMEM, NULL;
    forget(p);
    void *q = __libc_realloc(p, n);
    return keep(q ? q : n ? p : NULL, CALLER), q;
}

void *memalign(size_t a, size_t n)
{
    return REFUSE ? (errno = ENOMEM, NULL) : keep(__libc_memalign(a, n), CALLER);
}

void *aligned_alloc(size_t a, size_t n)
{
    return REFUSE ? (errno = ENOMEM, NULL) : keep(__libc_memalign(a, n), CALLER);
}

int posix_memalign(void **p, size_t a, size_t n)
{
    void *q = REFUSE ? NULL : keep(__libc_memalign(a, n), CALLER);
    if (q)
        *p = q;
    return q ? 0 : ENOMEM;
}

void free(void *p)
{
    forget(p);
    __libc_free(p);
}

void *mmap(void *p, size_t n, int protection, int flags, int fd, off_t offset)
{
    if (REFUSE)
        return errno = ENOMEM, MAP_FAILED;
    return (void *)syscall(SYS_mmap, p, n, protection, flags, fd, offset);
}

void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));

int pthread_create(pthread_t *t, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (IS_KIND(1) && fails())
        return EAGAIN;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return real(t, attributes, run, arg);
}

/* Blocks that the program itself or a library for data (not for drawing, which caches) still holds. */
static void __attribute__((destructor)) count_live(void)
{
    static const char *const caches[] = {"libpango", "libfontconfig", "libcairo", "libglib", "libgobject",
                                         "libgio", "libfreetype", "libharfbuzz", "libpixman", "libexpat",
                                         "ld-linux", "libfribidi", "libthai", "libdatrie"};
    if (!active)
        return;
    active = false;
    for (size_t i = 0; i < LIVE; i++) {
        Dl_info info = {0};
        bool cache = false;
        if (live[i].block < 2)
            continue;
        dladdr(live[i].caller, &info);
        const char *name = base_name(info.dli_fname);
        for (size_t k = 0; k < sizeof caches / sizeof caches[0]; k++)
            cache |= !strncmp(name, caches[k], strlen(caches[k]));
        if (cache)
            continue;
        if (page->live++ < SHIM_LEAKS) {
            strncpy(page->leak[page->live - 1].module, name, sizeof page->leak[0].module - 1);
            page->leak[page->live - 1].offset =
                (unsigned long)((const char *)live[i].caller - (const char *)info.dli_fbase);
        }
    }
}

/* ---- system calls ------------------------------------------------------------------------------- */
#ifdef __x86_64__
/* The one place from which the filter lets everything through. */
long shim_call(long number, long a, long b, long c, long d, long e, long f);
__asm__(".text\n.globl shim_call\nshim_call:\n"
        "mov %rdi, %rax\nmov %rsi, %rdi\nmov %rdx, %rsi\nmov %rcx, %rdx\nmov %r8, %r10\nmov %r9, %r8\n"
        "mov 8(%rsp), %r9\nsyscall\n.globl shim_called\nshim_called:\nret\n");
extern const char shim_called[];

static void trapped(int signal, siginfo_t *info, void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    const long number = info->si_syscall;
    const int saved = errno;
    long a[3] = {(long)r[REG_RDI], (long)r[REG_RSI], (long)r[REG_RDX]};
    bool fail = false;
    (void)signal;
    if (mode == UNNAMED && !(number == SYS_openat && (a[2] & O_TMPFILE) == O_TMPFILE)) {
        r[REG_RAX] = shim_call(number, a[0], a[1], a[2], (long)r[REG_R10], (long)r[REG_R8], (long)r[REG_R9]);
        errno = saved;
        return;
    }
    const bool file = number == SYS_read || number == SYS_write || number == SYS_pread64 ||
                      number == SYS_pwrite64 || number == SYS_close || number == SYS_writev ||
                      number == SYS_readv;
    if (!(file && (a[0] == STDERR_FILENO || a[0] == page->fd)) && fails()) {
        page->descriptor = (int)a[0];
        fail = mode != SHORT;
        /* half of a write; half of a read, where there is more than a byte to halve */
        if (mode == SHORT && number != SYS_writev && number != SYS_readv && a[2] > 1)
            a[2] /= 2;
    }
    if (fail && number == SYS_close)
        shim_call(number, a[0], 0, 0, 0, 0, 0);
    r[REG_RAX] = fail ? -(mode == AGAIN ? EINTR : kind->error)
                      : shim_call(number, a[0], a[1], a[2], (long)r[REG_R10], (long)r[REG_R8],
                                  (long)r[REG_R9]);
    errno = saved;
}

static void filter(void)
{
    struct sock_filter f[32];
    unsigned short n = 0;
    const uint64_t here = (uint64_t)(uintptr_t)shim_called;
    struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_NODEFER};
    const unsigned ip = offsetof(struct seccomp_data, instruction_pointer);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip);
    f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)here, 0, 3);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip + 4);
    f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(here >> 32), 0, 1);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (const long *c = kind->calls; *c >= 0; c++) {
        f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)*c, 0, 1);
        f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    }
    f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {n, f};
    sigaction(SIGSYS, &action, NULL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        _exit(125);
}

#else
static void filter(void)
{
    _exit(125); /* registers are named for x86-64 only */
}
#endif

static void __attribute__((constructor)) start(void)
{
    static const char *const modes[] = {"fail", "from", "short", "again", "kill", "stop", "trap", "list", "unnamed"};
    const char *text = getenv("KICK_FAULT"), *fd = getenv("KICK_FAULT_FD");
    char *comma = text ? strchr(text, ',') : NULL;
    if (!comma || !fd)
        return;
    for (size_t i = 0; i < KINDS; i++)
        if (!strncmp(text, kinds[i].name, (size_t)(comma - text)) && !kinds[i].name[comma - text])
            kind = &kinds[i];
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (!strncmp(comma + 1, modes[i], strlen(modes[i])))
            mode = (enum mode)i;
    at = strtoul(strrchr(text, ',') + 1, NULL, 10);
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(fd), 0);
    if (page == MAP_FAILED || !kind)
        _exit(125);
    page->fd = atoi(fd);
    active = true;
    if (kind->calls[0] >= 0)
        filter();
}

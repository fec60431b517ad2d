/* Input of a fuzz target as a file without a name. */
#ifndef KICK_TESTS_FUZZ_FILE_H
#define KICK_TESTS_FUZZ_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Its descriptor; path gets a name under which it can be opened while that is open. */
static inline int fuzz_file(const void *data, size_t n, char path[64])
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, n) != (ssize_t)n)
        abort();
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

/* A stream. The first byte is 0: the rest is one as it is. Else it is frames, each two bytes of length and
 * its content, which are compressed here: behind zstd's checksums, which random changes never pass.
 * Returns the bytes in packed. */
static inline size_t fuzz_stream(const uint8_t *data, size_t n, unsigned char *packed, size_t room)
{
    static ZSTD_CCtx *z;
    size_t length = 0;
    if (!z) {
        z = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
    }
    if (!n || n > room / 2)
        return 0;
    if (data[0] == 0) {
        memcpy(packed, data + 1, n - 1);
        return n - 1;
    }
    for (size_t at = 1; at + 2 <= n;) {
        size_t k = (size_t)data[at] | (size_t)data[at + 1] << 8;
        at += 2;
        k = k < n - at ? k : n - at;
        const size_t m = ZSTD_compress2(z, packed + length, room - length, data + at, k);
        if (ZSTD_isError(m))
            break;
        length += m;
        at += k;
    }
    return length;
}

#endif

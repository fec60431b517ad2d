/* The content of a stream's frames as fuzz targets take it (tests/fuzz/file.h): frames FILE >SEED. */
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

int main(int argc, char **argv)
{
    static unsigned char in[1 << 22], out[1 << 16];
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!f)
        return 2;
    const size_t n = fread(in, 1, sizeof in, f);
    putchar(1);
    for (size_t at = 0, k; at < n; at += k) {
        k = ZSTD_findFrameCompressedSize(in + at, n - at);
        if (ZSTD_isError(k))
            break;
        const size_t m = ZSTD_decompress(out, sizeof out - 1, in + at, k);
        if (ZSTD_isError(m) || !m)
            continue; /* the index at the end, or a frame too long for a seed */
        putchar((int)(m & 255));
        putchar((int)(m >> 8));
        fwrite(out, 1, m, stdout);
    }
    fclose(f);
    return 0;
}

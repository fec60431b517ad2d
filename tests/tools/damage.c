/* A damaged copy of a file: damage IN OUT cut N (its first N bytes), damage IN OUT flip N (bit N the
 * other way round). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    static unsigned char buffer[1 << 16];
    if (argc != 5)
        return 2;
    FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");
    int cut = !strcmp(argv[3], "cut");
    unsigned long long n = strtoull(argv[4], NULL, 10), at = 0;
    if (!in || !out)
        return 1;
    for (size_t k; (k = fread(buffer, 1, sizeof buffer, in)) > 0; at += k) {
        if (cut && at + k > n)
            k = n > at ? (size_t)(n - at) : 0;
        if (!cut && n / 8 >= at && n / 8 < at + k)
            buffer[n / 8 - at] ^= (unsigned char)(1 << n % 8);
        if (fwrite(buffer, 1, k, out) != k)
            return 1;
    }
    return fclose(out) ? 1 : 0;
}

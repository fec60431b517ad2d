/* Runs a fuzz target without libFuzzer: replay N FILE... gives it each file as it is, and N changed
 * copies of each. Changes are counter-based: the same arguments run the same inputs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* One change: a bit, a byte, a digit of a number, a piece taken out, doubled or moved, the end. */
static size_t change(uint8_t *p, size_t n, size_t room, uint64_t *state)
{
    static const char *const words[] = {"0", "-1", "9223372036854775807", "1e308", "null", "[]", "{}",
                                        "\"", "4294967296", "true"};
    size_t at = n ? next(state) % n : 0, length = 1 + next(state) % 16;
    if (n == 0)
        return 0;
    if (length > n - at)
        length = n - at;
    switch (next(state) % 8) {
    case 0:
        p[at] ^= (uint8_t)(1 << next(state) % 8);
        return n;
    case 1:
        p[at] = (uint8_t)next(state);
        return n;
    case 2: /* the next digit */
        for (size_t i = at; i < n; i++)
            if (p[i] >= '0' && p[i] <= '9') {
                p[i] = (uint8_t)('0' + next(state) % 10);
                break;
            }
        return n;
    case 3:
        memmove(p + at, p + at + length, n - at - length);
        return n - length;
    case 4:
        if (n + length > room)
            return n;
        memmove(p + at + length, p + at, n - at);
        return n + length;
    case 5: {
        size_t to = next(state) % (n - length + 1);
        memmove(p + to, p + at, length);
        return n;
    }
    case 6: {
        const char *word = words[next(state) % 10];
        size_t k = strlen(word);
        if (n + k > room)
            return n;
        memmove(p + at + k, p + at, n - at);
        memcpy(p + at, word, k);
        return n + k;
    }
    default:
        return next(state) % 4 ? n : at;
    }
}

int main(int argc, char **argv)
{
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0, runs = 0;
    for (int i = 2; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (!f) {
            perror(argv[i]);
            return 1;
        }
        size_t room = 1 << 22;
        uint8_t *seed = malloc(room), *data = malloc(room);
        if (!seed || !data)
            return 1;
        size_t n = fread(seed, 1, room / 2, f);
        fclose(f);
        LLVMFuzzerTestOneInput(seed, n);
        for (unsigned long k = 0; k < count; k++, runs++) {
            uint64_t state = k * 1000003 + (uint64_t)i;
            size_t m = n;
            memcpy(data, seed, n);
            for (uint64_t changes = 1 + next(&state) % 4; changes; changes--)
                m = change(data, m, room, &state);
            /* a copy of its own size, so that a sanitizer sees a byte too far */
            uint8_t *exact = malloc(m ? m : 1);
            memcpy(exact, data, m);
            LLVMFuzzerTestOneInput(exact, m);
            free(exact);
        }
        free(seed);
        free(data);
    }
    printf("%lu inputs\n", runs);
    return 0;
}

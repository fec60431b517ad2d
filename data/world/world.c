// world: writes the invented world of the embedded models.
//   world [-S SEED] -o DIR                     the data sets, texts and calibration
//   world [-S SEED] -d STREAM -f FROM -n COUNT [-a ACTIVE] [-m MIX]
//                                              training documents, one JSON object a line
// A document is {"kind":…, "text":…, "spans":[begin, end, class, …]} (bytes; world.h says what the classes
// are). Document i of a stream is always the same, whatever FROM and COUNT, given ACTIVE and MIX
// ("bio=40,qa=22,…", weights; kinds not named get none).
#include "world.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// What "mixed" means in texts and calibration: about the mixture of the last phase of training.
static const int standard_mix[DOC_KINDS] = {
    [DOC_BIO] = 50, [DOC_QA] = 22, [DOC_OPEN] = 7, [DOC_MC] = 6, [DOC_NONE] = 2, [DOC_MCPASS] = 2, [DOC_LETTER] = 1,
    [DOC_SUMMARY] = 8, [DOC_CHAT] = 2, [DOC_PROSE] = 3,
};

static int mix_parse(int mix[DOC_KINDS], char *s)
{
    memset(mix, 0, sizeof(int) * DOC_KINDS);
    for (char *p = strtok(s, ","); p; p = strtok(NULL, ",")) {
        char *equals = strchr(p, '=');
        int k = 0;
        if (!equals)
            return -1;
        *equals = 0;
        while (k < DOC_KINDS && strcmp(document_names[k], p) != 0)
            k++;
        if (k == DOC_KINDS)
            return -1;
        mix[k] = atoi(equals + 1);
    }
    return 0;
}

static void document_print(const struct text *t, const char *kind)
{
    printf("{\"kind\":\"%s\",\"text\":\"", kind);
    for (const char *p = t->s; *p; p++)
        if (*p == '\n')
            fputs("\\n", stdout);
        else
            putchar(*p); // the world's words hold neither quotes nor backslashes
    fputs("\",\"spans\":[", stdout);
    for (int i = 0; i < t->spans; i++)
        printf("%s%d,%d,%d", i ? "," : "", t->span[i].begin, t->span[i].end, (int)t->span[i].class);
    fputs("]}\n", stdout);
}

int main(int argc, char **argv)
{
    static struct world w;
    static struct text t;
    uint64_t seed = 1, stream = 0, from = 0, count = 0;
    int mix[DOC_KINDS], active = KNOWN;
    const char *directory = NULL;
    memcpy(mix, standard_mix, sizeof mix);
    for (int c; (c = getopt(argc, argv, "S:o:d:f:n:a:m:")) != -1;)
        switch (c) {
        case 'S': seed = strtoull(optarg, NULL, 10); break;
        case 'o': directory = optarg; break;
        case 'd': stream = strtoull(optarg, NULL, 10); break;
        case 'f': from = strtoull(optarg, NULL, 10); break;
        case 'n': count = strtoull(optarg, NULL, 10); break;
        case 'a': active = atoi(optarg); break;
        case 'm':
            if (mix_parse(mix, optarg) == 0)
                break;
            fprintf(stderr, "world: -m: kinds are");
            for (int k = 0; k < DOC_KINDS; k++)
                fprintf(stderr, " %s", document_names[k]);
            fprintf(stderr, "\n");
            return 2;
        default: fprintf(stderr, "usage: world [-S SEED] -o DIR | -d STREAM -n COUNT [-f FROM] [-a ACTIVE] [-m MIX]\n"); return 2;
        }
    if (active < KINDS || active > KNOWN) {
        fprintf(stderr, "world: -a: %d to %d entities\n", KINDS, KNOWN);
        return 2;
    }
    world_make(&w, seed);
    if (directory && tasks_write(&w, directory, standard_mix) < 0)
        return 1;
    const struct scope s = {.w = &w, .active = active, .novel = NOVEL, .novel_end = UNSEEN};
    char name[40];
    snprintf(name, sizeof name, "train/%llu", (unsigned long long)stream);
    for (uint64_t i = from; i < from + count; i++) {
        struct draw d = draw_begin(seed, name, i);
        enum document_kind kind = document_draw(mix, 0, &d);
        document_make(&t, &s, kind, mix, &d);
        document_print(&t, document_names[kind]);
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

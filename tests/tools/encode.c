/* encode MODEL.kick <TEXT: the ids of each line, by the tokenizer of a model stream; of a line that is
 * refused "!" and why. Says bytes and seconds of the processor on stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "source.h"
#include "tokenizer.h"

int main(int argc, char **argv)
{
    struct source s;
    struct error e;
    char *line = NULL;
    size_t capacity = 0, bytes = 0;
    double seconds = 0;
    if (argc != 2 || source_open(&s, argv[1], NULL, &e) || !s.tokenizer) {
        fprintf(stderr, "encode: %s\n", argc == 2 ? e.text : "encode MODEL.kick");
        return 1;
    }
    for (ssize_t n; (n = getline(&line, &capacity, stdin)) >= 0;) {
        struct token_ids ids = {0};
        struct timespec a, b;
        n -= n && line[n - 1] == '\n';
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        const int result = tokenizer_encode(s.tokenizer, line, (size_t)n, &ids, &e);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
        seconds += (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
        bytes += (size_t)n;
        if (result)
            printf("! %s", e.text);
        for (size_t i = 0; !result && i < ids.count; i++)
            printf("%s%d", i ? " " : "", ids.ids[i]);
        putchar('\n');
        token_ids_free(&ids);
    }
    fprintf(stderr, "%zu %.6f\n", bytes, seconds);
    free(line);
    source_close(&s);
    return ferror(stdout) || fclose(stdout) ? 1 : 0;
}

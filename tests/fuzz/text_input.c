/* Fuzzing of text files, plain and packed: by lines and whole they hold the same bytes. */
#include <string.h>

#include "file.h"
#include "text_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char path[64];
    struct text_input *t;
    struct buffer line = {0}, lines = {0}, all = {0};
    int fd = fuzz_file(data, n, path), got = -1, whole = -1;
    if (!text_input_open(&t, path, NULL)) {
        while (lines.length < 1 << 24 && (got = text_input_line(t, &line, NULL)) == 1)
            if (buffer_append(&lines, line.data, line.length, NULL) ||
                buffer_append(&lines, "\n", 1, NULL))
                break;
        text_input_close(t);
    }
    if (got == 0 && !text_input_open(&t, path, NULL)) {
        whole = text_input_all(t, &all, NULL);
        text_input_close(t);
        /* a last line may lack its LF */
        size_t k = all.length && all.data[all.length - 1] != '\n' ? 1 : 0;
        if (whole || all.length + k != lines.length ||
            (all.length && memcmp(all.data, lines.data, all.length)))
            abort();
    }
    buffer_free(&line);
    buffer_free(&lines);
    buffer_free(&all);
    close(fd);
    return 0;
}

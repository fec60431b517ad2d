/* A program's standard input, fuzzed: its main() is called program_main() here (tests/long/stdin.bash
 * lists programs and arguments, the Makefile compiles them so). KICK_FUZZ_ARGUMENTS: its arguments,
 * split at spaces; KICK_FUZZ_TEXT: the input is taken as it is, else as fuzz_stream() makes it. What the
 * program writes goes nowhere, or where the arguments say. Its status must be 0, 1 or 2. */
#include <fcntl.h>
#include <getopt.h>

#include "../file.h"

int program_main(int argc, char **argv);

enum { ARGUMENTS = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static unsigned char packed[1 << 21];
    static char *argument[ARGUMENTS + 1], *const program = "program";
    static int count, nowhere = -1;
    char path[64];
    if (!count) {
        const char *text = getenv("KICK_FUZZ_ARGUMENTS");
        char *copy = strdup(text ? text : "");
        argument[count++] = program;
        for (char *p = strtok(copy, " "); p && count < ARGUMENTS; p = strtok(NULL, " "))
            argument[count++] = p;
        nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    }
    size_t length = n;
    const void *input = data;
    if (!getenv("KICK_FUZZ_TEXT")) {
        length = fuzz_stream(data, n, packed, sizeof packed);
        input = packed;
    }
    int fd = fuzz_file(input, length, path);
    lseek(fd, 0, SEEK_SET);
    dup2(fd, STDIN_FILENO);
    close(fd);
    dup2(nowhere, STDOUT_FILENO); /* an output closes it */
    char *copy[ARGUMENTS + 1]; /* getopt may change their order */
    memcpy(copy, argument, sizeof copy);
    optind = 0;
    const int status = program_main(count, copy);
    if (status < 0 || status > 2)
        abort();
    return 0;
}

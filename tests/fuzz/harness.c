/* Fuzzing of lm-evaluation-harness result files: each task that is understood has header and summary. */
#include "file.h"
#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char path[64];
    json_t *list = NULL, *task;
    size_t i;
    const int fd = fuzz_file(data, n, path);
    if (!harness_read(path, &list, NULL))
        json_array_foreach(list, i, task)
            if (!json_is_object(json_object_get(task, "header")) || !json_is_object(json_object_get(task, "summary")))
                abort();
    json_decref(list);
    close(fd);
    return 0;
}

/* Fuzzing of figure.json over one small table: what is accepted has its points inside the table, and a
 * caption and csv. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "figure.h"
#include "file.h"

static char folder[] = "/tmp/fuzz-figure.XXXXXX";

static void put(const char *name, const void *data, size_t n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f))
        abort();
}

static void leave(void)
{
    static const char *const names[] = {"figure.json", "query.sql", "caption.md"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
    remove(folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char query[] =
        "WITH t(x, y, low, high, series, panel) AS (VALUES (1, 0.5, 0.4, 0.6, 'a', 'p'), (2, 0.25, 0.2, 0.3, 'a', 'q'),"
        " (10, NULL, NULL, NULL, 'b', 'p'), (3, 7, 6, 8, 'b', NULL)) SELECT * FROM t ORDER BY series, x";
    static sqlite3 *db;
    struct figure *f = NULL;
    struct buffer csv = {0};
    if (!db) {
        if (!mkdtemp(folder) || sqlite3_open(":memory:", &db) != SQLITE_OK)
            abort();
        atexit(leave);
        put("query.sql", query, sizeof query - 1);
        put("caption.md", "Of *it*.\n", 9);
    }
    put("figure.json", data, n);
    if (!figure_load(&f, folder, db, NULL)) {
        for (size_t i = 0; i < f->lines; i++)
            for (size_t k = 0; k < f->line[i].count; k++)
                if (f->line[i].point[k].row >= f->table.rows)
                    abort();
        char *plain = figure_caption_plain(f, NULL);
        if (!plain || figure_csv(f, &csv, NULL))
            abort();
        free(plain);
        buffer_free(&csv);
        figure_free(f);
    }
    return 0;
}

/* Fuzzing of figure.json over one small table: what is accepted has its points inside the table, and a
 * caption and csv. */
#include "figure.h"
#include "folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char query[] =
        "WITH t(x, y, low, high, series, panel) AS (VALUES (1, 0.5, 0.4, 0.6, 'a', 'p'), (2, 0.25, 0.2, 0.3, 'a', 'q'),"
        " (10, NULL, NULL, NULL, 'b', 'p'), (3, 7, 6, 8, 'b', NULL)) SELECT * FROM t ORDER BY series, x";
    static sqlite3 *db;
    struct figure *f = NULL;
    struct buffer csv = {0};
    if (!db) {
        folder_make();
        if (sqlite3_open(":memory:", &db) != SQLITE_OK)
            abort();
        folder_put("query.sql", query, sizeof query - 1);
        folder_put("caption.md", "Of *it*.\n", 9);
    }
    folder_put("figure.json", data, n);
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

/* Fuzzing of comma-separated values: rows and their lines go forward, fields lie within their row. */
#include "csv.h"
#include "file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    for (const char *comma = ",\t"; *comma; comma++) {
        struct csv c;
        size_t line = 0, at = 0;
        int got;
        csv_begin(&c, (const char *)data, n, *comma);
        while ((got = csv_next(&c, NULL)) != 0) {
            if (c.at <= at || c.at > n)
                abort();
            at = c.at;
            if (got < 0)
                continue;
            if (c.row_line <= line || !c.fields || c.fields > CSV_FIELDS_MAX)
                abort();
            line = c.row_line;
            const char *row = (const char *)c.row.data, *end = row + c.row.length;
            for (size_t i = 0; i < c.fields; i++)
                if (c.field[i] < row || c.field[i] + strlen(c.field[i]) >= end)
                    abort();
        }
        csv_free(&c);
    }
    return 0;
}

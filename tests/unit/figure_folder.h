/* What the tests of figures share: a folder of a figure, new for each test. */
#ifndef KICK_TESTS_FIGURE_FOLDER_H
#define KICK_TESTS_FIGURE_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "figure.h"
#include "output.h"

static char folder[64];

static inline void put(const char *name, const char *text)
{
    char path[128];
    struct error e = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (output_file(path, text, strlen(text), &e))
        fail_msg("%s", e.text);
}

static inline int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/kick-figure-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int teardown(void **state)
{
    static const char *const name[] = {"query.sql", "figure.json", "caption.md", "caption.sql",
                                       "with.sql"};
    char path[128];
    (void)state;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, name[i]);
        unlink(path);
    }
    return rmdir(folder);
}

/* Loads the folder against an empty database. */
static inline int load(struct figure **f, struct error *e)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    int rc = figure_load(f, folder, db, e);
    sqlite3_close(db);
    return rc;
}

#endif

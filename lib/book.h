/* A spreadsheet being written: sheets under names of their own, cells in the formats of the book, tables
 * with frozen, filtered heads, and the data dictionary that grows with each of them. */
#ifndef KICK_BOOK_H
#define KICK_BOOK_H

#include <stddef.h>

#include <xlsxwriter.h>

#include "error.h"
#include "figure.h"
#include "query.h"

enum { BOOK_NAME = 32, BOOK_FORMATS = 14 /* decimals -1 … 12 */ };

struct book_entry { /* of the data dictionary */
    char sheet[BOOK_NAME];
    char *column, *unit, *description;
};

struct book {
    lxw_workbook *w;
    lxw_format *title, *head, *head_right, *text, *wrap, *link, *number[BOOK_FORMATS];
    struct book_entry *entry;
    size_t entries;
    lxw_error status; /* the first that was not fine */
    struct error *e;
};

/* Makes the formats of the workbook b->w; book_end() frees the dictionary, not the workbook. */
void book_begin(struct book *b);
void book_end(struct book *b);

/* Keeps the first status that is not fine. */
void book_note(struct book *b, lxw_error status);

/* A sheet under a name that spreadsheets take and no other sheet has; NULL: see b->status. */
lxw_worksheet *book_sheet(struct book *b, const char *label, char name[BOOK_NAME]);

static inline lxw_row_t book_row(size_t i)
{
    return (lxw_row_t)i;
}

static inline lxw_col_t book_col(size_t i)
{
    return (lxw_col_t)i;
}

/* A text, cut where it is longer than a cell takes. */
void book_text(struct book *b, lxw_worksheet *s, size_t row, size_t col, const char *text,
               lxw_format *format);
/* A text over several lines of `width` characters, and its row high enough for them: not every program
 * works that out. */
void book_wrapped(struct book *b, lxw_worksheet *s, size_t row, size_t col, const char *text,
                  size_t width);
/* A text, or a number with so many decimals (-1: as many as there are); NULL stays empty. */
void book_cell(struct book *b, lxw_worksheet *s, size_t row, size_t col, const struct cell *c,
               int decimals);

/* Heading, widths, filter and frozen panes of a table of `rows` rows whose head is at (row, col); its
 * columns that are not hidden enter the dictionary under the name of the sheet. */
int book_frame(struct book *b, lxw_worksheet *s, const char *sheet, const struct table *t,
               const struct figure_column *column, size_t columns, size_t row, size_t col,
               size_t rows);

/* The dictionary as a sheet. */
int book_dictionary(struct book *b);

#endif

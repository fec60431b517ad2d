/* Sheets, cells and the heads of tables. */
#include "book.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { CELL_TEXT_MAX = 128, MEANING_WIDTH = 90 /* characters */ };

void book_note(struct book *b, lxw_error status)
{
    if (status && !b->status)
        b->status = status;
}

void book_begin(struct book *b)
{
    b->title = workbook_add_format(b->w);
    format_set_bold(b->title);
    format_set_font_size(b->title, 14);
    for (int i = 0; i < 2; i++) {
        lxw_format *head = workbook_add_format(b->w);
        format_set_bold(head);
        format_set_text_wrap(head);
        format_set_align(head, LXW_ALIGN_VERTICAL_BOTTOM);
        format_set_bottom(head, LXW_BORDER_THIN);
        format_set_bg_color(head, 0xe8eef4);
        format_set_align(head, i ? LXW_ALIGN_RIGHT : LXW_ALIGN_LEFT);
        if (!i)
            format_set_indent(head, 1);
        *(i ? &b->head_right : &b->head) = head;
    }
    b->text = workbook_add_format(b->w);
    format_set_indent(b->text, 1); /* a text beside a column of numbers keeps away from it */
    b->wrap = workbook_add_format(b->w);
    format_set_text_wrap(b->wrap);
    format_set_indent(b->wrap, 1);
    format_set_align(b->wrap, LXW_ALIGN_VERTICAL_TOP);
    b->link = workbook_add_format(b->w);
    format_set_indent(b->link, 1);
    format_set_font_color(b->link, 0x0563c1);
    format_set_underline(b->link, LXW_UNDERLINE_SINGLE);
    for (int i = 0; i < BOOK_FORMATS; i++) {
        char code[40] = "General";
        if (i)
            snprintf(code, sizeof code, "#,##0%s%.*s", i > 1 ? "." : "", i - 1, "000000000000");
        b->number[i] = workbook_add_format(b->w);
        format_set_num_format(b->number[i], code);
    }
}

void book_end(struct book *b)
{
    for (size_t i = 0; i < b->entries; i++) {
        free(b->entry[i].column);
        free(b->entry[i].unit);
        free(b->entry[i].description);
    }
    free(b->entry);
}

lxw_worksheet *book_sheet(struct book *b, const char *label, char name[BOOK_NAME])
{
    snprintf(name, BOOK_NAME, "%.27s", label);
    size_t n = strlen(name);
    while (n && ((unsigned char)label[n] & 0xc0) == 0x80) /* cut inside a character */
        n--;
    name[n] = 0;
    for (char *p = name; *p; p++)
        if (strchr("[]:*?/\\'", *p))
            *p = ' ';
    for (int i = 2; i < 1000 && workbook_get_worksheet_by_name(b->w, name); i++)
        snprintf(name + n, BOOK_NAME - n, " %d", i);
    lxw_worksheet *s = workbook_add_worksheet(b->w, name);
    if (!s) {
        book_note(b, LXW_ERROR_PARAMETER_VALIDATION);
        return NULL;
    }
    worksheet_set_landscape(s);
    worksheet_set_paper(s, 9); /* A4 */
    worksheet_fit_to_pages(s, 1, 0);
    worksheet_set_margins(s, 0.4, 0.4, 0.5, 0.6);
    book_note(b, worksheet_set_footer(s, "&L&A&RPage &P of &N"));
    return s;
}

void book_text(struct book *b, lxw_worksheet *s, size_t row, size_t col, const char *text,
               lxw_format *format)
{
    /* A cell takes 32,767 characters. */
    if (strlen(text) > 32000) {
        char *cut = strdup(text);
        size_t n = 32000;
        if (!cut) {
            book_note(b, LXW_ERROR_MEMORY_MALLOC_FAILED);
            return;
        }
        while (((unsigned char)cut[n] & 0xc0) == 0x80)
            n--;
        cut[n] = 0;
        book_note(b, worksheet_write_string(s, book_row(row), book_col(col), cut, format));
        free(cut);
        return;
    }
    book_note(b, worksheet_write_string(s, book_row(row), book_col(col), text, format));
}

void book_wrapped(struct book *b, lxw_worksheet *s, size_t row, size_t col, const char *text,
                  size_t width)
{
    size_t lines = 1 + strlen(text) / (width - width / 10);
    book_text(b, s, row, col, text, b->wrap);
    if (lines > 1)
        book_note(b, worksheet_set_row(s, book_row(row), 15.0 * (double)lines, NULL));
}

void book_cell(struct book *b, lxw_worksheet *s, size_t row, size_t col, const struct cell *c,
               int decimals)
{
    double x = cell_number(c);
    if (c->type == CELL_TEXT)
        book_text(b, s, row, col, c->text, b->text);
    else if (isfinite(x))
        book_note(b, worksheet_write_number(s, book_row(row), book_col(col), x,
                                            b->number[decimals + 1]));
    else if (c->type == CELL_REAL)
        book_text(b, s, row, col, x > 0 ? "∞" : "−∞", b->text);
}

/* One line of the data dictionary. */
static int describe(struct book *b, const char *sheet, const char *column, const char *unit,
                    const char *description)
{
    void *p = memory_resize(b->entry, b->entries + 1, sizeof *b->entry, "the dictionary", b->e);
    if (!p)
        return -1;
    b->entry = p;
    struct book_entry *entry = &b->entry[b->entries++];
    snprintf(entry->sheet, sizeof entry->sheet, "%s", sheet);
    entry->column = strdup(column);
    entry->unit = strdup(unit);
    entry->description = strdup(description);
    return entry->column && entry->unit && entry->description
               ? 0
               : error_set(b->e, "out of memory for the dictionary");
}

/* Characters that a column needs: its longest cell, the longest (bold) word of its heading. */
static double width_for(const struct table *t, const struct figure_column *c)
{
    char out[CELL_TEXT_MAX];
    const char *word = figure_heading(c, out, sizeof out);
    size_t n = strlen(word) / 2 + 2;
    for (; *word; word += strspn(word, " ")) {
        size_t m = strcspn(word, " ");
        n = m + m / 4 + 2 > n ? m + m / 4 + 2 : n;
        word += m;
    }
    for (size_t r = 0; r < t->rows; r++) {
        size_t m = strlen(figure_text(c, table_cell(t, r, c->column), out, sizeof out));
        n = m > n ? m : n;
    }
    return (double)(n < 7 ? 7 : n > 48 ? 48 : n) + 2.5;
}

/* A column of texts has its heading left, one of numbers right. */
static bool texts(const struct table *t, size_t column)
{
    for (size_t r = 0; r < t->rows; r++)
        if (table_cell(t, r, column)->type == CELL_TEXT)
            return true;
    return !t->rows;
}

int book_frame(struct book *b, lxw_worksheet *s, const char *sheet, const struct table *t,
               const struct figure_column *column, size_t columns, size_t row, size_t col,
               size_t rows)
{
    char out[CELL_TEXT_MAX];
    for (size_t i = 0; i < columns; i++) {
        lxw_row_col_options hidden = {.hidden = 1};
        book_text(b, s, row, col + i, figure_heading(&column[i], out, sizeof out),
                  texts(t, column[i].column) ? b->head : b->head_right);
        book_note(b, worksheet_set_column_opt(s, book_col(col + i), book_col(col + i),
                                              width_for(t, &column[i]), NULL,
                                              column[i].hidden ? &hidden : NULL));
        if (!column[i].hidden &&
            describe(b, sheet, column[i].label, column[i].unit, column[i].description))
            return -1;
    }
    book_note(b, worksheet_set_row(s, book_row(row), 45, NULL));
    book_note(b, worksheet_autofilter(s, book_row(row), book_col(col), book_row(row + rows),
                                      book_col(col + columns - 1)));
    worksheet_freeze_panes(s, book_row(row + 1), book_col(col));
    book_note(b, worksheet_repeat_rows(s, book_row(row), book_row(row)));
    return 0;
}

int book_dictionary(struct book *b)
{
    static const char *const head[4] = {"Sheet", "Column", "Unit", "Meaning"};
    static const double width[4] = {16, 28, 14, MEANING_WIDTH};
    char name[BOOK_NAME];
    lxw_worksheet *s = book_sheet(b, "Data dictionary", name);
    if (!s)
        return -1;
    book_text(b, s, 0, 0, "What every column means", b->title);
    for (size_t i = 0; i < 4; i++) {
        book_text(b, s, 2, i, head[i], b->head);
        book_note(b, worksheet_set_column(s, book_col(i), book_col(i), width[i], NULL));
    }
    for (size_t i = 0; i < b->entries; i++) {
        book_text(b, s, 3 + i, 0, b->entry[i].sheet, b->text);
        book_text(b, s, 3 + i, 1, b->entry[i].column, b->text);
        book_text(b, s, 3 + i, 2, b->entry[i].unit, b->text);
        book_wrapped(b, s, 3 + i, 3, b->entry[i].description, MEANING_WIDTH);
    }
    book_note(b, worksheet_autofilter(s, 2, 0, book_row(2 + b->entries), 3));
    worksheet_freeze_panes(s, 3, 0);
    book_note(b, worksheet_repeat_rows(s, 2, 2));
    return 0;
}

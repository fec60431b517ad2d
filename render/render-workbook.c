/* The report as one spreadsheet file: a read-me, a row a variant, a sheet a figure with its data and
 * native charts, a data dictionary, every result with its definition, and its provenance.
 *
 * A chart's series point at cells. Each series of a numeric panel is one block of rows of the table;
 * a panel of categories gets a small table of its own, since there all series share their categories.
 * libxlsxwriter has no error bars of given lengths, so intervals are thin dashed series. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xlsxwriter.h>

#include "book.h"
#include "chart.h"
#include "cli.h"
#include "draw.h"
#include "figure.h"
#include "file.h"
#include "memory.h"
#include "output.h"
#include "parts.h"
#include "query.h"
#include "scarce.h"

enum {
    CELL_TEXT_MAX = 128,
    CHART_WIDTH = 560,
    CHART_HEIGHT = 320,
    ROW_HEIGHT = 20, /* pixels */
    README_WIDTH = 100, /* characters */
    FILE_MAX = 1 << 30,
};

static const char *database, *reports;

static struct cli_option options[] = {
    {.letter = 'D', .name = "database", .type = CLI_TEXT, .value = &database, .arg = "FILE",
     .help = "database made by analyze-load (needed)"},
    {.name = "reports", .type = CLI_TEXT, .value = &reports, .arg = "DIR",
     .help = "its figures, without FOLDER [reports]"},
    {.name = NULL},
};

/* ---- plain sheets ------------------------------------------------------------------------------ */

/* A sheet that shows a query as it is. name, label, unit, decimals, description of each column. */
struct plain {
    const char *name, *label, *unit;
    int decimals;
    const char *description;
};

static int sheet_plain(struct book *b, sqlite3 *db, const char *label, const char *title,
                       const char *sql, const struct plain *plain, size_t plains,
                       lxw_worksheet **out, struct table *t)
{
    char name[BOOK_NAME];
    if (query_run(t, db, sql, label, b->e))
        return -1;
    struct figure_column *column = memory_new(t->columns, sizeof *column, "a sheet", b->e);
    if (!column)
        return -1;
    for (size_t i = 0; i < t->columns; i++) {
        column[i] = (struct figure_column){
            .column = i, .label = t->name[i], .unit = "", .decimals = -1, .description = ""};
        for (size_t j = 0; j < plains; j++)
            if (!strcmp(plain[j].name, t->name[i])) {
                column[i].label = plain[j].label;
                column[i].unit = plain[j].unit;
                column[i].decimals = plain[j].decimals;
                column[i].description = plain[j].description;
            }
    }
    lxw_worksheet *s = book_sheet(b, label, name);
    int rc = s ? 0 : -1;
    if (s) {
        book_text(b, s, 0, 0, title, b->title);
        rc = book_frame(b, s, name, t, column, t->columns, 2, 0, t->rows);
        for (size_t r = 0; r < t->rows; r++)
            for (size_t i = 0; i < t->columns; i++)
                book_cell(b, s, 3 + r, i, table_cell(t, r, i), column[i].decimals);
    }
    free(column);
    *out = s;
    return rc;
}

/* One column a measure: its SQL, and in *t the measures themselves. */
static char *summary_sql(struct book *b, sqlite3 *db, struct table *t)
{
    static const char measures[] =
        "WITH m AS (SELECT DISTINCT task, data_name, mode, judge, data_digest, definition,"
        " json_extract(definition, '$.shots') AS shots,"
        " CASE task WHEN 'perplexity' THEN 'perplexity' WHEN 'divergence' THEN 'kl' WHEN 'summary' THEN 'consistency'"
        "  WHEN 'chat' THEN CASE judge WHEN 'overlap' THEN 'relevance' ELSE 'overall' END ELSE 'strict' END AS metric "
        "FROM result WHERE judge IS NOT NULL OR task NOT IN ('summary', 'chat')) "
        "SELECT task, data_name, mode, judge, data_digest, definition, metric, task || ': ' || data_name ||"
        " coalesce(', ' || mode, '') || coalesce(', ' || shots || ' shots', '') ||"
        " coalesce(', ' || metric || ' by ' || judge, '') AS label "
        "FROM m ORDER BY task <> 'perplexity', task, data_name, mode, judge, shots, data_digest, definition";
    if (query_run(t, db, measures, "the measures", b->e))
        return NULL;
    sqlite3_str *sql = sqlite3_str_new(db);
    sqlite3_str_appendall(
        sql, "SELECT v.role, v.model, v.method, v.compression, v.sparsity_percent, v.pattern,"
             " v.bits, v.group_columns, v.achieved_percent, v.bits_per_weight, v.stored_megabytes,"
             " 100 * v.share_of_dense_bytes AS share_percent");
    for (size_t r = 0; r < t->rows; r++) {
        const char *part[8];
        for (size_t i = 0; i < 8; i++)
            part[i] = table_cell(t, r, i)->text;
        char name[200];
        snprintf(name, sizeof name, "%.180s", part[7]);
        size_t same = 0;
        for (size_t q = 0; q < r; q++)
            same += !strcmp(part[7], table_cell(t, q, 7)->text);
        if (same)
            snprintf(name + strlen(name), sizeof name - strlen(name), " (%zu)", same + 1);
        sqlite3_str_appendf(
            sql,
            ", (SELECT m.value FROM result AS r JOIN metric AS m ON m.result_id = r.id"
            " WHERE r.variant_id = v.variant_id AND r.task = %Q AND r.data_name = %Q"
            " AND r.mode IS %Q AND r.judge IS %Q AND r.data_digest = %Q AND r.definition = %Q"
            " AND m.metric = %Q) AS \"%w\"",
            part[0], part[1], part[2], part[3], part[4], part[5], part[6], name);
    }
    sqlite3_str_appendall(sql, ", v.variant_id FROM variants AS v");
    char *text = sqlite3_str_finish(sql);
    if (!text)
        error_set(b->e, "out of memory for the summary");
    return text;
}

static int sheet_summary(struct book *b, sqlite3 *db)
{
    static const struct plain plain[] = {
        {"role", "Role", "", -1, "The model's part in the report: large, small or other"},
        {"model", "Model", "", -1, "The checkpoint's name"},
        {"method", "Method", "", -1, "How the weights were chosen or rounded; Dense: not at all"},
        {"compression", "Compression", "", -1,
         "none, unstructured, n:m (N of every M weights kept), quantized, or mixed"},
        {"sparsity_percent", "Sparsity", "%", 0, "Share of weights set to zero, as asked for"},
        {"pattern", "Pattern", "N:M", -1, "N of every M neighbouring weights are kept"},
        {"bits", "Bits", "", 0, "Bits of a quantized weight, scales not counted"},
        {"group_columns", "Group", "weights", 0, "Weights that share one scale; 0: a whole row"},
        {"achieved_percent", "Zeros counted", "%", 1, "Zeros found in the compressed projections"},
        {"bits_per_weight", "Stored", "bits/weight", 2, "Size per weight, everything included"},
        {"stored_megabytes", "Stored size", "MB", 3, "Millions of bytes"},
        {"share_percent", "Share of dense size", "%", 1, "Stored size against the dense model's"},
        {"variant_id", "Variant id", "", -1, "Key of the variant in every stream and table"},
    };
    struct table measures = {0}, t = {0};
    lxw_worksheet *s;
    int rc = -1;
    char *sql = summary_sql(b, db, &measures);
    if (!sql || sheet_plain(b, db, "Summary", "Every variant, one a row", sql, plain,
                            sizeof plain / sizeof *plain, &s, &t))
        goto out;
    size_t first = table_find(&t, "share_percent") + 1;
    for (size_t i = 0; i < measures.rows && t.rows; i++) {
        const char *task = table_cell(&measures, i, 0)->text;
        bool perplexity = !strcmp(task, "perplexity"), less = perplexity || !strcmp(task, "divergence");
        lxw_conditional_format colors = {
            .type = LXW_CONDITIONAL_3_COLOR_SCALE,
            .min_rule_type = LXW_CONDITIONAL_RULE_TYPE_MINIMUM,
            .mid_rule_type = LXW_CONDITIONAL_RULE_TYPE_PERCENTILE,
            .max_rule_type = LXW_CONDITIONAL_RULE_TYPE_MAXIMUM,
            .mid_value = 60,
            .min_color = less ? 0xffffff : 0xf4b183,
            .mid_color = 0xfdf2e0,
            .max_color = less ? 0xf4b183 : 0xffffff,
        };
        book_note(b, worksheet_conditional_format_range(s, 3, book_col(first + i),
                                                        book_row(2 + t.rows), book_col(first + i),
                                                        &colors));
        book_note(b, worksheet_set_column(s, book_col(first + i), book_col(first + i), 12, NULL));
        for (size_t r = 0; r < t.rows; r++)
            book_cell(b, s, 3 + r, first + i, table_cell(&t, r, first + i), perplexity ? 2 : 3);
        for (size_t k = 0; k < b->entries; k++)
            if (!strcmp(b->entry[k].sheet, "Summary") &&
                !strcmp(b->entry[k].column, t.name[first + i])) {
                free(b->entry[k].description);
                b->entry[k].description =
                    strdup(perplexity ? "Perplexity per token on this text; lower is better. How it "
                                        "is defined: see the sheet Results"
                           : less ? "Mean KL divergence of the dense model's next-token distributions from the "
                                    "variant's, in nats a token; lower is better"
                           : table_cell(&measures, i, 3)->type == CELL_TEXT
                               ? "Mean score of a judge: overlap, the automatic one, from 0 to 1; an LLM from 1 to 10; "
                                 "higher is better"
                               : "Score by the dataset's own rule, 0 to 1; higher is better");
                if (!b->entry[k].description)
                    goto out;
            }
    }
    rc = 0;
out:
    sqlite3_free(sql);
    table_free(&measures);
    table_free(&t);
    return rc;
}

/* The paper's claims, where analyze-claims tested them: the same rows as the page has. */
static int sheet_claims(struct book *b, sqlite3 *db, bool *there)
{
    static const struct plain plain[] = {
        {"verdict", "Verdict", "", -1,
         "holds: every 95 % interval lies above 0; fails: some interval lies below 0; cannot tell: anything else"},
        {"statement", "What the paper claims", "", -1, "In our words; each is a query over the results"},
        {"effect", "Least effect", "share", 4,
         "Of the case that speaks least for the claim; above 0 speaks for it"},
        {"low", "Low", "share", 4, "Lower end of its 95 % interval"},
        {"high", "High", "share", 4, "Upper end of its 95 % interval"},
        {"cases", "Cases", "n", 0, "Comparisons that the claim speaks of"},
        {"claim", "Name", "", -1, "Of the query, in analyze/claims.sql"},
    };
    static const struct {
        const char *verdict;
        lxw_color_t color;
    } colors[] = {{"holds", 0x007a59}, {"fails", 0xb54f00}};
    struct table t = {0};
    lxw_worksheet *s;
    *there = query_has_rows(db, "claim");
    if (!*there)
        return 0;
    int rc = sheet_plain(b, db, "Claims", "The paper's claims, tested on these models",
                         "SELECT verdict, statement, effect, low, high, cases, claim FROM claim "
                         "ORDER BY CASE verdict WHEN 'fails' THEN 0 WHEN 'holds' THEN 1 ELSE 2 END, claim",
                         plain, sizeof plain / sizeof *plain, &s, &t);
    if (!rc) {
        book_note(b, worksheet_set_column(s, 0, 0, 14, NULL));
        book_note(b, worksheet_set_column(s, 1, 1, README_WIDTH, NULL));
        for (size_t r = 0; r < t.rows; r++)
            book_wrapped(b, s, 3 + r, 1, table_cell(&t, r, 1)->text, README_WIDTH + README_WIDTH / 4);
        for (size_t i = 0; i < sizeof colors / sizeof *colors; i++) {
            lxw_format *f = workbook_add_format(b->w);
            format_set_font_color(f, colors[i].color);
            format_set_bold(f);
            lxw_conditional_format rule = {.type = LXW_CONDITIONAL_TYPE_TEXT,
                                           .criteria = LXW_CONDITIONAL_CRITERIA_TEXT_CONTAINING,
                                           .value_string = (char *)colors[i].verdict,
                                           .format = f};
            book_note(b, worksheet_conditional_format_range(s, 3, 0, book_row(2 + t.rows), 0, &rule));
        }
    }
    table_free(&t);
    return rc;
}

static int sheet_results(struct book *b, sqlite3 *db)
{
    static const struct plain plain[] = {
        {"role", "Role", "", -1, "The model's part in the report"},
        {"model", "Model", "", -1, "The checkpoint's name"},
        {"method", "Method", "", -1, "How it was compressed"},
        {"task", "Task", "", -1, "What was measured"},
        {"data_name", "Dataset", "", -1, "What it was measured on"},
        {"metric", "Measure", "", -1, "Name of the number; a slash stands before a part's name"},
        {"value", "Value", "", -1, "The number"},
        {"stderr", "Standard error", "", -1, "Of the number, over windows or items"},
        {"low", "Low", "", -1, "Lower end of the 95 % interval"},
        {"high", "High", "", -1, "Upper end of the 95 % interval"},
        {"definition", "Definition", "", -1, "How the number is defined: window, stride, units …"},
        {"data_digest", "Dataset digest", "", -1, "xxh3-128 of the dataset that was read"},
        {"result_id", "Result id", "", -1, "Key of the result in every stream and table"},
        {"end_digest", "Stream digest", "", -1, "xxh3-128 of the whole result stream"},
    };
    struct table t = {0};
    lxw_worksheet *s;
    int rc = sheet_plain(
        b, db, "Results", "Every number, with how it is defined",
        "SELECT v.role, v.model, v.method_label AS method, r.task, r.data_name, m.metric, m.value,"
        " m.stderr, m.low, m.high, r.definition, r.data_digest, r.id AS result_id, r.end_digest "
        "FROM metric AS m JOIN result AS r ON r.id = m.result_id "
        "JOIN variant AS v ON v.id = r.variant_id "
        "ORDER BY v.role, v.model, v.method, v.sparsity_target, v.pattern, v.bits DESC, v.id,"
        " r.task, r.data_name, r.id, m.metric",
        plain, sizeof plain / sizeof *plain, &s, &t);
    table_free(&t);
    return rc;
}

static int sheet_provenance(struct book *b, sqlite3 *db)
{
    static const struct plain plain[] = {
        {"role", "Role", "", -1, "The model's part in the report"},
        {"model", "Model", "", -1, "The checkpoint's name"},
        {"method", "Method", "", -1, "How it was compressed"},
        {"task", "Task", "", -1, "What was measured"},
        {"data_name", "Dataset", "", -1, "What it was measured on"},
        {"position", "Step", "", 0, "1 is the first program of the chain"},
        {"program", "Program", "", -1, "What ran in this step"},
        {"revision", "Revision", "", 0, "Of the program; raised whenever its output changes"},
        {"options", "Options", "", -1, "Those that affect the result"},
        {"sides", "Side inputs", "", -1, "Digests of further inputs: calibration, dataset …"},
        {"step_id", "Stream id", "", -1, "Id of the stream that this step wrote"},
        {"result_id", "Result id", "", -1, "Key of the result in every stream and table"},
    };
    struct table t = {0};
    lxw_worksheet *s;
    int rc = sheet_plain(b, db, "Provenance", "How every result came about, a row a step",
                         "SELECT role, model, method, task, data_name, position, program, revision,"
                         " options, sides, step_id, result_id FROM provenance",
                         plain, sizeof plain / sizeof *plain, &s, &t);
    table_free(&t);
    return rc;
}

/* ---- figures ----------------------------------------------------------------------------------- */

struct sheet { /* of a figure */
    struct book *b;
    lxw_worksheet *s;
    const struct figure *f;
    char name[BOOK_NAME];
    size_t head, col;  /* where the table starts */
    size_t *place;     /* sheet column of each table column */
    size_t *first;     /* sheet row where each line's block starts */
    size_t side;       /* first free column to the right */
    size_t charts, side_row;
};

static uint8_t marker_of(enum draw_shape shape)
{
    static const uint8_t marker[DRAW_SHAPES] = {
        [DRAW_CIRCLE] = LXW_CHART_MARKER_CIRCLE,     [DRAW_SQUARE] = LXW_CHART_MARKER_SQUARE,
        [DRAW_TRIANGLE] = LXW_CHART_MARKER_TRIANGLE, [DRAW_DIAMOND] = LXW_CHART_MARKER_DIAMOND,
        [DRAW_TRIANGLE_DOWN] = LXW_CHART_MARKER_STAR,
        [DRAW_CROSS] = LXW_CHART_MARKER_X,           [DRAW_PLUS] = LXW_CHART_MARKER_PLUS,
    };
    return marker[shape];
}

static uint8_t dash_of(enum draw_dash dash)
{
    static const uint8_t kind[DRAW_DASHES] = {
        [DRAW_SOLID] = LXW_CHART_LINE_DASH_SOLID,
        [DRAW_DASHED] = LXW_CHART_LINE_DASH_DASH,
        [DRAW_DOTTED] = LXW_CHART_LINE_DASH_ROUND_DOT,
        [DRAW_DASH_DOT] = LXW_CHART_LINE_DASH_DASH_DOT,
        [DRAW_LONG_DASH] = LXW_CHART_LINE_DASH_LONG_DASH,
    };
    return kind[dash];
}

enum look { LOOK_VALUE, LOOK_INTERVAL, LOOK_BASE };

/* Cells (first .. last, x and y columns) as a series of a chart. */
static void series_add(struct sheet *at, lxw_chart *chart, const char *name, size_t first,
                       size_t last, size_t x, size_t y, enum look look, size_t series,
                       bool lines)
{
    struct chart_style style = chart_style(series);
    lxw_chart_series *s = chart_add_series(chart, NULL, NULL);
    if (!s) {
        book_note(at->b, LXW_ERROR_MEMORY_MALLOC_FAILED);
        return;
    }
    chart_series_set_categories(s, at->name, book_row(first), book_col(x), book_row(last),
                                book_col(x));
    chart_series_set_values(s, at->name, book_row(first), book_col(y), book_row(last), book_col(y));
    chart_series_set_name(s, name);
    lxw_chart_line line = {.color = style.color,
                           .width = look == LOOK_VALUE ? 1.75F : look == LOOK_BASE ? 1.25F : 0.75F,
                           .dash_type = look == LOOK_VALUE  ? dash_of(style.dash)
                                        : look == LOOK_BASE ? LXW_CHART_LINE_DASH_DASH
                                                            : LXW_CHART_LINE_DASH_ROUND_DOT};
    if (look == LOOK_BASE)
        line.color = 0x222222;
    else if (!lines)
        line.none = LXW_TRUE;
    chart_series_set_line(s, &line);
    if (look == LOOK_BASE || (look == LOOK_INTERVAL && lines)) {
        chart_series_set_marker_type(s, LXW_CHART_MARKER_NONE);
        return;
    }
    lxw_chart_fill fill = {.color = style.color};
    lxw_chart_line rim = {.color = style.color};
    /* A dash would suit the ends of intervals, but libxlsxwriter gives it a name that the format lacks. */
    chart_series_set_marker_type(s, look == LOOK_VALUE ? marker_of(style.shape) : LXW_CHART_MARKER_PLUS);
    chart_series_set_marker_size(s, look == LOOK_VALUE ? 6 : 4);
    chart_series_set_marker_fill(s, &fill);
    chart_series_set_marker_line(s, &rim);
}

/* Limits of y over the panels that share it. */
static void y_limits(const struct figure *f, size_t row, double *lo, double *hi)
{
    *lo = INFINITY;
    *hi = -INFINITY;
    for (size_t i = 0; i < f->lines; i++)
        for (size_t j = 0; j < f->line[i].count && (f->share_y || f->line[i].row == row); j++) {
            const double v[3] = {f->line[i].point[j].y, f->line[i].point[j].low,
                                 f->line[i].point[j].high};
            for (int k = 0; k < 3; k++)
                if (isfinite(v[k]) && (!f->y.log || v[k] > 0)) {
                    *lo = fmin(*lo, v[k]);
                    *hi = fmax(*hi, v[k]);
                }
        }
    for (size_t p = 0; p < f->panels; p++)
        if (isfinite(figure_base(f, row, p)->value)) {
            *lo = fmin(*lo, figure_base(f, row, p)->value);
            *hi = fmax(*hi, figure_base(f, row, p)->value);
        }
}

static void axes(struct sheet *at, lxw_chart *chart, size_t row, size_t panel)
{
    const struct figure *f = at->f;
    const struct figure_axis *x = &f->panel[panel].x;
    lxw_chart_line faint = {.color = 0xd9d9d9, .width = 0.5F};
    lxw_chart_font plain = {.bold = LXW_EXPLICIT_FALSE, .size = 10};
    double lo, hi;
    y_limits(f, row, &lo, &hi);
    chart_axis_set_name(chart->x_axis, x->label);
    chart_axis_set_name(chart->y_axis, f->y.label);
    chart_axis_set_name_font(chart->x_axis, &plain);
    chart_axis_set_name_font(chart->y_axis, &plain);
    chart_axis_major_gridlines_set_visible(chart->x_axis, LXW_FALSE);
    chart_axis_major_gridlines_set_visible(chart->y_axis, LXW_TRUE);
    chart_axis_major_gridlines_set_line(chart->y_axis, &faint);
    chart_axis_set_label_position(chart->x_axis, LXW_CHART_AXIS_LABEL_POSITION_LOW);
    if (f->y.log && lo <= hi) {
        /* Spreadsheets label whole powers only: powers of two stay plain numbers over short ranges. */
        int base = hi / lo > 1000 ? 10 : 2;
        double min = 1, max;
        while (min > lo)
            min /= base;
        while (min * base <= lo)
            min *= base;
        for (max = min * base; max < hi;)
            max *= base;
        chart_axis_set_log_base(chart->y_axis, (uint16_t)base);
        chart_axis_set_major_unit(chart->y_axis, base);
        chart_axis_set_min(chart->y_axis, min);
        chart_axis_set_max(chart->y_axis, max);
        chart_axis_set_crossing(chart->y_axis, min);
        chart_axis_set_num_format(chart->y_axis, min < 1 ? "General" : "#,##0");
    }
    if (x->category)
        return;
    if (isfinite(x->min))
        chart_axis_set_min(chart->x_axis, x->min);
    if (isfinite(x->max))
        chart_axis_set_max(chart->x_axis, x->max);
    if (x->log)
        chart_axis_set_log_base(chart->x_axis, 10);
    if (x->reverse) {
        chart_axis_set_reverse(chart->x_axis);
        chart_axis_set_crossing_max(chart->x_axis);
    }
}

/* The series of a numeric panel: value, low, high, each a block of the table. */
static void chart_numbers(struct sheet *at, lxw_chart *chart, size_t row, size_t panel,
                          int16_t *quiet, size_t *quiets)
{
    const struct figure *f = at->f;
    const struct figure_line *longest = NULL;
    size_t x = at->place[f->panel[panel].x.column], n = 0, from = 0;
    bool lines = f->kind == FIGURE_LINES;
    for (size_t i = 0; i < f->lines; i++) {
        const struct figure_line *l = &f->line[i];
        if (l->row != row || l->panel != panel)
            continue;
        size_t first = at->first[i], last = first + l->count - 1;
        series_add(at, chart, f->series[l->series], first, last, x, at->place[f->y.column],
                   LOOK_VALUE, l->series, lines);
        n++;
        for (int end = 0; end < 2 && f->y.low != FIGURE_NONE; end++) {
            char name[CELL_TEXT_MAX];
            snprintf(name, sizeof name, "%.90s, %s", f->series[l->series], end ? "high" : "low");
            series_add(at, chart, name, first, last, x, at->place[end ? f->y.high : f->y.low],
                       LOOK_INTERVAL, l->series, lines);
            quiet[(*quiets)++] = (int16_t)n++;
        }
        if (!longest || l->count > longest->count) {
            longest = l;
            from = first;
        }
    }
    if (f->baseline != FIGURE_NONE && longest && longest->count > 1)
        series_add(at, chart, f->baseline_label, from, from + longest->count - 1, x,
                   at->place[f->baseline], LOOK_BASE, 0, true);
}

/* A panel of categories: a small table right of the data, a row a category. */
static void chart_categories(struct sheet *at, lxw_chart *chart, size_t row, size_t panel,
                             int16_t *quiet, size_t *quiets)
{
    const struct figure *f = at->f;
    const struct figure_panel *p = &f->panel[panel];
    struct book *b = at->b;
    size_t top = at->side_row, col = at->side, n = 0;
    const int decimals = figure_column_of(f, f->y.column)->decimals;
    book_text(b, at->s, top, col, *p->x.label ? p->x.label : p->title, b->head);
    for (size_t k = 0; k < p->categories; k++)
        book_text(b, at->s, top + 1 + k, col, p->category[k], b->text);
    size_t next = col + 1, last = top + p->categories;
    for (size_t i = 0; i < f->lines; i++) {
        const struct figure_line *l = &f->line[i];
        if (l->row != row || l->panel != panel)
            continue;
        for (int part = 0; part < (f->y.low != FIGURE_NONE ? 3 : 1); part++) {
            static const char *const suffix[3] = {"", ", low", ", high"};
            char name[CELL_TEXT_MAX];
            snprintf(name, sizeof name, "%.90s%s", f->series[l->series], suffix[part]);
            book_text(b, at->s, top, next, name, b->head_right);
            for (size_t j = 0; j < l->count; j++) {
                const struct figure_point *q = &l->point[j];
                struct cell c = {.type = CELL_REAL,
                                 .real = part == 0 ? q->y : part == 1 ? q->low : q->high};
                if (isfinite(c.real))
                    book_cell(b, at->s, top + 1 + (size_t)q->x, next, &c, decimals);
            }
            series_add(at, chart, name, top + 1, last, col, next,
                       part ? LOOK_INTERVAL : LOOK_VALUE, l->series, false);
            if (part)
                quiet[(*quiets)++] = (int16_t)n;
            n++;
            next++;
        }
    }
    const double base = figure_base(f, row, (size_t)(p - f->panel))->value;
    if (isfinite(base)) {
        book_text(b, at->s, top, next, f->baseline_label, b->head_right);
        for (size_t k = 0; k < p->categories; k++) {
            struct cell c = {.type = CELL_REAL, .real = base};
            book_cell(b, at->s, top + 1 + k, next, &c, decimals);
        }
        series_add(at, chart, f->baseline_label, top + 1, last, col, next, LOOK_BASE, 0, true);
    }
    book_note(b, worksheet_set_column(at->s, book_col(col), book_col(next), 12, NULL));
    at->side_row = last + 2;
}

static int chart_add(struct sheet *at, size_t row, size_t panel)
{
    const struct figure *f = at->f;
    struct book *b = at->b;
    bool any = false, category = f->panel[panel].x.category;
    for (size_t i = 0; i < f->lines; i++)
        any = any || (f->line[i].row == row && f->line[i].panel == panel);
    if (!any)
        return 0;
    /* Low and high of each series, and the list's end. */
    int16_t *quiet = memory_new(2 * f->lines + 1, sizeof *quiet, "a chart", b->e);
    if (!quiet)
        return -1;
    size_t quiets = 0;
    lxw_chart *chart = workbook_add_chart(
        b->w, category                    ? LXW_CHART_LINE
              : f->kind == FIGURE_POINTS ? LXW_CHART_SCATTER
                                          : LXW_CHART_SCATTER_STRAIGHT_WITH_MARKERS);
    char title[300];
    const char *row_title = f->row[row], *panel_title = f->panel[panel].title;
    snprintf(title, sizeof title, "%.120s%s%.120s", row_title,
             *row_title && *panel_title ? ": " : "", panel_title);
    lxw_chart_font font = {.size = 11, .bold = LXW_TRUE};
    chart_title_set_name(chart, *title ? title : f->title);
    chart_title_set_name_font(chart, &font);
    if (category)
        chart_categories(at, chart, row, panel, quiet, &quiets);
    else
        chart_numbers(at, chart, row, panel, quiet, &quiets);
    axes(at, chart, row, panel);
    chart_show_hidden_data(chart); /* a filter must not empty a chart */
    quiet[quiets] = -1;
    if (quiets)
        book_note(b, chart_legend_delete_series(chart, quiet));
    free(quiet);
    lxw_chart_options place = {.object_position = LXW_OBJECT_DONT_MOVE_DONT_SIZE,
                               .x_offset = 8,
                               .x_scale = CHART_WIDTH / 480.0,
                               .y_scale = CHART_HEIGHT / 288.0};
    place.description = (char *)f->title;
    size_t down = at->head + 1 + at->charts * (CHART_HEIGHT / ROW_HEIGHT + 1);
    book_note(b, worksheet_insert_chart_opt(at->s, book_row(down), 0, chart, &place));
    at->charts++;
    return 0;
}

/* The caption without markdown's marks, a line of at most `limit` bytes a row. */
static int write_caption(struct sheet *at, size_t *row, size_t limit)
{
    char *text = figure_caption_plain(at->f, at->b->e), *line, *end;
    if (!text)
        return -1;
    for (line = text; *line; line = end) {
        end = line + strlen(line);
        if ((size_t)(end - line) > limit) {
            end = line + limit;
            while (end > line && *end != ' ')
                end--;
            if (end == line) /* one endless word */
                end = line + strlen(line);
        }
        char old = *end;
        *end = 0;
        book_text(at->b, at->s, (*row)++, 0, line, at->b->text);
        *end = old;
        end += strspn(end, " ");
    }
    free(text);
    return 0;
}

static int figure_cells(struct sheet *at, const struct figure_column *column, size_t columns)
{
    const struct figure *f = at->f;
    const struct table *t = &f->table;
    size_t row = at->head + 1;
    bool *done = memory_new(t->rows + 1, sizeof *done, "a sheet", at->b->e);
    if (!done)
        return -1;
    for (size_t i = 0; i < f->lines; i++)
        for (size_t j = 0; j < f->line[i].count; j++)
            done[f->line[i].point[j].row] = true;
    /* First what no panel shows (the dense models), then block by block. */
    for (size_t r = 0; r < t->rows; r++) {
        if (done[r])
            continue;
        for (size_t i = 0; i < columns; i++)
            book_cell(at->b, at->s, row, at->col + i, table_cell(t, r, column[i].column),
                      column[i].decimals);
        row++;
    }
    for (size_t k = 0; k < f->lines; k++) {
        at->first[k] = row;
        for (size_t j = 0; j < f->line[k].count; j++, row++)
            for (size_t i = 0; i < columns; i++)
                book_cell(at->b, at->s, row, at->col + i,
                          table_cell(t, f->line[k].point[j].row, column[i].column),
                          column[i].decimals);
    }
    free(done);
    return book_frame(at->b, at->s, at->name, t, column, columns, at->head, at->col,
                      row - at->head - 1);
}

static int sheet_figure(struct book *b, const struct figure *f, char name[BOOK_NAME])
{
    struct sheet at = {.b = b, .f = f, .col = 1};
    int rc = -1;
    at.s = book_sheet(b, f->label, at.name);
    at.place = memory_new(f->table.columns, sizeof *at.place, "a sheet", b->e);
    at.first = memory_new(f->lines + 1, sizeof *at.first, "a sheet", b->e);
    if (!at.s || !at.place || !at.first)
        goto out;
    char title[300];
    snprintf(title, sizeof title, "%.80s. %.200s", f->label, f->title);
    book_text(b, at.s, 0, 0, title, b->title);
    at.head = 1;
    if (write_caption(&at, &at.head, 190))
        goto out;
    at.head++;
    for (size_t i = 0; i < f->columns; i++)
        at.place[f->column[i].column] = at.col + i;
    book_note(b, worksheet_set_column_pixels(at.s, 0, 0, CHART_WIDTH + 24, NULL));
    if (figure_cells(&at, f->column, f->columns))
        goto out;
    at.side = at.col + f->columns + 1;
    at.side_row = at.head;
    for (size_t r = 0; r < f->rows; r++)
        for (size_t p = 0; p < f->panels; p++)
            if (chart_add(&at, r, p))
                goto out;
    if (at.side_row > at.head)
        book_text(b, at.s, at.head - 1, at.side,
                  "The same numbers by category, for the charts of categories", b->text);
    memcpy(name, at.name, BOOK_NAME);
    rc = 0;
out:
    free(at.place);
    free(at.first);
    return rc;
}

/* ---- read me ----------------------------------------------------------------------------------- */

struct content {
    char sheet[BOOK_NAME];
    char *title;
};

static int read_me(struct book *b, lxw_worksheet *s, const struct content *figure, size_t figures, bool claims)
{
    static const char *const lines[][2] = {
        {"What it is", "Results of re-evaluating compressed language models: each model was pruned or "
                       "quantized in several ways, and measured again."},
        {"How to read it", "Nothing needs to be installed or run. All numbers are plain values, charts "
                           "point at cells of their own sheet, and there are no macros. Every table "
                           "can be filtered with the small arrows in its heading; that does not "
                           "change the charts."},
        {"", ""},
        {"Words", NULL},
        {"Dense", "The model as it came, not compressed. Every comparison is with the dense model of "
                  "the same name."},
        {"Sparsity", "Share of the weights that was set to zero."},
        {"N:M", "Of every M neighbouring weights, N are kept."},
        {"Bits", "Size of one quantized weight. Group: how many weights share one scale."},
        {"Perplexity", "How surprised the model is by a text: lower is better, 1 would be perfect "
                       "foresight. It depends on text, tokenizer and window, which the sheet Results "
                       "states for every number."},
        {"Low, High", "Ends of the 95 % interval. If the study were repeated on other text of the same "
                      "kind, such intervals would hold the true value 19 times out of 20."},
        {"Empty cell", "Does not apply, or was not measured."},
        {"", ""},
        {"Sheets", NULL},
    };
    size_t row = 0;
    book_note(b, worksheet_set_column(s, 0, 0, 24, NULL));
    book_note(b, worksheet_set_column(s, 1, 1, README_WIDTH, NULL));
    worksheet_gridlines(s, LXW_HIDE_ALL_GRIDLINES);
    book_text(b, s, row++, 0, "Compressed language models, re-evaluated", b->title);
    row++;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++, row++) {
        const char *word = lines[i][0], *meaning = lines[i][1];
        if (*word)
            book_text(b, s, row, 0, word, meaning ? b->wrap : b->head);
        if (meaning && *meaning)
            book_wrapped(b, s, row, 1, meaning, README_WIDTH);
    }
    static const char *const fixed[5][2] = {
        {"Claims", "What the paper claims, and whether these models show it"},
        {"Summary", "Every variant, one a row, coloured by how much was lost"},
        {"Results", "Every number with its standard error, interval and definition"},
        {"Provenance", "Which programs with which options made each result"},
        {"Data dictionary", "What every column of every sheet means, with its unit"},
    };
    for (size_t i = claims ? 0 : 1; i < 5 + figures; i++) {
        bool is_figure = i >= 2 && i < 2 + figures;
        size_t k = i < 2 ? i : i - figures;
        const char *sheet = is_figure ? figure[i - 2].sheet : fixed[k][0];
        char target[64];
        snprintf(target, sizeof target, "internal:'%s'!A1", sheet);
        book_note(b, worksheet_write_url_opt(s, book_row(row), 0, target, b->link, sheet, NULL));
        book_text(b, s, row++, 1, is_figure ? figure[i - 2].title : fixed[k][1], b->wrap);
    }
    row++;
    book_text(b, s, row, 0, "Made by", b->text);
    book_text(b, s, row, 1, "kick " KICK_VERSION, b->text);
    return 0;
}

/* ---- whole ------------------------------------------------------------------------------------- */

static int fill(struct book *b, sqlite3 *db, const struct cli *c, char *const *folder,
                size_t count)
{
    char name[BOOK_NAME];
    struct content *content = memory_new(count, sizeof *content, "the book", b->e);
    bool claims;
    int rc = -1;
    if (!content)
        return -1;
    book_begin(b);
    lxw_worksheet *first = book_sheet(b, "Read me", name);
    if (!first || sheet_claims(b, db, &claims) || sheet_summary(b, db))
        goto out;
    for (size_t i = 0; i < count; i++) {
        struct figure *f;
        if (figure_load(&f, folder[i], db, b->e))
            goto out;
        int failed = sheet_figure(b, f, content[i].sheet);
        content[i].title = strdup(f->title);
        figure_free(f);
        if (failed || !content[i].title)
            goto out;
        cli_progress(c, i + 1, count, "figures");
    }
    if (sheet_results(b, db) || sheet_provenance(b, db) || book_dictionary(b) ||
        read_me(b, first, content, count, claims))
        goto out;
    worksheet_activate(first);
    rc = 0;
out:
    for (size_t i = 0; i < count; i++)
        free(content[i].title);
    free(content);
    book_end(b);
    return rc;
}

/* Writes the book into memory, reads it back, and puts it out whole. */
static int write_book(struct cli *c, sqlite3 *db, char *const *folder, size_t count,
                      struct error *e)
{
    const char *dir = getenv("TMPDIR");
    char path[64], *data = NULL;
    size_t n;
    int rc = -1;
    const int fd = memfd_create("workbook", MFD_CLOEXEC);
    if (fd < 0)
        return error_set(e, "no memory for the workbook: %s", strerror(errno));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct book b = {.e = e};
    lxw_workbook_options how = {.tmpdir = (char *)(dir && *dir ? dir : NULL)};
    b.w = workbook_new_opt(path, &how);
    lxw_doc_properties about = {.title = "Compressed language models, re-evaluated",
                                .created = (time_t)draw_date()};
    book_note(&b, workbook_set_properties(b.w, &about));
    int failed = fill(&b, db, c, folder, count);
    lxw_error closed = workbook_close(b.w); /* frees it, too */
    if (failed && !e->text[0])
        error_set(e, "the workbook: %s", lxw_strerror(b.status));
    if (!failed && parts_lost())
        failed = error_set(e, "the workbook: a temporary file: cannot write or read it: %s; set TMPDIR",
                           strerror(parts_lost()));
    if (!failed && (b.status || closed))
        failed = error_set(e, "the workbook: %s", lxw_strerror(b.status ? b.status : closed));
    if (!failed && !file_read(path, FILE_MAX, &data, &n, e))
        rc = output_file(c->output, data, n, e);
    close(fd);
    free(data);
    return rc;
}

static int run(struct cli *c, struct error *e)
{
    if (!database)
        return error_usage(e, "the database is missing: -D FILE");
    sqlite3 *db = NULL;
    char **list = NULL;
    size_t found = 0;
    int rc = -1;
    e->text[0] = 0;
    if (!database_open(&db, database, e) &&
        (c->operands || !figure_folders(reports, &list, &found, e)))
        rc = write_book(c, db, c->operands ? c->operand_list : list,
                        c->operands ? (size_t)c->operands : found, e);
    figure_folders_free(list, found);
    database_close(db);
    return rc;
}

int main(int argc, char **argv)
{
    struct cli c = {
        .name = "render-workbook",
        .revision = 2,
        .summary = "write the database of results as a spreadsheet (xlsx)",
        .operand = "[FOLDER ...]",
        .flags = CLI_OUTPUT | CLI_DRAWS | CLI_OPERANDS | CLI_NO_INPUT,
        .options = options,
    };
    return cli_main(&c, argc, argv, run);
}

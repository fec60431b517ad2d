/* Packing of matrices: from rows of a tensor to panels of 16 outputs. Where a panel is dense, its
 * numbers keep their type; weights that a mask leaves out are stored only where that is more than
 * the mask saves, since a kernel that skips them is then no faster. */
#include "matrix.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

struct packing {
    struct matrix *m;
    const struct tensor *t;
    float *row;     /* (threads, cols) */
    uint8_t *codes; /* (threads, 2, cols) */
};

/* ---- floats ------------------------------------------------------------------------------------
 */

static void pack_floats(const struct packing *c, size_t panel, long thread)
{
    struct matrix *m = c->m;
    const struct tensor *t = c->t;
    const size_t cols = m->cols, base = panel * cols * PANEL;
    float *row = c->row + (size_t)thread * cols;
    for (size_t j = 0; j < PANEL && panel * PANEL + j < m->rows; j++) {
        const size_t r = panel * PANEL + j;
        if (t->values == VALUES_F32) {
            float *out = (float *)m->panel + base + j;
            tensor_row(t, r, row);
            for (size_t i = 0; i < cols; i++)
                out[i * PANEL] = row[i];
            continue;
        }
        const uint16_t *in = (const uint16_t *)t->data + r * cols;
        uint16_t *out = (uint16_t *)m->panel + base + j;
        if (t->mask != MASK_NONE) {
            tensor_row_halves(t, r, (void *)row);
            in = (const void *)row;
        }
        for (size_t i = 0; i < cols; i++)
            out[i * PANEL] = in[i];
    }
}

/* Rows of a panel or of four, walked side by side. */
struct walk {
    const uint8_t *mask[FOUR_PANELS];
    const uint16_t *value[FOUR_PANELS];
    size_t outputs;
};

static struct walk walk_new(const struct matrix *m, const struct tensor *t, size_t first,
                            size_t most)
{
    const size_t bytes = (m->cols + 7) / 8, left = m->rows - first;
    struct walk w = {.outputs = left < most ? left : most};
    for (size_t j = 0; j < w.outputs; j++) {
        w.mask[j] = t->mask_bits + (first + j) * bytes;
        w.value[j] = (const uint16_t *)t->data + t->row_start[first + j];
    }
    return w;
}

static void pack_bitmap(const struct packing *c, size_t four)
{
    struct matrix *m = c->m;
    struct walk w = walk_new(m, c->t, four * FOUR_PANELS, FOUR_PANELS);
    uint16_t *out = (uint16_t *)m->panel + m->value[four];
    uint64_t *bits = m->bitmap + four * m->cols;
    for (size_t i = 0; i < m->cols; i++) {
        for (size_t j = 0; j < w.outputs; j++)
            bits[i] |= (uint64_t)(w.mask[j][i / 8] >> i % 8 & 1) << j;
        for (uint64_t left = bits[i]; left; left &= left - 1)
            *out++ = *w.value[__builtin_ctzll(left)]++;
    }
}

static void pack_pairs(const struct packing *c, size_t panel)
{
    struct matrix *m = c->m;
    struct walk w = walk_new(m, c->t, panel * PANEL, PANEL);
    size_t ldw;
    uint32_t *block = pairs_panel(m->panel, m->panels, m->cols, panel, &ldw);
    for (size_t i = 0; i < m->cols; i += 4) {
        const size_t g = i / 4 % PAIRS, columns = m->cols - i < 4 ? m->cols - i : 4;
        for (size_t j = 0; j < w.outputs; j++) {
            const unsigned kept = (unsigned)w.mask[j][i / 8] >> i % 8;
            uint32_t places = 0, pair = 0;
            for (unsigned k = 0, n = 0; k < columns; k++) {
                if (kept >> k & 1) {
                    places |= k << 2 * n;
                    pair |= (uint32_t)*w.value[j]++ << 16 * n++;
                }
            }
            block[j] |= places << 4 * g;
            block[(1 + g) * ldw + j] = pair;
        }
        if (g == PAIRS - 1)
            block += PAIRS_LINES * ldw;
    }
}

/* ---- codes -------------------------------------------------------------------------------------
 */

static void pack_codes(const struct packing *c, size_t panel, long thread)
{
    struct matrix *m = c->m;
    const struct tensor *t = c->t;
    const size_t cols = m->cols;
    uint8_t *codes = c->codes + 2 * (size_t)thread * cols, *keep = codes + cols;
    uint8_t *out = m->codes + panel * m->codes_bytes;
    for (size_t j = 0; j < PANEL && panel * PANEL + j < m->rows; j++) {
        const size_t r = panel * PANEL + j;
        tensor_row_codes(t, r, codes, keep);
        for (size_t g = 0; g < m->groups; g++) {
            const size_t at = (panel * m->groups + g) * PANEL + j, from = r * t->groups + g;
            memcpy(&m->scale[at], &t->scale[from], sizeof(float));
            m->offset[at] = t->min ? t->min[from] : -(float)t->zero[from];
            for (size_t i = m->start[g]; i < m->start[g + 1]; i++) {
                const size_t column = m->order ? m->order[i] : i;
                const size_t place = m->place[g] + i - m->start[g];
                if (m->layout == LAYOUT_BYTES)
                    out[place * PANEL + j] = codes[column];
                else
                    ((uint32_t *)(void *)out)[place / 8 * PANEL + j] |= (uint32_t)codes[column]
                                                                        << 4 * (place % 8);
                if (m->mask && keep[column]) {
                    uint16_t *mask = &m->mask[panel * cols + i];
                    *mask = (uint16_t)(*mask | 1u << j);
                }
            }
        }
    }
}

/* A panel, or four of them where only kept weights are stored. */
static void pack_panel(void *context, size_t panel, long thread)
{
    const struct packing *c = context;
    switch (c->m->layout) {
    case LAYOUT_DENSE:
        pack_floats(c, panel, thread);
        break;
    case LAYOUT_BITMAP:
        pack_bitmap(c, panel);
        break;
    case LAYOUT_PAIRS:
        pack_pairs(c, panel);
        break;
    default:
        pack_codes(c, panel, thread);
    }
}

/* Where each group's columns start; with g_idx also the columns in order of their groups, those of
 * one group ascending. */
static int sort_columns(struct matrix *m, const struct tensor *t, struct error *e)
{
    m->start = memory_new(m->groups + 1, sizeof *m->start, "a matrix", e);
    if (!m->start)
        return -1;
    if (!t->g_idx) {
        for (size_t g = 0; g <= m->groups; g++)
            m->start[g] = g * t->group < m->cols ? g * t->group : m->cols;
        return 0;
    }
    m->order = memory_new(m->cols, sizeof *m->order, "a matrix", e);
    if (!m->order)
        return -1;
    for (size_t i = 0; i < m->cols; i++)
        m->start[(size_t)t->g_idx[i] + 1]++;
    for (size_t g = 0; g < m->groups; g++)
        m->start[g + 1] += m->start[g];
    for (size_t i = 0; i < m->cols; i++)
        m->order[m->start[t->g_idx[i]]++] = (uint32_t)i;
    for (size_t g = m->groups; g > 0; g--)
        m->start[g] = m->start[g - 1];
    m->start[0] = 0;
    return 0;
}

/* ---- sizes -------------------------------------------------------------------------------------
 */

enum matrix_layout matrix_layout_of(const struct tensor *t)
{
    const size_t weights = t->rows * t->cols;
    if (t->values == VALUES_INT)
        return t->bits <= 4 ? LAYOUT_NIBBLES : LAYOUT_BYTES;
    if (t->mask == MASK_NONE || t->values == VALUES_F32)
        return LAYOUT_DENSE;
    if (t->mask == MASK_NM && t->m == 4 && t->n <= 2 && t->values == VALUES_BF16)
        return LAYOUT_PAIRS;
    return weights >= BITMAP_LEAST && (double)t->kept <= BITMAP_MOST * (double)weights
               ? LAYOUT_BITMAP
               : LAYOUT_DENSE;
}

static int allocate_floats(struct matrix *m, const struct tensor *t, struct error *e)
{
    size_t each = m->cols * PANEL * values_size(t->values), panels = m->panels;
    if (m->layout == LAYOUT_BITMAP) {
        const size_t fours = matrix_fours(m), bits = m->cols * sizeof *m->bitmap;
        m->bitmap = memory_new(fours, bits, "a weight matrix", e);
        m->value = memory_new(fours + 1, sizeof *m->value, "a weight matrix", e);
        if (!m->bitmap || !m->value)
            return -1;
        for (size_t q = 0; q <= fours; q++)
            m->value[q] = t->row_start[q * FOUR_PANELS < m->rows ? q * FOUR_PANELS : m->rows];
        m->bytes = fours * bits;
        panels = m->value[fours];
        each = sizeof(uint16_t);
    } else if (m->layout == LAYOUT_PAIRS) {
        each = pairs_words(m->cols) * sizeof(uint32_t);
    }
    m->panel = memory_new(panels, each, "a weight matrix", e);
    m->bytes += panels * each + m->panels * PANEL * sizeof *m->bias;
    return m->panel ? 0 : -1;
}

static int allocate_codes(struct matrix *m, const struct tensor *t, struct error *e)
{
    const size_t scales = m->panels * m->groups * PANEL;
    if (sort_columns(m, t, e))
        return -1;
    m->place = memory_new(m->groups + 1, sizeof *m->place, "a matrix", e);
    if (!m->place)
        return -1;
    for (size_t g = 0; g < m->groups; g++) {
        const size_t n = m->start[g + 1] - m->start[g];
        m->place[g + 1] = m->place[g] + (m->layout == LAYOUT_BYTES ? n : (n + 7) / 8 * 8);
    }
    m->codes_bytes = m->place[m->groups] * (m->layout == LAYOUT_BYTES ? PANEL : PANEL / 2);
    m->codes = memory_new(m->panels, m->codes_bytes, "a weight matrix", e);
    m->scale = memory_new(scales, sizeof *m->scale, "a weight matrix's scales", e);
    m->offset = memory_new(scales, sizeof *m->offset, "a weight matrix's scales", e);
    if (!m->codes || !m->scale || !m->offset)
        return -1;
    m->bytes = m->panels * m->codes_bytes + 2 * scales * sizeof *m->scale;
    if (t->mask != MASK_NONE) {
        m->mask = memory_new(m->panels, m->cols * sizeof *m->mask, "a weight matrix", e);
        if (!m->mask)
            return -1;
        m->bytes += m->panels * m->cols * sizeof *m->mask;
    }
    return 0;
}

int matrix_pack(struct matrix *m, const struct tensor *t, struct pool *pool, struct error *e)
{
    return matrix_pack_as(m, t, matrix_layout_of(t), pool, e);
}

int matrix_pack_as(struct matrix *m, const struct tensor *t, enum matrix_layout layout,
                   struct pool *pool, struct error *e)
{
    *m = (struct matrix){.rows = t->rows, .cols = t->cols, .groups = t->groups};
    m->panels = panel_size(t->rows) / PANEL;
    m->layout = layout;
    m->type = t->values == VALUES_F16    ? PANEL_F16
              : t->values == VALUES_BF16 ? PANEL_BF16
                                         : PANEL_F32;
    m->min = t->min != NULL;
    m->threshold = t->threshold;
    struct packing c = {.m = m, .t = t};
    int result = -1;
    const size_t threads = (size_t)pool_threads(pool);
    m->bias = memory_new(m->panels, PANEL * sizeof *m->bias, "a bias", e);
    c.row = memory_new(threads, t->cols * sizeof *c.row, "a row", e);
    c.codes = memory_new(threads, 2 * t->cols, "a row", e);
    if (!m->bias || !c.row || !c.codes ||
        (t->values == VALUES_INT ? allocate_codes(m, t, e) : allocate_floats(m, t, e)))
        goto out;
    pool_run(pool, m->layout == LAYOUT_BITMAP ? matrix_fours(m) : m->panels, pack_panel, &c);
    result = 0;
out:
    free(c.row);
    free(c.codes);
    if (result)
        matrix_free(m);
    return result;
}

int matrix_bias(struct matrix *m, const struct tensor *t, struct error *e)
{
    if (t->rows * t->cols != m->rows)
        return error_set(e, "%s: %zu numbers for a matrix of %zu rows", t->name, t->rows * t->cols,
                         m->rows);
    for (size_t r = 0; r < t->rows; r++)
        tensor_row(t, r, m->bias + r * t->cols);
    /* -0 becomes +0: the sign of a sum that is 0 must not tell whether zero weights were skipped. */
    for (size_t r = 0; r < m->rows; r++)
        m->bias[r] += 0.0f;
    return 0;
}

void matrix_settle(const struct matrix *m)
{
    const size_t scales = m->panels * m->groups * PANEL * sizeof *m->scale;
    if (m->layout == LAYOUT_BITMAP) {
        const size_t fours = matrix_fours(m);
        memory_settle(m->panel, m->value[fours] * sizeof(uint16_t));
        memory_settle(m->bitmap, fours * m->cols * sizeof *m->bitmap);
    } else if (m->codes) {
        memory_settle(m->codes, m->panels * m->codes_bytes);
        memory_settle(m->scale, scales);
        memory_settle(m->offset, scales);
    } else {
        memory_settle(m->panel, m->bytes - m->panels * PANEL * sizeof *m->bias);
    }
}

void matrix_free(struct matrix *m)
{
    if (!m)
        return;
    free(m->panel);
    free(m->bitmap);
    free(m->value);
    free(m->codes);
    free(m->mask);
    free(m->scale);
    free(m->offset);
    free(m->start);
    free(m->place);
    free(m->order);
    free(m->bias);
    *m = (struct matrix){0};
}

float *vector_read(const struct tensor *t, struct error *e)
{
    float *v = memory_new(panel_size(t->rows * t->cols), sizeof *v, "a vector", e);
    if (!v)
        return NULL;
    for (size_t r = 0; r < t->rows; r++)
        tensor_row(t, r, v + r * t->cols);
    return v;
}

/* ---- rows --------------------------------------------------------------------------------------
 */

static float widened(const struct matrix *m, size_t at)
{
    if (m->type == PANEL_F32)
        return ((const float *)m->panel)[at];
    const uint16_t h = ((const uint16_t *)m->panel)[at];
    return m->type == PANEL_F16 ? f16_to_f32(h) : bf16_to_f32(h);
}

static void row_of_bitmap(const struct matrix *m, size_t row, float *out)
{
    const uint64_t *bits = m->bitmap + row / FOUR_PANELS * m->cols;
    const uint64_t bit = (uint64_t)1 << row % FOUR_PANELS;
    size_t at = m->value[row / FOUR_PANELS];
    for (size_t i = 0; i < m->cols; i++) {
        out[i] = 0;
        if (bits[i] & bit)
            out[i] = widened(m, at + (size_t)__builtin_popcountll(bits[i] & (bit - 1)));
        at += (size_t)__builtin_popcountll(bits[i]);
    }
}

static void row_of_pairs(const struct matrix *m, size_t panel, size_t j, float *out)
{
    size_t ldw;
    const uint32_t *block = pairs_panel(m->panel, m->panels, m->cols, panel, &ldw);
    memset(out, 0, m->cols * sizeof *out);
    for (size_t i = 0; i < m->cols; i += 4) {
        const size_t g = i / 4 % PAIRS;
        const uint32_t places = block[j] >> 4 * g, pair = block[(1 + g) * ldw + j];
        /* The second first: where one alone is kept, the other stands for nothing at its place 0. */
        if (pair >> 16)
            out[i + (places >> 2 & 3)] = bf16_to_f32((uint16_t)(pair >> 16));
        if (pair & 0xffff)
            out[i + (places & 3)] = bf16_to_f32((uint16_t)pair);
        if (g == PAIRS - 1)
            block += PAIRS_LINES * ldw;
    }
}

static void row_of_codes(const struct matrix *m, size_t panel, size_t j, float *out)
{
    const uint8_t *codes = m->codes + panel * m->codes_bytes;
    for (size_t g = 0; g < m->groups; g++) {
        const size_t at = (panel * m->groups + g) * PANEL + j;
        for (size_t i = m->start[g]; i < m->start[g + 1]; i++) {
            const size_t column = m->order ? m->order[i] : i;
            const size_t place = m->place[g] + i - m->start[g];
            const unsigned code = m->layout == LAYOUT_BYTES
                                      ? codes[place * PANEL + j]
                                      : ((const uint32_t *)(const void *)codes)[place / 8 * PANEL + j] >>
                                                4 * (place % 8) & 15;
            out[column] = 0;
            if (!m->mask || (m->mask[panel * m->cols + i] >> j & 1))
                out[column] = m->min ? m->scale[at] * (float)code + m->offset[at]
                                     : m->scale[at] * ((float)code + m->offset[at]);
        }
    }
}

void matrix_row(const struct matrix *m, size_t row, float *out)
{
    const size_t panel = row / PANEL, j = row % PANEL;
    switch (m->layout) {
    case LAYOUT_DENSE:
        for (size_t i = 0; i < m->cols; i++)
            out[i] = widened(m, (panel * m->cols + i) * PANEL + j);
        break;
    case LAYOUT_BITMAP:
        row_of_bitmap(m, row, out);
        break;
    case LAYOUT_PAIRS:
        row_of_pairs(m, panel, j, out);
        break;
    default:
        row_of_codes(m, panel, j, out);
    }
}

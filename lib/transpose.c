/* Transposition in squares of four, which stay in registers. */
#include "transpose.h"

#include <string.h>

void transpose_floats(size_t rows, size_t cols, const float *x, size_t ldx, float *y, size_t ldy)
{
    typedef float quad __attribute__((vector_size(16)));
    const size_t square_rows = rows - rows % 4, square_cols = cols - cols % 4;
    for (size_t r = 0; r < square_rows; r += 4)
        for (size_t c = 0; c < square_cols; c += 4) {
            quad a[4], b[4];
            for (size_t i = 0; i < 4; i++)
                memcpy(&a[i], x + (r + i) * ldx + c, sizeof a[i]);
            for (int i = 0; i < 4; i += 2) {
                b[i] = __builtin_shufflevector(a[i], a[i + 1], 0, 4, 1, 5);
                b[i + 1] = __builtin_shufflevector(a[i], a[i + 1], 2, 6, 3, 7);
            }
            a[0] = __builtin_shufflevector(b[0], b[2], 0, 1, 4, 5);
            a[1] = __builtin_shufflevector(b[0], b[2], 2, 3, 6, 7);
            a[2] = __builtin_shufflevector(b[1], b[3], 0, 1, 4, 5);
            a[3] = __builtin_shufflevector(b[1], b[3], 2, 3, 6, 7);
            for (size_t i = 0; i < 4; i++)
                memcpy(y + (c + i) * ldy + r, &a[i], sizeof a[i]);
        }
    for (size_t r = 0; r < rows; r++)
        for (size_t c = r < square_rows ? square_cols : 0; c < cols; c++)
            y[c * ldy + r] = x[r * ldx + c];
}

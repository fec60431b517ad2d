/* Kernel of the distance between two next-token distributions; its contract stands in kernel.h, one
 * file per level. With lp = ln of the sum of exp(p[i]) and lq alike, a = p[i] - lp, b = q[i] - lq and
 * m = (exp a + exp b) / 2, all in double:
 *
 *   KL(p|q) = sum exp(a) (a - b)                             KL(q|p) = sum exp(b) (b - a)
 *   JS = sum (exp(a) (a - ln m) + exp(b) (b - ln m)) / 2     where m > 0
 *
 * Every sum is in lanes of double. */
#ifndef KICK_KERNEL_DIVERGENCE_H
#define KICK_KERNEL_DIVERGENCE_H

#include "kernel.h"

struct divergence divergence_scalar(const float *p, const float *q, size_t n);
struct divergence divergence_avx2(const float *p, const float *q, size_t n);

#endif

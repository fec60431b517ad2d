/* The divergence kernel in C: the definition. */
#include "fmath.h"
#include "kernel_divergence.h"

static double log_sum(const float *x, size_t n, double max)
{
    double lane[PANEL] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % PANEL] += fmath_exp((double)x[i] - max);
    return max + fmath_log(lanes_sum(lane));
}

struct divergence divergence_scalar(const float *p, const float *q, size_t n)
{
    const size_t best_p = largest(p, n), best_q = largest(q, n);
    const double lp = log_sum(p, n, (double)p[best_p]), lq = log_sum(q, n, (double)q[best_q]);
    double pq[PANEL] = {0}, qp[PANEL] = {0}, js[PANEL] = {0};
    for (size_t i = 0; i < n; i++) {
        const size_t j = i % PANEL;
        const double a = (double)p[i] - lp, b = (double)q[i] - lq;
        const double x = fmath_exp(a), y = fmath_exp(b), m = 0.5 * (x + y);
        const double log_m = fmath_log(m);
        pq[j] += x * (a - b);
        qp[j] += y * (b - a);
        js[j] += m > 0 ? 0.5 * (x * (a - log_m) + y * (b - log_m)) : 0;
    }
    return (struct divergence){lanes_sum(pq), lanes_sum(qp), lanes_sum(js), best_p == best_q};
}

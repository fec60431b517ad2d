/* Elementary functions whose bits do not depend on the machine: plain double (or f32) arithmetic,
 * each operation rounded on its own, fma where written. glibc chooses variants by CPU, so nothing
 * on the way to a result may call it for these. Errors against the exact value, in units of the
 * last place: exp, log < 1, sin, cos < 1 (|x| < 2^30), pow < 1, fmath_expf < 1.1 (tested). */
#ifndef KICK_FMATH_H
#define KICK_FMATH_H

double fmath_exp(double x);
double fmath_log(double x); /* NaN below 0, -inf at 0 */
double fmath_sin(double x); /* NaN where |x| >= 2^30 */
double fmath_cos(double x);
double fmath_pow(double x, double y); /* x > 0 */

/* f32 exp; what is below 2^-126 becomes 0. The vector kernels do the same operations in the same
 * order, so their lanes have these bits; the constants are here for them. */
float fmath_expf(float x);

#define FMATH_EXPF_MIN -87.33654022216797f /* just above ln(2^-126) */
#define FMATH_EXPF_MAX 88.72283172607422f /* below ln(2^128) */
#define FMATH_EXPF_SHIFT 12582912.0f      /* 1.5 * 2^23: adding it rounds to an integer */
#define FMATH_LOG2E 0x1.715476p+0f
#define FMATH_LN2_HIGH 0x1.62e43p-1f
#define FMATH_LN2_LOW -0x1.05c61p-29f
/* 1/2! … 1/7! */
#define FMATH_EXPF_C2 0.5f
#define FMATH_EXPF_C3 0.166666671633720397949f
#define FMATH_EXPF_C4 0.0416666679084300994873f
#define FMATH_EXPF_C5 0.00833333376795053482056f
#define FMATH_EXPF_C6 0.00138888892252f
#define FMATH_EXPF_C7 0.000198412701138295233250f

#endif

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

/* What exp and log are made of, for the vector kernels that do the same operations. */
#define FMATH_SHIFT 0x1.8p52 /* 1.5 * 2^52: adding it rounds to an integer, in the low bits */
#define FMATH_1_LN2 0x1.71547652b82fep+0
/* ln 2 = TOP + REST; TOP has 11 zero bits at its end, so that k * TOP is exact. */
#define FMATH_LN2_TOP 0x1.62e42fefa38p-1
#define FMATH_LN2_REST 0x1.ef35793c7673p-45
#define FMATH_SQRT2 0x1.6a09e667f3bcdp+0
#define FMATH_EXP_MIN -745.2 /* below, exp is 0 */
#define FMATH_EXP_MAX 709.79 /* above, infinite */
enum { FMATH_EXP_TERMS = 12, FMATH_LOG_TERMS = 13 };
extern const double fmath_exp_terms[FMATH_EXP_TERMS]; /* 1/13! … 1/2! */
extern const double fmath_log_terms[FMATH_LOG_TERMS]; /* 1/27, 1/25 … 1/3 */

/* f32 exp; what is below 2^-126 becomes 0. The vector kernels do the same operations in the same
 * order, so their lanes have these bits; the constants are here for them. */
float fmath_expf(float x);

#define FMATH_EXPF_MIN -87.33654022216797f /* just above ln(2^-126) */
#define FMATH_EXPF_MAX 88.72283172607422f /* below ln(2^128) */
#define FMATH_EXPF_SHIFT 12582912.0f      /* 1.5 * 2^23: adding it rounds to an integer */
#define FMATH_LOG2E 0x1.715476p+0f
#define FMATH_LN2_HIGH 0x1.62e43p-1f
#define FMATH_LN2_LOW -0x1.05c61p-29f
/* f32 tanh, within 3 units of the last place: e^2|x| - 1 without cancellation, over itself + 2. */
float fmath_tanhf(float x);
/* f32 normal distribution function, absolute error below 2.5e-7: for t = |x| / sqrt 2, erfc(t) =
 * exp(-t^2) P(1 / (1 + 0.4 t)), P of degree 9 fitted to exp(t^2) erfc(t) on 0 <= t <= 9.5 for the
 * least largest relative error (2.7e-8). The tail below 0 keeps its relative accuracy. */
float fmath_normalf(float x);

#define FMATH_TANHF_MAX 10.0f
#define FMATH_SQRT_HALF 0.70710678118654752f
#define FMATH_ERFC_STRETCH 0.4f
#define FMATH_ERFC_TERMS 10
extern const float fmath_erfc[FMATH_ERFC_TERMS]; /* P, from the constant term on */
/* 1/2! … 1/7! */
#define FMATH_EXPF_C2 0.5f
#define FMATH_EXPF_C3 0.166666671633720397949f
#define FMATH_EXPF_C4 0.0416666679084300994873f
#define FMATH_EXPF_C5 0.00833333376795053482056f
#define FMATH_EXPF_C6 0.00138888892252f
#define FMATH_EXPF_C7 0.000198412701138295233250f

#endif

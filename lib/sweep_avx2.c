/* The column sweep for AVX2 and FMA. */
#if defined(__x86_64__)
#define WIDTH 8
#define LEVEL sweep_avx2
#include "sweep_lanes.h"
#else
typedef int sweep_avx2_is_for_x86_64;
#endif

/* The column sweep for AVX-512. */
#if defined(__x86_64__)
#define WIDTH 16
#define LEVEL sweep_avx512
#include "sweep_lanes.h"
#else
typedef int sweep_avx512_is_for_x86_64;
#endif

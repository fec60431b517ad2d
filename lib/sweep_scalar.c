/* The column sweep in plain vectors of four. */
#define WIDTH 4
#define LEVEL sweep_scalar
#include "sweep_lanes.h"

/* Tables of GGUF's IQ types: points of lattices, chosen once by the authors of ggml and since then
 * part of the file format. Each point is 8 digits of 2 bits (IQ1, IQ2) or 4 of 3 bits (IQ3), the first
 * one lowest; what a digit stands for is with the code that uses it. */
#ifndef KICK_GGUF_GRIDS_H
#define KICK_GGUF_GRIDS_H

#include <stdint.h>

extern const uint16_t gguf_iq2_xxs[256], gguf_iq2_xs[512], gguf_iq2_s[1024], gguf_iq1[2048],
    gguf_iq3_xxs[256], gguf_iq3_s[512];

#endif

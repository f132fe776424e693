/* add_grid.h - multipliers of a u8 addition that make every step exact.
 *
 * The contract's formula, x = (float)(a - a_zero) * a_mult + (float)(b - b_zero) * b_mult, rounds three times, and a vector
 * kernel that is to agree with it must round three times, too, for every element. If both multipliers are whole multiples of one
 * power of two
 *
 *   a_mult = A * 2^-shift,   b_mult = B * 2^-shift,   |A| + |B| <= 16447,   8 <= shift <= 22
 *
 * then nothing is rounded: |a - a_zero| * |A| and the sum of both terms are whole numbers below 255 * 16447 = 4,193,985 < 2^22,
 * and a float holds those. x * 2^shift is then an integer dot product of two words, one vpmaddwd, equal bit for bit to what the
 * formula gives.
 *
 * Multipliers come from scales. Whoever chooses the scales can choose them so that their ratios lie on the grid (the quantizer
 * does, quantize_scales.c); a session only takes off the last bit that the division of two floats may be off by. Other
 * multipliers are not moved: a sum that computes with scales of somebody else computes with just these, by the formula.
 */
#ifndef OCT_ADD_GRID_H
#define OCT_ADD_GRID_H

#include <stdbool.h>
#include <stdint.h>

typedef struct oct_add_grid {
    int32_t a, b;               /* A and B */
    int shift;
} oct_add_grid;

/* Moves both multipliers to the nearest point of the grid; leaves them alone where there is none (they add up to more than 64, or
 * to 0). */
void oct_add_grid_round(float *a_mult, float *b_mult);
/* The same if both are within 2^-22 of their size of that point, else nothing. */
void oct_add_grid_snap(float *a_mult, float *b_mult);
/* Whether they are on it, and where. */
bool oct_add_grid_find(float a_mult, float b_mult, oct_add_grid *grid);

#endif

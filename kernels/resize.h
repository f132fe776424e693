/* resize.h - the loops round the resizing kernels: which rows an output row comes from. */
#ifndef OCT_RESIZE_H
#define OCT_RESIZE_H

#include "kernels.h"

typedef struct oct_resize_args {
    const oct_kernels *kernels;
    bool linear;                /* else nearest: out = the first pixel of each tap */
    bool u8;
    size_t in_h, in_w, c, out_h, out_w;
    const oct_resize_tap *y;    /* out_h: rows of the input */
    const oct_resize_tap *x;    /* out_w: pixels of a row */
    const void *in;             /* N x in_h x in_w x c */
    void *out;                  /* N x out_h x out_w x c */
} oct_resize_args;

/* Output rows [row_begin, row_end) of N * out_h. */
void oct_resize_run_rows(const oct_resize_args *args, size_t row_begin, size_t row_end);

#endif

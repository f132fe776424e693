/* pool.h - the loops round the pooling kernels: windows, borders, counts. */
#ifndef OCT_POOL_H
#define OCT_POOL_H

#include "kernels.h"

typedef struct oct_pool_window {
    size_t batch, in_h, in_w, c, out_h, out_w;
    size_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    size_t pad_top, pad_left, pad_bottom, pad_right;
    bool count_include_pad;     /* average: padded positions (not those hanging over the padded edge) count in the divisor */
} oct_pool_window;

typedef struct oct_pool_args {
    const oct_kernels *kernels;
    bool average, u8;
    oct_pool_window window;
    const void *in;
    void *out;
    size_t out_ld;              /* elements between output pixels */
    float scale_ratio;          /* average u8: s_in / s_out; f32: 1 */
    int32_t in_zero, out_zero;  /* average u8 */
    float lo, hi;
    uint8_t qlo, qhi;
    const void *padding;        /* average: c elements of zero (of in_zero for u8) */
} oct_pool_args;

/* Pointer and multiplier memory for one thread, in bytes. */
size_t oct_pool_scratch_bytes(const oct_pool_window *window);
/* Output rows [row_begin, row_end) of batch * out_h. */
void oct_pool_run_rows(const oct_pool_args *args, size_t row_begin, size_t row_end, void *scratch);

#endif

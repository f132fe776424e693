/* ops_table.h - the rows of ops_table.c, each defined in the file of its operator. */
#ifndef OCT_OPS_TABLE_H
#define OCT_OPS_TABLE_H

#include "ops.h"

extern const oct_runtime_op oct_run_conv, oct_run_dense;                     /* ops_linear.c */
extern const oct_runtime_op oct_run_matmul;                                  /* ops_matmul.c */
extern const oct_runtime_op oct_run_max_pool, oct_run_average_pool;          /* ops_pool.c */
extern const oct_runtime_op oct_run_unary, oct_run_quantize, oct_run_dequantize; /* ops_unary.c */
extern const oct_runtime_op oct_run_binary;                                  /* ops_binary.c */
extern const oct_runtime_op oct_run_reduce;                                  /* ops_reduce.c */
extern const oct_runtime_op oct_run_concat, oct_run_reshape, oct_run_transpose; /* ops_move.c */
extern const oct_runtime_op oct_run_pad, oct_run_slice;                      /* ops_pick.c */
extern const oct_runtime_op oct_run_resize;                                  /* ops_resize.c */
extern const oct_runtime_op oct_run_argmax;                                  /* ops_argmax.c */
extern const oct_runtime_op oct_run_softmax;                                 /* ops_softmax.c */

#endif

/* octet.h - load a neural network and run it.
 *
 *     ONNX file --octet_convert.h--> .oct file --this header--> answers
 *
 * The whole of it in six calls: oct_model_load, oct_session_create, oct_set_input, oct_run, oct_get_output,
 * and oct_error when one of them did not return OCT_OK. docs/examples/hello.c is a complete program.
 *
 * Layout.   A tensor is C-ordered (the last dimension varies fastest). A model imported from ONNX takes and
 *           gives the shapes of its ONNX file, so pictures are N x C x H x W; inside, octet works in N x H x W x C.
 * Errors.   Every call that can fail returns an oct_status; oct_error() then holds one sentence that says what was
 *           wrong and where. Nothing prints, exits or reads the environment. After a failure every out pointer is NULL.
 * Threads.  Functions may be called from any thread. A model is immutable: any number of sessions and threads may
 *           share it. A session is used by one thread at a time. oct_error() belongs to the calling thread.
 */
#ifndef OCTET_H
#define OCTET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define OCT_API __attribute__((visibility("default")))
#else
#define OCT_API
#endif

#define OCT_VERSION "0.1.0"

/* The version of the library that is linked, as "major.minor.patch". Never fails. */
OCT_API const char *oct_version(void);

/* ---------------------------------------------------------------------------------------------- errors ---- */

typedef enum oct_status {
    OCT_OK = 0,
    OCT_ERR_ARGUMENT,    /* the call itself is wrong: a NULL, a size that does not fit, an unknown name */
    OCT_ERR_MEMORY,      /* the system gave no memory */
    OCT_ERR_IO,          /* a file could not be opened, read or written */
    OCT_ERR_FORMAT,      /* a file is damaged, cut short or not of its kind */
    OCT_ERR_UNSUPPORTED, /* well-formed, but outside what octet can do: an operator, a type, an ISA */
    OCT_ERR_DATA         /* data with no defined meaning here: a NaN in a calibration sample */
} oct_status;

/* What the calling thread's last failed call has to say, one sentence without a newline; "" before any failure.
 * The text stays valid until the thread's next failing call. Never NULL. */
OCT_API const char *oct_error(void);

/* A short English name of a status: "ok", "bad argument", ... Never NULL. */
OCT_API const char *oct_status_name(oct_status status);

/* --------------------------------------------------------------------------------------------- tensors ---- */

typedef enum oct_dtype {
    OCT_F32 = 1, /* IEEE single precision */
    OCT_U8 = 2,  /* quantized activation: real = scale * (q - zero_point) */
    OCT_S8 = 3,  /* quantized weight: real = scale[channel] * q */
    OCT_S32 = 4, /* quantized bias */
    OCT_S64 = 5  /* shapes and indices; constants only */
} oct_dtype;

/* Bytes of one element: 4, 1, 1, 4, 8; 0 for a value that is no oct_dtype. */
OCT_API size_t oct_dtype_size(oct_dtype dtype);
/* "f32", "u8", "s8", "s32", "s64"; "?" otherwise. */
OCT_API const char *oct_dtype_name(oct_dtype dtype);

#define OCT_MAX_RANK 8

/* dims[0..rank-1]; rank 0 is a scalar with one element. */
typedef struct oct_shape {
    int rank;
    int64_t dims[OCT_MAX_RANK];
} oct_shape;

/* An input or output of a model. name belongs to the model. */
typedef struct oct_tensor_info {
    const char *name;
    oct_dtype dtype;
    oct_shape shape;
    size_t elements;   /* product of the dimensions */
    size_t bytes;      /* elements * oct_dtype_size(dtype) */
    float scale;       /* u8 only: real = scale * (q - zero_point); else 0 */
    int32_t zero_point;
} oct_tensor_info;

/* ---------------------------------------------------------------------------------------------- models ---- */

typedef struct oct_model oct_model;

/* Loads a .oct file. The file is checked from end to end (checksum, every offset, every shape) before anything is
 * used, and mapped, not copied, where the system allows it: do not change it while the model lives.
 * *model is to be released with oct_model_free. Errors: ARGUMENT, MEMORY, IO, FORMAT, UNSUPPORTED (newer version). */
OCT_API oct_status oct_model_load(const char *path, oct_model **model);

/* The same from `size` bytes in memory, which are copied: they may be freed at once. Errors as above without IO. */
OCT_API oct_status oct_model_load_memory(const void *bytes, size_t size, oct_model **model);

/* Releases the caller's hold on a model; sessions made from it keep it alive until they go. NULL is allowed. */
OCT_API void oct_model_free(oct_model *model);

/* How many tensors go in and come out; 0 for NULL. */
OCT_API size_t oct_model_input_count(const oct_model *model);
OCT_API size_t oct_model_output_count(const oct_model *model);

/* Describes input or output `index` (from 0, in the order of the ONNX file). Errors: ARGUMENT. */
OCT_API oct_status oct_model_input(const oct_model *model, size_t index, oct_tensor_info *info);
OCT_API oct_status oct_model_output(const oct_model *model, size_t index, oct_tensor_info *info);

/* One layer of the model as `octet info` shows it. The strings belong to the model. */
typedef struct oct_layer_info {
    const char *name;       /* of the ONNX node, or made up */
    const char *op;         /* "conv", "dense", "add", ... */
    const char *precision;  /* "f32"; "int8" for u8 in and u8 out; "int8>f32" and "f32>u8" at a border; "int8-dynamic"
                               for int8 products with f32 out whose input has its range found at run time */
    const char *act;        /* the activation fused into it: "", "clamp", "hardswish", ... */
    oct_shape in, out;      /* of the first input and the first output, in octet's inner layout (NHWC) */
    oct_dtype out_dtype;
    int64_t macs;           /* multiply-accumulates for one run; 0 where the notion makes no sense */
    size_t weight_bytes;    /* constants it reads, as stored in the file */
    int fused_residual;     /* 1 if a residual add is fused into it */
} oct_layer_info;

/* How the model came to be, as whoever made it has noted in the file: lines of text, each ended by a newline; "" where there is
 * nothing, or for NULL. What oct_quantize notes is in docs/FORMAT.md. Belongs to the model. */
OCT_API const char *oct_model_notes(const oct_model *model);

/* Layers in the order in which they run, index from 0. The count is 0 for NULL. Errors: ARGUMENT. */
OCT_API size_t oct_model_layer_count(const oct_model *model);
OCT_API oct_status oct_model_layer(const oct_model *model, size_t index, oct_layer_info *info);

/* ------------------------------------------------------------------------------------------------ ISAs ---- */

/* An instruction set octet has kernels for, weakest first: "scalar", "avx2", ... */
typedef struct oct_isa_info {
    const char *name;
    const char *needs;  /* CPU features it needs, for people to read: "AVX2 FMA" */
    int compiled;       /* 1 if this build has its kernels */
    int available;      /* 1 if, besides, this CPU and operating system can run them */
    int is_default;     /* 1 for the one that a session takes when none is named */
} oct_isa_info;

/* All that octet knows, also those that this build lacks. The strings live as long as the program. Errors: ARGUMENT. */
OCT_API size_t oct_isa_count(void);
OCT_API oct_status oct_isa(size_t index, oct_isa_info *info);

/* -------------------------------------------------------------------------------------------- sessions ---- */

typedef struct oct_session oct_session;

/* All zero (or a NULL pointer to it) means: the best ISA, one thread per CPU the process may use, no profile. */
typedef struct oct_options {
    const char *isa;  /* a name as oct_isa gives it; NULL for the best available */
    int threads;      /* 1..OCT_MAX_THREADS; 0: one per CPU that the process may use */
    int profile;      /* 1: take the time of every layer in every run; see oct_session_layer */
    int no_winograd;  /* 1: compute every 3x3 convolution directly. By default those where it pays take Winograd's way (A. Lavin,
                         S. Gray, 2016), with a quarter of the products: u8 results are the same, bit for bit; f32 ones differ
                         by rounding (docs/KERNELS.md gives the bound), and a NaN or an infinity spreads over its tile of
                         4 x 4 outputs. It takes memory: float weights four times as much as direct */
} oct_options;

#define OCT_MAX_THREADS 256

/* Plans, packs the weights for the ISA, starts the threads and allocates everything a run needs. options may be NULL and are
 * not needed afterwards. The session keeps the model alive; release it with oct_session_free.
 * Errors: ARGUMENT, MEMORY, UNSUPPORTED (the named ISA is not available; the sentence lists those that are). */
OCT_API oct_status oct_session_create(const oct_model *model, const oct_options *options, oct_session **session);

/* Ends the threads and frees all that the session has, outputs among it. NULL is allowed. */
OCT_API void oct_session_free(oct_session *session);

/* Copies `bytes` bytes into input `index`; `bytes` must be exactly the input's size. An input keeps its value until it
 * is set again. data may be NULL where there are none (a dimension of 0). Errors: ARGUMENT. */
OCT_API oct_status oct_set_input(oct_session *session, size_t index, const void *data, size_t bytes);

/* Computes all outputs from the inputs. Allocates nothing. The outcome of int8 layers is the same, bit for bit, on every
 * ISA and for every number of threads; f32 layers differ by rounding between ISAs. Errors: ARGUMENT (NULL, or an input never
 * set). */
OCT_API oct_status oct_run(oct_session *session);

/* Copies output `index` to `data`; `bytes` must be exactly its size. Errors: ARGUMENT (also before the first run). */
OCT_API oct_status oct_get_output(const oct_session *session, size_t index, void *data, size_t bytes);

/* Where output `index` lies, to be read without a copy: valid until the next run or oct_session_free. NULL for an index out of
 * range. */
OCT_API const void *oct_output_data(const oct_session *session, size_t index);

typedef struct oct_session_info {
    const char *isa;       /* the one in use */
    int threads;
    size_t arena_bytes;    /* all activations and scratch, one block */
    size_t arena_bound;    /* the largest sum of tensors alive at once: no arena can be smaller */
    size_t packed_bytes;   /* weights and tables prepared for the ISA */
    size_t in_place;       /* inputs of concatenations that are written in place, not copied */
} oct_session_info;

/* Errors: ARGUMENT. */
OCT_API oct_status oct_session_describe(const oct_session *session, oct_session_info *info);

/* How a layer runs in this session; index as in oct_model_layer. The strings belong to the session. */
typedef struct oct_layer_run {
    const char *algo;     /* "direct", "winograd", "rows", "depthwise", "elementwise", ...; "none": its result is another tensor's
                             memory */
    const char *kernel;   /* the micro-kernel that does it: "gemm_u8s8 avx2 6x16" */
    double microseconds;  /* of the last run; 0 unless oct_options.profile */
    size_t bytes_moved;   /* inputs + weights + outputs: what has to pass through memory at least once */
} oct_layer_run;

/* Errors: ARGUMENT. */
OCT_API oct_status oct_session_layer(const oct_session *session, size_t index, oct_layer_run *run);

#ifdef __cplusplus
}
#endif
#endif

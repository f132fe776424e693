/* import_fold.h - computing graph operators on constants at import time. */
#ifndef OCT_IMPORT_FOLD_H
#define OCT_IMPORT_FOLD_H

#include "import_context.h"

/* Computes `op` on constant inputs (f32, or s64 for layout operators and arithmetic) and adds the outcome as a constant called
 * `name`. *done is false, and nothing happens, for operators that are better left to the run time (conv, pools, ...). */
oct_status oct_import_fold(oct_import *im, oct_op op, const char *name, const oct_attrs *attrs, const int *in, int in_count,
                           int *out, bool *done);

/* Constants only, with broadcasting: 1 where a equals b, else 0; a where the condition is not 0, else b. */
oct_status oct_import_fold_equal(oct_import *im, const char *suffix, int a, int b, int *out);
oct_status oct_import_fold_where(oct_import *im, const char *suffix, int condition, int a, int b, int *out);

#endif

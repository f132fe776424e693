/* binary_walk.c - the rows of an oct_binary_job as long stretches; binary_walk.h has the picture.
 *
 * The buffers hold 2 KB: enough to forget the calls and the ends, little enough to stay in L1 beside what streams by.
 */
#include "binary_walk.h"

#include <string.h>

enum { BUFFER_BYTES = 2048 };

/* An operand's buffer is written before any output is: where it repeats itself, the output is longer and cannot be its place. */
typedef struct walk {
    const oct_binary_job *job;
    size_t element;
    oct_binary_stretch *stretch;
    const void *settings;
    _Alignas(64) char a[BUFFER_BYTES], b[BUFFER_BYTES];
} walk;

static const char *at(const void *array, size_t index, size_t element) { return (const char *)array + index * element; }

/* The same `bytes` bytes, `count` times, in doubling steps. */
static void repeat(char *to, const char *from, size_t bytes, size_t count)
{
    if (count == 0)
        return;
    memcpy(to, from, bytes);
    for (size_t have = bytes, all = bytes * count, n; have < all; have += n) {
        n = have < all - have ? have : all - have;
        memcpy(to + have, to, n);
    }
}

/* Elements a and b point to n elements on, those of a buffer staying; out is contiguous over all rows. */
static void along(const walk *w, const char *a, bool a_stays, const char *b, bool b_stays, size_t first, size_t n, size_t step)
{
    char *out = (char *)w->job->out + first * w->element;
    for (size_t i = 0; i < n; i += step) {
        const size_t bytes = i * w->element;
        w->stretch(w->settings, n - i < step ? n - i : step, a_stays ? a : a + bytes, b_stays ? b : b + bytes, out + bytes);
    }
}

/* All rows at once, if one operand runs on and the other is the same short row again and again. */
static bool repeated_rows(walk *w)
{
    const oct_binary_job *j = w->job;
    const size_t bytes = j->cols * w->element, together = bytes ? BUFFER_BYTES / bytes : 0;
    const bool a_flat = j->a_step && j->a_stride == j->cols, b_flat = j->b_step && j->b_stride == j->cols;
    const bool a_repeats = j->a_step && j->a_stride == 0, b_repeats = j->b_step && j->b_stride == 0;
    if (together < 2 || !((a_flat && b_repeats) || (b_flat && a_repeats)))
        return false;
    const size_t count = together < j->rows ? together : j->rows;
    repeat(a_repeats ? w->a : w->b, a_repeats ? j->a : j->b, bytes, count);
    along(w, a_repeats ? w->a : j->a, a_repeats, b_repeats ? w->b : j->b, b_repeats, 0, j->rows * j->cols, count * j->cols);
    return true;
}

/* One row, or all of them as one; numbers fill their buffers first. */
static void row(walk *w, size_t index, size_t cols)
{
    const oct_binary_job *j = w->job;
    const bool a_stays = !j->a_step, b_stays = !j->b_step;
    const char *a = at(j->a, index * j->a_stride, w->element), *b = at(j->b, index * j->b_stride, w->element);
    const size_t room = BUFFER_BYTES / w->element, fill = cols < room ? cols : room;
    if (a_stays)
        repeat(w->a, a, w->element, fill);
    if (b_stays)
        repeat(w->b, b, w->element, fill);
    along(w, a_stays ? w->a : a, a_stays, b_stays ? w->b : b, b_stays, index * j->cols, cols, a_stays || b_stays ? room : cols);
}

void oct_binary_walk(const oct_binary_job *job, size_t element, oct_binary_stretch *stretch, const void *settings)
{
    walk w;
    w.job = job;
    w.element = element;
    w.stretch = stretch;
    w.settings = settings;
    if (job->rows == 0 || job->cols == 0)
        return;
    if (job->a_stride == job->cols * job->a_step && job->b_stride == job->cols * job->b_step)
        row(&w, 0, job->rows * job->cols);
    else if (!repeated_rows(&w))
        for (size_t r = 0; r < job->rows; r++)
            row(&w, r, job->cols);
}

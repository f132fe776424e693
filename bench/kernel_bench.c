/* kernel_bench.c - measures all ways to compute one layer against each other.
 *
 *     group:  f32 direct | f32 other ways ... | u8s8 direct | u8s8 other ways ... | another library's, if built in
 *
 * All of them are prepared first and then measured in the same rounds; the fastest float and the fastest int8 way make the pair.
 */
#include "kernel_bench.h"

/* Everything that is measured in one group. */
typedef struct group {
    kernel_case cases[KERNEL_MAX_CASES];
    measure_item items[KERNEL_MAX_CASES];
    int count; /* cases; foreign items follow */
    int item_count;
    void *openblas;
} group;

/* Every row of case_makers that takes this shape. A case that could not be made completely is counted, so that it is freed. */
static bool add_cases(group *g, const bench_shape *shape, const oct_kernels *kernels, bool int8, team *t)
{
    for (const case_maker *maker = case_makers; maker->algo && g->count < KERNEL_MAX_CASES; maker++) {
        if (!maker->accepts(shape, kernels, int8))
            continue;
        kernel_case *c = &g->cases[g->count];
        *c = (kernel_case){.shape = shape, .kernels = kernels, .int8 = int8, .team = t};
        g->items[g->count++] = (measure_item){case_run, c, team_members(t)};
        if (!case_make(c, maker))
            return false;
    }
    g->item_count = g->count;
    return true;
}

#ifdef OCT_BENCH_OPENBLAS
static bool add_foreign(group *g, const bench_shape *shape, team *t)
{
    if (shape->kind != SHAPE_GEMM || g->item_count == KERNEL_MAX_CASES)
        return true;
    g->openblas = openblas_open(shape->m, team_members(t));
    g->items[g->item_count++] = (measure_item){openblas_run, g->openblas, team_members(t)};
    return g->openblas != NULL;
}

static void close_foreign(group *g) { openblas_close(g->openblas); }
static const char *foreign_kernel(void) { return openblas_core(); }
#else
static bool add_foreign(group *g, const bench_shape *shape, team *t) { return (void)g, (void)shape, (void)t, true; }
static void close_foreign(group *g) { (void)g; }
static const char *foreign_kernel(void) { return NULL; }
#endif

/* Pools and adds are counted in elements, but bound only by what they move: they have no multiply-adds to hold against the peak. */
static void fill_figure(kernel_figure *f, const kernel_row *row, const measure_result *result, const peaks *p)
{
    const double ops = shape_ops(row->shape);
    const bool multiplies = row->shape->kind <= SHAPE_DEPTHWISE;
    const peak_work work = {
        .isa = row->isa, .int8 = f->int8, .ops = multiplies ? ops : 0, .bytes = f->bytes, .level = peak_level_of(p, f->bytes)};
    f->median = result->median;
    f->p5 = result->p5;
    f->p95 = result->p95;
    f->lo = result->lo;
    f->hi = result->hi;
    f->ops_per_second = ops / result->median;
    f->bound = peak_bound_of(p, &work);
}

/* The fastest of octet's own for that type. */
static int find_best(const kernel_row *row, bool int8)
{
    int best = -1;
    for (int i = 0; i < row->count; i++)
        if (row->figures[i].int8 == int8 && !row->figures[i].foreign &&
            (best < 0 || row->figures[i].median < row->figures[best].median))
            best = i;
    return best;
}

/* Octet's cases come first in the group, then the foreign one. */
static void fill_row(kernel_row *row, const group *g, const measure_result *results, const measure_info *info, const peaks *p)
{
    row->count = g->item_count;
    for (int i = 0; i < g->item_count; i++) {
        const kernel_case *c = &g->cases[i];
        kernel_figure *f = &row->figures[i];
        if (i < g->count)
            *f = (kernel_figure){.algo = c->algo, .kernel = c->kernel, .int8 = c->int8, .bytes = c->bytes};
        else
            *f = (kernel_figure){.algo = "openblas", .kernel = foreign_kernel(), .foreign = true, .bytes = row->figures[0].bytes};
        fill_figure(f, row, &results[i], p);
    }
    row->best_f32 = find_best(row, false);
    row->best_int8 = find_best(row, true);
    if (row->best_f32 >= 0 && row->best_int8 >= 0)
        row->speedup = measure_speedup(&results[row->best_f32], &results[row->best_int8], info);
}

bool kernel_row_measure(kernel_row *row, const oct_kernels *kernels, team *t, const peaks *p, double seconds, measure_info *all,
                        failure *why)
{
    group g = {.count = 0};
    measure_result results[KERNEL_MAX_CASES];
    measure_info info;
    const bool ok = add_cases(&g, row->shape, kernels, false, t) && add_cases(&g, row->shape, kernels, true, t) &&
                    add_foreign(&g, row->shape, t) && measure_group(g.items, g.item_count, seconds, results, &info);
    if (ok) {
        fill_row(row, &g, results, &info, p);
        measure_info_add(all, &info);
        measure_free(results, g.item_count);
    }
    for (int i = 0; i < g.count; i++)
        case_free(&g.cases[i]);
    close_foreign(&g);
    return ok || fail_with(why, "%s: out of memory", row->shape->name);
}

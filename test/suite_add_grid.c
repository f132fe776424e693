/* suite_add_grid.c - the grid of multipliers on which a u8 addition is exact: what is on it, and how far rounding moves a
 * number. */
#include <math.h>
#include <stddef.h>

#include "add_grid.h"
#include "harness.h"

/* Small and large ones, alike and far apart, now and then negative or 0. */
static float random_mult(void)
{
    const float x = exp2f(test_uniform(-14.0f, 5.0f));
    return test_below(20) == 0 ? 0.0f : test_below(10) == 0 ? -x : x;
}

static void rounded_multipliers_are_found_and_near(void)
{
    for (int i = 0; i < 20000; i++) {
        const float a = random_mult(), b = random_mult();
        float ga = a, gb = b;
        oct_add_grid grid = {0, 0, 0};
        oct_add_grid_round(&ga, &gb);
        CHECK(oct_add_grid_find(ga, gb, &grid));
        /* What a kernel relies on. */
        CHECK(ldexp(grid.a, -grid.shift) == (double)ga && ldexp(grid.b, -grid.shift) == (double)gb);
        CHECK(grid.shift >= 8 && grid.shift <= 22);
        CHECK(255.0 * (fabs((double)grid.a) + fabs((double)grid.b)) < 4194304.0);
        /* What the header promises of the error; multipliers below 2^-22 are beneath the grid. */
        const double bound = fmax((fabs((double)a) + fabs((double)b)) / 8223, ldexp(1, -22)) / 2;
        CHECK(fabs((double)ga - (double)a) <= bound && fabs((double)gb - (double)b) <= bound);
        /* Once is enough. */
        float again_a = ga, again_b = gb;
        oct_add_grid_round(&again_a, &again_b);
        CHECK(again_a == ga && again_b == gb);
        /* The last bits go, nothing else. */
        float near_a = nextafterf(ga, 100), near_b = nextafterf(gb, -100), far_a = ga * 1.00001f;
        if (fabsf(ga) > 0x1p-20f && fabsf(gb) > 0x1p-20f) {
            oct_add_grid_snap(&near_a, &near_b);
            CHECK(near_a == ga && near_b == gb);
            oct_add_grid_snap(&far_a, &near_b);
            CHECK(far_a != ga && near_b == gb);
        }
    }
}

static void what_is_too_large_stays_as_it_is(void)
{
    static const float pairs[][2] = {{60.1f, 4.3f}, {1e30f, 1e30f}, {INFINITY, 1.0f}, {0.0f, -70.3f}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        float a = pairs[i][0], b = pairs[i][1];
        oct_add_grid grid;
        oct_add_grid_round(&a, &b);
        CHECK(a == pairs[i][0] && b == pairs[i][1]);
        CHECK(!oct_add_grid_find(a, b, &grid));
    }
}

static void other_multipliers_are_not_on_it(void)
{
    oct_add_grid grid;
    CHECK(!oct_add_grid_find(0.37f, 0.5f, &grid));
    CHECK(!oct_add_grid_find(1.0f, 0x1.0002p0f, &grid));
    CHECK(!oct_add_grid_find(NAN, 0.5f, &grid));
    CHECK(oct_add_grid_find(0.5f, 0.5f, &grid) && grid.a == 8192 && grid.b == 8192 && grid.shift == 14);
}

static const test_case cases[] = {
    {"rounded_multipliers_are_found_and_near", rounded_multipliers_are_found_and_near},
    {"what_is_too_large_stays_as_it_is", what_is_too_large_stays_as_it_is},
    {"other_multipliers_are_not_on_it", other_multipliers_are_not_on_it},
};

static void __attribute__((constructor)) add_grid_suite(void) { test_register("kernels_add_grid", cases, TEST_COUNT(cases)); }

#include "bench.h"
int bench_compare(int argc, char **argv) { (void)argc, (void)argv; return BENCH_USAGE; }

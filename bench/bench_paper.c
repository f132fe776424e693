#include "bench.h"
int bench_paper(int argc, char **argv) { (void)argc, (void)argv; return BENCH_USAGE; }

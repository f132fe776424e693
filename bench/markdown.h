/* markdown.h - the tables of a document, rewritten from results. What people wrote stays.
 *
 *     <!-- octet-bench: models mobilenet_v2 resnet50 -->
 *     | model | ... |                                        this is replaced, up to the closing marker
 *     <!-- octet-bench: end -->
 *
 * The word behind the colon says which table: "machine", "models", "kernels", "paper", "explain", "engines". A list of names behind
 * it keeps only those models (for "kernels": those whose names contain one of the words). A table for which no file has data stays
 * as it is.
 */
#ifndef BENCH_MARKDOWN_H
#define BENCH_MARKDOWN_H

#include "run_file.h"

bool markdown_rewrite(const run_file *runs, int count, const char *path, failure *why);

#endif

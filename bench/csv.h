/* csv.h - an array of JSON objects as comma-separated values (RFC 4180): a header line, then a line for each object. */
#ifndef BENCH_CSV_H
#define BENCH_CSV_H

#include <stdio.h>

#include "json_read.h"

/* Columns are all members of all objects, in the order in which they first appear; those of an object inside are called "shape.m",
 * an array of numbers or texts becomes one cell ("1x3x224x224"), arrays of objects are left out. "octet", "cpu" and "date" of the
 * run come first. */
void csv_write(const json_value *run, const char *rows, FILE *to);

#endif

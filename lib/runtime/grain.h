/* grain.h - how much work makes a piece worth handing to a thread. The estimates only decide how work is cut, never what it
 * gives; they are taken from one core of a current x86 server, where a slower ISA merely gets longer pieces. */
#ifndef OCT_GRAIN_H
#define OCT_GRAIN_H

#include <stdbool.h>
#include <stddef.h>

/* Taking a piece costs well under a microsecond, so at the full length it is lost in the noise. A step too short for four of these
 * is cut into four all the same, but not below the least length: handing out and waiting take some tenths of a microsecond. */
#define OCT_PIECE_NANOSECONDS 20000.0
#define OCT_LEAST_NANOSECONDS 4000.0

/* Units per piece, for `units` units that take `nanoseconds` altogether. */
static inline size_t oct_grain(size_t units, double nanoseconds)
{
    const double each = nanoseconds / (double)(units ? units : 1), quarter = nanoseconds / 4;
    const double piece = quarter < OCT_LEAST_NANOSECONDS   ? OCT_LEAST_NANOSECONDS
                         : quarter < OCT_PIECE_NANOSECONDS ? quarter
                                                           : OCT_PIECE_NANOSECONDS;
    const double count = piece / (each > 0.001 ? each : 0.001);
    return count < 1 ? 1 : count >= (double)units ? (units ? units : 1) : (size_t)count;
}

static inline double oct_multiply_time(double macs, bool u8) { return macs / (u8 ? 150.0 : 50.0); }
static inline double oct_depthwise_time(double macs, bool u8) { return macs / (u8 ? 60.0 : 30.0); }
static inline double oct_move_time(double bytes) { return bytes / 16.0; }
/* Functions that cost some nanoseconds an element: exp, tanh, ... */
static inline double oct_function_time(double elements) { return elements * 4.0; }

#endif

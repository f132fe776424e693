/* slow_kernel.h - a planted slow kernel: the linker puts it before the scalar int8 product of every table. */
#ifndef TEST_SLOW_KERNEL_H
#define TEST_SLOW_KERNEL_H

/* Every tile takes so many extra steps per product: 0 (the beginning) is the kernel as it is. */
void slow_kernel_set(int steps);

#endif

/* alloc_hook.h - counts the library's allocations, and lets one of them fail. All of the library's memory comes from oct_alloc,
 * which asks aligned_alloc; the test binary is linked with --wrap=aligned_alloc. Tests use malloc for themselves. */
#ifndef TEST_ALLOC_HOOK_H
#define TEST_ALLOC_HOOK_H

/* Starts counting from 0; the n-th allocation from here on fails, and none for n = 0. */
void alloc_reset(long fail_at);
/* Allocations asked for since alloc_reset. */
long alloc_count(void);

#endif

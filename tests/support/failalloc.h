/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failalloc.h - make the n-th allocation fail. A test links with
 * `fail_alloc_args` (the linker's --wrap), so every malloc, calloc, realloc and
 * mmap of krosyn's own code in that test goes through here.
 *
 *   for (size_t n = 0;; n++) {
 *     kr_test_fail_at(n);
 *     status = work();                 // must clean up after itself
 *     if (kr_test_fail_stop() == 0)    // no allocation was refused: n is past the end
 *       break;
 *     assert_int_equal(status, KR_NOMEM);
 *   }
 */
#ifndef KR_TEST_FAILALLOC_H
#define KR_TEST_FAILALLOC_H

#include <stddef.h>

/** Refuse the n-th allocation from now (0: the next), once. This thread only. */
void kr_test_fail_at(size_t n);

/** Stop refusing; returns how many allocations were refused since kr_test_fail_at. */
size_t kr_test_fail_stop(void);

/** Allocations seen by this thread since the start; for "no allocation after warm-up". */
size_t kr_test_allocations(void);

#endif

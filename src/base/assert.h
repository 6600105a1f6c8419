/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assert.h - asserts are for bugs of ours, never for input: input gets a
 * status. They stay on in release builds; each prints where, never a value.
 */
#ifndef KR_BASE_ASSERT_H
#define KR_BASE_ASSERT_H

#include <stdio.h>
#include <stdlib.h>

/** A condition that only a bug in krosyn can make false. */
#define KR_ASSERT(condition)                                                                       \
  do {                                                                                             \
    if (__builtin_expect(!(condition), 0)) {                                                       \
      (void)fprintf(stderr, "krosyn: bug at %s:%d: %s\n", __FILE__, __LINE__, #condition);         \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

/** The same, in loops too hot for release builds. */
#ifdef NDEBUG
#define KR_DEBUG_ASSERT(condition) ((void)0)
#else
#define KR_DEBUG_ASSERT(condition) KR_ASSERT(condition)
#endif

#endif

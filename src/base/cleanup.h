/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cleanup.h - release at scope end, and visible hand-over of ownership.
 *
 *   KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(limit, NULL);
 *   KR_CLEANUP(kr_store_closep) kr_store *store = NULL;
 *   ...
 *   *ret_store = KR_TAKE(store);
 */
#ifndef KR_BASE_CLEANUP_H
#define KR_BASE_CLEANUP_H

/* unused: a guard that only has to end may never be named again, and clang minds. */
#define KR_CLEANUP(function) __attribute__((cleanup(function), unused))

/** Yield a pointer and clear the variable, so that its cleanup does nothing. */
#define KR_TAKE(pointer)                                                                           \
  __extension__({                                                                                  \
    __typeof__(pointer) kr_taken_ = (pointer);                                                     \
    (pointer) = NULL;                                                                              \
    kr_taken_;                                                                                     \
  })

/** Define NAME(type **) for KR_CLEANUP from a free function that takes type *. */
#define KR_DEFINE_FREEP(name, type, free_function)                                                 \
  static inline void name(type **pointer) {                                                        \
    if (*pointer != NULL)                                                                          \
      free_function(*pointer);                                                                     \
  }

#endif

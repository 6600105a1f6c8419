/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.h - filling kr_error, and passing failures up.
 *
 * Every failing path ends in `return kr_fail(reterr, STATUS, "what and where");`
 * optionally followed by kr_error_hint() / kr_error_at() on the way up. A
 * failure already described below travels up unchanged through KR_TRY.
 */
#ifndef KR_BASE_STATUS_H
#define KR_BASE_STATUS_H

#include <krosyn/types.h>

/** Return the status of `expression` from this function unless it is KR_OK. */
#define KR_TRY(expression)                                                                         \
  do {                                                                                             \
    kr_status kr_try_status_ = (expression);                                                       \
    if (kr_try_status_ != KR_OK)                                                                   \
      return kr_try_status_;                                                                       \
  } while (0)

/**
 * Describe a failure and return `status`, so that a failing line is one line.
 * Resets code, span, source and hint. Text past the field is cut with "...".
 * Control characters and bytes that are not UTF-8 are replaced by '?', so that
 * a message is always one line of valid UTF-8.
 */
kr_status kr_fail(kr_error *reterr, kr_status status, const char *format, ...) KR_PRINTF(3, 4);

/** The same with both message and hint given as plain text. */
kr_status kr_fail_hint(kr_error *reterr, kr_status status, const char *message, const char *hint);

/** Set how to mend it. No-op when reterr is NULL. */
void kr_error_hint(kr_error *reterr, const char *format, ...) KR_PRINTF(2, 3);

/** Set where: `source` names the field or file (NULL keeps it), offset and len are its bytes. */
void kr_error_at(kr_error *reterr, const char *source, size_t offset, size_t len);

/** KR_IO with strerror(errno_value): "cannot WHAT: No space left on device". */
kr_status kr_fail_errno(kr_error *reterr, int errno_value, const char *format, ...) KR_PRINTF(3, 4);

/** KR_NOMEM with the one message for it. */
kr_status kr_fail_nomem(kr_error *reterr);

/*
 * Each of these returns the failure it was given; as a macro over the function
 * it says so to the compilers' flow analysis too, which otherwise follows paths
 * on which a failed call counts as KR_OK. `status` must have no side effect.
 */
#define kr_fail(reterr, status, ...)                                                               \
  ((void)(kr_fail)((reterr), (status), __VA_ARGS__), (kr_status)(status))
#define kr_fail_hint(reterr, status, message, hint)                                                \
  ((void)(kr_fail_hint)((reterr), (status), (message), (hint)), (kr_status)(status))
#define kr_fail_errno(reterr, ...) ((void)(kr_fail_errno)((reterr), __VA_ARGS__), (kr_status)KR_IO)
#define kr_fail_nomem(reterr) ((void)(kr_fail_nomem)(reterr), (kr_status)KR_NOMEM)

/** 1-based line and column (code points) of a byte offset in text; for carets. */
void kr_line_column(kr_str text, size_t offset, size_t *ret_line, size_t *ret_column);

#endif

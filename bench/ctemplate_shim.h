/* SPDX-License-Identifier: Apache-2.0 */
/* ctemplate_shim.h - of ctemplate, a C++ library, what a benchmark in C needs. */
#ifndef KR_BENCH_CTEMPLATE_SHIM_H
#define KR_BENCH_CTEMPLATE_SHIM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Text with {{name}} marks, nothing stripped, nothing escaped. NULL when it does not parse. */
void *kr_ctemplate_new(const char *text, size_t len);
void kr_ctemplate_free(void *parsed);

/** The values of one payload. */
void *kr_ctemplate_values_new(void);
void kr_ctemplate_values_free(void *values);
void kr_ctemplate_values_set(void *values, const char *name, size_t name_len, const char *value,
                             size_t value_len);
/** The same for bytes that outlive the values. */
void kr_ctemplate_values_borrow(void *values, const char *name, size_t name_len, const char *value,
                                size_t value_len);

/** Bytes valid until the next call; their count in ret_len. */
const char *kr_ctemplate_expand(const void *parsed, const void *values, size_t *ret_len);

#ifdef __cplusplus
}
#endif

#endif

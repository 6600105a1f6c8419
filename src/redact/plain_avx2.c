/* SPDX-License-Identifier: Apache-2.0 */
/* plain_avx2.c - 32 bytes at a time: what stands between two introducers is copied whole. */
#include "redact/plain.h"

#include <immintrin.h>

static inline uint32_t kr_plain_introducers(__m256i bytes, bool reads_plus) {
  __m256i found = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('%')),
                                  _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\')),
                                                  _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('&'))));
  if (reads_plus)
    found = _mm256_or_si256(found, _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('+')));
  return (uint32_t)_mm256_movemask_epi8(found);
}

static size_t kr_plain_avx2_clean_len(kr_str text, bool reads_plus) {
  size_t at = 0;
  for (; at + 32 <= text.len; at += 32) {
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(text.ptr + at));
    uint32_t mask = kr_plain_introducers(bytes, reads_plus);
    if (mask != 0)
      return at + (size_t)__builtin_ctz(mask);
  }
  while (at < text.len && !kr_plain_is_introducer(text.ptr[at], reads_plus))
    at++;
  return at;
}

/* text[at, stop); returns where the next byte to read is. */
static size_t kr_plain_some(kr_str text, size_t at, size_t stop, bool reads_plus, uint8_t *out,
                            size_t *n) {
  const __m256i plus = _mm256_set1_epi8('+');
  while (at < stop && text.len - at >= 32) {
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(text.ptr + at));
    uint32_t mask = kr_plain_introducers(bytes, false);
    if (reads_plus)
      bytes = _mm256_blendv_epi8(bytes, _mm256_set1_epi8(' '), _mm256_cmpeq_epi8(bytes, plus));
    size_t n_clean = mask == 0 ? 32 : (size_t)__builtin_ctz(mask);
    bool is_cut = n_clean > stop - at;
    n_clean = is_cut ? stop - at : n_clean;
    _mm256_storeu_si256((__m256i *)(void *)(out + *n), bytes);
    *n += n_clean;
    at += n_clean;
    if (mask != 0 && !is_cut && at < stop)
      at += kr_plain_step(text, at, reads_plus, out, n);
  }
  while (at < stop)
    at += kr_plain_step(text, at, reads_plus, out, n);
  return at;
}

static size_t kr_plain_avx2_read(kr_str text, size_t len, bool reads_plus, uint8_t *out,
                                 uint32_t *map) {
  size_t at = 0;
  size_t n = 0;
  size_t block = 0;
  *map++ = 0;
  for (; block + KR_PLAIN_BLOCK_BYTES <= len; block += KR_PLAIN_BLOCK_BYTES) {
    at = kr_plain_some(text, at, block + KR_PLAIN_BLOCK_BYTES, reads_plus, out, &n);
    *map++ = (uint32_t)n;
  }
  (void)kr_plain_some(text, at, len, reads_plus, out, &n);
  *map = (uint32_t)n;
  return n;
}

const kr_plain_variant kr_plain_avx2 = {kr_plain_avx2_clean_len, kr_plain_avx2_read};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain_avx512.c - 64 bytes at a time (AVX-512 BW, VL, VBMI2): a block without
 * escapes is copied, one with backslashes alone is compressed, any other goes
 * through kr_plain_step() between its introducers.
 */
#include "redact/plain.h"

#include <immintrin.h>

static inline uint64_t kr_plain_introducers(__m512i bytes, bool reads_plus) {
  uint64_t mask = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('%')) |
                  _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\')) |
                  _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('&'));
  if (reads_plus)
    mask |= _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('+'));
  return mask;
}

static inline uint64_t kr_plain_first(size_t n) {
  return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

static size_t kr_plain_avx512_clean_len(kr_str text, bool reads_plus) {
  for (size_t at = 0; at < text.len; at += 64) {
    __m512i bytes = _mm512_maskz_loadu_epi8(kr_plain_first(text.len - at), text.ptr + at);
    uint64_t mask = kr_plain_introducers(bytes, reads_plus);
    if (mask != 0)
      return at + (size_t)__builtin_ctzll(mask);
  }
  return text.len;
}

/* text[at, stop), at most 64 bytes, some of them introducers; returns where the next starts. */
static size_t kr_plain_mixed(kr_str text, size_t at, size_t stop, bool reads_plus, uint8_t *out,
                             size_t *n) {
  while (at < stop) {
    uint64_t valid = kr_plain_first(stop - at);
    __m512i bytes = _mm512_maskz_loadu_epi8(valid, text.ptr + at);
    uint64_t mask = kr_plain_introducers(bytes, false);
    size_t n_clean = mask == 0 ? stop - at : (size_t)__builtin_ctzll(mask);
    if (reads_plus)
      bytes = _mm512_mask_blend_epi8(_mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('+')), bytes,
                                     _mm512_set1_epi8(' '));
    _mm512_mask_storeu_epi8(out + *n, kr_plain_first(n_clean), bytes);
    *n += n_clean;
    at += n_clean;
    if (at < stop)
      at += kr_plain_step(text, at, reads_plus, out, n);
  }
  return at;
}

static size_t kr_plain_avx512_read(kr_str text, size_t len, bool reads_plus, uint8_t *out,
                                   uint32_t *map) {
  const __m512i plus = _mm512_set1_epi8('+');
  const __m512i space = _mm512_set1_epi8(' ');
  size_t at = 0;
  size_t n = 0;
  size_t block = 0;
  *map++ = 0;
  for (; block + 64 <= len; block += 64) {
    if (at > block) { /* an escape reached into this block */
      at = kr_plain_mixed(text, at, block + 64, reads_plus, out, &n);
      *map++ = (uint32_t)n;
      continue;
    }
    __m512i bytes = _mm512_loadu_si512(text.ptr + block);
    uint64_t slashes = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\'));
    uint64_t others = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('%')) |
                      _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('&'));
    uint64_t units = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('u')) & slashes << 1;
    bool is_open = slashes >> 63 != 0 && block + 64 < text.len && text.ptr[block + 64] == 'u';
    if ((others | units) != 0 || is_open) {
      at = kr_plain_mixed(text, at, block + 64, reads_plus, out, &n);
      *map++ = (uint32_t)n;
      continue;
    }
    if (reads_plus)
      bytes = _mm512_mask_blend_epi8(_mm512_cmpeq_epi8_mask(bytes, plus), bytes, space);
    if (slashes != 0) /* compressed in a register: storing through a mask is slow on some */
      bytes = _mm512_maskz_compress_epi8(~slashes, bytes);
    _mm512_storeu_si512(out + n, bytes);
    n += 64 - (size_t)__builtin_popcountll(slashes);
    at = block + 64;
    *map++ = (uint32_t)n;
  }
  if (at < len)
    (void)kr_plain_mixed(text, at, len, reads_plus, out, &n);
  *map = (uint32_t)n;
  return n;
}

const kr_plain_variant kr_plain_avx512 = {kr_plain_avx512_clean_len, kr_plain_avx512_read};

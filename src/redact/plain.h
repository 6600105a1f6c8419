/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain.h - text with its escapes read in one fixed way, for the sieve only.
 * What the exact scanner finds is not defined by it; it must merely never hide
 * a core (sieve.h), a stretch of a pattern without the bytes listed below:
 *
 *   %XX                   the byte
 *   \u0041, \\u0041       the code point, a pair of surrogates as one
 *   \X, \\X, \\\X         X: backslashes are dropped, however many
 *   &amp; &#65; &#x41;    the code point
 *   +                     a space, where some pattern holds one
 *   all else              itself
 *
 * So every byte of a pattern, however it is spelled, gives at most one byte
 * here, and a byte of a core exactly one, itself (or '+' for space). A foreign
 * introducer right before a literal core can take its first bytes for the rest
 * of an escape: kr_plain_taken() says how many at most.
 */
#ifndef KR_REDACT_PLAIN_H
#define KR_REDACT_PLAIN_H

#include "base/cpu.h"
#include "base/str.h"

#define KR_PLAIN_BLOCK_BYTES 64u    /* raw bytes for each entry of a map */
#define KR_PLAIN_PIECE_BYTES 16384u /* raw bytes read at once */
#define KR_PLAIN_SLACK_BYTES 128u   /* room behind the output for wide stores */
#define KR_PLAIN_MAP_ENTRIES (KR_PLAIN_PIECE_BYTES / KR_PLAIN_BLOCK_BYTES + 2u)

/** Bytes that no core holds: introducers, and what JSON's short escapes spell. */
static inline bool kr_plain_is_special(uint8_t byte) {
  return byte == '%' || byte == '\\' || byte == '&' || (byte >= 8 && byte <= 13 && byte != 11);
}

/** Is the byte an introducer here? */
static inline bool kr_plain_is_introducer(uint8_t byte, bool reads_plus) {
  return byte == '%' || byte == '\\' || byte == '&' || (byte == '+' && reads_plus);
}

/**
 * How many of the first bytes of core, a pattern from some byte on to its end,
 * an escape that starts before it can take, also together with what follows.
 */
size_t kr_plain_taken(kr_str core);

/** Bytes at the start of text before the first introducer. */
size_t kr_plain_clean_len(kr_str text, bool reads_plus);

/**
 * Read text[0, len), len at most KR_PLAIN_PIECE_BYTES; escapes that start in it
 * may end behind it, within text. Writes at most len + 3 bytes of output (and up to
 * KR_PLAIN_SLACK_BYTES of garbage behind them) to out; map[i] becomes the number
 * of bytes written when 64 * i raw bytes were read, for 64 * i <= len, and one
 * more entry with the number of all. Returns that number.
 */
size_t kr_plain_read(kr_str text, size_t len, bool reads_plus, uint8_t *out, uint32_t *map);

/* The variants, by level; plain.c chooses. */

typedef struct kr_plain_variant {
  size_t (*clean_len)(kr_str text, bool reads_plus);
  size_t (*read)(kr_str text, size_t len, bool reads_plus, uint8_t *out, uint32_t *map);
} kr_plain_variant;

const kr_plain_variant *kr_plain_variant_of(kr_cpu_level level);

/** One step at text[at]: an introducer or any other byte. Adds to *n; returns raw bytes taken. */
size_t kr_plain_step(kr_str text, size_t at, bool reads_plus, uint8_t *out, size_t *n);

#ifdef __x86_64__
extern const kr_plain_variant kr_plain_avx2;
extern const kr_plain_variant kr_plain_avx512;
#endif

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus.h - what the suites "scan" and "redact" search, and what they search
 * for, made from fixed seeds: the same bytes in every run on every machine.
 *
 *   needles   random tokens, short ones, a mixture, PEM keys, eight spellings of passwords
 *   texts     a JSON-lines event log; and hostile ones made of pieces of the needles
 *
 * No needle occurs in a log by design; kr_corpus_plant() puts some in.
 */
#ifndef KR_BENCH_CORPUS_H
#define KR_BENCH_CORPUS_H

#include "base/buf.h"
#include "base/cleanup.h"

/** Byte strings in one block. Zeroed is empty. */
typedef struct kr_needles {
  kr_buf bytes;
  kr_str *list; /* into bytes */
  size_t n;
} kr_needles;

void kr_needles_done(kr_needles *needles);

/** n random tokens of len bytes over A-Z a-z 0-9 - _ (RFC 4648, table 2). */
kr_needles kr_needles_tokens(size_t n, size_t len);
/** The same behind a vendor's prefix ("ghp_", "sk_live_"), 40 bytes in all. */
kr_needles kr_needles_prefixed(size_t n);
/** Tokens of 32 bytes, every tenth of 6. */
kr_needles kr_needles_mix(size_t n);
/** RSA keys in PEM: the same frame and the same first bytes, 1.7 KB each. */
kr_needles kr_needles_pem(size_t n);
/** Random printable passwords of 32 bytes, with characters that each encoding must escape. */
kr_needles kr_needles_passwords(size_t n);
/** One needle, given. */
kr_needles kr_needles_one(kr_str bytes);

#define KR_SPELLINGS 8u /* raw, percent, form, JSON, HTML, base64, base64url, hex */

/** Append value in spelling number which. */
void kr_corpus_spell(kr_str value, unsigned which, kr_buf *out);
/** Every spelling of each value, equal ones once. Of a password all eight differ, of a token four.
 */
kr_needles kr_needles_spelled(const kr_needles *values);

/** A text and where its lines begin. */
typedef struct kr_corpus {
  uint8_t *bytes;
  size_t len;
  size_t *starts; /* n_lines + 1; the last is len */
  size_t n_lines;
} kr_corpus;

void kr_corpus_done(kr_corpus *corpus);
kr_str kr_corpus_text(const kr_corpus *corpus);
kr_str kr_corpus_line(const kr_corpus *corpus, size_t line);

/** Events as they are logged, 287 bytes a line in the middle; the last line is cut at len. */
kr_corpus kr_corpus_log(size_t len);
/** The same, each line a JSON string inside JSON: every quote escaped. */
kr_corpus kr_corpus_log_in_json(size_t len);
/** JSON in which every few bytes are an escape: \" \\ \/ \u00XX and %XX. */
kr_corpus kr_corpus_escapes(size_t len);

/**
 * Overwrite a place inside a line every so many bytes with the next needle (for
 * lines that hold it), none across a line's end. Returns how many were planted.
 */
size_t kr_corpus_plant(kr_corpus *corpus, const kr_needles *needles, size_t every_bytes);

/** How a hostile text cuts needles: long beginnings, long ends, pieces from anywhere, whole ones.
 */
typedef enum kr_corpus_cut {
  KR_CUT_PREFIX,
  KR_CUT_SUFFIX,
  KR_CUT_MIDDLE,
  KR_CUT_NONE
} kr_corpus_cut;

/** Pieces of the needles, one behind the other, a wrong byte between two (none with KR_CUT_NONE).
 */
kr_corpus kr_corpus_pieces(size_t len, const kr_needles *needles, kr_corpus_cut cut);
/** One byte, repeated. */
kr_corpus kr_corpus_flood(size_t len, uint8_t byte);

#endif

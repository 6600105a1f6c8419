/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact_hyperscan.h - what one would build on Hyperscan: a list of spellings,
 * a scan, and a copy in which each run of covered bytes is a marker. It finds
 * what is listed and nothing else.
 */
#ifndef KR_BENCH_REDACT_HYPERSCAN_H
#define KR_BENCH_REDACT_HYPERSCAN_H

#include "corpus.h"

typedef struct kr_hyperscan_redactor kr_hyperscan_redactor;

/** For whole texts, or for streams. The spellings are only read here. Ends the process when it
 * fails. */
kr_hyperscan_redactor *kr_hyperscan_redactor_new(const kr_needles *spellings, bool is_stream);
void kr_hyperscan_redactor_free(kr_hyperscan_redactor *redactor);

/**
 * Scan; append the redacted text when something was found or must_write. Returns the number of
 * markers.
 */
size_t kr_hyperscan_redactor_run(kr_hyperscan_redactor *redactor, kr_str text, bool must_write,
                                 kr_buf *out);

/**
 * As a stream of chunks, each appended to out as it is: finding only. To remove a match that began
 * in an earlier chunk, bytes would have to be held back, which is not done and costs nothing here.
 */
void kr_hyperscan_redactor_stream(kr_hyperscan_redactor *redactor, kr_str text, size_t chunk_bytes,
                                  kr_buf *out);

/** Bytes of the database and of one scratch. */
size_t kr_hyperscan_redactor_memory(const kr_hyperscan_redactor *redactor);

#endif

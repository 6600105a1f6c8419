/* SPDX-License-Identifier: Apache-2.0 */
/* keycommand.h - the key as the output of a program. */
#ifndef KR_VAULT_KEYCOMMAND_H
#define KR_VAULT_KEYCOMMAND_H

#include "vault/keyfile.h"

#define KR_KEYCOMMAND_WORDS 32u        /* the program and its arguments */
#define KR_KEYCOMMAND_TEXT_BYTES 4096u /* of all words, each with its NUL */
#define KR_KEYCOMMAND_LIMIT_MS 60000u  /* somebody may have to type a PIN or touch a token */

typedef struct kr_keycommand {
  size_t n_words;
  size_t text_len;
  char text[KR_KEYCOMMAND_TEXT_BYTES]; /* the words, each ended by a NUL */
} kr_keycommand;

/** Append a word. KR_LIMIT; KR_INVALID: it holds a NUL, is not UTF-8, or is the first and not an
 * absolute path.
 */
kr_status kr_keycommand_add(kr_keycommand *command, kr_str word, kr_error *reterr) KR_MUST_USE;

/** Split a line on blanks; there is no quoting and no shell. KR_INVALID when it has no word. */
kr_status kr_keycommand_split(kr_keycommand *command, const char *line,
                              kr_error *reterr) KR_MUST_USE;

/** The program; "" of an empty command. */
const char *kr_keycommand_program(const kr_keycommand *command);

/** The word at *offset, which moves to the next one; empty at the end. */
kr_str kr_keycommand_next(const kr_keycommand *command, size_t *offset);

/**
 * Run it and read its standard output to the end, at most KR_KEYFILE_ROOM_BYTES
 * of it, into locked memory. Its standard input is empty, its standard error is
 * ours, no other descriptor of ours is open in it, and no shell is involved.
 * KR_UNTRUSTED: cannot be run, fails, takes longer than limit_ms, prints too
 * much. A program that is too slow or prints too much is killed.
 */
kr_status kr_keycommand_run(const kr_keycommand *command, unsigned limit_ms,
                            uint8_t bytes[KR_KEYFILE_ROOM_BYTES], size_t *ret_len,
                            kr_error *reterr) KR_MUST_USE;

#endif

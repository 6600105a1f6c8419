/* SPDX-License-Identifier: Apache-2.0 */
/* parser.h - the expression parser, for the text modes (text.c). */
#ifndef KR_LANG_PARSER_H
#define KR_LANG_PARSER_H

#include "lang/compiler.h"

/** Begin reading tokens at an offset of the text. */
void kr_parser_start(kr_compiler *compiler, size_t offset);

/** One expression from the current token; the token after it is current then. */
kr_node *kr_parser_expression(kr_compiler *compiler);

/** Is the current token this punctuation? */
bool kr_parser_at(const kr_compiler *compiler, uint8_t byte);

/** Report what must stand at the current token; always NULL. */
void *kr_parser_unexpected(kr_compiler *compiler, const char *expected);

kr_node *kr_parser_node(kr_compiler *compiler, kr_node_type type, size_t offset, size_t len);
void kr_parser_append(kr_node *parent, kr_node *child);

/* A step that was read, its accessor set; or a new one to fill in where it stands. Both report. */
bool kr_parser_add_step(kr_compiler *compiler, kr_node *node, const kr_step *step, size_t offset);
kr_step *kr_parser_new_step(kr_compiler *compiler, kr_node *node, size_t offset);
void kr_parser_name_step(kr_step *step, kr_str name);

bool kr_parser_index(kr_str digits, int64_t *ret_index);
bool kr_parser_root(kr_str word, uint8_t *ret_root);
const char *kr_parser_nearest_root(kr_str word);
void kr_parser_unknown_root(kr_compiler *compiler, kr_str word, size_t offset);

/** End of the longest run of [A-Za-z0-9_] from offset. */
size_t kr_parser_secret_end(kr_str text, size_t offset);
bool kr_parser_secret(kr_compiler *compiler, kr_node *node, kr_str name, size_t offset);

#endif

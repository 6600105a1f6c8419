/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern.c - patterns are quoted texts in the template: they are compiled with
 * it, so that an error has its place in the template and no render compiles
 * one. A replacement written beside its pattern is cut into pieces here; one
 * that is computed is data, and then a dollar in it is a dollar.
 */
#include "base/encode.h"
#include "lang/compiler.h"
#include "lang/parser.h"

#define KR_GROUP_DIGITS 2u /* KR_LIMIT_PATTERN_GROUPS has two */

/* Bytes that the source of a string takes for its next character, and those it decodes to. */
static size_t kr_pattern_unit(kr_str source, size_t at, size_t *ret_decoded) {
  *ret_decoded = 1;
  if (source.ptr[at] != '\\' || at + 1 >= source.len)
    return 1;
  if (source.ptr[at + 1] != 'u')
    return 2;
  int32_t point = 0;
  for (size_t i = at + 2; i < at + 6 && i < source.len; i++)
    point = point * 16 + kr_hex_digit(source.ptr[i]);
  bool is_pair = point >= 0xD800 && point <= 0xDBFF;
  *ret_decoded = is_pair ? 4 : point < 0x80 ? 1 : point < 0x800 ? 2 : 3;
  return is_pair ? 12 : 6;
}

/* Where in the template the byte at an offset of a quoted text comes from. */
static size_t kr_pattern_offset(const kr_compiler *compiler, const kr_node *string, size_t offset) {
  size_t at = string->offset + 1;
  size_t end = string->offset + string->len - 1;
  for (size_t decoded = 0; at < end;) {
    size_t n_decoded = 0;
    size_t n_read = kr_pattern_unit(compiler->text, at, &n_decoded);
    if (decoded + n_decoded > offset)
      break;
    decoded += n_decoded;
    at += n_read;
  }
  return at < end ? at : end;
}

/* One that was compiled already and has no replacement; 0 when there is none. */
static unsigned kr_pattern_known(const kr_compiler *compiler, kr_str text) {
  const kr_pattern *patterns = (const kr_pattern *)(const void *)compiler->patterns.ptr;
  for (size_t i = 0; i < compiler->patterns.len / sizeof(kr_pattern); i++)
    if (patterns[i].pieces == NULL && kr_str_equal(patterns[i].text, text))
      return (unsigned)i + 1;
  return 0;
}

static bool kr_pattern_add(kr_compiler *compiler, const kr_node *string) {
  kr_error error = {0};
  KR_CLEANUP(kr_regex_freep) kr_regex *regex = NULL;
  kr_pattern pattern = {0};
  if (compiler->patterns.len / sizeof(kr_pattern) == KR_LIMIT_PATTERNS) {
    kr_report(compiler, KR_E_PATTERNS, string->offset, string->len, "more than %u patterns",
              KR_LIMIT_PATTERNS);
    return false;
  }
  kr_status status = kr_regex_compile(string->text, KR_REGEX_AUTO, &regex, &error);
  if (status == KR_SYNTAX || status == KR_LIMIT) {
    kr_report(compiler, status == KR_LIMIT ? KR_E_PATTERN_LIMIT : KR_E_PATTERN,
              kr_pattern_offset(compiler, string, error.span_offset), 1, "%s", error.message);
    return false;
  }
  pattern.regex = regex;
  if (status == KR_OK)
    status = kr_arena_copy(&compiler->program->arena, string->text, &pattern.text);
  if (status == KR_OK)
    status = kr_buf_append(&compiler->patterns, kr_str_from(&pattern, sizeof(pattern)));
  if (status != KR_OK) {
    compiler->status = status;
    return false;
  }
  (void)KR_TAKE(regex);
  return true;
}

/* The group after a dollar; as many digits as name a group. 0 read: none. */
static size_t kr_pattern_group(kr_str text, size_t at, unsigned n_groups, uint32_t *ret_group) {
  uint32_t number = 0;
  size_t n_read = 0;
  for (size_t i = at; i < text.len && i < at + KR_GROUP_DIGITS; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9')
      break;
    number = number * 10 + (uint32_t)(text.ptr[i] - '0');
    if (number > n_groups)
      break;
    n_read = i + 1 - at;
    *ret_group = number;
  }
  return n_read;
}

static void kr_pattern_bad_dollar(kr_compiler *compiler, const kr_node *string, size_t at,
                                  unsigned n_groups) {
  bool is_digit = at + 1 < string->text.len && string->text.ptr[at + 1] >= '0' &&
                  string->text.ptr[at + 1] <= '9';
  size_t offset = kr_pattern_offset(compiler, string, at);
  if (is_digit)
    kr_report(compiler, KR_E_ARGUMENT, offset, 2, "the pattern has %u group%s", n_groups,
              n_groups == 1 ? "" : "s");
  else
    kr_report(compiler, KR_E_ARGUMENT, offset, 1, "a number must follow $ in a replacement");
  kr_report_hint(compiler, "$0 is the whole match, $1 its first group, $$ a dollar sign");
}

/* Pieces of a replacement; NULL after a report or a failure. At most one per byte. */
static kr_piece *kr_pattern_pieces(kr_compiler *compiler, const kr_node *string, unsigned n_groups,
                                   uint32_t *ret_count) {
  kr_str text = {0};
  kr_arena *arena = &compiler->program->arena;
  kr_piece *pieces = kr_arena_calloc(arena, string->text.len + 1, sizeof(kr_piece));
  if (pieces == NULL || kr_arena_copy(arena, string->text, &text) != KR_OK) {
    compiler->status = kr_arena_why(arena);
    return NULL;
  }
  uint32_t count = 0;
  for (size_t at = 0; at < text.len;) {
    size_t dollar = kr_str_find(text, KR_STR("$"), at);
    if (dollar != at) {
      size_t end = dollar == SIZE_MAX ? text.len : dollar;
      pieces[count++] = (kr_piece){.group = KR_NO_GROUP, .text = kr_str_slice(text, at, end)};
      at = end;
      continue;
    }
    bool is_dollar = at + 1 < text.len && text.ptr[at + 1] == '$';
    uint32_t group = KR_NO_GROUP;
    size_t n_read = is_dollar ? 1 : kr_pattern_group(text, at + 1, n_groups, &group);
    if (n_read == 0) {
      kr_pattern_bad_dollar(compiler, string, at, n_groups);
      return NULL;
    }
    pieces[count++] = (kr_piece){.group = group, .text = kr_str_slice(text, at, at + is_dollar)};
    at += 1 + n_read;
  }
  *ret_count = count;
  return pieces;
}

/* extract(pattern, s, 3): a group written as a number must exist. */
static void kr_pattern_check_group(kr_compiler *compiler, const kr_node *arg, unsigned n_groups) {
  int64_t group = 0;
  if (arg->type != KR_NODE_NUMBER || !kr_parser_index(arg->text, &group))
    return;
  if (group < 0 || group > (int64_t)n_groups)
    kr_report(compiler, KR_E_ARGUMENT, arg->offset, arg->len, "the pattern has %u group%s",
              n_groups, n_groups == 1 ? "" : "s");
}

void kr_check_pattern(kr_compiler *compiler, kr_node *call) {
  const kr_node *string = call->first;
  const kr_node *second = string->next;
  if (string->type != KR_NODE_STRING) {
    kr_report(compiler, KR_E_TYPE, string->offset, string->len,
              "the pattern of %s must be a quoted text", kr_function_row(call->function)->name);
    kr_report_hint(compiler, "patterns are compiled with the template and cannot be computed");
    return;
  }
  bool is_replacing = call->function == KR_FUNCTION_REGEX_REPLACE && second->type == KR_NODE_STRING;
  call->pattern = is_replacing ? 0 : kr_pattern_known(compiler, string->text);
  if (call->pattern == 0) {
    if (compiler->status != KR_OK || !kr_pattern_add(compiler, string))
      return;
    call->pattern = (unsigned)(compiler->patterns.len / sizeof(kr_pattern));
  }
  kr_pattern *pattern = (kr_pattern *)(void *)compiler->patterns.ptr + (call->pattern - 1);
  unsigned n_groups = kr_regex_n_groups(pattern->regex);
  if (is_replacing)
    pattern->pieces = kr_pattern_pieces(compiler, second, n_groups, &pattern->n_pieces);
  if (call->function == KR_FUNCTION_EXTRACT && second->next != NULL)
    kr_pattern_check_group(compiler, second->next, n_groups);
}

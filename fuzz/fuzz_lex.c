/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_lex.c - any valid text as an expression's characters. What must hold:
 * tokens go forward, do not overlap, and with the blanks between them cover
 * every byte up to the end or the first error; a token read again, from its
 * place or from its bytes alone, is the same one; numbers and strings that JSON
 * has too mean what the JSON reader says.
 *
 * And for the same text as a template: the listing of `krosyn dump --tokens`
 * (text between holes, tokens in them) goes forward and repeats the bytes that
 * stand at each place.
 */
#include "base/utf8.h"
#include "fuzz.h"
#include "lang/compiler.h"
#include "json/json.h"

#define ARENA_BYTES (16u * 1024u * 1024u)
#define LIST_BYTES (64u * 1024u * 1024u)

static kr_token kr_fuzz_lex_at(kr_str text, size_t offset, kr_arena *arena, size_t *ret_next) {
  kr_lexer lexer = {.text = text, .next = offset, .arena = arena};
  kr_token token = kr_lexer_next(&lexer);
  KR_FUZZ_MUST(lexer.status == KR_OK);
  KR_FUZZ_MUST(lexer.next <= text.len);
  *ret_next = lexer.next;
  return token;
}

static void kr_fuzz_same(const kr_token *a, const kr_token *b, size_t shift) {
  KR_FUZZ_MUST(a->type == b->type && a->byte == b->byte && a->code == b->code);
  KR_FUZZ_MUST(a->offset == b->offset + shift && a->len == b->len);
  KR_FUZZ_MUST(kr_str_equal(a->text, b->text));
}

static void kr_fuzz_blanks(kr_str text, size_t from, size_t end) {
  for (size_t i = from; i < end; i++)
    KR_FUZZ_MUST(strchr(" \t\n\r", text.ptr[i]) != NULL && text.ptr[i] != '\0');
}

/* Escapes and bytes that JSON strings do not have. */
static bool kr_fuzz_is_json_string(kr_str source) {
  if (source.ptr[0] != '"')
    return false;
  for (size_t i = 0; i < source.len; i++) {
    if (source.ptr[i] < 0x20)
      return false;
    if (source.ptr[i] != '\\')
      continue;
    i++; /* a string token never ends in a backslash */
    if (source.ptr[i] == '\'' || source.ptr[i] == '$')
      return false;
  }
  return true;
}

static void kr_fuzz_meaning(const kr_token *token, kr_str source, kr_arena *arena) {
  const kr_json *json = NULL;
  if (token->type == KR_TOKEN_STRING) {
    KR_FUZZ_MUST(kr_utf8_is_valid(token->text) && token->text.len + 2 <= source.len);
    if (!kr_fuzz_is_json_string(source))
      return;
  } else if (token->type != KR_TOKEN_NUMBER) {
    return;
  }
  KR_FUZZ_MUST(kr_json_parse(source, NULL, arena, &json, NULL) == KR_OK);
  KR_FUZZ_MUST((json->type == KR_JSON_STRING) == (token->type == KR_TOKEN_STRING));
  KR_FUZZ_MUST(kr_str_equal(kr_json_text(json), token->text));
}

static void kr_fuzz_token(kr_str text, const kr_token *token, size_t next, kr_arena *arena) {
  size_t after = 0;
  kr_token again = kr_fuzz_lex_at(text, token->offset, arena, &after);
  KR_FUZZ_MUST(after == next && !again.is_spaced);
  kr_fuzz_same(token, &again, 0);
  kr_str source = kr_str_slice(text, token->offset, next);
  again = kr_fuzz_lex_at(source, 0, arena, &after);
  KR_FUZZ_MUST(after == source.len);
  kr_fuzz_same(token, &again, token->offset);
  KR_FUZZ_MUST(kr_fuzz_lex_at(source, after, arena, &after).type == KR_TOKEN_END);
  kr_fuzz_meaning(token, source, arena);
}

static void kr_fuzz_expression(kr_str text, kr_arena *arena) {
  kr_lexer lexer = {.text = text, .arena = arena};
  for (;;) {
    size_t before = lexer.next;
    kr_token token = kr_lexer_next(&lexer);
    KR_FUZZ_MUST(lexer.status == KR_OK);
    KR_FUZZ_MUST(token.offset >= before && token.offset + token.len <= text.len);
    if (token.type == KR_TOKEN_ERROR) { /* it may lie within a string */
      KR_FUZZ_MUST(token.code != 0 && token.message != NULL && token.len > 0);
      KR_FUZZ_MUST(lexer.next > before && lexer.next <= text.len);
      return;
    }
    kr_fuzz_blanks(text, before, token.offset);
    KR_FUZZ_MUST(token.is_spaced == (token.offset > before));
    if (token.type == KR_TOKEN_END) {
      KR_FUZZ_MUST(token.offset == text.len && token.len == 0);
      KR_FUZZ_MUST(kr_lexer_next(&lexer).type == KR_TOKEN_END);
      return;
    }
    KR_FUZZ_MUST(token.len > 0 && token.offset + token.len == lexer.next);
    kr_fuzz_token(text, &token, lexer.next, arena);
  }
}

/* A line of the listing: blanks, offset, word, blanks, the source bytes as a JSON string. */
static size_t kr_fuzz_line(kr_str text, kr_str line, size_t end, kr_arena *arena) {
  const kr_json *json = NULL;
  size_t at = 0;
  size_t offset = 0;
  while (at < line.len && line.ptr[at] == ' ')
    at++;
  for (; at < line.len && line.ptr[at] >= '0' && line.ptr[at] <= '9'; at++)
    offset = offset * 10 + (size_t)(line.ptr[at] - '0');
  size_t quote = kr_str_find(line, KR_STR("\""), at);
  KR_FUZZ_MUST(quote != SIZE_MAX);
  KR_FUZZ_MUST(kr_json_parse(kr_str_skip(line, quote), NULL, arena, &json, NULL) == KR_OK);
  kr_str source = kr_json_text(json);
  KR_FUZZ_MUST(offset >= end && offset + source.len <= text.len);
  KR_FUZZ_MUST(kr_str_equal(source, kr_str_slice(text, offset, offset + source.len)));
  return offset + source.len;
}

static void kr_fuzz_listing(kr_str text, kr_arena *arena) {
  static kr_secret_names names;
  static kr_diagnostics diagnostics;
  names.count = 0;
  kr_compile_options options = {
      .sink = KR_SINK_TEXT, .field = "fuzz", .secrets = &names, .is_processed_open = true};
  kr_buf out = KR_BUF_INIT(LIST_BYTES, NULL);
  if (kr_compile_show(text, &options, KR_STAGE_TOKENS, &diagnostics, &out) == KR_OK) {
    kr_str rest = kr_buf_str(&out);
    for (size_t end = 0; rest.len > 0;) {
      size_t line = kr_str_find(rest, KR_STR("\n"), 0);
      KR_FUZZ_MUST(line != SIZE_MAX);
      end = kr_fuzz_line(text, kr_str_slice(rest, 0, line), end, arena);
      rest = kr_str_skip(rest, line + 1);
    }
  }
  kr_buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  kr_str text = kr_str_from(data, size);
  if (!kr_utf8_is_valid(text)) /* the compiler refuses it before the lexer sees it */
    return 0;
  kr_arena arena = KR_ARENA_INIT(ARENA_BYTES, NULL);
  kr_fuzz_expression(text, &arena);
  kr_fuzz_listing(text, &arena);
  kr_arena_done(&arena);
  return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_redact_json.c - a record of any body is valid JSON, and neither its
 * decoded leaves and keys nor its text hold a value: not for the second search,
 * not for a plain one for each listed spelling, and not, in short leaves, for the
 * naive reference, which knows every mixture of escapes. Where the receipt tells
 * of nothing, the body is there as it came. Markers are krosyn's own words.
 *
 * Input: redact_case.h, the text being the body; choice[0]: bits 0-1 how it is
 * recorded: as JSON, as text, with spans, as JSON with spans.
 */
#include "redact_case.h"

#include "base/encode.h"
#include "base/utf8.h"
#include "redact/record.h"
#include "redact/spell.h"

#define ARENA_BYTES (64u * 1024u * 1024u)
#define SPELLINGS (KR_FUZZ_VALUES * 2u * KR_VERIFY_N_SPELLINGS)

typedef enum kr_fuzz_how { BODY_JSON, BODY_TEXT, BODY_SPANS, BODY_JSON_SPANS } kr_fuzz_how;

typedef struct kr_fuzz_record {
  const kr_fuzz_case *c;
  kr_fuzz_how how;
  kr_redact_set *set;
  kr_redacted *redacted;
  bool is_truncated;
  bool gave_up;
  kr_arena arena;
  kr_buf spellings[SPELLINGS];
  size_t n_spellings;
} kr_fuzz_record;

static void kr_fuzz_write(kr_fuzz_record *r) {
  KR_CLEANUP(kr_record_freep) kr_record *record = NULL;
  const kr_fuzz_case *c = r->c;
  kr_str text = kr_fuzz_exact(kr_buf_str(&c->text));
  (void)kr_fuzz_gave_up();
  KR_FUZZ_MUST(kr_record_new(r->set, &record, NULL) == KR_OK);
  kr_record_begin_object(record);
  kr_record_key(record, "data");
  if (r->how == BODY_SPANS)
    kr_record_spans(record, "data", text, c->spans, c->n_spans);
  else if (r->how == BODY_JSON_SPANS)
    kr_record_json_spans(record, "data", text, c->spans, c->n_spans, &r->is_truncated);
  else
    kr_record_body(record, "data", text, r->how == BODY_JSON, &r->is_truncated);
  kr_record_key(record, "receipt");
  kr_record_receipt(record, 1);
  kr_record_end_object(record);
  KR_FUZZ_MUST(kr_record_finish(record, &r->redacted, NULL) == KR_OK);
  r->gave_up = kr_fuzz_gave_up();
  kr_fuzz_exact_free(text);
}

/* ---- the plain search ---- */

static void kr_fuzz_spell_all(kr_fuzz_record *r) {
  KR_CLEANUP(kr_buf_done) kr_buf scratch = KR_BUF_INIT(KR_FUZZ_OUT_BYTES, NULL);
  for (size_t i = 0; i < r->c->n_values; i++) {
    kr_str value = kr_str_from(r->c->values[i].ptr, r->c->values[i].len);
    for (unsigned s = 0; s < 2 * KR_VERIFY_N_SPELLINGS; s++) {
      kr_verify_spelling spelling = (kr_verify_spelling)(s / 2);
      if (value.len < KR_REDACT_MIN_SEARCH_BYTES || kr_fuzz_is_blank(value) ||
          (kr_verify_form_bit(spelling) & r->c->enabled) == 0)
        continue;
      kr_buf *out = &r->spellings[r->n_spellings];
      *out = KR_BUF_INIT(KR_FUZZ_OUT_BYTES, NULL);
      KR_FUZZ_MUST(kr_verify_spell(value, spelling, s % 2 != 0, &scratch, out) == KR_OK);
      if (out->len == 0)
        kr_buf_done(out);
      r->n_spellings += out->len > 0;
    }
  }
}

/* Between two markers. */
static void kr_fuzz_check_stretch(const kr_fuzz_record *r, kr_str text, bool is_leaf) {
  static bool is_covered[KR_FUZZ_TEXT_BYTES];
  bool is_exact = false;
  for (size_t i = 0; i < r->n_spellings; i++)
    KR_FUZZ_MUST(kr_str_find(text, kr_buf_str(&r->spellings[i]), 0) == SIZE_MAX);
  if (!is_leaf || !kr_fuzz_reference(r->c, r->set, r->c->n_values, text, is_covered, &is_exact))
    return;
  for (size_t i = 0; i < text.len; i++)
    KR_FUZZ_MUST(!is_covered[i]);
}

static void kr_fuzz_check_text(const kr_fuzz_record *r, kr_str text, bool is_leaf) {
  KR_FUZZ_MUST(kr_redact_verify(r->set, text));
  for (;;) {
    size_t marker = kr_str_find(text, KR_STR(KR_REDACT_MARKER), 0);
    kr_fuzz_check_stretch(r, kr_str_slice(text, 0, marker), is_leaf);
    if (marker == SIZE_MAX)
      return;
    text = kr_str_skip(text, marker + sizeof(KR_REDACT_MARKER) - 1);
  }
}

/* Recursion is bounded by the depth that the reader accepts. */
static void kr_fuzz_check_tree(const kr_fuzz_record *r, const kr_json *json) {
  for (uint32_t i = 0; json->type == KR_JSON_ARRAY && i < json->count; i++)
    kr_fuzz_check_tree(r, &json->items[i]);
  for (uint32_t i = 0; json->type == KR_JSON_OBJECT && i < json->count; i++) {
    kr_fuzz_check_text(r, kr_json_text(&json->members[i].key), true);
    kr_fuzz_check_tree(r, &json->members[i].value);
  }
  kr_fuzz_check_text(r, kr_json_text(json), true);
}

/* Bytes that are no text are stored as base64, in which a part of a value may look like its form.
 */
static bool kr_fuzz_check_binary(const kr_fuzz_record *r, const kr_json *data) {
  const kr_json *base64 = kr_json_get(data, KR_STR("base64"));
  KR_CLEANUP(kr_buf_done) kr_buf bytes = KR_BUF_INIT(KR_FUZZ_OUT_BYTES, NULL);
  if (base64 == NULL || data->count != 1 || kr_utf8_is_valid(kr_buf_str(&r->c->text)) ||
      kr_base64_decode(kr_json_text(base64), KR_BASE64_STANDARD, &bytes) != KR_OK)
    return false;
  kr_fuzz_check_text(r, kr_buf_str(&bytes), true);
  return true;
}

/* Nothing was found, so nothing is missing. */
static void kr_fuzz_check_whole(kr_fuzz_record *r, const kr_json *data, const kr_json *receipt) {
  KR_CLEANUP(kr_buf_done) kr_buf left = KR_BUF_INIT(KR_FUZZ_OUT_BYTES, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf came = KR_BUF_INIT(KR_FUZZ_OUT_BYTES, NULL);
  const kr_json *body = NULL;
  if (kr_json_get(receipt, KR_STR("secrets"))->count > 0 || r->gave_up || r->is_truncated)
    return;
  if (r->how != BODY_JSON ||
      kr_json_parse(kr_buf_str(&r->c->text), NULL, &r->arena, &body, NULL) != KR_OK) {
    KR_FUZZ_MUST(data->type != KR_JSON_STRING || r->how == BODY_JSON_SPANS ||
                 kr_str_equal(kr_json_text(data), kr_buf_str(&r->c->text)));
    return;
  }
  KR_FUZZ_MUST(kr_json_write(data, &left) == KR_OK && kr_json_write(body, &came) == KR_OK);
  bool is_text = data->type == KR_JSON_STRING; /* a tree too deep */
  KR_FUZZ_MUST(kr_str_equal(kr_buf_str(&left), kr_buf_str(&came)) ||
               (is_text && kr_str_equal(kr_json_text(data), kr_buf_str(&r->c->text))));
}

static void kr_fuzz_check(kr_fuzz_record *r) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(KR_FUZZ_OUT_BYTES, NULL);
  const kr_json *json = NULL;
  KR_FUZZ_MUST(kr_json_parse(kr_redacted_text(r->redacted), NULL, &r->arena, &json, NULL) == KR_OK);
  const kr_json *data = kr_json_get(json, KR_STR("data"));
  const kr_json *receipt = kr_json_get(json, KR_STR("receipt"));
  KR_FUZZ_MUST(data != NULL && receipt != NULL);
  if (kr_json_get(receipt, KR_STR("failed"))->count > 0) { /* withheld: krosyn's own words */
    KR_FUZZ_MUST(data->count == 1 && kr_json_get(data, KR_STR("withheld")) != NULL);
    return;
  }
  KR_FUZZ_MUST(kr_json_write(data, &text) == KR_OK);
  kr_fuzz_check_text(r, kr_buf_str(&text), false);
  if (!kr_fuzz_check_binary(r, data))
    kr_fuzz_check_tree(r, data);
  kr_fuzz_check_whole(r, data, receipt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  kr_fuzz_case c;
  kr_fuzz_case_read(data, size, &c);
  kr_fuzz_record r = {.c = &c, .arena = KR_ARENA_INIT(ARENA_BYTES, NULL)};
  r.how = (kr_fuzz_how)(c.choice[0] & 3);
  r.set = kr_fuzz_set(&c, c.n_values, 0);
  kr_fuzz_spell_all(&r);
  kr_fuzz_write(&r);
  kr_fuzz_check(&r);
  for (size_t i = 0; i < r.n_spellings; i++)
    kr_buf_done(&r.spellings[i]);
  kr_redacted_free(r.redacted);
  kr_redact_set_free(r.set);
  kr_arena_done(&r.arena);
  kr_fuzz_case_done(&c);
  return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* redact_case.c - see redact_case.h. */
#include "redact_case.h"

#include "redact/spell.h"

#include <stdio.h>

/* ---- reading ---- */

static uint8_t kr_fuzz_byte(kr_str *input) {
  if (input->len == 0)
    return 0;
  uint8_t byte = input->ptr[0];
  *input = kr_str_skip(*input, 1);
  return byte;
}

static kr_str kr_fuzz_bytes(kr_str *input, size_t len) {
  kr_str bytes = kr_str_slice(*input, 0, len);
  *input = kr_str_skip(*input, bytes.len);
  return bytes;
}

/* A long value is noted by its place, since the pool may move. */
static void kr_fuzz_read_values(kr_fuzz_case *c, kr_str *input) {
  size_t places[KR_FUZZ_VALUES];
  for (size_t i = 0; i < c->n_values; i++) {
    uint8_t n = kr_fuzz_byte(input);
    kr_str value = kr_fuzz_bytes(input, n < 0xF0 ? n : 8);
    places[i] = SIZE_MAX;
    c->values[i] = (kr_naive_value){.ptr = value.ptr, .len = value.len};
    if (n < 0xF0 || value.len == 0)
      continue;
    places[i] = c->pool.len;
    c->values[i].len = 100u * (n - 0xEFu);
    for (size_t k = 0; k < c->values[i].len; k++)
      KR_FUZZ_MUST(kr_buf_byte(&c->pool, value.ptr[k % value.len]) == KR_OK);
  }
  for (size_t i = 0; i < c->n_values; i++)
    if (places[i] != SIZE_MAX)
      c->values[i].ptr = c->pool.ptr + places[i];
}

/* Text over the limit is left out. */
static void kr_fuzz_put(kr_fuzz_case *c, kr_str bytes) {
  if (bytes.len <= c->text_limit - c->text.len)
    KR_FUZZ_MUST(kr_buf_append(&c->text, bytes) == KR_OK);
}

static void kr_fuzz_put_spelled(kr_fuzz_case *c, kr_str value, uint8_t how) {
  KR_CLEANUP(kr_buf_done) kr_buf scratch = KR_BUF_INIT(KR_FUZZ_OUT_BYTES, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(KR_FUZZ_OUT_BYTES, NULL);
  kr_verify_spelling spelling = (kr_verify_spelling)((how & 0x7Fu) % KR_VERIFY_N_SPELLINGS);
  KR_FUZZ_MUST(kr_verify_spell(value, spelling, (how & 0x80) != 0, &scratch, &out) == KR_OK);
  kr_fuzz_put(c, kr_buf_str(&out));
}

static void kr_fuzz_put_mixed(kr_fuzz_case *c, kr_str value, uint64_t seed) {
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(KR_FUZZ_OUT_BYTES, NULL);
  seed += UINT64_C(0x9E3779B97F4A7C15); /* never 0 */
  kr_naive_spell(&seed, kr_str_slice(value, 0, 400), &out);
  kr_fuzz_put(c, kr_buf_str(&out));
}

static void kr_fuzz_put_changed(kr_fuzz_case *c, kr_str value, uint8_t how) {
  size_t before = c->text.len;
  kr_fuzz_put(c, value);
  if (c->text.len > before)
    c->text.ptr[before + (how & 0x7Fu) % value.len] ^= (how & 0x80) != 0 ? 0x20 : 0x01;
}

static void kr_fuzz_put_again(kr_fuzz_case *c, size_t n, size_t times) {
  n = n < c->text.len ? n : c->text.len;
  for (size_t left = n * times; left > 0 && c->text.len < c->text_limit; left--)
    KR_FUZZ_MUST(kr_buf_byte(&c->text, c->text.ptr[c->text.len - n]) == KR_OK);
}

static void kr_fuzz_put_many(kr_fuzz_case *c, uint8_t byte, size_t n) {
  for (; n > 0 && c->text.len < c->text_limit; n--)
    KR_FUZZ_MUST(kr_buf_byte(&c->text, byte) == KR_OK);
}

static void kr_fuzz_stop_here(kr_fuzz_case *c, kr_fuzz_stop_kind kind) {
  if (c->n_stops < KR_FUZZ_STOPS)
    c->stops[c->n_stops++] = (kr_fuzz_stop){.at = c->text.len, .kind = kind};
}

/* Spans do not overlap. */
static void kr_fuzz_span_here(kr_fuzz_case *c, size_t n) {
  const kr_span *last = c->n_spans == 0 ? NULL : &c->spans[c->n_spans - 1];
  size_t from = last == NULL ? 0 : (size_t)last->offset + last->len;
  if (c->n_spans == KR_FUZZ_STOPS)
    return;
  if (c->text.len - from > n)
    from = c->text.len - n;
  c->spans[c->n_spans++] = (kr_span){
      .offset = (uint32_t)from, .len = (uint32_t)(c->text.len - from), .secrets = 1u + n % 3u};
}

static void kr_fuzz_command(kr_fuzz_case *c, kr_str *input) {
  uint8_t command = kr_fuzz_byte(input);
  kr_naive_value named = c->values[command % 8u % c->n_values];
  kr_str value = kr_str_from(named.ptr, named.len);
  uint8_t a = 0;
  switch (command >> 4) {
  case 0:
    kr_fuzz_put(c, value);
    return;
  case 1:
    kr_fuzz_put_spelled(c, value, kr_fuzz_byte(input));
    return;
  case 2:
    a = kr_fuzz_byte(input);
    kr_fuzz_put_mixed(c, value, a * 256u + kr_fuzz_byte(input));
    return;
  case 3:
    a = kr_fuzz_byte(input);
    kr_fuzz_put(c, kr_str_slice(value, a, (size_t)a + kr_fuzz_byte(input)));
    return;
  case 4:
    kr_fuzz_put_changed(c, value, kr_fuzz_byte(input));
    return;
  case 5:
    a = kr_fuzz_byte(input);
    kr_fuzz_put_again(c, a, kr_fuzz_byte(input) % 32u);
    return;
  case 6:
    a = kr_fuzz_byte(input);
    kr_fuzz_put_many(c, a, 4u * kr_fuzz_byte(input));
    return;
  case 7:
  case 8:
  case 9:
    kr_fuzz_stop_here(c, (kr_fuzz_stop_kind)(KR_FUZZ_CUT + (command >> 4) - 7));
    return;
  case 10:
    kr_fuzz_span_here(c, kr_fuzz_byte(input));
    return;
  case 11:
    c->text_limit = KR_FUZZ_TEXT_BYTES;
    return;
  default:
    kr_fuzz_put_many(c, 0xFF, 1);
    return;
  }
}

void kr_fuzz_case_read(const uint8_t *data, size_t size, kr_fuzz_case *ret) {
  kr_str input = kr_str_from(data, size);
  *ret = (kr_fuzz_case){.pool = KR_BUF_INIT(KR_FUZZ_OUT_BYTES, NULL),
                        .text = KR_BUF_INIT(KR_FUZZ_TEXT_BYTES, NULL),
                        .text_limit = KR_FUZZ_USUAL_BYTES};
  uint8_t first = kr_fuzz_byte(&input);
  ret->n_values = first % KR_FUZZ_VALUES + 1u;
  ret->choice[0] = first / KR_FUZZ_VALUES;
  ret->enabled = KR_REDACT_ALL_FORMS & ~((uint32_t)kr_fuzz_byte(&input) << KR_FORM_PERCENT);
  ret->choice[1] = kr_fuzz_byte(&input);
  kr_fuzz_read_values(ret, &input);
  while (input.len > 0) {
    uint8_t byte = kr_fuzz_byte(&input);
    if (byte == 0xFF)
      kr_fuzz_command(ret, &input);
    else
      kr_fuzz_put_many(ret, byte, 1);
  }
}

void kr_fuzz_case_done(kr_fuzz_case *c) {
  kr_buf_done(&c->pool);
  kr_buf_done(&c->text);
}

bool kr_fuzz_is_blank(kr_str value) {
  size_t n = 0;
  while (n < value.len && memchr(" \t\r\n", value.ptr[n], 4) != NULL)
    n++;
  return n == value.len;
}

kr_redact_set *kr_fuzz_set(const kr_fuzz_case *c, size_t n_values, uint32_t min_search) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  kr_redact_set *set = NULL;
  KR_FUZZ_MUST(kr_redact_builder_new(&builder, NULL) == KR_OK);
  kr_redact_builder_set_forms(builder, c->enabled);
  for (uint32_t i = 0; i < n_values; i++) {
    char name[16];
    snprintf(name, sizeof name, "V%u", i);
    kr_redact_secret secret = {.name = kr_str_cstr(name),
                               .bytes = kr_str_from(c->values[i].ptr, c->values[i].len),
                               .version = i,
                               .min_search = min_search};
    kr_status status = kr_redact_builder_add_secret(builder, &secret, NULL);
    bool is_blank = kr_fuzz_is_blank(secret.bytes); /* or empty: refused */
    KR_FUZZ_MUST(status == (is_blank ? KR_INVALID : KR_OK));
  }
  KR_FUZZ_MUST(kr_redact_builder_build(builder, &set, NULL) == KR_OK);
  return set;
}

/* ---- what the linker puts in between ---- */

static kr_cpu_level kr_fuzz_level;
static bool kr_fuzz_has_given_up;

kr_cpu_level __real_kr_cpu_best(void);
kr_cpu_level __wrap_kr_cpu_best(void);
void __real_kr_redact_scan_cover(kr_redact_scan *scan, uint64_t start, uint64_t end,
                                 uint32_t value);
void __wrap_kr_redact_scan_cover(kr_redact_scan *scan, uint64_t start, uint64_t end,
                                 uint32_t value);

kr_cpu_level __wrap_kr_cpu_best(void) {
  kr_cpu_level best = __real_kr_cpu_best();
  return kr_fuzz_level == KR_CPU_BEST || kr_fuzz_level > best ? best : kr_fuzz_level;
}

/* Called from other files than scan.c: paths.c removes what it cannot follow. */
void __wrap_kr_redact_scan_cover(kr_redact_scan *scan, uint64_t start, uint64_t end,
                                 uint32_t value) {
  kr_fuzz_has_given_up = true;
  __real_kr_redact_scan_cover(scan, start, end, value);
}

void kr_fuzz_use_level(kr_cpu_level level) { kr_fuzz_level = level; }

kr_cpu_level kr_fuzz_best_level(void) { return __real_kr_cpu_best(); }

bool kr_fuzz_gave_up(void) {
  bool gave_up = kr_fuzz_has_given_up;
  kr_fuzz_has_given_up = false;
  return gave_up;
}

/* ---- judging ---- */

kr_str kr_fuzz_exact(kr_str text) {
  uint8_t *copy = malloc(text.len == 0 ? 1 : text.len);
  KR_FUZZ_MUST(copy != NULL);
  if (text.len > 0)
    memcpy(copy, text.ptr, text.len);
  return kr_str_from(copy, text.len);
}

void kr_fuzz_exact_free(kr_str text) { free((void *)(uintptr_t)text.ptr); }

typedef struct kr_fuzz_sink {
  kr_str text;
  kr_fuzz_shot *shot;
} kr_fuzz_sink;

static kr_status kr_fuzz_show(void *ctx, kr_str bytes, bool is_marker) {
  kr_fuzz_sink *sink = ctx;
  if (!is_marker) {
    size_t from = (size_t)(bytes.ptr - sink->text.ptr);
    KR_FUZZ_MUST(from <= sink->text.len && bytes.len <= sink->text.len - from);
    memset(sink->shot->is_shown + from, true, bytes.len);
  }
  return kr_buf_append(&sink->shot->out, bytes);
}

void kr_fuzz_shoot(const kr_redact_set *set, kr_str text, const kr_fuzz_case *c, bool with_spans,
                   const kr_redact_options *options, kr_fuzz_shot *ret) {
  ret->out = KR_BUF_INIT(KR_FUZZ_OUT_BYTES, NULL);
  ret->report = (kr_redact_report){0};
  memset(ret->is_shown, false, text.len);
  kr_fuzz_sink sink = {.text = text, .shot = ret};
  (void)kr_fuzz_gave_up();
  KR_FUZZ_MUST(kr_redact_run_scan(set, text, c->spans, with_spans ? c->n_spans : 0, options,
                                  kr_fuzz_show, &sink, &ret->report) == KR_OK);
  ret->gave_up = kr_fuzz_gave_up();
}

void kr_fuzz_shot_done(kr_fuzz_shot *shot) {
  kr_buf_done(&shot->out);
  kr_redact_report_done(&shot->report);
}

bool kr_fuzz_same_report(const kr_redact_report *a, const kr_redact_report *b) {
  if (a->n_runs != b->n_runs || a->n_hits != b->n_hits)
    return false;
  for (size_t i = 0; i < a->n_hits; i++)
    if (a->hits[i].value != b->hits[i].value || a->hits[i].form != b->hits[i].form ||
        a->hits[i].count != b->hits[i].count)
      return false;
  return true;
}

/* The reference does not know the leaves of structured values. */
static bool kr_fuzz_has_leaves(const kr_redact_set *set) {
  for (size_t i = 0; i < kr_redact_n_patterns(&set->patterns.forms); i++)
    if (kr_redact_patterns_at(&set->patterns.forms)[i].form == KR_FORM_LEAF)
      return true;
  return false;
}

bool kr_fuzz_reference(const kr_fuzz_case *c, const kr_redact_set *set, size_t n_values,
                       kr_str text, bool *is_covered, bool *ret_is_exact) {
  if (text.len > KR_FUZZ_NAIVE_TEXT_BYTES || c->enabled != KR_REDACT_ALL_FORMS)
    return false;
  kr_naive_value searched[KR_FUZZ_VALUES];
  size_t n_searched = 0;
  for (size_t i = 0; i < n_values; i++) {
    if (c->values[i].len > KR_FUZZ_NAIVE_VALUE_BYTES)
      return false;
    if (!kr_fuzz_is_blank(kr_str_from(c->values[i].ptr, c->values[i].len)))
      searched[n_searched++] = c->values[i];
  }
  memset(is_covered, false, text.len);
  (void)kr_naive_cover(searched, n_searched, text, is_covered);
  *ret_is_exact = !kr_fuzz_has_leaves(set);
  return true;
}

/* places[i] is a row: can the output up to here be what the first k bytes of the text gave? */
bool kr_fuzz_is_safe(kr_str output, kr_str text, const bool *is_covered) {
  static bool places[sizeof(KR_REDACT_MARKER)][KR_FUZZ_NAIVE_TEXT_BYTES + 1];
  const size_t n_rows = sizeof(KR_REDACT_MARKER);
  const size_t marker_len = n_rows - 1;
  KR_FUZZ_MUST(text.len <= KR_FUZZ_NAIVE_TEXT_BYTES);
  memset(places, false, sizeof(places));
  places[0][0] = true;
  for (size_t at = 0; at < output.len; at++) {
    bool *row = places[at % n_rows];
    bool is_marker = kr_str_starts(kr_str_skip(output, at), KR_STR(KR_REDACT_MARKER));
    bool is_reached = false; /* by some k so far */
    for (size_t k = 0; k <= text.len; k++) {
      if (is_marker && is_reached)
        places[(at + marker_len) % n_rows][k] = true;
      is_reached = is_reached || row[k];
      if (row[k] && k < text.len && !is_covered[k] && text.ptr[k] == output.ptr[at])
        places[(at + 1) % n_rows][k + 1] = true;
    }
    memset(row, false, sizeof(places[0]));
  }
  return places[output.len % n_rows][text.len];
}

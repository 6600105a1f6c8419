/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.c - redact a JSON tree decoded: strings, keys and other scalars. A scalar
 * that is no string and matches becomes a string marker. Keys that collide
 * after redaction get "#2", "#3", ...; keys of one object lie on two stacks
 * while it is written:
 *
 *   names [ {offset, len, next_number} ... outer | inner ]     texts [ bytes ... ]
 */
#include "redact/field.h"

#include "base/utf8.h"
#include "redact/hits.h"
#include "secmem/sensitive.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct kr_redact_name {
  size_t offset; /* into texts */
  size_t len;
  uint64_t next_number; /* to try when another key collides with this one */
} kr_redact_name;

typedef struct kr_redact_walk {
  const kr_redact_set *set;
  kr_json_writer *writer;
  kr_buf *decoded;
  kr_redact_report *report;
  bool keep_markers;
  unsigned depth;
  kr_redact_scratch *scratch;
  kr_str text; /* the last redacted text: of the tree as it is, or leaf */
  kr_buf leaf;
  kr_buf names;
  kr_buf texts;
  kr_buf spans; /* kr_span of markers in a leaf */
} kr_redact_walk;

static void kr_redact_walk_done(kr_redact_walk *walk) {
  kr_redact_scratch_free(walk->scratch);
  kr_buf_done(&walk->leaf);
  kr_buf_done(&walk->names);
  kr_buf_done(&walk->texts);
  kr_buf_done(&walk->spans);
}

static kr_redact_name *kr_redact_name_at(const kr_redact_walk *walk, size_t index) {
  return (kr_redact_name *)(void *)walk->names.ptr + index;
}

static kr_str kr_redact_name_text(const kr_redact_walk *walk, const kr_redact_name *name) {
  return kr_str_slice(kr_buf_str(&walk->texts), name->offset, name->offset + name->len);
}

static kr_status kr_redact_find_markers(kr_redact_walk *walk, kr_str text) {
  kr_buf_reset(&walk->spans);
  size_t at = kr_str_find(text, KR_STR(KR_REDACT_MARKER), 0);
  while (at != SIZE_MAX) {
    kr_span span = {.offset = (uint32_t)at, .len = sizeof(KR_REDACT_MARKER) - 1};
    KR_TRY(kr_buf_append(&walk->spans, kr_str_from(&span, sizeof(span))));
    at = kr_str_find(text, KR_STR(KR_REDACT_MARKER), at + span.len);
  }
  return KR_OK;
}

/* Redact text: walk->text. */
static kr_status kr_redact_leaf(kr_redact_walk *walk, kr_str text, bool *ret_changed) {
  bool is_unchanged = false;
  kr_buf_reset(&walk->leaf);
  kr_buf_reset(&walk->spans);
  if (walk->keep_markers)
    KR_TRY(kr_redact_find_markers(walk, text));
  KR_TRY(kr_redact_with(
      walk->scratch, walk->set, text, (const kr_span *)(const void *)walk->spans.ptr,
      walk->spans.len / sizeof(kr_span), NULL, &walk->leaf, walk->report, &is_unchanged));
  *ret_changed = !is_unchanged;
  walk->text = is_unchanged ? text : kr_buf_str(&walk->leaf);
  /* A value that is no text can match inside a code point: then nothing of the leaf is left. */
  if (!kr_utf8_is_valid(walk->text)) {
    *ret_changed = true;
    walk->text = KR_STR(KR_REDACT_MARKER);
  }
  KR_TRY(kr_buf_append(walk->decoded, walk->text));
  return kr_buf_byte(walk->decoded, 0xFF);
}

static kr_status kr_redact_string(kr_redact_walk *walk, kr_str text) {
  bool is_changed = false;
  KR_TRY(kr_redact_leaf(walk, text, &is_changed));
  kr_json_put_string(walk->writer, walk->text);
  return walk->writer->status;
}

/* A number, true, false or null, given as JSON text. */
static kr_status kr_redact_scalar(kr_redact_walk *walk, const kr_json *json) {
  bool is_changed = false;
  kr_str text = kr_json_text(json);
  if (json->type == KR_JSON_NULL)
    text = KR_STR("null");
  else if (json->type != KR_JSON_NUMBER)
    text = json->type == KR_JSON_TRUE ? KR_STR("true") : KR_STR("false");
  KR_TRY(kr_redact_leaf(walk, text, &is_changed));
  if (is_changed)
    kr_json_put_string(walk->writer, KR_STR(KR_REDACT_MARKER));
  else
    kr_json_put_raw(walk->writer, text);
  return walk->writer->status;
}

/* Push the redacted keys of an object. */
static kr_status kr_redact_push_names(kr_redact_walk *walk, const kr_json *json,
                                      bool *ret_changed) {
  *ret_changed = false;
  for (uint32_t i = 0; i < json->count; i++) {
    bool is_changed = false;
    KR_TRY(kr_redact_leaf(walk, kr_json_text(&json->members[i].key), &is_changed));
    kr_redact_name name = {.offset = walk->texts.len, .len = walk->text.len, .next_number = 2};
    KR_TRY(kr_buf_append(&walk->texts, walk->text));
    KR_TRY(kr_buf_append(&walk->names, kr_str_from(&name, sizeof(name))));
    *ret_changed = *ret_changed || is_changed;
  }
  return KR_OK;
}

/* The slot of the name equal to text among places (index + 1, 0: free), or where it belongs. */
static uint32_t *kr_redact_name_slot(const kr_redact_walk *walk, uint32_t *places, size_t cap,
                                     size_t first, kr_str text) {
  uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
  for (size_t i = 0; i < text.len; i++)
    hash = (hash ^ text.ptr[i]) * 0x100000001b3u;
  size_t at = (size_t)(hash ^ hash >> 32) & (cap - 1);
  while (places[at] != 0 &&
         !kr_str_equal(text,
                       kr_redact_name_text(walk, kr_redact_name_at(walk, first + places[at] - 1))))
    at = (at + 1) & (cap - 1);
  return &places[at];
}

/* Give name `index` the first free "NAME#n"; taken is the one it collides with. */
static kr_status kr_redact_number_name(kr_redact_walk *walk, uint32_t *places, size_t cap,
                                       size_t first, uint32_t index, uint32_t taken) {
  for (;;) {
    kr_redact_name *base = kr_redact_name_at(walk, first + taken);
    char number[24];
    int n = snprintf(number, sizeof(number), "#%llu", (unsigned long long)base->next_number++);
    size_t offset = walk->texts.len;
    KR_TRY(kr_buf_reserve(&walk->texts, base->len + sizeof(number)));
    KR_TRY(kr_buf_append(&walk->texts, kr_redact_name_text(walk, base)));
    KR_TRY(kr_buf_append(&walk->texts, kr_str_from(number, (size_t)n)));
    uint32_t *slot = kr_redact_name_slot(walk, places, cap, first,
                                         kr_str_skip(kr_buf_str(&walk->texts), offset));
    if (*slot != 0) {
      walk->texts.len = offset;
      continue;
    }
    kr_redact_name *name = kr_redact_name_at(walk, first + index);
    name->offset = offset;
    name->len = walk->texts.len - offset;
    *slot = index + 1;
    return KR_OK;
  }
}

static kr_status kr_redact_number_names(kr_redact_walk *walk, size_t first, uint32_t n_names) {
  size_t cap = 4;
  while (cap < 2 * (size_t)n_names)
    cap *= 2;
  uint32_t *places = calloc(cap, sizeof(*places));
  if (places == NULL)
    return KR_NOMEM;
  kr_status status = KR_OK;
  for (uint32_t i = 0; i < n_names && status == KR_OK; i++) {
    kr_str text = kr_redact_name_text(walk, kr_redact_name_at(walk, first + i));
    uint32_t *slot = kr_redact_name_slot(walk, places, cap, first, text);
    if (*slot == 0)
      *slot = i + 1;
    else
      status = kr_redact_number_name(walk, places, cap, first, i, *slot - 1);
  }
  free(places);
  return status;
}

static kr_status kr_redact_value(kr_redact_walk *walk, const kr_json *json);

static kr_status kr_redact_object(kr_redact_walk *walk, const kr_json *json) {
  size_t names_len = walk->names.len;
  size_t texts_len = walk->texts.len;
  size_t first = names_len / sizeof(kr_redact_name);
  bool is_changed = false;
  KR_TRY(kr_redact_push_names(walk, json, &is_changed));
  if (is_changed)
    KR_TRY(kr_redact_number_names(walk, first, json->count));
  kr_json_begin_object(walk->writer);
  for (uint32_t i = 0; i < json->count; i++) {
    const kr_redact_name *name = kr_redact_name_at(walk, first + i);
    kr_json_key(walk->writer, kr_redact_name_text(walk, name));
    KR_TRY(kr_redact_value(walk, &json->members[i].value));
  }
  kr_json_end_object(walk->writer);
  walk->names.len = names_len;
  walk->texts.len = texts_len;
  return walk->writer->status;
}

static kr_status kr_redact_array(kr_redact_walk *walk, const kr_json *json) {
  kr_json_begin_array(walk->writer);
  for (uint32_t i = 0; i < json->count; i++)
    KR_TRY(kr_redact_value(walk, &json->items[i]));
  kr_json_end_array(walk->writer);
  return walk->writer->status;
}

/* Recursion is bounded by KR_REDACT_TREE_DEPTH, also for trees made by hand. */
static kr_status kr_redact_value(kr_redact_walk *walk, const kr_json *json) {
  if (json->type == KR_JSON_STRING)
    return kr_redact_string(walk, kr_json_text(json));
  if (json->type != KR_JSON_OBJECT && json->type != KR_JSON_ARRAY)
    return kr_redact_scalar(walk, json);
  if (walk->depth >= KR_REDACT_TREE_DEPTH)
    return KR_LIMIT;
  walk->depth++;
  kr_status status =
      json->type == KR_JSON_OBJECT ? kr_redact_object(walk, json) : kr_redact_array(walk, json);
  walk->depth--;
  return status;
}

kr_status kr_redact_tree(const kr_redact_set *set, const kr_json *json, bool keep_markers,
                         kr_json_writer *writer, kr_buf *decoded, kr_redact_report *report) {
  KR_CLEANUP(kr_redact_walk_done)
  kr_redact_walk walk = {
      .set = set,
      .writer = writer,
      .decoded = decoded,
      .report = report,
      .keep_markers = keep_markers,
      .leaf = KR_BUF_INIT(KR_REDACT_FIELD_BYTES, kr_sensitive_memory()),
      .names = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory()),
      .texts = KR_BUF_INIT(KR_REDACT_FIELD_BYTES, kr_sensitive_memory()),
      .spans = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory()),
  };
  KR_TRY(kr_redact_scratch_new(&walk.scratch));
  KR_TRY(kr_redact_value(&walk, json));
  return kr_json_finish(writer);
}

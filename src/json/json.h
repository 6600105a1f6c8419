/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - strict JSON (RFC 8259, UTF-8) as an immutable tree in an arena.
 *
 * A kr_json is 16 bytes: type, count, and one pointer. Strings are decoded
 * (their bytes are in the arena or, where the source has no escape, in the
 * source text, which must therefore outlive the tree). Numbers keep their
 * source digits, byte for byte. Members keep their order.
 *
 *   {"a": [1, "x"]}   OBJECT count 1 -> members[1] = { key "a", value ARRAY count 2 -> items[2] }
 *
 * Invariants: strings and keys are valid UTF-8; keys of one object are unique
 * (a duplicate key is an error, see docs/decisions/); a number matches the
 * grammar of RFC 8259, section 6; depth and sizes are within kr_json_limits.
 * Trees are immutable once made and may be shared between threads.
 */
#ifndef KR_JSON_JSON_H
#define KR_JSON_JSON_H

#include "base/arena.h"
#include "base/buf.h"

typedef enum kr_json_type {
  KR_JSON_NULL,
  KR_JSON_FALSE,
  KR_JSON_TRUE,
  KR_JSON_NUMBER, /* text: source digits */
  KR_JSON_STRING, /* text: decoded UTF-8 */
  KR_JSON_ARRAY,
  KR_JSON_OBJECT
} kr_json_type;

typedef struct kr_json kr_json;
typedef struct kr_json_member kr_json_member;

struct kr_json {
  uint8_t type;   /* kr_json_type */
  uint32_t count; /* bytes of text, items of an array, members of an object */
  union {
    const uint8_t *text;
    const kr_json *items;
    const kr_json_member *members;
  };
};

struct kr_json_member {
  kr_json key; /* always KR_JSON_STRING */
  kr_json value;
};

/** Each limit is inclusive; 0 stands for the default. */
typedef struct kr_json_limits {
  size_t max_bytes; /* of source text; default KR_JSON_MAX_BYTES */
  uint32_t depth;   /* nested arrays and objects; default KR_JSON_MAX_DEPTH */
  size_t nodes;     /* values and keys in all; default KR_JSON_MAX_NODES */
} kr_json_limits;

#define KR_JSON_MAX_BYTES (4u * 1024u * 1024u)
#define KR_JSON_MAX_DEPTH 128u
#define KR_JSON_MAX_NODES (1024u * 1024u)

/**
 * Parse one JSON document; blanks may surround it, nothing else may follow.
 *
 * @text    Must outlive the tree (strings without escapes point into it).
 * @arena   Receives nodes and decoded strings; on failure it may hold garbage,
 *          to be reset by the caller.
 * @reterr  span is in bytes of text: the place of the first error.
 *
 * Errors: KR_INVALID (grammar, UTF-8, a byte-order mark, a lone surrogate, a
 * duplicate key), KR_LIMIT (named in the message), KR_NOMEM.
 */
kr_status kr_json_parse(kr_str text, const kr_json_limits *limits, kr_arena *arena,
                        const kr_json **ret_json, kr_error *reterr) KR_MUST_USE;

/** The text of a string or number; empty for other types. */
static inline kr_str kr_json_text(const kr_json *json) {
  return json->type == KR_JSON_STRING || json->type == KR_JSON_NUMBER
             ? kr_str_from(json->text, json->count)
             : (kr_str){0};
}

/** The value of a key in an object; NULL when absent or when json is no object. */
const kr_json *kr_json_get(const kr_json *json, kr_str key);

/** Item index of an array, negative from the end; NULL when outside or no array. */
const kr_json *kr_json_at(const kr_json *json, int64_t index);

/** The number as int64; false when json is no number, has a fraction or exponent, or overflows. */
bool kr_json_to_int(const kr_json *json, int64_t *ret_value);

/** The number as the nearest double; false when json is no number or overflows to infinity. */
bool kr_json_to_double(const kr_json *json, double *ret_value);

/** "null", "boolean", "number", "string", "array", "object"; static. */
const char *kr_json_type_name(const kr_json *json);

/* Making trees by hand: text, items and members are borrowed by the result. */
static inline kr_json kr_json_string(kr_str utf8) {
  return (kr_json){.type = KR_JSON_STRING, .count = (uint32_t)utf8.len, .text = utf8.ptr};
}

/**
 * The writer emits compact or indented JSON into a buffer, with commas and
 * colons where they belong; misuse (a value where a key must stand) is a bug
 * and asserts. After the first failure every call returns it again.
 *
 *   kr_json_writer w = kr_json_writer_init(&buf, 0);
 *   kr_json_begin_object(&w);
 *   kr_json_key(&w, KR_STR("name")); kr_json_put_string(&w, name);
 *   kr_json_end_object(&w);
 *   status = kr_json_finish(&w);
 */
#define KR_JSON_WRITER_DEPTH 160u

typedef struct kr_json_writer {
  kr_buf *buf;
  unsigned indent; /* blanks per level; 0 is compact */
  unsigned depth;
  kr_status status;
  bool is_after_key;
  bool is_done;                            /* the one top-level value was written */
  uint8_t n_written[KR_JSON_WRITER_DEPTH]; /* 0, 1: any value on this level yet */
  uint8_t is_object[KR_JSON_WRITER_DEPTH];
} kr_json_writer;

kr_json_writer kr_json_writer_init(kr_buf *buf, unsigned indent);

void kr_json_begin_object(kr_json_writer *writer);
void kr_json_end_object(kr_json_writer *writer);
void kr_json_begin_array(kr_json_writer *writer);
void kr_json_end_array(kr_json_writer *writer);
void kr_json_key(kr_json_writer *writer, kr_str key);

/** Escapes `"`, `\` and controls only; utf8 must be valid (asserted in debug builds). */
void kr_json_put_string(kr_json_writer *writer, kr_str utf8);
void kr_json_put_cstr(kr_json_writer *writer, const char *text);
void kr_json_put_int(kr_json_writer *writer, int64_t value);
void kr_json_put_bool(kr_json_writer *writer, bool value);
void kr_json_put_null(kr_json_writer *writer);

/** A whole tree. */
void kr_json_put(kr_json_writer *writer, const kr_json *json);

/** Text that is JSON already (one value); not checked. */
void kr_json_put_raw(kr_json_writer *writer, kr_str json_text);

/** The first failure, or KR_OK; asserts that everything begun was ended. */
kr_status kr_json_finish(kr_json_writer *writer) KR_MUST_USE;

/** Append the escaped form of utf8, without quotes. */
kr_status kr_json_escape(kr_str utf8, kr_buf *out) KR_MUST_USE;

/** Append a whole tree as compact JSON. KR_LIMIT, KR_NOMEM. */
kr_status kr_json_write(const kr_json *json, kr_buf *out) KR_MUST_USE;

#endif

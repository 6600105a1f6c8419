/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render_case.h - the templates of the suite "render", once, neutral: pieces
 * of literal text, fields, and fields through a function. Each engine gets the
 * same pieces in its own language and the same payloads, and must give the
 * same bytes before it is timed.
 */
#ifndef KR_BENCH_RENDER_CASE_H
#define KR_BENCH_RENDER_CASE_H

#include "json/json.h"

#include <stdbool.h>

#define KR_CASE_PAYLOADS 4u /* taken in turns, so that nothing can be hoisted out of a loop */
#define KR_CASE_PIECES 128u
#define KR_CASE_TEXT_BYTES 8192u

typedef enum kr_piece_function {
  KR_PIECE_PLAIN,
  KR_PIECE_UPPER,
  KR_PIECE_LOWER,
  KR_PIECE_TRIM,
  KR_PIECE_HEAD,    /* the first 8 characters */
  KR_PIECE_REPLACE, /* "-" by "/" */
  KR_PIECE_JOIN,    /* this field, a blank, the next field */
  KR_PIECE_DEFAULT, /* the field, or "none" */
  KR_PIECE_CHOOSE   /* "yes" when the field is "paid", else "no" */
} kr_piece_function;

typedef struct kr_piece {
  const char *literal; /* NULL: a field */
  unsigned field;
  kr_piece_function function;
} kr_piece;

typedef struct kr_render_case {
  const char *name; /* "slack", "order", "orderfn" */
  kr_piece pieces[KR_CASE_PIECES];
  size_t n_pieces;
  unsigned n_fields;
  bool is_hostile; /* every payload is: an engine that gets it wrong is left out */
  char payload_text[KR_CASE_PAYLOADS + 1][KR_CASE_TEXT_BYTES]; /* the last one is hostile */
  const kr_json *payloads[KR_CASE_PAYLOADS + 1];
  kr_json *numbers[KR_CASE_PAYLOADS]; /* the value of order_id in each */
} kr_render_case;

#define KR_CASE_HOSTILE KR_CASE_PAYLOADS

/*
 * No two orders are alike: before each render its payload gets another order
 * number, or an engine that interns strings (LuaJIT) would find its result
 * made already. Numbers repeat after so many renders.
 */
#define KR_CASE_NUMBERS 4096u
#define KR_CASE_NUMBER_BYTES 13u
#define KR_CASE_NUMBER_FORMAT "SO-2024-%05u"

/** The payload for a render; its order number is the one of this turn. */
const kr_json *kr_case_next(kr_render_case *work, size_t turn);

void kr_case_slack(kr_render_case *work, kr_arena *arena);
/** rotation: how many of the payloads have their members in another order. */
void kr_case_order(kr_render_case *work, bool has_functions, unsigned rotation, kr_arena *arena);
void kr_case_hostile(kr_render_case *work, kr_arena *arena);

/** The name of a field, as in the payloads. */
const char *kr_case_field(const kr_render_case *work, unsigned field);

/** The template for krosyn, and for Lua as the source of "return function(p) ... end". */
void kr_case_krosyn(const kr_render_case *work, kr_buf *out);
void kr_case_lua(const kr_render_case *work, bool is_escaped, kr_buf *out);

/** Source of a Lua table with the payload. */
void kr_case_lua_payload(const kr_render_case *work, size_t payload, kr_buf *out);

/** {"op":"case",...} for the peers that node runs; one line. */
void kr_case_json(const kr_render_case *work, kr_buf *out);

#endif

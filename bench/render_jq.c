/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render_jq.c - libjq as a peer: the template is a jq string with
 * interpolations. "libjq" escapes nothing, "libjq-escaped" writes each field as
 * JSON and takes the quotes off. Compiling includes its own library of
 * definitions, as for anyone who compiles a jq program.
 */
#include "render_peers.h"

#include <jq.h>
#include <stdio.h>

#define KR_JQ_KINDS 2u

typedef struct kr_jq {
  kr_buf text[KR_JQ_KINDS];
  jq_state *programs[KR_JQ_KINDS];
  jv payloads[KR_CASE_PAYLOADS + 1];
  bool is_ready;
  jv output; /* the last one */
} kr_jq;

static kr_jq kr_jq_all = {.text = {{.limit = 1024u * 1024u}, {.limit = 1024u * 1024u}}};

static void kr_jq_put(kr_buf *out, const char *text) {
  if (kr_buf_append(out, kr_str_cstr(text)) != KR_OK)
    kr_bench_die("libjq", "out of memory");
}

static void kr_jq_put_field(const kr_render_case *work, const kr_piece *piece, bool is_escaped,
                            kr_buf *out) {
  static const char *const formats[] = {
      [KR_PIECE_PLAIN] = ".%s",
      [KR_PIECE_UPPER] = ".%s | ascii_upcase",
      [KR_PIECE_LOWER] = ".%s | ascii_downcase",
      [KR_PIECE_TRIM] = ".%s | sub(\"^\\\\s+\"; \"\") | sub(\"\\\\s+$\"; \"\")",
      [KR_PIECE_HEAD] = ".%s[:8]",
      [KR_PIECE_REPLACE] = ".%s | split(\"-\") | join(\"/\")",
      [KR_PIECE_JOIN] = ".%s + \" \" + .%s",
      [KR_PIECE_DEFAULT] = ".%s // \"none\"",
      [KR_PIECE_CHOOSE] = "if .%s == \"paid\" then \"yes\" else \"no\" end"};
  const char *field = kr_case_field(work, piece->field);
  const char *next = kr_case_field(work, (piece->field + 1) % work->n_fields);
  kr_jq_put(out, "\\((");
  for (const char *at = formats[piece->function]; *at != '\0'; at++) {
    bool is_hole = at[0] == '%' && at[1] == 's';
    if (is_hole) {
      kr_jq_put(out, field);
      field = next;
      at++;
    } else if (kr_buf_byte(out, (uint8_t)*at) != KR_OK) {
      kr_bench_die("libjq", "out of memory");
    }
  }
  kr_jq_put(out, is_escaped ? ") | tojson[1:-1])" : "))");
}

/* Literals are written as in JSON, but for a \( that would be an interpolation; none has one. */
static void kr_jq_write(const kr_render_case *work, bool is_escaped, kr_buf *out) {
  kr_buf_reset(out);
  kr_jq_put(out, "\"");
  for (size_t i = 0; i < work->n_pieces; i++) {
    const kr_piece *piece = &work->pieces[i];
    if (piece->literal == NULL) {
      kr_jq_put_field(work, piece, is_escaped, out);
      continue;
    }
    kr_json literal = kr_json_string(kr_str_cstr(piece->literal));
    size_t start = out->len;
    if (kr_json_write(&literal, out) != KR_OK)
      kr_bench_die("libjq", "out of memory");
    memmove(out->ptr + start, out->ptr + start + 1, out->len - start - 2);
    out->len -= 2;
  }
  kr_jq_put(out, "\"");
  if (kr_buf_byte(out, 0) != KR_OK)
    kr_bench_die("libjq", "out of memory");
  out->len--;
}

static jq_state *kr_jq_compile(const kr_buf *text) {
  jq_state *program = jq_init();
  if (program == NULL || jq_compile(program, (const char *)text->ptr) == 0)
    kr_bench_die("libjq", "does not compile its program; its own message is above");
  return program;
}

static void kr_jq_clear(void) {
  for (size_t i = 0; kr_jq_all.is_ready && i < KR_JQ_KINDS; i++)
    jq_teardown(&kr_jq_all.programs[i]);
  for (size_t i = 0; kr_jq_all.is_ready && i <= KR_CASE_PAYLOADS; i++)
    jv_free(kr_jq_all.payloads[i]);
  if (kr_jq_all.is_ready)
    jv_free(kr_jq_all.output);
  kr_jq_all.is_ready = false;
}

static void kr_jq_prepare(void *ctx, const kr_render_case *work) {
  (void)ctx;
  kr_jq_clear();
  for (size_t i = 0; i < KR_JQ_KINDS; i++) {
    kr_jq_write(work, i == 1, &kr_jq_all.text[i]);
    kr_jq_all.programs[i] = kr_jq_compile(&kr_jq_all.text[i]);
  }
  for (size_t i = 0; i <= KR_CASE_PAYLOADS; i++)
    kr_jq_all.payloads[i] = jv_parse(work->payload_text[i]);
  kr_jq_all.output = jv_null();
  kr_jq_all.is_ready = true;
}

/* The payload is changed in place: nothing else refers to it between renders. */
static void kr_jq_render(jq_state *program, size_t turn, size_t payload) {
  char number[KR_CASE_NUMBER_BYTES + 3];
  jv *values = &kr_jq_all.payloads[payload];
  if (payload != KR_CASE_HOSTILE) {
    (void)snprintf(number, sizeof number, KR_CASE_NUMBER_FORMAT,
                   (unsigned)(turn % KR_CASE_NUMBERS));
    *values = jv_object_set(*values, jv_string("order_id"), jv_string(number));
  }
  jq_start(program, jv_copy(*values), 0);
  jv result = jq_next(program);
  if (jv_get_kind(result) != JV_KIND_STRING)
    kr_bench_die("libjq", "does not give a string");
  jv_free(kr_jq_all.output);
  kr_jq_all.output = result;
  jv_free(jq_next(program)); /* to its end, so that it lets go of the payload */
}

static size_t kr_jq_kind(const kr_peer *peer) { return strcmp(peer->name, "libjq") == 0 ? 0 : 1; }

static double kr_jq_run(void *ctx, size_t n_calls) {
  const kr_peer *peer = ctx;
  size_t kind = kr_jq_kind(peer);
  bool is_compile = strcmp(peer->action, "compile") == 0;
  double start = kr_bench_now_ns();
  for (size_t i = 0; i < n_calls; i++) {
    jq_state *program =
        is_compile ? kr_jq_compile(&kr_jq_all.text[kind]) : kr_jq_all.programs[kind];
    kr_jq_render(program, i, i % KR_CASE_PAYLOADS);
    if (is_compile)
      jq_teardown(&program);
  }
  return kr_bench_now_ns() - start;
}

static kr_str kr_jq_output(const kr_peer *peer, size_t payload) {
  kr_jq_render(kr_jq_all.programs[kr_jq_kind(peer)], payload, payload);
  int len = jv_string_length_bytes(jv_copy(kr_jq_all.output));
  return kr_str_from(jv_string_value(kr_jq_all.output), (size_t)len);
}

static bool kr_jq_peer(void *ctx, const kr_render_case *work, const char *action, size_t index,
                       kr_peer *ret_peer) {
  static const char *const names[KR_JQ_KINDS] = {"libjq", "libjq-escaped"};
  bool is_render = strcmp(action, "render") == 0;
  bool is_known = is_render || strcmp(action, "compile") == 0;
  if (!is_known || index >= (is_render ? KR_JQ_KINDS : 1u))
    return false;
  *ret_peer = (kr_peer){.work = work,
                        .batch = {.run = kr_jq_run, .ctx = ret_peer},
                        .output = kr_jq_output,
                        .ctx = ctx};
  (void)snprintf(ret_peer->name, sizeof ret_peer->name, "%s", names[index]);
  (void)snprintf(ret_peer->action, sizeof ret_peer->action, "%s", action);
  return true;
}

static void kr_jq_done(void *ctx) {
  (void)ctx;
  kr_jq_clear();
  for (size_t i = 0; i < KR_JQ_KINDS; i++)
    kr_buf_done(&kr_jq_all.text[i]);
}

const kr_peer_source kr_source_jq = {
    .prepare = kr_jq_prepare, .peer = kr_jq_peer, .done = kr_jq_done};

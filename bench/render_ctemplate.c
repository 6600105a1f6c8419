/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render_ctemplate.c - ctemplate as a peer: values of each payload in a
 * dictionary made before, one of them replaced before each render. It escapes
 * nothing here (its own JSON escaper writes other bytes), and has no functions:
 * cases that use them leave it out.
 */
#include "ctemplate_shim.h"
#include "render_peers.h"

#include <stdio.h>

typedef struct kr_ctemplate {
  kr_buf text;
  void *parsed; /* NULL: the case uses functions */
  void *values[KR_CASE_PAYLOADS + 1];
  char numbers[KR_CASE_NUMBERS][KR_CASE_NUMBER_BYTES + 3];
} kr_ctemplate;

static kr_ctemplate kr_ct = {.text = {.limit = 1024u * 1024u}};

static const char kr_ct_number[] = "order_id";

static void kr_ct_put(kr_str bytes) {
  if (kr_buf_append(&kr_ct.text, bytes) != KR_OK)
    kr_bench_die("ctemplate", "out of memory");
}

/* false: a function is used */
static bool kr_ct_write(const kr_render_case *work) {
  kr_buf_reset(&kr_ct.text);
  for (size_t i = 0; i < work->n_pieces; i++) {
    const kr_piece *piece = &work->pieces[i];
    if (piece->function != KR_PIECE_PLAIN)
      return false;
    kr_ct_put(kr_str_cstr(piece->literal != NULL ? piece->literal : "{{"));
    if (piece->literal != NULL)
      continue;
    kr_ct_put(kr_str_cstr(kr_case_field(work, piece->field)));
    kr_ct_put(KR_STR("}}"));
  }
  return true;
}

static void *kr_ct_parse(void) {
  void *parsed = kr_ctemplate_new((const char *)kr_ct.text.ptr, kr_ct.text.len);
  if (parsed == NULL)
    kr_bench_die("ctemplate", "does not parse its template");
  return parsed;
}

static void kr_ct_clear(void) {
  kr_ctemplate_free(kr_ct.parsed);
  kr_ct.parsed = NULL;
  for (size_t i = 0; i <= KR_CASE_PAYLOADS; i++) {
    kr_ctemplate_values_free(kr_ct.values[i]);
    kr_ct.values[i] = NULL;
  }
}

static void *kr_ct_values(const kr_json *payload) {
  void *values = kr_ctemplate_values_new();
  for (uint32_t i = 0; i < payload->count; i++) {
    kr_str name = kr_json_text(&payload->members[i].key);
    kr_str value = kr_json_text(&payload->members[i].value);
    if (payload->members[i].value.type == KR_JSON_STRING)
      kr_ctemplate_values_set(values, (const char *)name.ptr, name.len, (const char *)value.ptr,
                              value.len);
  }
  return values;
}

static void kr_ct_prepare(void *ctx, const kr_render_case *work) {
  (void)ctx;
  for (unsigned i = 0; i < KR_CASE_NUMBERS; i++)
    (void)snprintf(kr_ct.numbers[i], sizeof kr_ct.numbers[i], KR_CASE_NUMBER_FORMAT, i);
  kr_ct_clear();
  if (!kr_ct_write(work))
    return;
  kr_ct.parsed = kr_ct_parse();
  for (size_t i = 0; i <= KR_CASE_PAYLOADS; i++)
    kr_ct.values[i] = kr_ct_values(work->payloads[i]);
}

static kr_str kr_ct_render(const void *parsed, size_t turn, size_t payload) {
  size_t len = 0;
  if (payload != KR_CASE_HOSTILE)
    kr_ctemplate_values_borrow(kr_ct.values[payload], kr_ct_number, sizeof kr_ct_number - 1,
                               kr_ct.numbers[turn % KR_CASE_NUMBERS], KR_CASE_NUMBER_BYTES);
  const char *bytes = kr_ctemplate_expand(parsed, kr_ct.values[payload], &len);
  if (bytes == NULL)
    kr_bench_die("ctemplate", "does not render");
  return kr_str_from(bytes, len);
}

static double kr_ct_run(void *ctx, size_t n_calls) {
  const kr_peer *peer = ctx;
  bool is_compile = strcmp(peer->action, "compile") == 0;
  double start = kr_bench_now_ns();
  for (size_t i = 0; i < n_calls; i++) {
    void *parsed = is_compile ? kr_ct_parse() : kr_ct.parsed;
    kr_bench_keep(kr_ct_render(parsed, i, i % KR_CASE_PAYLOADS).ptr);
    if (is_compile)
      kr_ctemplate_free(parsed);
  }
  return kr_bench_now_ns() - start;
}

static kr_str kr_ct_output(const kr_peer *peer, size_t payload) {
  (void)peer;
  return kr_ct_render(kr_ct.parsed, payload, payload);
}

static bool kr_ct_peer(void *ctx, const kr_render_case *work, const char *action, size_t index,
                       kr_peer *ret_peer) {
  bool is_known = strcmp(action, "render") == 0 || strcmp(action, "compile") == 0;
  if (!is_known || index > 0 || kr_ct.parsed == NULL)
    return false;
  *ret_peer = (kr_peer){.name = "ctemplate",
                        .work = work,
                        .batch = {.run = kr_ct_run, .ctx = ret_peer},
                        .output = kr_ct_output,
                        .ctx = ctx};
  (void)snprintf(ret_peer->action, sizeof ret_peer->action, "%s", action);
  return true;
}

static void kr_ct_done(void *ctx) {
  (void)ctx;
  kr_ct_clear();
  kr_buf_done(&kr_ct.text);
}

const kr_peer_source kr_source_ctemplate = {
    .prepare = kr_ct_prepare, .peer = kr_ct_peer, .done = kr_ct_done};

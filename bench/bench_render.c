/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_render.c - nanoseconds to render a compiled template with limits, marks
 * and fuel on; to compile and render once; from the bytes of a payload to the
 * bytes of a request; one condition; and JSON parsing.
 *
 *   *-raw    sink text: nothing is escaped, as in the peers
 *   *-safe   sink json: each field escaped. A peer whose output is wrong with the
 *            hostile payload is listed as "(wrong)"; it is timed on harmless data.
 *   order-hostile: each field has bytes to escape; only peers that get it right
 *   order-raw-mixed, order-raw-shuffled: the members of every second payload,
 *            of each payload, in another order than before
 *
 * Every engine must give krosyn's bytes for the harmless payloads before it is
 * timed. A peer that does not ends the program.
 */
#include "bench.h"
#include "render_peers.h"
#include "vm/render.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>

#define REQUEST_BYTES 16384u
#define LARGE_ORDERS 88u

typedef struct kr_job {
  kr_render_case *work;
  kr_sink sink;
  kr_buf text;
  kr_program *program;
  kr_vm *vm;
  kr_rendered rendered;
  size_t turn;
} kr_job;

static kr_render_case kr_work;
static kr_arena kr_payload_arena;
static kr_job kr_job_main;

static kr_program *kr_job_compile(kr_str text, kr_sink sink) {
  static kr_secret_names names;
  static kr_diagnostics diagnostics;
  names.count = 0;
  kr_compile_options options = {
      .sink = sink, .field = "bench", .secrets = &names, .evaluator = kr_vm_evaluator()};
  kr_program *program = NULL;
  if (kr_compile(text, &options, &program, &diagnostics) != KR_OK)
    kr_bench_die("compile", diagnostics.count ? diagnostics.items[0].error.message : "failed");
  return program;
}

static void kr_job_begin(kr_job *job, kr_sink sink) {
  kr_program_free(job->program);
  job->sink = sink;
  job->work = &kr_work;
  kr_buf_reset(&job->text);
  kr_case_krosyn(job->work, &job->text);
  job->program = kr_job_compile(kr_buf_str(&job->text), sink);
}

static kr_str kr_job_output(kr_job *job, const kr_program *program, const kr_json *payload) {
  kr_render_input input = {.payload = payload};
  static kr_error error; /* set on failure only */
  if (kr_vm_render(job->vm, program, &input, &job->rendered, &error) != KR_OK)
    kr_bench_die("render", error.message);
  return kr_buf_str(&job->rendered.buf);
}

static void kr_job_render(void *ctx) {
  kr_job *job = ctx;
  kr_str output = kr_job_output(job, job->program, kr_case_next(job->work, job->turn++));
  kr_bench_keep(output.ptr);
}

static void kr_job_compile_render(void *ctx) {
  kr_job *job = ctx;
  kr_program *program = kr_job_compile(kr_buf_str(&job->text), job->sink);
  kr_str output = kr_job_output(job, program, kr_case_next(job->work, job->turn++));
  kr_bench_keep(output.ptr);
  kr_program_free(program);
}

/* --- the peers --- */

/* false: wrong with hostile data, and said so. Wrong with any other data ends the program. */
static bool kr_check_peer(const kr_peer *peer, kr_str ours, size_t payload) {
  kr_str theirs = peer->output(peer, payload);
  if (kr_str_equal(ours, theirs))
    return true;
  if (payload == KR_CASE_HOSTILE || kr_work.is_hostile)
    return false;
  fprintf(stderr, "%s: %.*s\nkrosyn: %.*s\n", peer->name, KR_FMT(theirs), KR_FMT(ours));
  kr_bench_die(peer->name, "its output differs from krosyn's");
}

/* Turn p takes payload p with number p, as the peers do when they are asked for an output. */
static const kr_json *kr_case_payload_of(size_t p) {
  return p == KR_CASE_HOSTILE ? kr_work.payloads[p] : kr_case_next(&kr_work, p);
}

static bool kr_check_outputs(const kr_peer *peer, kr_job *job) {
  size_t last = job->sink == KR_SINK_JSON ? KR_CASE_HOSTILE : KR_CASE_PAYLOADS - 1;
  for (size_t p = 0; p <= last; p++)
    if (!kr_check_peer(peer, kr_job_output(job, job->program, kr_case_payload_of(p)), p))
      return false;
  return true;
}

static size_t kr_collect(const char *action, kr_job *job, bool is_checked,
                         kr_bench_engine *engines) {
  static char wrong[KR_PEERS_MAX][48];
  kr_peer *peers = NULL;
  size_t n_engines = 1;
  size_t n_peers = kr_peers_find(&kr_work, action, &peers);
  for (size_t i = 0; i < n_peers; i++) {
    bool is_good = !is_checked || kr_check_outputs(&peers[i], job);
    (void)snprintf(wrong[i], sizeof wrong[i], "%s (wrong)", peers[i].name);
    if (is_good || !kr_work.is_hostile)
      engines[n_engines++] =
          (kr_bench_engine){is_good ? peers[i].name : wrong[i], NULL, &peers[i].batch};
  }
  return n_engines;
}

static void kr_run_render(const kr_bench *bench, const char *name, kr_sink sink) {
  kr_bench_engine engines[KR_BENCH_ENGINES_MAX];
  kr_job_begin(&kr_job_main, sink);
  engines[0] = (kr_bench_engine){"krosyn", kr_job_render, &kr_job_main};
  size_t n_engines = kr_collect("render", &kr_job_main, true, engines);
  kr_bench_case(bench, name, KR_BENCH_NS, 0, engines, n_engines);
}

static void kr_run_compile(const kr_bench *bench, const char *name) {
  kr_bench_engine engines[KR_BENCH_ENGINES_MAX];
  kr_job_begin(&kr_job_main, KR_SINK_JSON);
  engines[0] = (kr_bench_engine){"krosyn", kr_job_compile_render, &kr_job_main};
  size_t n_engines = kr_collect("compile", &kr_job_main, false, engines);
  kr_bench_case(bench, name, KR_BENCH_NS, 0, engines, n_engines);
}

/* --- payload bytes to request bytes --- */

typedef struct kr_request_job {
  kr_job *job;
  kr_program *url;
  kr_program *header;
  kr_arena arena;
  kr_buf out;
} kr_request_job;

static void kr_request_put(kr_request_job *request, kr_str bytes) {
  if (kr_buf_append(&request->out, bytes) != KR_OK)
    kr_bench_die("request", "too long");
}

static void kr_request_build(kr_request_job *request, kr_str text) {
  const kr_json *payload = NULL;
  static kr_error error;
  kr_arena_reset(&request->arena);
  kr_buf_reset(&request->out);
  if (kr_json_parse(text, NULL, &request->arena, &payload, &error) != KR_OK)
    kr_bench_die("request", error.message);
  kr_request_put(request, KR_STR("POST "));
  kr_str url = kr_job_output(request->job, request->url, payload);
  kr_request_put(request, kr_str_skip(url, sizeof("https://example.com") - 1));
  kr_request_put(request, KR_STR(" HTTP/1.1\r\nX-Customer: "));
  kr_request_put(request, kr_job_output(request->job, request->header, payload));
  kr_request_put(request, KR_STR("\r\n\r\n"));
  kr_request_put(request, kr_job_output(request->job, request->job->program, payload));
}

static void kr_request_call(void *ctx) {
  kr_request_job *request = ctx;
  size_t turn = request->job->turn++ % KR_CASE_PAYLOADS;
  kr_request_build(request, kr_str_cstr(kr_work.payload_text[turn]));
  kr_bench_keep(request->out.ptr);
}

static void kr_run_request(const kr_bench *bench) {
  kr_bench_engine engines[KR_BENCH_ENGINES_MAX];
  kr_request_job request = {.job = &kr_job_main,
                            .arena = KR_ARENA_INIT(1024u * 1024u, NULL),
                            .out = KR_BUF_INIT(REQUEST_BYTES, NULL)};
  kr_job_begin(&kr_job_main, KR_SINK_JSON);
  request.url = kr_job_compile(KR_STR("https://example.com/orders/$payload.order_id"), KR_SINK_URL);
  request.header = kr_job_compile(KR_STR("$payload.customer_id"), KR_SINK_HEADER);
  engines[0] = (kr_bench_engine){"krosyn", kr_request_call, &request};
  size_t n_engines = kr_collect("request", &kr_job_main, false, engines);
  for (size_t i = 1; i < n_engines; i++)
    for (size_t p = 0; p < KR_CASE_PAYLOADS; p++) {
      const kr_bench_batch *batch = engines[i].ctx;
      kr_request_build(&request, kr_str_cstr(kr_work.payload_text[p]));
      (void)kr_check_peer(batch->ctx, kr_buf_str(&request.out), p);
    }
  kr_bench_case(bench, "payload-to-request", KR_BENCH_NS, 0, engines, n_engines);
  kr_program_free(request.url);
  kr_program_free(request.header);
  kr_arena_done(&request.arena);
  kr_buf_done(&request.out);
}

/* --- conditions --- */

static void kr_condition_call(void *ctx) {
  kr_job *job = ctx;
  kr_render_input input = {.payload = job->work->payloads[job->turn++ % KR_CASE_PAYLOADS]};
  static kr_error error;
  bool truth = false;
  if (kr_vm_condition(job->vm, job->program, &input, &truth, &error) != KR_OK || !truth)
    kr_bench_die("condition", error.message);
  kr_bench_keep(&truth);
}

static void kr_run_condition(const kr_bench *bench, const char *name, const char *text,
                             bool has_peers) {
  kr_bench_engine engines[KR_BENCH_ENGINES_MAX];
  kr_program_free(kr_job_main.program);
  kr_job_main.program = kr_job_compile(kr_str_cstr(text), KR_SINK_CONDITION);
  engines[0] = (kr_bench_engine){"krosyn", kr_condition_call, &kr_job_main};
  size_t n_engines = has_peers ? kr_collect("condition", &kr_job_main, false, engines) : 1;
  kr_bench_case(bench, name, KR_BENCH_NS, 0, engines, n_engines);
}

/* --- JSON --- */

typedef struct kr_parse_job {
  kr_str text;
  kr_arena arena;
} kr_parse_job;

static void kr_parse_call(void *ctx) {
  kr_parse_job *parse = ctx;
  const kr_json *json = NULL;
  static kr_error error;
  kr_arena_reset(&parse->arena);
  if (kr_json_parse(parse->text, NULL, &parse->arena, &json, &error) != KR_OK)
    kr_bench_die("json", error.message);
  kr_bench_keep(json);
}

static void kr_run_json(const kr_bench *bench, const char *name, kr_str text) {
  kr_bench_engine engines[KR_BENCH_ENGINES_MAX];
  kr_parse_job parse = {.text = text, .arena = KR_ARENA_INIT(64u * 1024u * 1024u, NULL)};
  engines[0] = (kr_bench_engine){"krosyn", kr_parse_call, &parse};
  kr_peers_text(name, text);
  kr_work.name = name;
  size_t n_engines = kr_collect("parse", &kr_job_main, false, engines);
  kr_bench_case(bench, name, KR_BENCH_GB_PER_S, text.len, engines, n_engines);
  kr_arena_done(&parse.arena);
}

static void kr_run_json_cases(const kr_bench *bench) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(1024u * 1024u, NULL);
  kr_run_json(bench, "json-1k", kr_str_cstr(kr_work.payload_text[0]));
  kr_status status = KR_OK;
  for (unsigned i = 0; i < LARGE_ORDERS && status == KR_OK; i++)
    status = kr_buf_printf(&text, "%s{\"id\":%u,\"open\":true,\"total\":%u.90,\"order\":%s}",
                           i == 0 ? "[" : ",", i, i * 17, kr_work.payload_text[i % 4]);
  if (status != KR_OK || kr_buf_printf(&text, "]") != KR_OK)
    kr_bench_die("json", "out of memory");
  kr_run_json(bench, "json-100k", kr_buf_str(&text));
}

static void kr_order(bool has_functions, unsigned rotation) {
  kr_case_order(&kr_work, has_functions, rotation, &kr_payload_arena);
  kr_peers_prepare(&kr_work);
}

int main(int argc, char **argv) {
  kr_bench bench;
  kr_error error = {0};
  kr_bench_init(&bench, "render", argc, argv);
  kr_payload_arena = KR_ARENA_INIT(64u * 1024u * 1024u, NULL);
  kr_job_main = (kr_job){.text = KR_BUF_INIT(64u * 1024u, NULL)};
  if (kr_vm_new(&kr_job_main.vm, &error) != KR_OK)
    kr_bench_die("vm", error.message);
  kr_rendered_init(&kr_job_main.rendered);

  kr_case_slack(&kr_work, &kr_payload_arena);
  kr_peers_prepare(&kr_work);
  kr_run_render(&bench, "slack-raw", KR_SINK_TEXT);
  kr_run_render(&bench, "slack-safe", KR_SINK_JSON);
  kr_run_compile(&bench, "compile-slack");
  kr_order(false, 2);
  kr_run_render(&bench, "order-raw-mixed", KR_SINK_TEXT);
  kr_order(false, KR_CASE_PAYLOADS);
  kr_run_render(&bench, "order-raw-shuffled", KR_SINK_TEXT);
  kr_case_hostile(&kr_work, &kr_payload_arena);
  kr_peers_prepare(&kr_work);
  kr_run_render(&bench, "order-hostile", KR_SINK_JSON);
  kr_order(true, 0);
  kr_run_render(&bench, "orderfn-raw", KR_SINK_TEXT);
  kr_run_render(&bench, "orderfn-safe", KR_SINK_JSON);
  kr_order(false, 0);
  kr_run_render(&bench, "order-raw", KR_SINK_TEXT);
  kr_run_render(&bench, "order-safe", KR_SINK_JSON);
  kr_run_compile(&bench, "compile-order");
  kr_run_request(&bench);
  kr_run_condition(&bench, "condition", "equals($payload.status, \"paid\")", true);
  kr_run_condition(&bench, "condition-and",
                   "and(equals($payload.status, \"paid\"), equals($payload.country, \"GB\"))",
                   false);
  kr_run_json_cases(&bench);

  kr_peers_done();
  kr_program_free(kr_job_main.program);
  kr_rendered_done(&kr_job_main.rendered);
  kr_vm_free(kr_job_main.vm);
  kr_buf_done(&kr_job_main.text);
  kr_arena_done(&kr_payload_arena);
  return 0;
}

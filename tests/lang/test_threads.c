/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_threads.c - programs are immutable and shared: every case of
 * tests/lang/cases is compiled once and rendered by one thread; then by several
 * at the same time, each with its own VM, all with the same program, payload
 * tree and opened secrets, each in another order. Bytes, spans and errors must
 * be those of the first render, and every thread compiles each case once more
 * while the others do. Built with -Db_sanitize=thread (./dev test does) this is
 * also the proof that nothing of it races.
 */
#include "lang/runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define N_THREADS 4u
#define N_TURNS 3u
#define SECRETS_MAX 64u /* of one case */

/* One case: what all threads share, and what a render of it gives. */
typedef struct kr_shared {
  const kr_case *test;
  kr_sink sink;
  kr_compile_options options;
  kr_program *program; /* NULL: the case is about a text that does not compile */
  kr_secret *opened[SECRETS_MAX];
  const kr_secret *values[SECRETS_MAX];
  kr_secret_names names;
  kr_secret_source source;
  kr_clock clock;
  kr_render_input input; /* without random, which counts */
  kr_status status;
  uint16_t code;
  bool truth;
  kr_rendered rendered;
} kr_shared;

typedef struct kr_board {
  kr_cases cases;
  kr_arena arena;
  kr_secure *pool;
  kr_shared *items;
  size_t count;
} kr_board;

/* Asserts of cmocka work in the first thread only: differences are counted. */
typedef struct kr_worker {
  const kr_board *board;
  size_t first; /* the case to begin with */
  size_t n_same;
  size_t n_different;
} kr_worker;

static int kr_n_paths;
static char **kr_paths;

static kr_status kr_thread_fill(void *ctx, void *out, size_t len, kr_error *reterr) {
  uint8_t *next = ctx;
  (void)reterr;
  for (size_t i = 0; i < len; i++)
    ((uint8_t *)out)[i] = (*next)++;
  return KR_OK;
}

static int64_t kr_thread_wall_ms(void *ctx) {
  char text[32];
  (void)snprintf(text, sizeof text, "%.*s", KR_FMT(kr_case_get(ctx, "now", "1767323045678")));
  return strtoll(text, NULL, 10);
}

static bool kr_thread_flag(const kr_case *test, const char *key) {
  return kr_str_equal(kr_case_get(test, key, "false"), KR_STR("true"));
}

static kr_status kr_thread_render(const kr_shared *shared, kr_vm *vm, kr_rendered *rendered,
                                  bool *ret_truth, kr_error *reterr) {
  uint8_t next = 0;
  kr_random random = {.fill = kr_thread_fill, .ctx = &next};
  kr_render_input input = shared->input;
  input.random = &random;
  if (shared->sink == KR_SINK_CONDITION)
    return kr_vm_condition(vm, shared->program, &input, ret_truth, reterr);
  return kr_vm_render(vm, shared->program, &input, rendered, reterr);
}

/* ---- in the first thread: everything once ---- */

static const kr_json *kr_thread_json(kr_board *board, const kr_case *test, const char *key) {
  const kr_json *json = NULL;
  kr_str text = kr_case_get(test, key, "");
  if (text.len > 0)
    assert_int_equal(kr_json_parse(text, NULL, &board->arena, &json, NULL), KR_OK);
  return json;
}

static void kr_thread_secret(kr_board *board, kr_shared *shared, kr_str line) {
  size_t blank = kr_str_find(line, KR_STR(" "), 0);
  kr_str name = kr_str_slice(line, 0, blank);
  uint32_t index = shared->names.count++;
  assert_true(index < SECRETS_MAX);
  memcpy(shared->names.bytes[index], name.ptr, name.len);
  shared->names.len[index] = (uint8_t)name.len;
  if (blank == SIZE_MAX)
    return;
  kr_str value = kr_str_skip(line, blank + 1);
  assert_int_equal(kr_secret_new(board->pool, value.len, &shared->opened[index]), KR_OK);
  if (value.len > 0)
    memcpy(kr_secret_writable(shared->opened[index]), value.ptr, value.len);
  shared->values[index] = shared->opened[index];
}

static void kr_thread_compile(kr_board *board, kr_shared *shared) {
  static kr_diagnostics diagnostics;
  const kr_case *test = shared->test;
  kr_str missing = kr_case_get(test, "missing", "strict");
  shared->options =
      (kr_compile_options){.sink = shared->sink,
                           .missing = kr_str_equal(missing, KR_STR("nullish")) ? KR_MISSING_NULLISH
                                      : kr_str_equal(missing, KR_STR("empty")) ? KR_MISSING_EMPTY
                                                                               : KR_MISSING_STRICT,
                           .allow_raw = kr_thread_flag(test, "raw"),
                           .decide_on_secrets = kr_thread_flag(test, "decide"),
                           .secrets = &shared->names,
                           .is_processed_open = true};
  const kr_json *body = kr_thread_json(board, test, "body");
  kr_status status = body != NULL
                         ? kr_compile_body(body, &shared->options, &shared->program, &diagnostics)
                         : kr_compile(kr_case_get(test, "template", ""), &shared->options,
                                      &shared->program, &diagnostics);
  if (status != KR_OK)
    shared->program = NULL;
}

static void kr_thread_prepare(kr_board *board, kr_shared *shared, kr_vm *vm) {
  const kr_case *test = shared->test;
  shared->sink = KR_SINK_TEXT;
  assert_true(kr_sink_from_name(kr_case_get(test, "sink", "text"), &shared->sink));
  for (size_t i = 0; i < test->n_lines; i++)
    if (kr_str_equal(test->lines[i].key, KR_STR("secret")))
      kr_thread_secret(board, shared, test->lines[i].text);
  kr_rendered_init(&shared->rendered);
  kr_thread_compile(board, shared);
  if (shared->program == NULL)
    return;
  char fuel[16];
  (void)snprintf(fuel, sizeof fuel, "%.*s", KR_FMT(kr_case_get(test, "fuel", "0")));
  shared->source = (kr_secret_source){.values = shared->values, .names = &shared->names};
  shared->clock = (kr_clock){.wall_ms = kr_thread_wall_ms, .ctx = (void *)(uintptr_t)test};
  shared->input =
      (kr_render_input){.clock = &shared->clock,
                        .payload = kr_thread_json(board, test, "payload"),
                        .lookup = kr_thread_json(board, test, "lookup"),
                        .processed = kr_thread_json(board, test, "processed"),
                        .is_lookup_unknown = kr_thread_flag(test, "unknown-lookup"),
                        .secrets = kr_thread_flag(test, "preview") ? NULL : &shared->source,
                        .fuel = (uint32_t)atoi(fuel)};
  kr_error error = {0};
  shared->status = kr_thread_render(shared, vm, &shared->rendered, &shared->truth, &error);
  shared->code = shared->status == KR_OK ? 0 : error.code;
}

/* ---- in every thread ---- */

static bool kr_thread_is_same(const kr_shared *shared, kr_vm *vm, kr_rendered *rendered) {
  bool truth = false;
  kr_error error = {0};
  kr_status status = kr_thread_render(shared, vm, rendered, &truth, &error);
  if (status != shared->status || (status != KR_OK && error.code != shared->code))
    return false;
  if (shared->sink == KR_SINK_CONDITION || status != KR_OK)
    return truth == shared->truth;
  if (!kr_str_equal(kr_buf_str(&rendered->buf), kr_buf_str(&shared->rendered.buf)) ||
      rendered->n_spans != shared->rendered.n_spans)
    return false;
  for (uint32_t i = 0; i < rendered->n_spans; i++)
    if (rendered->spans[i].offset != shared->rendered.spans[i].offset ||
        rendered->spans[i].len != shared->rendered.spans[i].len ||
        rendered->spans[i].secrets != shared->rendered.spans[i].secrets)
      return false;
  return true;
}

/* The compiler at the same time: the same text gives the same instructions. */
static bool kr_thread_is_same_code(const kr_shared *shared, kr_diagnostics *diagnostics) {
  if (kr_case_get(shared->test, "body", "").len > 0)
    return true;
  kr_secret_names names = shared->names;
  kr_compile_options options = shared->options;
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf ours = KR_BUF_INIT(1u << 24, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf theirs = KR_BUF_INIT(1u << 24, NULL);
  options.secrets = &names;
  kr_status status =
      kr_compile(kr_case_get(shared->test, "template", ""), &options, &program, diagnostics);
  if (status != KR_OK || shared->program == NULL)
    return status != KR_OK && shared->program == NULL;
  return kr_program_dump(program, &ours) == KR_OK &&
         kr_program_dump(shared->program, &theirs) == KR_OK &&
         kr_str_equal(kr_buf_str(&ours), kr_buf_str(&theirs));
}

static void *kr_thread_work(void *argument) {
  kr_worker *worker = argument;
  const kr_board *board = worker->board;
  kr_vm *vm = NULL;
  kr_rendered rendered;
  kr_diagnostics *diagnostics = malloc(sizeof *diagnostics);
  kr_rendered_init(&rendered);
  if (diagnostics == NULL || kr_vm_new(&vm, NULL) != KR_OK)
    worker->n_different++;
  for (size_t i = 0; i < board->count * N_TURNS && vm != NULL; i++) {
    const kr_shared *shared = &board->items[(i + worker->first) % board->count];
    bool is_same = shared->program == NULL || kr_thread_is_same(shared, vm, &rendered);
    if (i < board->count)
      is_same = is_same && kr_thread_is_same_code(shared, diagnostics);
    if (!is_same && worker->n_different < 5)
      print_error("another result in a thread: %s\n", shared->test->name);
    worker->n_same += is_same;
    worker->n_different += !is_same;
  }
  kr_vm_free(vm);
  kr_rendered_done(&rendered);
  free(diagnostics);
  return NULL;
}

static void test_one_program_many_threads(void **state) {
  const kr_board *board = *state;
  pthread_t threads[N_THREADS];
  kr_worker workers[N_THREADS];
  for (size_t i = 0; i < N_THREADS; i++) {
    workers[i] = (kr_worker){.board = board, .first = i * 7};
    assert_int_equal(pthread_create(&threads[i], NULL, kr_thread_work, &workers[i]), 0);
  }
  for (size_t i = 0; i < N_THREADS; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  for (size_t i = 0; i < N_THREADS; i++) {
    assert_int_equal(workers[i].n_different, 0);
    assert_int_equal(workers[i].n_same, board->count * N_TURNS);
  }
}

static int kr_thread_setup(void **state) {
  static kr_board board;
  kr_vm *vm = NULL;
  for (int i = 0; i < kr_n_paths; i++)
    kr_cases_read(&board.cases, kr_paths[i]);
  board.arena = KR_ARENA_INIT((size_t)64 << 20, NULL);
  board.count = board.cases.count;
  board.items = calloc(board.count, sizeof *board.items);
  assert_true(board.count > 0 && board.items != NULL);
  assert_int_equal(kr_secure_new(1u << 20, &board.pool, NULL), KR_OK);
  assert_int_equal(kr_vm_new(&vm, NULL), KR_OK);
  for (size_t i = 0; i < board.count; i++) {
    board.items[i].test = &board.cases.items[i];
    kr_thread_prepare(&board, &board.items[i], vm);
  }
  kr_vm_free(vm);
  *state = &board;
  return 0;
}

static int kr_thread_teardown(void **state) {
  kr_board *board = *state;
  for (size_t i = 0; i < board->count; i++) {
    for (size_t j = 0; j < SECRETS_MAX; j++)
      kr_secret_free(board->items[i].opened[j]);
    kr_program_free(board->items[i].program);
    kr_rendered_done(&board->items[i].rendered);
  }
  free(board->items);
  kr_secure_free(board->pool);
  kr_arena_done(&board->arena);
  kr_cases_done(&board->cases);
  return 0;
}

int main(int argc, char **argv) {
  kr_n_paths = argc - 1;
  kr_paths = argv + 1;
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(
      test_one_program_many_threads, kr_thread_setup, kr_thread_teardown)};
  return cmocka_run_group_tests_name("language in threads", tests, NULL, NULL);
}

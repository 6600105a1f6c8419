/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_render.c - a template, a payload and two opened secrets. What must hold
 * for every render: spans are in order and inside the output; a secret's bytes
 * stand nowhere outside a span; JSON sinks give JSON; a URL keeps the origin
 * that was proved; headers hold no line break; a second render gives the same;
 * with less fuel it gives the same or ends at a limit.
 *
 * Input: sink and fuel (1 byte), mode (1 byte), the template, NUL, the payload as JSON.
 */
#include "fuzz.h"
#include "secmem/secure.h"
#include "vm/render.h"

#define ARENA_BYTES (16u * 1024u * 1024u)
#define SINKS 9u
#define SECRETS 2u

static const char *const kr_fuzz_names[SECRETS] = {"A", "B"};
static const char *const kr_fuzz_values[SECRETS] = {"Qz7~Kx/p0", "Wv3 \"&<%J"};

typedef struct kr_fuzz_state {
  kr_secure *pool;
  kr_secret *opened[SECRETS];
  const kr_secret *values[KR_SECRETS_MAX];
  kr_secret_names names;
  kr_vm *vm;
  kr_rendered first;
  kr_rendered second;
  size_t n_told;
} kr_fuzz_state;

static void kr_fuzz_names_reset(kr_secret_names *names) {
  names->count = SECRETS;
  for (size_t i = 0; i < SECRETS; i++) {
    names->len[i] = 1;
    names->bytes[i][0] = (uint8_t)kr_fuzz_names[i][0];
  }
}

static void kr_fuzz_open(kr_fuzz_state *state) {
  if (state->vm == NULL) {
    KR_FUZZ_MUST(kr_secure_new(4096, &state->pool, NULL) == KR_OK);
    KR_FUZZ_MUST(kr_vm_new(&state->vm, NULL) == KR_OK);
    kr_rendered_init(&state->first);
    kr_rendered_init(&state->second);
  }
  for (size_t i = 0; i < SECRETS && state->opened[i] == NULL; i++) {
    size_t len = strlen(kr_fuzz_values[i]);
    KR_FUZZ_MUST(kr_secret_new(state->pool, len, &state->opened[i]) == KR_OK);
    memcpy(kr_secret_writable(state->opened[i]), kr_fuzz_values[i], len);
    state->values[i] = state->opened[i];
  }
  kr_fuzz_names_reset(&state->names);
}

/* A clock that stands, so that two renders give the same. */
static int64_t kr_fuzz_wall_ms(void *ctx) {
  (void)ctx;
  return INT64_C(1767323045678);
}

/* Every zone is this one; the files of the system are not part of an input. */
static kr_status kr_fuzz_zone(void *ctx, kr_str name, kr_buf *out, kr_error *reterr) {
  (void)ctx;
  KR_FUZZ_MUST(kr_zone_name_is_safe(name));
  static const uint8_t file[] = "TZif\0" /* header, then one kind of local time: +1 h, "X" */
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\2"
                                "\0\0\x0e\x10\0\0X";
  return kr_buf_explain(out, kr_buf_append(out, kr_str_from(file, sizeof(file))), "zone", reterr);
}

static kr_status kr_fuzz_told(void *ctx, kr_secret_set secrets, uint8_t function, kr_str bytes) {
  kr_fuzz_state *state = ctx;
  KR_FUZZ_MUST(secrets != 0 && bytes.len > 0 && function != 254);
  state->n_told++;
  return KR_OK;
}

/* The same bytes each time, so that two renders are alike. */
static kr_status kr_fuzz_random(void *ctx, void *out, size_t len, kr_error *reterr) {
  (void)ctx;
  (void)reterr;
  memset(out, 0x5A, len);
  return KR_OK;
}

/* Every stretch between spans, searched for the values. */
static void kr_fuzz_check_spans(const kr_rendered *out, bool may_hold_values) {
  size_t end = 0;
  for (uint32_t i = 0; i <= out->n_spans; i++) {
    bool is_last = i == out->n_spans;
    size_t offset = is_last ? out->buf.len : out->spans[i].offset;
    KR_FUZZ_MUST(offset >= end && offset <= out->buf.len);
    kr_str between = kr_str_slice(kr_buf_str(&out->buf), end, offset);
    for (size_t j = 0; j < SECRETS && !may_hold_values; j++)
      KR_FUZZ_MUST(kr_str_find(between, kr_str_cstr(kr_fuzz_values[j]), 0) == SIZE_MAX);
    if (is_last)
      break;
    KR_FUZZ_MUST(out->spans[i].secrets != 0);
    end = offset + out->spans[i].len;
    KR_FUZZ_MUST(end <= out->buf.len);
  }
}

static void kr_fuzz_check_sink(const kr_program *program, kr_sink sink, kr_str out,
                               kr_arena *arena) {
  const kr_json *json = NULL;
  kr_json_limits limits = {.depth = KR_JSON_MAX_DEPTH * 2};
  if (sink == KR_SINK_VALUE || (sink == KR_SINK_JSON && out.len > 0)) {
    kr_error error;
    kr_status status = kr_json_parse(out, &limits, arena, &json, &error);
    bool is_duplicate = kr_str_find(kr_str_cstr(error.message), KR_STR("twice"), 0) != SIZE_MAX ||
                        kr_str_find(kr_str_cstr(error.message), KR_STR("uplicate"), 0) != SIZE_MAX;
    KR_FUZZ_MUST(status == KR_OK || status == KR_LIMIT || is_duplicate);
  }
  if (sink == KR_SINK_HEADER)
    for (size_t i = 0; i < out.len; i++)
      KR_FUZZ_MUST(out.ptr[i] == '\t' || (out.ptr[i] >= 0x20 && out.ptr[i] != 0x7F));
  kr_str origin = kr_program_origin(program);
  if (sink != KR_SINK_URL || origin.len == 0)
    return;
  size_t scheme = kr_str_find(origin, KR_STR("//"), 0) + 2;
  KR_FUZZ_MUST(kr_str_equal_nocase(kr_str_slice(out, 0, scheme), kr_str_slice(origin, 0, scheme)));
  size_t end = scheme;
  while (end < out.len && out.ptr[end] != '/' && out.ptr[end] != '?' && out.ptr[end] != '#')
    end++;
  kr_str host = kr_str_skip(origin, scheme);
  kr_str authority = kr_str_slice(out, scheme, end);
  KR_FUZZ_MUST(authority.len >= host.len);
  KR_FUZZ_MUST(kr_str_equal_nocase(kr_str_skip(authority, authority.len - host.len), host));
}

/* Less fuel: the same bytes, the same failure met earlier than the end of the fuel, or a limit. */
static void kr_fuzz_short(kr_fuzz_state *state, const kr_program *program, kr_sink sink,
                          const kr_render_input *input, uint32_t fuel, kr_status full, bool truth) {
  kr_render_input less = *input;
  kr_error error = {0};
  bool is_true = false;
  less.fuel = fuel;
  kr_status status = sink == KR_SINK_CONDITION
                         ? kr_vm_condition(state->vm, program, &less, &is_true, &error)
                         : kr_vm_render(state->vm, program, &less, &state->second, &error);
  KR_FUZZ_MUST(status == full || status == KR_LIMIT);
  KR_FUZZ_MUST(status == KR_OK || error.message[0] != '\0');
  if (sink == KR_SINK_CONDITION)
    KR_FUZZ_MUST(status != KR_OK || is_true == truth);
  else
    KR_FUZZ_MUST(status == KR_OK
                     ? kr_str_equal(kr_buf_str(&state->first.buf), kr_buf_str(&state->second.buf))
                     : state->second.buf.len == 0);
}

static void kr_fuzz_run(kr_fuzz_state *state, const kr_program *program, kr_sink sink,
                        const kr_render_input *input, uint32_t fuel, kr_arena *arena,
                        bool may_hold_values) {
  kr_error error = {0};
  bool truth = false;
  if (sink == KR_SINK_CONDITION) {
    kr_status status = kr_vm_condition(state->vm, program, input, &truth, &error);
    KR_FUZZ_MUST(status == KR_OK || error.message[0] != '\0');
    kr_fuzz_short(state, program, sink, input, fuel, status, truth);
    return;
  }
  kr_status status = kr_vm_render(state->vm, program, input, &state->first, &error);
  kr_fuzz_short(state, program, sink, input, fuel, status, truth);
  KR_FUZZ_MUST(status == KR_OK || (error.message[0] != '\0' && state->first.buf.len == 0));
  KR_FUZZ_MUST(status != KR_INTERNAL);
  for (size_t i = 0; i < SECRETS && status != KR_OK && !may_hold_values; i++)
    KR_FUZZ_MUST(kr_str_find(kr_str_cstr(error.message), kr_str_cstr(kr_fuzz_values[i]), 0) ==
                 SIZE_MAX);
  if (status != KR_OK)
    return;
  KR_FUZZ_MUST(kr_vm_render(state->vm, program, input, &state->second, &error) == KR_OK);
  KR_FUZZ_MUST(kr_str_equal(kr_buf_str(&state->first.buf), kr_buf_str(&state->second.buf)));
  KR_FUZZ_MUST(state->first.n_spans == state->second.n_spans);
  kr_fuzz_check_spans(&state->first, may_hold_values);
  kr_fuzz_check_sink(program, sink, kr_buf_str(&state->first.buf), arena);
}

/* 1 to 21 952 of fuel, in steps that grow; 0 is all of it. */
static uint32_t kr_fuzz_fuel(uint32_t step) { return step * step * step; }

/* Could the text spell a value by itself? Then finding it outside a span proves nothing. */
static bool kr_fuzz_may_hold(kr_str data) {
  for (size_t i = 0; i < data.len; i++)
    if (data.ptr[i] == 'Q' || data.ptr[i] == 'W' || data.ptr[i] == 'q' || data.ptr[i] == 'w' ||
        data.ptr[i] == '\\')
      return true;
  return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static kr_fuzz_state state;
  static kr_diagnostics diagnostics;
  if (size < 2)
    return 0;
  kr_fuzz_open(&state);
  kr_str rest = kr_str_from(data + 2, size - 2);
  size_t nul = kr_str_find(rest, kr_str_from("", 1), 0);
  kr_str text = kr_str_slice(rest, 0, nul);
  kr_arena arena = KR_ARENA_INIT(ARENA_BYTES, NULL);
  const kr_json *payload = NULL;
  if (nul != SIZE_MAX && kr_json_parse(kr_str_skip(rest, nul + 1), NULL, &arena, &payload, NULL))
    payload = NULL;
  kr_compile_options options = {.sink = (kr_sink)(data[0] % SINKS),
                                .missing = (kr_missing_mode)((data[1] & 3) % 3),
                                .allow_raw = (data[1] & 4) != 0,
                                .decide_on_secrets = (data[1] & 64) != 0,
                                .secrets = &state.names,
                                .is_processed_open = true,
                                .evaluator = kr_vm_evaluator()};
  kr_program *program = NULL;
  kr_secret_source secrets = {.values = state.values, .names = &state.names};
  kr_random random = {.fill = kr_fuzz_random};
  kr_derived_sink derived = {.add = kr_fuzz_told, .ctx = &state};
  kr_clock clock = {.wall_ms = kr_fuzz_wall_ms};
  kr_zone_reader zones = {.read = kr_fuzz_zone};
  kr_render_input input = {.clock = &clock,
                           .zones = &zones,
                           .payload = payload,
                           .lookup = payload,
                           .processed = payload,
                           .is_lookup_unknown = (data[1] & 8) != 0,
                           .secrets = (data[1] & 16) != 0 ? NULL : &secrets,
                           .derived = &derived,
                           .random = &random};
  kr_status status = (data[1] & 32) != 0 && payload != NULL
                         ? kr_compile_body(payload, &options, &program, &diagnostics)
                         : kr_compile(text, &options, &program, &diagnostics);
  KR_FUZZ_MUST(status != KR_INTERNAL);
  bool is_body = status == KR_OK && (data[1] & 32) != 0 && payload != NULL;
  if (status == KR_OK)
    kr_fuzz_run(&state, program, is_body ? KR_SINK_JSON : options.sink, &input,
                kr_fuzz_fuel(data[0] / SINKS), &arena, kr_fuzz_may_hold(rest));
  kr_program_free(program);
  kr_arena_done(&arena);
  return 0;
}

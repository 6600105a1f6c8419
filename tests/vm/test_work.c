/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_work.c - no function of the table does work that fuel has not paid for.
 * The VM is built once more so that every basic block calls a counter, and the
 * searches and copies of the C library are counted by their length; so work is
 * a number of steps, the same on every machine. Each function is called with
 * hostile arguments, once and in a map, with next to no fuel and with all of
 * it: the steps must stay below a base and so many for each unit of fuel used.
 * With KR_WORK_TIMED it is a program that prints milliseconds instead.
 */
#include "vm/vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define KR_WORK_BASE 6000u    /* steps: preparing, describing a failure */
#define KR_WORK_PER_FUEL 640u /* steps for one unit: 20 for each of its 32 bytes */
#define KR_WORK_TEXT (96u * 1024u)
#define KR_WORK_ITEMS 30000u
#define KR_WORK_MEMBERS 12000u

#ifndef KR_WORK_TIMED
static size_t kr_work;

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void) { kr_work++; }

/* What the C library and OpenSSL do, in steps of the same order. */
#define KR_WRAP(type, name, params, args, steps)                                                   \
  type __real_##name params;                                                                       \
  type __wrap_##name params;                                                                       \
  type __wrap_##name params {                                                                      \
    kr_work += 1 + (steps);                                                                        \
    return __real_##name args;                                                                     \
  }
KR_WRAP(void *, memcpy, (void *to, const void *from, size_t len), (to, from, len), len / 16)
KR_WRAP(void *, memmove, (void *to, const void *from, size_t len), (to, from, len), len / 16)
KR_WRAP(void *, memset, (void *to, int byte, size_t len), (to, byte, len), len / 16)
KR_WRAP(int, memcmp, (const void *a, const void *b, size_t len), (a, b, len), len / 16)
KR_WRAP(double, strtod, (const char *text, char **end), (text, end), 100 + strlen(text))
KR_WRAP(kr_status, kr_crypto_sha256, (kr_str bytes, uint8_t out[32], kr_error *reterr),
        (bytes, out, reterr), 300 + bytes.len / 2)
KR_WRAP(kr_status, kr_crypto_hmac_sha256,
        (kr_str key, kr_str bytes, uint8_t out[32], kr_error *reterr), (key, bytes, out, reterr),
        600 + (key.len + bytes.len) / 2)
/* As far as it had to look. */
void *__real_memmem(const void *in, size_t len, const void *what, size_t n);
void *__wrap_memmem(const void *in, size_t len, const void *what, size_t n);
void *__wrap_memmem(const void *in, size_t len, const void *what, size_t n) {
  uint8_t *found = __real_memmem(in, len, what, n);
  kr_work += 4 + ((found == NULL ? len : (size_t)(found - (const uint8_t *)in)) + n) / 8;
  return found;
}

int __wrap_snprintf(char *out, size_t len, const char *format, ...) KR_PRINTF(3, 4);
int __wrap_snprintf(char *out, size_t len, const char *format, ...) {
  va_list args;
  kr_work += 100;
  va_start(args, format);
  int n = vsnprintf(out, len, format, args);
  va_end(args);
  return n;
}
static size_t kr_work_now(void) { return kr_work; }
#else
static size_t kr_work_now(void) {
  return (size_t)((uint64_t)clock() * 1000000u / CLOCKS_PER_SEC); /* of this process alone */
}
#endif

typedef struct kr_work_row {
  size_t most; /* of one run with all fuel */
  double ratio;
  char text[200];
} kr_work_row;

typedef struct kr_stage {
  kr_vm *vm;
  kr_rendered rendered;
  kr_arena arena;
  const kr_json *payload;
  kr_buf text;
  unsigned n_runs;
  unsigned n_bad;
  kr_work_row row; /* of the function at hand */
} kr_stage;

static void kr_put(kr_stage *stage, const char *text) {
  assert_int_equal(kr_buf_append(&stage->text, kr_str_cstr(text)), KR_OK);
}

/* "name": the text over and over */
static void kr_put_text(kr_stage *stage, const char *name, const char *piece, size_t n_bytes) {
  assert_int_equal(kr_buf_printf(&stage->text, "\"%s\":\"", name), KR_OK);
  for (size_t i = 0; i < n_bytes; i += strlen(piece))
    kr_put(stage, piece);
  kr_put(stage, "\",");
}

static void kr_put_list(kr_stage *stage, const char *name, const char *format, unsigned count) {
  assert_int_equal(kr_buf_printf(&stage->text, "\"%s\":[", name), KR_OK);
  for (unsigned i = 0; i < count; i++) {
    char item[256];
    /* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): formats of this file */
    (void)snprintf(item, sizeof(item), format, count - i, i);
    kr_put(stage, i == 0 ? "" : ",");
    kr_put(stage, item);
  }
  kr_put(stage, "],");
}

static void kr_put_object(kr_stage *stage, const char *name, bool is_reversed) {
  assert_int_equal(kr_buf_printf(&stage->text, "\"%s\":{", name), KR_OK);
  for (unsigned i = 0; i < KR_WORK_MEMBERS; i++)
    assert_int_equal(kr_buf_printf(&stage->text, "%s\"k%05u\":%u", i == 0 ? "" : ",",
                                   is_reversed ? KR_WORK_MEMBERS - i : i + 1, i % 7),
                     KR_OK);
  kr_put(stage, "},");
}

static void kr_make_payload(kr_stage *stage) {
  static const char prefix[] =
      "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%05u\"";
  kr_put(stage, "{");
  kr_put_text(stage, "plain", "a", KR_WORK_TEXT);
  kr_put_text(stage, "wide", "\xC3\xA9", KR_WORK_TEXT);
  kr_put_text(stage, "caseless", "\xE4\xB8\x80", KR_WORK_TEXT);
  kr_put_text(stage, "ends", "\xD6\x86\xEF\xBD\x9A", KR_WORK_TEXT);
  kr_put_text(stage, "marks", "&<%\\\"", KR_WORK_TEXT);
  kr_put_text(stage, "percents", "%%", KR_WORK_TEXT / 4);
  kr_put_text(stage, "years", "%Y", KR_WORK_TEXT / 4);
  kr_put_text(stage, "subject", "a", 64u * 1024u);
  kr_put_text(stage, "blanks", " ", KR_WORK_TEXT);
  kr_put_text(stage, "needle", "a", KR_WORK_TEXT / 2);
  kr_put(stage, "\"digits\":0.");
  for (unsigned i = 0; i < KR_WORK_TEXT; i++)
    kr_put(stage, "0");
  kr_put(stage, "1,\"long\":1");
  for (unsigned i = 0; i < KR_WORK_TEXT; i++)
    kr_put(stage, "7");
  kr_put(stage, ",");
  kr_put_list(stage, "many", "%u", KR_WORK_ITEMS);
  kr_put_list(stage, "twin", "%u", KR_WORK_ITEMS);
  kr_put_list(stage, "fractions", "%u.25", KR_WORK_ITEMS / 3);
  kr_put_list(stage, "texts", prefix, KR_WORK_ITEMS / 10);
  kr_put_list(stage, "nested", "[[%u],[]]", KR_WORK_ITEMS / 3);
  kr_put_list(stage, "zones", "\"Zone/N%u\"", 2000);
  kr_put_object(stage, "object", false);
  kr_put_object(stage, "reversed", true);
  kr_put_text(stage, "json", "[", 100);
  kr_put(stage, "\"s\":\"ab\",\"n\":12.5,\"d\":\"2026-01-02T03:04:05Z\"}");
  kr_error error;
  kr_status status =
      kr_json_parse(kr_buf_str(&stage->text), NULL, &stage->arena, &stage->payload, &error);
  if (status != KR_OK)
    fail_msg("%s", error.message);
}

/* A zone of any name, as small as may be: UTC without transitions. */
static kr_status kr_read_zone(void *ctx, kr_str name, kr_buf *out, kr_error *reterr) {
  static const uint8_t file[44 + 6 + 4] = {
      'T', 'Z', 'i', 'f', [39] = 1, [43] = 4, [50] = 'U', 'T', 'C'};
  (void)ctx;
  (void)name;
  (void)reterr;
#ifndef KR_WORK_TIMED
  kr_work += 1000; /* a file is opened and read */
#endif
  return kr_buf_append(out, kr_str_from(file, sizeof(file)));
}

static void kr_run(kr_stage *stage, const kr_program *program, const char *text, uint32_t fuel) {
  static const kr_zone_reader zones = {.read = kr_read_zone};
  kr_render_input input = {.payload = stage->payload, .fuel = fuel, .zones = &zones};
  kr_error error = {0};
  stage->vm->fuel = 0;
  size_t before = kr_work_now();
  kr_status status = kr_vm_render(stage->vm, program, &input, &stage->rendered, &error);
  size_t work = kr_work_now() - before;
  bool is_spent = status != KR_OK && (error.code == KR_E_FUEL || error.code == KR_E_MATCH);
  uint32_t used = is_spent ? fuel : fuel - stage->vm->fuel;
  stage->n_runs++;
  double ratio = (double)(work > KR_WORK_BASE ? work - KR_WORK_BASE : 0) / used;
#ifndef KR_WORK_TIMED
  if (work > KR_WORK_BASE + (size_t)KR_WORK_PER_FUEL * used) {
    print_error("%zu steps for %u of %u units of fuel (%s): %s\n", work, used, fuel,
                status == KR_OK ? "done" : error.message, text);
    stage->n_bad++;
  }
#endif
  if (ratio > stage->row.ratio || work > stage->row.most) {
    stage->row.ratio = ratio > stage->row.ratio ? ratio : stage->row.ratio;
    if (work > stage->row.most)
      (void)snprintf(stage->row.text, sizeof(stage->row.text), "%s", text);
    stage->row.most = work > stage->row.most ? work : stage->row.most;
  }
}

static void kr_try(kr_stage *stage, const char *text, bool may_refuse) {
  static const uint32_t fuels[] = {2, 20, 1000, KR_LIMIT_FUEL};
  kr_secret_names names = {0};
  kr_diagnostics diagnostics;
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  kr_compile_options options = {
      .sink = KR_SINK_VALUE, .missing = KR_MISSING_NULLISH, .secrets = &names};
  bool is_compiled = kr_compile(kr_str_cstr(text), &options, &program, &diagnostics) == KR_OK;
  if (!is_compiled && may_refuse)
    return; /* literals that cannot be right */
  if (!is_compiled)
    fail_msg("%s: %s", text, diagnostics.items[0].error.message);
  bool is_map = strstr(text, "count(map(") != NULL; /* has used little before it calls anything */
  for (size_t i = is_map ? 3 : 0; i < sizeof(fuels) / sizeof(fuels[0]); i++)
    kr_run(stage, program, text, fuels[i]);
}

/* Arguments by the letter of their parameter; the last ones are small, for calls by the thousand.
 */
#define KR_PALETTE 6
static const struct {
  char letter;
  const char *texts[KR_PALETTE];
} kr_palettes[] = {
    {'s',
     {"$payload.plain", "$payload.wide", "$payload.marks", "$payload.blanks", "$payload.d", "'a'"}},
    {'a',
     {"$payload.object", "$payload.many", "$payload.plain", "$payload.digits", "$payload.n",
      "'a'"}},
    {'n', {"$payload.digits", "$payload.long", "$payload.n", "7"}},
    {'i', {"1000000000000", "-3", "3"}},
    {'l', {"$payload.many", "$payload.texts", "$payload.nested", "[1, 2]"}},
    {'o', {"$payload.object", "$payload.reversed", "{'a': 1}"}},
    {'c', {"$payload.plain", "$payload.wide", "$payload.many", "'ab'"}},
    {'q', {"$payload.many", "$payload.fractions", "7"}},
    {'m', {"$payload.absent", "$payload.object.absent", "1"}},
    {'p', {"'(a|b)*c'", "'a'", "'x'"}},
};

static const char *const *kr_palette(char letter) {
  for (size_t i = 0; i < sizeof(kr_palettes) / sizeof(kr_palettes[0]); i++)
    if (kr_palettes[i].letter == letter)
      return kr_palettes[i].texts;
  fail_msg("no arguments for parameters of the letter %c", letter);
  return NULL;
}

/* All combinations of the palettes of up to three parameters. */
static void kr_try_function(kr_stage *stage, unsigned function) {
  const kr_function_info *row = kr_function_row(function);
  unsigned n_args = row->max_args < 3 ? row->max_args : row->min_args > 3 ? row->min_args : 3;
  n_args -= function == KR_FUNCTION_OBJECT;
  unsigned most = 1;
  for (unsigned i = 0; i < n_args && i < 3; i++)
    most *= KR_PALETTE;
  for (unsigned number = 0; number < most; number++) {
    char call[300];
    char text[400];
    int len = snprintf(call, sizeof(call), "%s(", row->name);
    bool is_there = true;
    for (unsigned i = 0, rest = number; i < n_args; i++, rest /= KR_PALETTE) {
      const char *arg = kr_palette(kr_function_param(row, i, n_args))[rest % KR_PALETTE];
      is_there = is_there && arg != NULL;
      len += snprintf(call + len, sizeof(call) - (size_t)len, "%s%s", i == 0 ? "" : ", ",
                      arg == NULL ? "" : arg);
    }
    if (!is_there)
      continue;
    (void)snprintf(text, sizeof(text), "%s)", call);
    kr_try(stage, text, true);
    (void)snprintf(text, sizeof(text), "count(map($payload.many, default(%s), 0)))", call);
    kr_try(stage, text, true);
  }
}

/* What the combinations do not reach. */
static const char *const kr_extras[] = {
    "equals($payload.object, $payload.reversed)",
    "notEquals($payload.many, $payload.twin)",
    "equals($payload.nested, $payload.nested)",
    "in($payload.object, [$payload.reversed, $payload.reversed])",
    "contains([$payload.many, 1], $payload.twin)",
    "unique($payload.texts)",
    "sort($payload.texts)",
    "min($payload.fractions)",
    "count(map($payload.many, min([$payload.digits, 1])))",
    "count(map($payload.many, uppercase($payload.caseless)))",
    "count(map($payload.many, uppercase($payload.ends)))",
    "replace('a', 'bb', $payload.plain)",
    "replace($payload.needle, 'b', $payload.plain)",
    "contains($payload.plain, $payload.needle)",
    "count(map($payload.many, indexOf($payload.plain, concat($payload.needle, 'b'))))",
    "split('a', $payload.plain)",
    "split('', $payload.wide)",
    "join($payload.plain, $payload.many)",
    "repeat($payload.plain, 100000)",
    "padStart('a', 1000000, '\xC3\xA9')",
    "count(map($payload.many, padEnd($payload.s, 40)))",
    "count(map($payload.many, repeat($payload.s, 40)))",
    "formatDate($payload.d, $payload.years)",
    "formatDate($payload.d, $payload.percents)",
    "parseDate($payload.percents, $payload.percents)",
    "count(map($payload.many, formatDate($payload.d, '%Y-%m-%dT%H:%M:%S%z %A %B')))",
    "count(map($payload.zones, formatDate($payload.d, '%Y', $item)))",
    "count(map($payload.many, parseDate($payload.d)))",
    "count(map($payload.many, addDuration($payload.d, 'P1Y2M3DT4H5M6S')))",
    "count(map($payload.many, fromUnix($item)))",
    "count(map($payload.fractions, multiply($item, 1.1)))",
    "count(map($payload.fractions, sum(1, 2, $item, 4.5)))",
    "count(map($payload.many, toString(add($item, 1))))",
    "count(map($payload.many, formatNumber($item, 6, ',', '.')))",
    "map($payload.many, not($payload.digits))",
    "filter($payload.many, $payload.digits)",
    "count(map($payload.many, if($payload.digits, 1, 2)))",
    "count(map($payload.many, switch($payload.object, $payload.reversed, 1, 2)))",
    "count(map($payload.many, and(true, $payload.digits)))",
    "count(map($payload.many, get($payload.object, 'absent', 1)))",
    "count(map($payload.many, default($payload.object.k12000, 1)))",
    "pluck(map($payload.many, $payload.object), 'absent')",
    "merge($payload.object, $payload.reversed)",
    "queryString($payload.object)",
    "toJson([$payload.marks, $payload.wide])",
    "parseJson(toJson($payload.many))",
    "parseJson($payload.json)",
    "count(map($payload.many, uuid()))",
    "count(map($payload.many, now()))",
    "matches('(a|aa)+$', concat($payload.subject, 'b'))",
    "regexReplace('a', 'b', $payload.subject)",
    "count(map($payload.many, matches('b', $payload.subject)))",
    "count(map($payload.many, extract('(a)(b)?', 'aab')))",
    "flatten($payload.nested)",
    "count(map($payload.many, urlDecode('%41%42')))",
    "count(map($payload.many, sha256('')))",
    "count(map($payload.many, hmacSha256('k', '')))",
    "count(map($payload.many, basicAuth('u', $payload.plain)))",
};

static void kr_report(kr_stage *stage, const char *name) {
#ifdef KR_WORK_TIMED
  (void)printf("%-20s %8.2f ms  %s\n", name, (double)stage->row.most / 1000, stage->row.text);
#else
  if (getenv("KR_WORK_SHOW") != NULL)
    (void)printf("%-20s %6.1f steps a unit  %s\n", name, stage->row.ratio, stage->row.text);
#endif
  stage->row = (kr_work_row){0};
}

/* Members that are missing are looked for all over a large object, for each path anew. */
static void kr_try_paths(kr_stage *stage) {
  kr_buf_reset(&stage->text);
  kr_put(stage, "[");
  for (unsigned i = 0; i < 1000; i++)
    assert_int_equal(kr_buf_printf(&stage->text, "default($payload.object.m%u, %u),", i, i), KR_OK);
  kr_put(stage, "1]");
  assert_int_equal(kr_buf_byte(&stage->text, '\0'), KR_OK);
  kr_try(stage, (const char *)stage->text.ptr, false);
}

static void kr_test_work(void **state) {
  kr_stage *stage = *state;
  for (unsigned i = 0; i < KR_FUNCTION_COUNT; i++) {
    const kr_function_info *row = kr_function_row(i);
    if (row->marks == KR_MARKS_LAZY || row->marks == KR_MARKS_ESCAPER)
      continue; /* jumps; and places, of which the output limit takes care */
    kr_try_function(stage, i);
    kr_report(stage, row->name);
  }
  for (size_t i = 0; i < sizeof(kr_extras) / sizeof(kr_extras[0]); i++) {
    kr_try(stage, kr_extras[i], false);
    kr_report(stage, "");
  }
  kr_try_paths(stage);
  kr_report(stage, "paths");
  (void)printf("%u runs\n", stage->n_runs);
  assert_int_equal(stage->n_bad, 0);
  assert_true(stage->n_runs > 1000);
}

static int kr_setup(void **state) {
  static kr_stage stage;
  stage = (kr_stage){.text = KR_BUF_INIT(8u << 20, NULL), .arena = KR_ARENA_INIT(64u << 20, NULL)};
  kr_rendered_init(&stage.rendered);
  *state = &stage;
  assert_int_equal(kr_vm_new(&stage.vm, NULL), KR_OK);
  kr_make_payload(&stage);
  return 0;
}

static int kr_teardown(void **state) {
  kr_stage *stage = *state;
  kr_vm_free(stage->vm);
  kr_rendered_done(&stage->rendered);
  kr_buf_done(&stage->text);
  kr_arena_done(&stage->arena);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(kr_test_work, kr_setup, kr_teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_zone.c - time zones from files that tests make: right ones, hostile
 * ones, the folder they come from, the cache, and failing allocations.
 */
#define _POSIX_C_SOURCE 200809L
#include "support/failalloc.h"
#include "vm/render.h"
#include "vm/zone.h"

#include "lang/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KR_TEST_FILE_BYTES 512u

typedef struct kr_test_file {
  uint8_t bytes[KR_TEST_FILE_BYTES];
  size_t len;
} kr_test_file;

static void kr_put(kr_test_file *file, uint64_t number, size_t n_bytes) {
  for (size_t i = 0; i < n_bytes; i++)
    file->bytes[file->len++] = (uint8_t)(number >> (8 * (n_bytes - 1 - i)));
}

static void kr_put_text(kr_test_file *file, const char *text, size_t len) {
  memcpy(file->bytes + file->len, text, len);
  file->len += len;
}

static void kr_put_header(kr_test_file *file, char version, uint32_t n_times) {
  const uint32_t counts[6] = {0, 0, 0, n_times, 2, 8};
  kr_put_text(file, "TZif", 4);
  kr_put(file, (uint8_t)version, 1);
  kr_put(file, 0, 8);
  kr_put(file, 0, 7);
  for (size_t i = 0; i < 6; i++)
    kr_put(file, counts[i], 4);
}

/* STD is +1 h from the start, DST is +2 h from 1000 to 2000, then STD again. */
static void kr_put_block(kr_test_file *file, size_t time_bytes) {
  kr_put(file, 1000, time_bytes);
  kr_put(file, 2000, time_bytes);
  kr_put(file, 1, 1);
  kr_put(file, 0, 1);
  kr_put(file, 3600, 4);
  kr_put(file, 0, 2);
  kr_put(file, 7200, 4);
  kr_put(file, 0x0104, 2);
  kr_put_text(file, "STD\0DST", 8);
}

static kr_test_file kr_make(char version, const char *footer) {
  kr_test_file file = {.len = 0};
  kr_put_header(&file, version, 2);
  kr_put_block(&file, 4);
  if (version != 0) {
    kr_put_header(&file, version, 2);
    kr_put_block(&file, 8);
    kr_put_text(&file, footer, strlen(footer));
  }
  return file;
}

static kr_str kr_file_str(const kr_test_file *file) { return kr_str_from(file->bytes, file->len); }

static void kr_expect(const kr_zone *zone, int64_t seconds, int32_t offset, const char *name) {
  kr_zone_offset found = kr_zone_at(zone, seconds);
  assert_int_equal(found.seconds, offset);
  assert_true(kr_str_equal(found.name, kr_str_cstr(name)));
}

static void kr_test_versions(void **state) {
  (void)state;
  const struct {
    char version;
    const char *footer;
    int32_t offset; /* long after the last transition */
    const char *name;
  } rows[] = {{0, "", 3600, "STD"},
              {'2', "\n\n", 3600, "STD"},
              {'2', "\n<-03>3\n", -10800, "-03"},
              {'3', "\nXYZ-5:30\n", 19800, "XYZ"},
              {'4', "\nXYZ0XDT-1,0/0,J365/23\n", 3600, "XDT"}};
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    kr_test_file file = kr_make(rows[i].version, rows[i].footer);
    kr_zone *zone = NULL;
    assert_int_equal(kr_zone_new(kr_file_str(&file), &zone), KR_OK);
    kr_expect(zone, -100000000000, 3600, "STD");
    kr_expect(zone, 999, 3600, "STD");
    kr_expect(zone, 1000, 7200, "DST");
    kr_expect(zone, 1999, 7200, "DST");
    kr_expect(zone, 4000000000, rows[i].offset, rows[i].name);
    kr_zone_free(zone);
  }
}

/* The seconds of 2025-01-01 and the wall clock's changes of that year, counted by hand. */
static void kr_test_rules(void **state) {
  (void)state;
  const struct {
    const char *text;
    int64_t seconds;
    int32_t offset;
  } rows[] = {
      {"CET-1CEST,M3.5.0,M10.5.0/3", 1743296399, 3600}, /* 2025-03-30T00:59:59Z */
      {"CET-1CEST,M3.5.0,M10.5.0/3", 1743296400, 7200},
      {"CET-1CEST,M3.5.0,M10.5.0/3", 1761440399, 7200}, /* 2025-10-26T00:59:59Z */
      {"CET-1CEST,M3.5.0,M10.5.0/3", 1761440400, 3600},
      {"EST5EDT,M3.2.0,M11.1.0", 1741503600, -14400},         /* 2025-03-09T07:00Z */
      {"EST5EDT,M3.2.0,M11.1.0", 1741503599, -18000},         /* one second before */
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", 1735689600, 39600},    /* summer in January */
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", 1751328000, 36000},    /* and winter in July */
      {"IST-2IDT,M3.4.4/26,M10.5.0", 1743119999, 7200},       /* 2025-03-27T23:59:59Z */
      {"IST-2IDT,M3.4.4/26,M10.5.0", 1743120000, 10800},      /* Friday 02:00, of Thursday 26:00 */
      {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1743296400, -3600}, /* Saturday 23:00 */
      {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1743296399, -7200}, /* one second before */
      {"AAA0BBB,J60/0,J300/0", 1740787200, 3600},             /* 2025-03-01 */
      {"AAA0BBB,J60/0,J300/0", 1709251200, 3600},             /* 2024-03-01, a leap year */
      {"AAA0BBB,J60/0,J300/0", 1709251199, 0},                /* 2024-02-29T23:59:59Z */
      {"AAA0BBB,59/0,300/0", 1709164800, 3600},               /* 2024-02-29, counting leap days */
      {"AAA0BBB,59/0,300/0", 1709164799, 0},                  /* one second before */
      {"XXX3EDT4,0/0,J365/23", 1735700399, -14400},           /* always: 2025-01-01T02:59:59Z */
      {"XXX3EDT4,0/0,J365/23", 1735700400, -14400},           /* and at the turn of the year */
      {"AAA-24", 0, 86400},
      {"AAA+1:2:3", 0, -3723},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    kr_zone_rule rule;
    assert_true(kr_zone_rule_parse(kr_str_cstr(rows[i].text), &rule));
    kr_zone_offset found = kr_zone_rule_at(&rule, rows[i].seconds);
    if (found.seconds != rows[i].offset)
      fail_msg("%s at %lld is %d, not %d", rows[i].text, (long long)rows[i].seconds, found.seconds,
               rows[i].offset);
  }
}

static void kr_test_bad_rules(void **state) {
  (void)state;
  static const char *const rows[] = {
      "",
      "A1",
      "AAA",
      "AAA25",
      "AAA1:60",
      "<AAA1",
      "<>1",
      "AAA1BBB",
      "AAA1BBB,",
      "AAA1BBB,M3.5.0",
      "AAA1BBB,M3.5.0,",
      "AAA1BBB,M0.5.0,M10.5.0",
      "AAA1BBB,M13.5.0,M10.5.0",
      "AAA1BBB,M3.6.0,M10.5.0",
      "AAA1BBB,M3.0.0,M10.5.0",
      "AAA1BBB,M3.5.7,M10.5.0",
      "AAA1BBB,J0,J10",
      "AAA1BBB,J366,J10",
      "AAA1BBB,366,10",
      "AAA1BBB,M3.5.0/168,M10.5.0",
      "AAA1BBB,M3.5.0,M10.5.0x",
      "AAA99999999999999999999",
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA1",
      "AAA-",
      "A\001A1",
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    kr_zone_rule rule;
    if (kr_zone_rule_parse(kr_str_cstr(rows[i]), &rule))
      fail_msg("%s is taken for a rule", rows[i]);
  }
}

/* Whatever it is: refused, or a zone whose every answer is sane. */
static kr_status kr_try(kr_str bytes) {
  static const int64_t instants[] = {INT64_C(-62167305600), 0, 1500, INT64_C(253402387199)};
  uint8_t *exact = malloc(bytes.len + 1); /* so that a read beyond the end is seen */
  assert_non_null(exact);
  if (bytes.len > 0)
    memcpy(exact, bytes.ptr, bytes.len);
  kr_zone *zone = NULL;
  kr_status status = kr_zone_new(kr_str_from(exact, bytes.len), &zone);
  free(exact);
  assert_true(status == KR_OK || status == KR_INVALID);
  for (size_t i = 0; status == KR_OK && i < 4; i++) {
    kr_zone_offset found = kr_zone_at(zone, instants[i]);
    assert_true(found.seconds >= -90000 && found.seconds <= 93600);
    assert_true(found.name.len <= KR_ZONE_ABBREVIATION_BYTES);
  }
  kr_zone_free(zone);
  return status;
}

static void kr_test_truncated(void **state) {
  (void)state;
  const kr_test_file files[] = {kr_make(0, ""), kr_make('2', "\nCET-1CEST,M3.5.0,M10.5.0/3\n")};
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(kr_try(kr_file_str(&files[i])), KR_OK);
    for (size_t len = 0; len < files[i].len; len++)
      assert_int_equal(kr_try(kr_str_from(files[i].bytes, len)), KR_INVALID);
  }
}

static void kr_test_changed_bytes(void **state) {
  (void)state;
  const kr_test_file file = kr_make('2', "\nCET-1CEST,M3.5.0,M10.5.0/3\n");
  for (size_t at = 0; at < file.len; at++)
    for (unsigned value = 0; value < 256; value++) {
      kr_test_file changed = file;
      changed.bytes[at] = (uint8_t)value;
      (void)kr_try(kr_file_str(&changed));
    }
}

static void kr_test_lies(void **state) {
  (void)state;
  static const uint32_t lies[] = {0, 1, 3, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x20000001};
  size_t second = 44 + 2 * 5 + 12 + 8;
  for (size_t count = 0; count < 6; count++)
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
      for (size_t base = 0; base <= second; base += second) {
        kr_test_file file = kr_make('2', "\nUTC0\n");
        kr_test_file lie = {.len = 0};
        kr_put(&lie, lies[i], 4);
        memcpy(file.bytes + base + 20 + 4 * count, lie.bytes, 4);
        kr_status status = kr_try(kr_file_str(&file));
        bool is_true = count < 3 && lies[i] == 0;
        assert_int_equal(status, is_true ? KR_OK : KR_INVALID);
      }
  kr_test_file order = kr_make(0, "");
  memcpy(order.bytes + 44, order.bytes + 48, 4); /* the same time twice */
  assert_int_equal(kr_try(kr_file_str(&order)), KR_INVALID);
}

static void kr_test_names(void **state) {
  (void)state;
  static const char *const good[] = {"UTC",       "Europe/Berlin", "America/Argentina/Buenos_Aires",
                                     "Etc/GMT+5", "Etc/GMT-14",    "EST5EDT"};
  static const char *const bad[] = {"",    "/UTC", "UTC/", "a//b", "..",    "../UTC", "a/../b",
                                    "a.b", "a b",  "a\\b", "a\n",  "~root", "é",      "a:b"};
  for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
    assert_true(kr_zone_name_is_safe(kr_str_cstr(good[i])));
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    assert_false(kr_zone_name_is_safe(kr_str_cstr(bad[i])));
  char longest[KR_ZONE_NAME_BYTES + 1];
  memset(longest, 'a', sizeof(longest));
  assert_true(kr_zone_name_is_safe(kr_str_from(longest, KR_ZONE_NAME_BYTES)));
  assert_false(kr_zone_name_is_safe(kr_str_from(longest, KR_ZONE_NAME_BYTES + 1)));
  assert_false(kr_zone_name_is_safe(kr_str_from("a\0b", 3)));
}

static void kr_write(const char *folder, const char *name, const void *bytes, size_t len) {
  char path[256];
  (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, len, file), len);
  assert_int_equal(fclose(file), 0);
}

static kr_status kr_read(char *folder, const char *name, kr_error *error) {
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(KR_ZONE_FILE_BYTES, NULL);
  return kr_zone_read_folder(folder, kr_str_cstr(name), &out, error);
}

static void kr_test_folder(void **state) {
  (void)state;
  char folder[] = "/tmp/kr-zones-XXXXXX";
  char path[64];
  kr_error error = {0};
  assert_non_null(mkdtemp(folder));
  uint8_t *bytes = calloc(1, KR_ZONE_FILE_BYTES + 1);
  assert_non_null(bytes);
  kr_write(folder, "Good", bytes, KR_ZONE_FILE_BYTES);
  kr_write(folder, "Long", bytes, KR_ZONE_FILE_BYTES + 1);
  free(bytes);
  (void)snprintf(path, sizeof(path), "%s/Pipe", folder);
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_int_equal(kr_read(folder, "Good", &error), KR_OK);
  assert_int_equal(kr_read(folder, "Long", &error), KR_LIMIT);
  assert_int_equal(kr_read(folder, "Pipe", &error), KR_MISSING); /* and does not wait */
  assert_int_equal(kr_read(folder, "Absent", &error), KR_MISSING);
  assert_string_equal(error.message, "there is no such time zone");
  assert_int_equal(kr_read(folder, "Good/Deeper", &error), KR_MISSING);
  static const char *const names[] = {"Good", "Long", "Pipe"};
  for (size_t i = 0; i < 3; i++) {
    (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
    assert_int_equal(unlink(path), 0);
  }
  assert_int_equal(rmdir(folder), 0);
  assert_int_equal(kr_read(folder, "Good", &error), KR_MISSING);
  assert_string_equal(error.hint, "install the package tzdata");
}

typedef struct kr_test_reader {
  kr_test_file file;
  size_t n_reads;
  kr_status status;
} kr_test_reader;

static kr_status kr_test_read(void *ctx, kr_str name, kr_buf *out, kr_error *reterr) {
  kr_test_reader *reader = ctx;
  assert_true(kr_zone_name_is_safe(name));
  reader->n_reads++;
  if (reader->status != KR_OK)
    return kr_fail_hint(reterr, reader->status, "no such luck", "try again");
  kr_status status = kr_buf_append(out, kr_file_str(&reader->file));
  return kr_buf_explain(out, status, "time zone file", reterr);
}

typedef struct kr_test_render {
  kr_vm *vm;
  kr_rendered rendered;
  kr_error error;
} kr_test_render;

static kr_status kr_run(kr_test_render *test, const char *template, const kr_zone_reader *zones) {
  kr_secret_names names = {0};
  kr_compile_options options = {.sink = KR_SINK_TEXT, .secrets = &names};
  kr_diagnostics diagnostics;
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  assert_int_equal(kr_compile(kr_str_cstr(template), &options, &program, &diagnostics), KR_OK);
  kr_render_input input = {.zones = zones};
  return kr_vm_render(test->vm, program, &input, &test->rendered, &test->error);
}

static int kr_setup(void **state) {
  kr_test_render *test = calloc(1, sizeof(kr_test_render));
  assert_non_null(test);
  assert_int_equal(kr_vm_new(&test->vm, NULL), KR_OK);
  kr_rendered_init(&test->rendered);
  *state = test;
  return 0;
}

static int kr_teardown(void **state) {
  kr_test_render *test = *state;
  kr_vm_free(test->vm);
  kr_rendered_done(&test->rendered);
  free(test);
  return 0;
}

static void kr_test_cache(void **state) {
  kr_test_render *test = *state;
  kr_test_reader own = {.file = kr_make('2', "\nXYZ-3\n")};
  kr_test_reader other = {.file = kr_make('2', "\nABC-4\n")};
  kr_zone_reader reader = {.read = kr_test_read, .ctx = &own};
  char template[128];
  for (unsigned round = 0; round < 2; round++)
    for (unsigned i = 0; i < KR_ZONE_CACHE_MAX; i++) {
      (void)snprintf(template, sizeof(template), "formatDate('2026-01-01', '%%H %%Z', 'Z/%u')", i);
      assert_int_equal(kr_run(test, template, &reader), KR_OK);
      assert_true(kr_str_equal(kr_buf_str(&test->rendered.buf), KR_STR("03 XYZ")));
    }
  assert_int_equal(own.n_reads, KR_ZONE_CACHE_MAX);
  assert_int_equal(kr_run(test, "formatDate('2026-01-01', '%H', 'Z/new')", &reader), KR_OK);
  assert_int_equal(kr_run(test, "formatDate('2026-01-01', '%H', 'Z/0')", &reader), KR_OK);
  assert_int_equal(kr_run(test, "formatDate('2026-01-01', '%H', 'Z/2')", &reader), KR_OK);
  assert_int_equal(own.n_reads, KR_ZONE_CACHE_MAX + 2); /* the first one had to go */
  reader.ctx = &other;                                  /* another reader's zones are others */
  assert_int_equal(kr_run(test, "formatDate('2026-01-01', '%H %Z', 'Z/2')", &reader), KR_OK);
  assert_true(kr_str_equal(kr_buf_str(&test->rendered.buf), KR_STR("04 ABC")));
}

static void kr_test_failures(void **state) {
  kr_test_render *test = *state;
  static const kr_status statuses[] = {KR_MISSING, KR_IO};
  kr_test_reader own = {.file = kr_make('2', "\nXYZ-3\n")};
  kr_zone_reader reader = {.read = kr_test_read, .ctx = &own};
  for (size_t i = 0; i < 2; i++) {
    own.status = statuses[i];
    assert_int_equal(kr_run(test, "x ${formatDate('2026-01-01', '%H', 'Z')}", &reader), own.status);
    assert_int_equal(test->error.code, KR_E_ZONE);
    assert_int_equal(test->error.span_offset, 4);
    assert_string_equal(test->error.message, "no such luck");
    assert_string_equal(test->error.hint, "try again");
  }
  own.status = KR_OK;
  own.file.bytes[0] = 'x';
  assert_int_equal(kr_run(test, "formatDate('2026-01-01', '%H', 'Z')", &reader), KR_INVALID);
  assert_int_equal(test->error.code, KR_E_ZONE);
  assert_int_equal(kr_run(test, "formatDate('2026-01-01', '%H', 'UTC')", &reader), KR_OK);
}

static const char kr_sample[] =
    "${formatDate('2026-01-01', '%H %Z', 'Z/a')} ${addDuration(now(), 'P1M')} ${add(0.1, 0.2)} "
    "${round(2.675, 2)} ${formatNumber(1234.5, 1)} ${sum([1, 2.5])} ${fromUnix(1.5)} "
    "${parseDate('2026', '%Y')}";

static void kr_test_nomem(void **state) {
  (void)state;
  kr_test_reader own = {.file = kr_make('2', "\nXYZ-3\n")};
  kr_zone_reader reader = {.read = kr_test_read, .ctx = &own};
  kr_secret_names names = {0};
  kr_compile_options options = {.sink = KR_SINK_TEXT, .secrets = &names};
  kr_diagnostics diagnostics;
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  assert_int_equal(kr_compile(kr_str_cstr(kr_sample), &options, &program, &diagnostics), KR_OK);
  for (size_t n = 0; n < 1000; n++) {
    KR_CLEANUP(kr_vm_freep) kr_vm *vm = NULL;
    KR_CLEANUP(kr_rendered_done) kr_rendered rendered;
    kr_rendered_init(&rendered);
    kr_render_input input = {.zones = &reader};
    kr_error error = {0};
    kr_test_fail_at(n);
    kr_status status = kr_vm_new(&vm, &error);
    if (status == KR_OK)
      status = kr_vm_render(vm, program, &input, &rendered, &error);
    if (kr_test_fail_stop() == 0) {
      assert_int_equal(status, KR_OK);
      assert_true(n > 4); /* the VM, its arena, the file, the zone, the output */
      return;
    }
    assert_int_equal(status, KR_NOMEM);
    assert_int_equal(error.status, KR_NOMEM);
    assert_int_equal(rendered.buf.len, 0);
  }
  fail_msg("the render never ran out of allocations to refuse");
}

static int64_t kr_test_ticking(void *ctx) { return (*(int64_t *)ctx)++; }

/* A clock that moves: one render sees one instant, the next one another. */
static void kr_test_now(void **state) {
  kr_test_render *test = *state;
  int64_t millis = 0;
  kr_clock clock = {.wall_ms = kr_test_ticking, .ctx = &millis};
  kr_secret_names names = {0};
  kr_compile_options options = {.sink = KR_SINK_TEXT, .secrets = &names};
  kr_diagnostics diagnostics;
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  kr_render_input input = {.clock = &clock};
  assert_int_equal(kr_compile(KR_STR("${now()} ${now()}"), &options, &program, &diagnostics),
                   KR_OK);
  static const char *const wanted[] = {"1970-01-01T00:00:00.000Z 1970-01-01T00:00:00.000Z",
                                       "1970-01-01T00:00:00.001Z 1970-01-01T00:00:00.001Z"};
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(kr_vm_render(test->vm, program, &input, &test->rendered, &test->error), KR_OK);
    assert_true(kr_str_equal(kr_buf_str(&test->rendered.buf), kr_str_cstr(wanted[i])));
  }
}

#define KR_RENDER_TEST(function) cmocka_unit_test_setup_teardown(function, kr_setup, kr_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(kr_test_versions),  cmocka_unit_test(kr_test_rules),
      cmocka_unit_test(kr_test_bad_rules), cmocka_unit_test(kr_test_truncated),
      cmocka_unit_test(kr_test_lies),      cmocka_unit_test(kr_test_changed_bytes),
      cmocka_unit_test(kr_test_names),     cmocka_unit_test(kr_test_folder),
      KR_RENDER_TEST(kr_test_cache),       KR_RENDER_TEST(kr_test_failures),
      cmocka_unit_test(kr_test_nomem),     KR_RENDER_TEST(kr_test_now),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

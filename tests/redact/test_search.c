/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_search.c - the search of many needles against nested loops: random sets
 * built to overlap, at every instruction set of this machine, folded and not,
 * in texts that touch unreadable pages at both ends. Seeds are fixed, so a
 * failure names a case that comes back.
 *
 *   | unreadable | text ......... | unreadable |      the text ends (or begins) at the border
 */
#define _GNU_SOURCE
#include "base/buf.h"
#include "redact/search.h"
#include "secmem/sensitive.h"
#include "support/failalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define NEEDLES_MAX 2600u
#define FIELD_BYTES (256u * 1024u)
#define FOUND_MAX (1u << 20)

typedef struct occurrence {
  size_t start;
  uint32_t needle;
} occurrence;

typedef struct occurrence_list {
  occurrence *list;
  size_t n;
} occurrence_list;

/* What one case needs; allocated once, for the sanitizer makes allocation slow. */
static struct bench {
  uint8_t *field; /* FIELD_BYTES between two unreadable pages */
  uint8_t pool[NEEDLES_MAX * 201];
  kr_str needles[NEEDLES_MAX];
  size_t n_needles;
  size_t pool_len;
  occurrence_list expected, seen;
} b;

static uint64_t next_random(uint64_t *seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed * 0x2545f4914f6cdd1du;
}

static size_t below(uint64_t *seed, size_t limit) {
  return (size_t)(next_random(seed) >> 33) % limit;
}

static int set_up(void **state) {
  (void)state;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  uint8_t *map = mmap(NULL, FIELD_BYTES + 2 * page, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED || mprotect(map, page, PROT_NONE) != 0 ||
      mprotect(map + page + FIELD_BYTES, page, PROT_NONE) != 0)
    return -1;
  b.field = map + page;
  b.expected.list = malloc(FOUND_MAX * sizeof(occurrence));
  b.seen.list = malloc(FOUND_MAX * sizeof(occurrence));
  return b.expected.list == NULL || b.seen.list == NULL ? -1 : 0;
}

static int tear_down(void **state) {
  (void)state;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  free(b.expected.list);
  free(b.seen.list);
  return munmap(b.field - page, FIELD_BYTES + 2 * page);
}

/* ---- the reference ---- */

static void add_found(occurrence_list *found, size_t start, uint32_t needle) {
  assert_true(found->n < FOUND_MAX);
  found->list[found->n++] = (occurrence){start, needle};
}

static bool occurs_at(kr_str text, size_t start, kr_str needle, uint8_t fold) {
  if (text.len - start < needle.len)
    return false;
  for (size_t i = 0; i < needle.len; i++)
    if ((text.ptr[start + i] | fold) != (needle.ptr[i] | fold))
      return false;
  return true;
}

/* Occurrences that start in [from, to). */
static void search_naively(kr_str text, size_t from, size_t to, bool is_folded,
                           occurrence_list *found) {
  uint8_t fold = is_folded ? 0x20 : 0;
  for (size_t start = from; start < to; start++)
    for (size_t i = 0; i < b.n_needles; i++)
      if ((text.ptr[start] | fold) == (b.needles[i].ptr[0] | fold) &&
          occurs_at(text, start, b.needles[i], fold))
        add_found(found, start, (uint32_t)i);
}

static int order(const void *left, const void *right) {
  const occurrence *a = left;
  const occurrence *c = right;
  if (a->start != c->start)
    return a->start < c->start ? -1 : 1;
  return a->needle < c->needle ? -1 : a->needle > c->needle;
}

/* ---- the search ---- */

static void visit(void *ctx, uint32_t needle, size_t start) { add_found(ctx, start, needle); }

static kr_search *build(kr_cpu_level cpu, bool is_folded) {
  kr_search *search = NULL;
  const kr_search_options options = {.cpu = cpu, .fold_bit5 = is_folded};
  assert_int_equal(kr_search_build(b.needles, b.n_needles, &options, &search), KR_OK);
  return search;
}

/* As the contract says: what is dense is read in another way, and the search goes on behind it. */
static size_t search_all(const kr_search *search, kr_str text, size_t from, bool is_folded,
                         kr_search_work *work) {
  size_t n_dense = 0;
  b.seen.n = 0;
  for (size_t at = from; at < text.len;) {
    at = kr_search_each_counted(search, text, at, visit, &b.seen, work);
    if (at >= text.len)
      break;
    size_t end = text.len - at < KR_SEARCH_DENSE_BYTES ? text.len : at + KR_SEARCH_DENSE_BYTES;
    search_naively(text, at, end, is_folded, &b.seen);
    at = end;
    n_dense++;
  }
  return n_dense;
}

static void compare(const char *what, uint64_t seed, const char *plan) {
  qsort(b.seen.list, b.seen.n, sizeof(occurrence), order);
  bool is_equal = b.seen.n == b.expected.n;
  for (size_t i = 0; is_equal && i < b.seen.n; i++)
    is_equal = order(&b.seen.list[i], &b.expected.list[i]) == 0;
  if (!is_equal)
    fail_msg("%s, seed %llu, plan %s: %zu found of %zu", what, (unsigned long long)seed, plan,
             b.seen.n, b.expected.n);
}

/* Every level, from several places, the text at the end and at the beginning of the field. */
static void check_text(uint64_t seed, kr_str text, bool is_folded) {
  for (int level = KR_CPU_SCALAR; level <= (int)kr_cpu_best(); level++) {
    KR_CLEANUP(kr_search_freep) kr_search *search = build((kr_cpu_level)level, is_folded);
    size_t froms[] = {0, 1, text.len / 3, text.len};
    for (size_t i = 0; i < 4; i++) {
      size_t from = i == 1 ? seed % (text.len + 1) : froms[i];
      b.expected.n = 0;
      search_naively(text, from, text.len, is_folded, &b.expected);
      (void)search_all(search, text, from, is_folded, NULL);
      compare(kr_cpu_level_name((kr_cpu_level)level), seed, kr_search_plan(search));
    }
  }
}

static kr_str text_at_end(size_t len) { return kr_str_from(b.field + FIELD_BYTES - len, len); }
static kr_str text_at_start(size_t len) { return kr_str_from(b.field, len); }

/* ---- making cases ---- */

typedef struct needle_shape {
  const char *name;
  kr_str alphabet; /* len 0: all bytes */
  size_t n_max;
  size_t min_len;
  size_t max_len;
  size_t text_max;
  size_t rounds;
} needle_shape;

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

static const needle_shape shapes[] = {
    {"one short, two letters", {(const uint8_t *)"ab", 2}, 1, 3, 12, 400, 60},
    {"one letter", {(const uint8_t *)"a", 1}, 3, 3, 40, 500, 40},
    {"two letters", {(const uint8_t *)"aB", 2}, 6, 3, 30, 600, 80},
    {"four letters", {(const uint8_t *)"abAz", 4}, 20, 3, 24, 900, 60},
    {"few, three bytes", {(const uint8_t *)LETTERS, 64}, 40, 3, 3, 500, 40},
    {"few, four bytes", {(const uint8_t *)LETTERS, 64}, 60, 4, 4, 500, 40},
    {"few, any length", {(const uint8_t *)LETTERS, 64}, 12, 3, 200, 3000, 60},
    {"many short", {(const uint8_t *)LETTERS, 64}, 600, 4, 11, 2000, 8},
    {"many three", {(const uint8_t *)LETTERS, 64}, 600, 3, 5, 2000, 8},
    {"long", {(const uint8_t *)LETTERS, 64}, 300, 12, 200, 4000, 16},
    {"very long", {(const uint8_t *)LETTERS, 64}, 30, 90, 200, 6000, 16},
    {"any bytes", {(const uint8_t *)"", 0}, 200, 3, 60, 2500, 20},
    {"any bytes, long", {(const uint8_t *)"", 0}, 200, 32, 33, 2500, 16},
    {"short among long", {(const uint8_t *)LETTERS, 64}, 1500, 30, 33, 20000, 3},
};

static uint8_t random_byte(uint64_t *seed, const needle_shape *shape) {
  return shape->alphabet.len == 0 ? (uint8_t)next_random(seed)
                                  : shape->alphabet.ptr[below(seed, shape->alphabet.len)];
}

static void add_needle(uint64_t *seed, const needle_shape *shape, size_t len) {
  uint8_t *bytes = b.pool + b.pool_len;
  size_t kind = below(seed, 8);
  size_t n = b.n_needles;
  for (size_t i = 0; i < len; i++)
    bytes[i] = random_byte(seed, shape);
  if (n > 0 &&
      kind <= 3) { /* 0: another's beginning, 1: its end, 2: the same, 3: one byte differs */
    kr_str other = b.needles[below(seed, n)];
    size_t shared = other.len < len ? other.len : len;
    if (kind == 2 && other.len <= shape->max_len)
      len = shared = other.len;
    if (kind == 1)
      memcpy(bytes + len - shared, other.ptr + other.len - shared, shared);
    else
      memcpy(bytes, other.ptr, shared);
    if (kind == 3)
      bytes[below(seed, len)] ^= 1;
  } else if (kind == 4) { /* periodic */
    size_t period = 1 + below(seed, 3);
    for (size_t i = period; i < len; i++)
      bytes[i] = bytes[i - period];
  }
  b.needles[b.n_needles++] = kr_str_from(bytes, len);
  b.pool_len += len;
}

static void make_needles(uint64_t *seed, const needle_shape *shape, size_t n) {
  b.n_needles = 0;
  b.pool_len = 0;
  for (size_t i = 0; i < n; i++) {
    size_t len = shape->min_len + below(seed, shape->max_len - shape->min_len + 1);
    if (strcmp(shape->name, "short among long") == 0 && i % 10 == 0)
      len = 4 + below(seed, 8);
    add_needle(seed, shape, len);
  }
}

/* Needles whole, cut, with a wrong byte, overlapping, between random bytes. */
static void make_text(uint64_t *seed, const needle_shape *shape, uint8_t *text, size_t len) {
  for (size_t i = 0; i < len; i++)
    text[i] = random_byte(seed, shape);
  size_t n_plants = b.n_needles == 0 ? 0 : below(seed, 1 + len / 24);
  for (size_t i = 0; i < n_plants; i++) {
    kr_str needle = b.needles[below(seed, b.n_needles)];
    if (needle.len > len)
      continue;
    size_t at = below(seed, 8) == 0 ? (below(seed, 2) == 0 ? 0 : len - needle.len)
                                    : below(seed, len - needle.len + 1);
    memcpy(text + at, needle.ptr, needle.len);
    if (below(seed, 3) == 0)
      text[at + below(seed, needle.len)] ^= below(seed, 2) == 0 ? 0x20 : 0x01;
    if (below(seed, 8) == 0)
      text[at + below(seed, needle.len)] ^= 0x80;
  }
}

static void test_shape(void **state) {
  const needle_shape *shape = *state;
  for (uint64_t round = 1; round <= shape->rounds; round++) {
    uint64_t seed = round * 0x9e3779b97f4a7c15u + shape->max_len;
    make_needles(&seed, shape, below(&seed, shape->n_max + 1));
    size_t len = below(&seed, 3) == 0 ? below(&seed, 140) : below(&seed, shape->text_max);
    kr_str text = round % 4 == 0 ? text_at_start(len) : text_at_end(len);
    uint8_t *bytes = b.field + (text.ptr - b.field);
    make_text(&seed, shape, bytes, len);
    check_text(round, text, round % 3 == 0);
  }
}

/* Blocks and groups begin and end somewhere: one occurrence at every place of a long text. */
static void test_every_place(void **state) {
  (void)state;
  static const char *const needles[] = {"Qx7", "k9Zw", "hunter2", "correct-horse-battery-staple",
                                        "0123456789abcdef0123456789ABCDEF0123456789abcdef"};
  for (size_t n = 0; n < sizeof needles / sizeof needles[0]; n++) {
    b.needles[0] = kr_str_cstr(needles[n]);
    b.n_needles = 1;
    for (int level = KR_CPU_SCALAR; level <= (int)kr_cpu_best(); level++) {
      KR_CLEANUP(kr_search_freep) kr_search *search = build((kr_cpu_level)level, false);
      size_t len = 2 * KR_SEARCH_DENSE_BYTES + 300;
      kr_str text = text_at_end(len);
      uint8_t *bytes = b.field + (text.ptr - b.field);
      memset(bytes, '.', len);
      for (size_t at = 0; at + b.needles[0].len <= len; at += at % 4096 < 200 ? 1 : 31) {
        memcpy(bytes + at, b.needles[0].ptr, b.needles[0].len);
        b.seen.n = 0;
        assert_int_equal(kr_search_each(search, text, 0, visit, &b.seen), len);
        assert_int_equal(b.seen.n, 1);
        assert_int_equal(b.seen.list[0].start, at);
        memset(bytes + at, '.', b.needles[0].len);
      }
    }
  }
}

/* Texts of more than KR_SEARCH_FAR_BYTES take the loops that prefetch. */
static void test_far(void **state) {
  (void)state;
  size_t len = 1u << 21;
  uint8_t *bytes = malloc(len);
  assert_non_null(bytes);
  static const char *const sets[][4] = {
      {"k9Zw", "Qx7"},
      {"correct-horse-battery-staple", "0123456789abcdef0123456789ABCDEF"},
      {"k9Zwp", "correct-horse-battery-staple"}};
  for (size_t s = 0; s < 3; s++) {
    b.n_needles = 0;
    for (size_t i = 0; sets[s][i] != NULL; i++)
      b.needles[b.n_needles++] = kr_str_cstr(sets[s][i]);
    if (s == 2) /* enough for grams of four bytes */
      for (b.pool_len = 0; b.n_needles < 300; b.pool_len += 5) {
        snprintf((char *)b.pool + b.pool_len, 6, "%c%04zu", 'A' + (int)(b.n_needles % 26),
                 b.n_needles);
        b.needles[b.n_needles++] = kr_str_from(b.pool + b.pool_len, 5);
      }
    memset(bytes, '.', len);
    b.expected.n = 0;
    for (size_t at = 5; at + 40 < len; at += 70001) {
      uint32_t i = (uint32_t)(at % b.n_needles);
      memcpy(bytes + at, b.needles[i].ptr, b.needles[i].len);
      add_found(&b.expected, at, i);
    }
    for (int level = KR_CPU_SCALAR; level <= (int)kr_cpu_best(); level++) {
      KR_CLEANUP(kr_search_freep) kr_search *search = build((kr_cpu_level)level, false);
      b.seen.n = 0;
      assert_int_equal(kr_search_each(search, kr_str_from(bytes, len), 0, visit, &b.seen), len);
      compare("far", s, kr_search_plan(search));
    }
  }
  free(bytes);
}

/* ---- so many needles that only their rarest bytes are looked for ---- */

#define MANY 40000u
#define MANY_BYTES 32u

/* Needles and near misses side by side, to the very end; what occurs is known by how it was made.
 */
static void plant_many(uint64_t *seed, const uint8_t *pool, bool is_folded, uint8_t *text,
                       size_t len, size_t from) {
  b.expected.n = 0;
  memset(text, '.', len);
  for (size_t end = len; end >= MANY_BYTES; end -= MANY_BYTES + below(seed, 90)) {
    uint32_t needle = (uint32_t)below(seed, MANY);
    size_t start = end - MANY_BYTES;
    size_t kind = below(seed, 4);
    memcpy(text + start, pool + needle * MANY_BYTES, MANY_BYTES);
    if (kind == 0)
      text[start + below(seed, MANY_BYTES)] ^= 0x80;
    if (kind == 1 && is_folded)
      text[start + below(seed, MANY_BYTES)] ^= 0x20;
    if (kind != 0 && start >= from)
      add_found(&b.expected, start, needle);
    if (start < MANY_BYTES + 90)
      break;
  }
  qsort(b.expected.list, b.expected.n, sizeof(occurrence), order);
}

static void test_many(void **state) {
  (void)state;
  uint64_t seed = 0x2545f4914f6cdd1du;
  uint8_t *pool = malloc(MANY * MANY_BYTES);
  kr_str *needles = malloc(MANY * sizeof *needles);
  assert_true(pool != NULL && needles != NULL);
  for (size_t i = 0; i < MANY * MANY_BYTES; i++)
    pool[i] = (uint8_t)(below(&seed, 100) == 0 ? 0xc3 : LETTERS[below(&seed, 64)]);
  for (size_t i = 0; i < MANY; i++)
    needles[i] = kr_str_from(pool + i * MANY_BYTES, MANY_BYTES);
  static const size_t lens[] = {31, 32, 40, 63, 64, 65, 130, 1024, 1031, 1100, 20000, 200000};
  for (int mode = 0; mode < 2 * ((int)kr_cpu_best() + 1); mode++) {
    KR_CLEANUP(kr_search_freep) kr_search *search = NULL;
    const kr_search_options options = {.cpu = (kr_cpu_level)(mode / 2), .fold_bit5 = mode % 2 == 1};
    assert_int_equal(kr_search_build(needles, MANY, &options, &search), KR_OK);
    if (options.cpu >= KR_CPU_AVX2)
      assert_non_null(strstr(kr_search_plan(search), "anchors"));
    for (size_t i = 0; i < 6 * sizeof lens / sizeof lens[0]; i++) {
      size_t len = lens[i / 6];
      size_t from = i % 3 == 0 ? 0 : below(&seed, len);
      kr_str text = i % 2 == 0 ? text_at_end(len) : text_at_start(len);
      plant_many(&seed, pool, options.fold_bit5, b.field + (text.ptr - b.field), len, from);
      b.seen.n = 0;
      assert_int_equal(kr_search_each(search, text, from, visit, &b.seen), len);
      compare("many", i, kr_search_plan(search));
    }
  }
  free(needles);
  free(pool);
}

/* ---- hostile texts: the work is bounded by the length, and the answer still right ---- */

typedef enum hostility {
  ALL_A,
  A_THEN_B,
  NEAR_MISSES,
  ONE_HEAD,
  ONE_FRAME,
  EQUAL,
  WHOLE
} hostility;

typedef struct hostile {
  const char *name;
  hostility what;
  size_t n;
  size_t len;
  bool must_be_dense;
} hostile;

static const hostile hostiles[] = {
    {"all a, needles of a", ALL_A, 5, 32, true},
    {"all a, short needles of a", ALL_A, 3, 5, true},
    {"all a, needles end in b", A_THEN_B, 5, 32, false},
    {"all a, long needles end in b", A_THEN_B, 2, 200, true},
    {"near misses of ten", NEAR_MISSES, 10, 32, false},
    {"near misses of thousand", NEAR_MISSES, 1000, 32, false},
    {"near misses of short ones", NEAR_MISSES, 200, 6, false},
    {"one head for all", ONE_HEAD, 500, 64, false},
    {"one head and one tail for all", ONE_FRAME, 500, 64, true},
    {"equal needles", EQUAL, 400, 32, true},
    {"equal short needles", EQUAL, 100, 6, true},
    {"nothing but needles", WHOLE, 100, 16, false},
};

static void make_hostile(const hostile *row, uint64_t *seed, uint8_t *text, size_t len) {
  static const needle_shape letters = {"", {(const uint8_t *)LETTERS, 64}, 0, 0, 0, 0, 0};
  b.n_needles = row->n;
  for (size_t i = 0; i < row->n; i++) {
    uint8_t *bytes = b.pool + i * row->len;
    for (size_t k = 0; k < row->len; k++)
      bytes[k] = random_byte(seed, &letters);
    if (row->what == ALL_A || row->what == A_THEN_B)
      memset(bytes, 'a', row->len);
    if (row->what == A_THEN_B)
      bytes[row->len - 1] = 'b';
    if (row->what == ONE_HEAD)
      memcpy(bytes, b.pool, row->len - 4);
    if (row->what == ONE_FRAME) {
      memcpy(bytes, b.pool, row->len / 2);
      memcpy(bytes + row->len / 2 + 4, b.pool + row->len / 2 + 4, row->len / 2 - 4);
    }
    if (row->what == EQUAL)
      memcpy(bytes, b.pool, row->len);
    b.needles[i] = kr_str_from(bytes, row->len);
  }
  memset(text, 'a', len);
  if (row->what == ALL_A || row->what == A_THEN_B)
    return;
  for (size_t at = 0; at + row->len <= len; at += row->len) {
    memcpy(text + at, b.needles[below(seed, row->n)].ptr, row->len);
    if (row->what == NEAR_MISSES)
      text[at + row->len - 1 - below(seed, row->len / 3)] ^= 1;
  }
}

/* Beyond the budget of a block at most one candidate is looked at: here of 200 bytes. */
static void test_hostile(void **state) {
  const hostile *row = *state;
  size_t len = 5 * KR_SEARCH_DENSE_BYTES + 777;
  kr_str text = text_at_end(len);
  uint64_t seed = 88172645463325252u;
  make_hostile(row, &seed, b.field + (text.ptr - b.field), len);
  b.expected.n = 0;
  search_naively(text, 0, len, false, &b.expected);
  for (int level = KR_CPU_SCALAR; level <= (int)kr_cpu_best(); level++) {
    KR_CLEANUP(kr_search_freep) kr_search *search = build((kr_cpu_level)level, false);
    kr_search_work work = {0};
    size_t n_dense = search_all(search, text, 0, false, &work);
    compare(row->name, (uint64_t)level, kr_search_plan(search));
    assert_true(!row->must_be_dense || n_dense > 0);
    /* Two budgets a block, one lost when it is found dense, and the last block is a part of one. */
    size_t n_blocks = 2 * (len / KR_SEARCH_DENSE_BYTES + 1);
    assert_true(work.candidates <= n_blocks * (KR_SEARCH_DENSE_BYTES / 2 + 1));
    assert_true(work.compared_bytes <= n_blocks * (32 * KR_SEARCH_DENSE_BYTES + 200));
  }
}

/* ---- building ---- */

static void test_refuses(void **state) {
  (void)state;
  kr_search *search = NULL;
  const kr_search_options options = {.cpu = KR_CPU_BEST};
  b.needles[0] = KR_STR("abc");
  b.needles[1] = KR_STR("ab");
  assert_int_equal(kr_search_build(b.needles, 2, &options, &search), KR_INVALID);
  b.needles[1] = kr_str_from("abc", SIZE_MAX - 2);
  assert_int_equal(kr_search_build(b.needles, 2, &options, &search), KR_LIMIT);
  b.needles[1] = kr_str_from("abc", UINT32_MAX);
  assert_int_equal(kr_search_build(b.needles, 2, &options, &search), KR_LIMIT);
  assert_null(search);
}

static void test_nothing_to_find(void **state) {
  (void)state;
  b.n_needles = 0;
  KR_CLEANUP(kr_search_freep) kr_search *search = build(KR_CPU_BEST, false);
  assert_int_equal(kr_search_max_len(search), 0);
  b.seen.n = 0;
  assert_int_equal(kr_search_each(search, KR_STR("abcdef"), 0, visit, &b.seen), 6);
  assert_int_equal(kr_search_each(search, kr_str_from(NULL, 0), 0, visit, &b.seen), 0);
  assert_int_equal(b.seen.n, 0);
}

/* Needle bytes are copied: those given may go. Lengths and memory are told. */
static void test_owns_needles(void **state) {
  (void)state;
  uint8_t bytes[] = "a-secret-of-some-bytes";
  b.needles[0] = kr_str_from(bytes, sizeof bytes - 1);
  b.needles[1] = KR_STR("other");
  b.n_needles = 2;
  KR_CLEANUP(kr_search_freep) kr_search *search = build(KR_CPU_BEST, false);
  memset(bytes, 0, sizeof bytes);
  b.seen.n = 0;
  kr_str text = KR_STR("is a-secret-of-some-bytes here?");
  assert_int_equal(kr_search_each(search, text, 0, visit, &b.seen), text.len);
  assert_int_equal(b.seen.n, 1);
  assert_int_equal(b.seen.list[0].start, 3);
  assert_int_equal(b.seen.list[0].needle, 0);
  assert_int_equal(kr_search_max_len(search), sizeof bytes - 1);
  assert_true(kr_search_memory(search) > sizeof bytes - 1 + 5);
}

static void test_failing_allocations(void **state) {
  (void)state;
  const kr_search_options options = {.cpu = KR_CPU_BEST};
  uint64_t seed = 7;
  make_needles(&seed, &shapes[9], 200);
  size_t n_refused = 0;
  for (size_t n = 0;; n++) {
    KR_CLEANUP(kr_search_freep) kr_search *search = NULL;
    kr_sensitive_trim();
    kr_test_fail_at(n);
    kr_status status = kr_search_build(b.needles, b.n_needles, &options, &search);
    if (kr_test_fail_stop() == 0) {
      assert_int_equal(status, KR_OK);
      break;
    }
    assert_int_equal(status, KR_NOMEM);
    assert_null(search);
    n_refused++;
  }
  assert_true(n_refused > 0);
}

/* Each tier is reached by the shapes above; which, the plan tells. */
static void test_plans(void **state) {
  (void)state;
  static const struct {
    size_t n, len;
    const char *tier;
  } rows[] = {
      {8, 6, "shuffle"}, {2000, 6, "grams4"}, {300, 32, "grams8(25)"}, {300, 200, "grams8(89)"}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    needle_shape letters = {"", {(const uint8_t *)LETTERS, 64}, 0, rows[i].len, rows[i].len, 0, 0};
    uint64_t seed = 3;
    make_needles(&seed, &letters, rows[i].n);
    KR_CLEANUP(kr_search_freep) kr_search *search = build(KR_CPU_BEST, false);
    if (strstr(kr_search_plan(search), rows[i].tier) == NULL)
      fail_msg("%zu of %zu bytes: %s", rows[i].n, rows[i].len, kr_search_plan(search));
  }
}

int main(void) {
  enum {
    N_SHAPES = sizeof shapes / sizeof shapes[0],
    N_HOSTILE = sizeof hostiles / sizeof hostiles[0]
  };
  static const struct CMUnitTest others[] = {cmocka_unit_test(test_every_place),
                                             cmocka_unit_test(test_far),
                                             cmocka_unit_test(test_many),
                                             cmocka_unit_test(test_refuses),
                                             cmocka_unit_test(test_nothing_to_find),
                                             cmocka_unit_test(test_owns_needles),
                                             cmocka_unit_test(test_failing_allocations),
                                             cmocka_unit_test(test_plans)};
  enum { N_OTHERS = sizeof others / sizeof others[0] };
  static struct CMUnitTest tests[N_SHAPES + N_HOSTILE + N_OTHERS];
  for (size_t i = 0; i < N_SHAPES; i++)
    tests[i] = (struct CMUnitTest){.name = shapes[i].name,
                                   .test_func = test_shape,
                                   .initial_state = (void *)(uintptr_t)&shapes[i]};
  for (size_t i = 0; i < N_HOSTILE; i++)
    tests[N_SHAPES + i] = (struct CMUnitTest){.name = hostiles[i].name,
                                              .test_func = test_hostile,
                                              .initial_state = (void *)(uintptr_t)&hostiles[i]};
  memcpy(tests + N_SHAPES + N_HOSTILE, others, sizeof others);
  return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_leaks.c - how long values live: after real runs, with everything freed
 * and the engine closed, this process's own memory is searched for the values
 * and for what was made of them. What docs/threat-model.md leaves out (the
 * kernel) is not in this memory; curl is given its wiping allocator.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first. */
#include "engine/fixture.h"
#include "support/receiver_process.h"

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CANARY_BYTES 24u
#define MAP_LINE_BYTES 512u
#define PIECE_BYTES ((size_t)1 << 20)

/*
 * Needles are kept XORed in a page of their own that the search leaves out, so
 * that the search does not find itself.
 */
typedef struct needle {
  char hidden[64];
  size_t len;
} needle;

typedef struct hide {
  needle needles[4];
  size_t n_needles;
  char plain[128]; /* of one needle, while it is searched for; and of new ones */
  uint8_t piece[PIECE_BYTES + 64];
} hide;

static hide *hidden; /* mapped */

static void cover(char *to, const char *from, size_t len) {
  for (size_t i = 0; i < len; i++)
    to[i] = (char)(from[i] ^ 0x5A);
}

/* A value of its own for each process, so that nothing on disk or in the program is one. */
static void make_canary(void) {
  static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
  unsigned char random[CANARY_BYTES];
  int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  assert_int_equal(read(fd, random, sizeof random), sizeof random);
  (void)close(fd);
  for (size_t i = 0; i < CANARY_BYTES; i++)
    hidden->plain[i] = letters[random[i] % (sizeof letters - 1)];
  hidden->plain[CANARY_BYTES] = '\0';
  explicit_bzero(random, sizeof random);
}

static void add_needle(const char *text, size_t len) {
  needle *next = &hidden->needles[hidden->n_needles++];
  cover(next->hidden, text, len);
  next->len = len;
}

/* The value (its middle 16 bytes: a heap overwrites the ends of what it frees), upper case, base64.
 */
static void add_needles(void) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char *value = hidden->plain;
  char *made = hidden->plain + 64;
  add_needle(value + 6, 16);
  for (size_t i = 0; i < CANARY_BYTES; i++)
    made[i] = (char)(value[i] >= 'a' && value[i] <= 'z' ? value[i] - 32 : value[i]);
  add_needle(made + 6, 16);
  for (size_t i = 0; i < CANARY_BYTES / 3; i++) {
    const unsigned char *in = (const unsigned char *)value + 3 * i;
    made[4 * i] = alphabet[in[0] >> 2];
    made[4 * i + 1] = alphabet[(in[0] & 3) << 4 | in[1] >> 4];
    made[4 * i + 2] = alphabet[(in[1] & 15) << 2 | in[2] >> 6];
    made[4 * i + 3] = alphabet[in[2] & 63];
  }
  add_needle(made + 8, 16);
  explicit_bzero(made, 64);
}

/* Occurrences of the needle in plain in one mapping, read through /proc so that guard pages only
 * fail. */
static unsigned count_in_mapping(int memory, unsigned long from, unsigned long to, size_t len) {
  unsigned n = 0;
  for (unsigned long at = from; at < to; at += PIECE_BYTES) {
    size_t wanted = to - at < sizeof hidden->piece ? to - at : sizeof hidden->piece;
    ssize_t got = pread(memory, hidden->piece, wanted, (off_t)at);
    if (got <= 0)
      continue;
    const uint8_t *hit = memmem(hidden->piece, (size_t)got, hidden->plain, len);
    n += hit != NULL;
  }
  return n;
}

static unsigned count_in_memory(const needle *wanted, bool is_shown) {
  char line[MAP_LINE_BYTES];
  unsigned n = 0;
  cover(hidden->plain, wanted->hidden, wanted->len);
  FILE *maps = fopen("/proc/self/maps", "r");
  int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  assert_non_null(maps);
  assert_true(memory >= 0);
  while (fgets(line, sizeof line, maps) != NULL) {
    unsigned long from = 0;
    unsigned long to = 0;
    char rights[5] = "";
    if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3 || rights[0] != 'r' ||
        strstr(line, "[v") != NULL || from == (unsigned long)hidden)
      continue;
    unsigned here = count_in_mapping(memory, from, to, wanted->len);
    if (here > 0 && is_shown)
      print_error("needle %d in %s", (int)(wanted - hidden->needles), line);
    n += here;
  }
  (void)close(memory);
  (void)fclose(maps);
  explicit_bzero(hidden->plain, sizeof hidden->plain);
  return n;
}

#define HOST "http://127.0.0.1:PORT"
static const char *const connectors[] = {
    /* an echo by the target, of the value and of what was made of it */
    "{\"name\":\"t\",\"perform\":{\"url\":\"" HOST "/services/$secret.KEY\",\"headers\":{"
    "\"X-API-Key\":\"$secret.KEY\",\"B\":\"base64Encode($secret.KEY)\",\"U\":\"uppercase($secret."
    "KEY)\"},"
    "\"body\":{\"a\":\"x $secret.KEY\",\"h\":\"hmacSha256($payload.x, $secret.KEY)\"}}}",
    /* lookup and fields, in a query too */
    "{\"name\":\"t\",\"process\":{\"lookup\":{\"url\":\"" HOST
    "/users/u\",\"headers\":{\"Authorization\":"
    "\"Bearer $secret.KEY\"},\"query\":{\"k\":\"$secret.KEY\"}},\"fields\":{\"auth\":"
    "\"concat(\\\"Bearer \\\", $secret.KEY)\",\"up\":\"uppercase($secret.KEY)\"}},"
    "\"perform\":{\"url\":\"" HOST "/services/x\",\"headers\":{\"X-API-Key\":\"$processed.auth\"},"
    "\"body\":{\"all\":\"$processed\",\"u\":\"$processed.up\"}}}",
    /* a failing target, and one that hangs up */
    "{\"name\":\"t\",\"perform\":{\"url\":\"" HOST
    "/fail/x\",\"headers\":{\"X-API-Key\":\"$secret.KEY\"},"
    "\"body\":\"{\\\"a\\\": \\\"$secret.KEY\\\"}\"}}",
    "{\"name\":\"t\",\"perform\":{\"url\":\"" HOST
    "/close\",\"headers\":{\"X-API-Key\":\"$secret.KEY\"}}}",
    /* refused after the secret was opened */
    "{\"name\":\"t\",\"perform\":{\"url\":\"" HOST
    "/x\",\"headers\":{\"A\":\"$secret.KEY\",\"B\":\"$payload.no\"}}}",
};

static void run_all(fixture *self, uint16_t port, const char *payload) {
  for (size_t i = 0; i < sizeof connectors / sizeof connectors[0]; i++) {
    char connector[2048];
    size_t len = 0;
    for (const char *from = connectors[i]; *from != '\0'; from++) {
      bool is_port = strncmp(from, "PORT", 4) == 0;
      assert_true(len + 8 < sizeof connector);
      len += (size_t)snprintf(connector + len, 8, is_port ? "%u" : "%c",
                              is_port ? (unsigned)port : (unsigned)(unsigned char)*from);
      from += is_port ? 3 : 0;
    }
    kr_run *run = fixture_run(self, "default", connector, payload);
    kr_run_free(run);
  }
}

static void nothing_is_left_in_memory(void **state) {
  fixture *self = *state;
  receiver_process receiver;
  char report[4096];
  hidden = mmap(NULL, sizeof *hidden, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(hidden != MAP_FAILED);
  /* Pages with other rights on both sides keep the mapping from growing together with others. */
  assert_int_equal(mprotect(hidden, sizeof *hidden, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
  make_canary();
  assert_int_equal(setenv("LC_ALL", "C", 1), 0);
  assert_true(receiver_start(&receiver, NULL));
  fixture_secret(self, "default", "KEY", hidden->plain);
  add_needles();
  explicit_bzero(hidden->plain, sizeof hidden->plain);
  /* The search must be able to find: the redaction set holds the value while the engine is open. */
  run_all(self, receiver.port, "{\"x\":\"hello\"}");
  assert_true(count_in_memory(&hidden->needles[0], false) > 0);
  (void)receiver_stop(&receiver, report, sizeof report);
  kr_engine_close(self->engine);
  self->engine = NULL;
  unsigned n_left = 0;
  for (size_t i = 0; i < hidden->n_needles; i++)
    n_left += count_in_memory(&hidden->needles[i], true);
  assert_int_equal(n_left, 0);
  (void)munmap(hidden, sizeof *hidden);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(nothing_is_left_in_memory, fixture_setup, fixture_teardown)};
  kr_error error = {0};
  /* Before anything else uses curl: its allocator wipes what it gives back. */
  if (kr_process_init(&error) != KR_OK) {
    (void)fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}

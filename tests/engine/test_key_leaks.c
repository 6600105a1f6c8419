/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_key_leaks.c - how long keys live: after a home was made and opened with
 * each source and closed again, this process's own memory is searched for the
 * passphrase, the text of the key and the key itself. Of scrypt's work area in
 * OpenSSL, which docs/threat-model.md leaves out, this sees what is left at the end.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first. */
#include "engine/engine.h"
#include "engine/fixture.h"

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_TEXT_BYTES 88u
#define KEY_BYTES 64u
#define NEEDLE_BYTES 16u
#define PIECE_BYTES ((size_t)1 << 20)
#define MAP_LINE_BYTES 512u

/* All that is secret here lies in one mapping, XORed, which the search leaves out. */
typedef struct hide {
  char passphrase[32];
  char key_text[KEY_TEXT_BYTES];
  char key[KEY_BYTES];
  char plain[256]; /* of one thing, while it is used */
  uint8_t piece[PIECE_BYTES + 64];
} hide;

static hide *hidden;
static char folder[] = "/tmp/krosyn-keyleak-XXXXXX";
static char home[64];

static void cover(char *to, const char *from, size_t len) {
  for (size_t i = 0; i < len; i++)
    to[i] = (char)(from[i] ^ 0x5A);
}

static void make_secrets(void) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  unsigned char *random = (unsigned char *)hidden->plain;
  int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  assert_int_equal(read(fd, random, 96), 96);
  (void)close(fd);
  cover(hidden->key, hidden->plain, KEY_BYTES);
  char *text = hidden->plain + 128;
  for (size_t i = 0; i < 22; i++) {
    const unsigned char *in = random + 3 * i;
    unsigned second = i == 21 ? 0 : in[1];
    unsigned third = i == 21 ? 0 : in[2];
    text[4 * i] = alphabet[in[0] >> 2];
    text[4 * i + 1] = alphabet[(in[0] & 3u) << 4 | second >> 4];
    text[4 * i + 2] = i == 21 ? '=' : alphabet[(second & 15) << 2 | third >> 6];
    text[4 * i + 3] = i == 21 ? '=' : alphabet[third & 63];
  }
  cover(hidden->key_text, text, KEY_TEXT_BYTES);
  for (size_t i = 0; i < 32; i++)
    hidden->passphrase[i] = (char)(alphabet[random[64 + i % 32] % 64] ^ 0x5A);
  explicit_bzero(hidden->plain, sizeof hidden->plain);
}

static unsigned count_in_mapping(int memory, unsigned long from, unsigned long to) {
  unsigned n = 0;
  for (unsigned long at = from; at < to; at += PIECE_BYTES) {
    size_t wanted = to - at < sizeof hidden->piece ? to - at : sizeof hidden->piece;
    ssize_t got = pread(memory, hidden->piece, wanted, (off_t)at);
    if (got > 0)
      n += memmem(hidden->piece, (size_t)got, hidden->plain, NEEDLE_BYTES) != NULL;
  }
  return n;
}

/* The middle of it: a heap overwrites the ends of what it frees. */
static unsigned count(const char *covered, const char *what, bool is_shown) {
  char line[MAP_LINE_BYTES];
  unsigned n = 0;
  cover(hidden->plain, covered + 8, NEEDLE_BYTES);
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
    unsigned here = count_in_mapping(memory, from, to);
    if (here > 0 && is_shown)
      print_error("%s in %s", what, line);
    n += here;
  }
  (void)close(memory);
  (void)fclose(maps);
  explicit_bzero(hidden->plain, sizeof hidden->plain);
  return n;
}

static kr_status ask(void *ctx, bool is_new, uint8_t *room, size_t cap, size_t *ret_len,
                     kr_error *reterr) {
  (void)ctx, (void)is_new, (void)cap, (void)reterr;
  cover((char *)room, hidden->passphrase, sizeof hidden->passphrase);
  *ret_len = sizeof hidden->passphrase;
  assert_true(count(hidden->passphrase, "", false) > 0); /* the search can find */
  return KR_OK;
}

/* The file that the command prints, and what KROSYN_KEY says, straight from the hiding place. */
static void write_key_file(const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  cover(hidden->plain, hidden->key_text, KEY_TEXT_BYTES);
  assert_int_equal(write(fd, hidden->plain, KEY_TEXT_BYTES), KEY_TEXT_BYTES);
  explicit_bzero(hidden->plain, sizeof hidden->plain);
  assert_int_equal(close(fd), 0);
}

static void set_variable(void) {
  memcpy(hidden->plain, "k-1 ", 4);
  cover(hidden->plain + 4, hidden->key_text, KEY_TEXT_BYTES);
  hidden->plain[4 + KEY_TEXT_BYTES] = '\0';
  assert_int_equal(setenv("KROSYN_KEY", hidden->plain, 1), 0);
  explicit_bzero(hidden->plain, sizeof hidden->plain);
}

static void live(const kr_home_options *options, bool is_variable) {
  kr_error error = {0};
  kr_engine *engine = NULL;
  if (is_variable)
    set_variable();
  if (kr_home_create(options, NULL, &error) != KR_OK)
    fail_msg("%s", error.message);
  if (is_variable)
    set_variable();
  if (kr_engine_open(options, &engine, &error) != KR_OK)
    fail_msg("%s", error.message);
  if (options->key_source == KR_KEY_PASSPHRASE)
    cover(hidden->key, (const char *)kr_secret_reveal(kr_keyring_key(engine->keyring, 0)).ptr,
          KEY_BYTES);
  /* The search can find: an open home holds its key. */
  assert_true(count(hidden->key, "", false) > 0);
  kr_engine_close(engine);
  unsigned n_left = count(hidden->key, "key", true) +
                    count(hidden->key_text, "text of the key", true) +
                    count(hidden->passphrase, "passphrase", true);
  assert_int_equal(n_left, 0);
}

static int setup(void **state) {
  (void)state;
  hidden = mmap(NULL, sizeof *hidden, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (hidden == MAP_FAILED || mkdtemp(folder) == NULL)
    return -1;
  /* Other rights keep the mapping from growing together with its neighbours. */
  if (mprotect(hidden, sizeof *hidden, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
    return -1;
  (void)snprintf(home, sizeof home, "%s/home", folder);
  make_secrets();
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_remove(folder);
  memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
  return munmap(hidden, sizeof *hidden);
}

static void test_passphrase(void **state) {
  (void)state;
  const kr_home_options options = {
      .home = home, .key_source = KR_KEY_PASSPHRASE, .ask_passphrase = ask};
  live(&options, false);
}

static void test_variable(void **state) {
  (void)state;
  const kr_home_options options = {
      .home = home, .key_source = KR_KEY_ENVIRONMENT, .reads_environment = true};
  live(&options, true);
}

static void test_command(void **state) {
  (void)state;
  char line[128];
  char path[100];
  (void)snprintf(path, sizeof path, "%s/k", folder);
  (void)snprintf(line, sizeof line, "/bin/cat %s", path);
  write_key_file(path);
  const kr_home_options options = {.home = home, .key_command = line};
  live(&options, false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_passphrase, setup, teardown),
      cmocka_unit_test_setup_teardown(test_variable, setup, teardown),
      cmocka_unit_test_setup_teardown(test_command, setup, teardown),
  };
  return cmocka_run_group_tests_name("key leaks", tests, NULL, NULL);
}

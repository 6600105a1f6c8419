/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_custody.c - keys that come from elsewhere than a key file: a variable, a
 * program, a credential, a passphrase; and what the system refuses on the way.
 */
#define _GNU_SOURCE
#include "vault/support.h"

#include "base/encode.h"
#include "support/failalloc.h"
#include "vault/keycommand.h"
#include "vault/keyenv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY_A                                                                                      \
  "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ=="
#define KEY_B                                                                                      \
  "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQg=="
#define HEADING                                                                                    \
  "# krosyn master key - keep a copy in a safe place; without it the vault cannot be opened\n"

extern char **environ;

/* ---- system calls that fail: the n-th call of one kind from now ---- */

typedef enum call { NO_CALL, PIPE, SPAWN, POLL, READ, WAIT, DUP_ACTION } call;

static struct {
  call kind;
  int error;
  unsigned n_refused;
  bool is_forever;
} faults;

static void refuse(call kind, int error, bool is_forever) {
  faults.kind = kind;
  faults.error = error;
  faults.n_refused = 0;
  faults.is_forever = is_forever;
}

static bool is_refused(call kind) {
  if (faults.kind != kind)
    return false;
  faults.n_refused++;
  if (!faults.is_forever)
    faults.kind = NO_CALL;
  errno = faults.error;
  return true;
}

int __real_pipe2(int fds[2], int flags);
int __real_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const words[],
                       char *const variables[]);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
ssize_t __real_read(int fd, void *bytes, size_t len);
pid_t __real_waitpid(pid_t pid, int *result, int flags);
int __real_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to);
int __wrap_pipe2(int fds[2], int flags);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const words[],
                       char *const variables[]);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
ssize_t __wrap_read(int fd, void *bytes, size_t len);
pid_t __wrap_waitpid(pid_t pid, int *result, int flags);
int __wrap_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to);

int __wrap_pipe2(int fds[2], int flags) { return is_refused(PIPE) ? -1 : __real_pipe2(fds, flags); }
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const words[],
                       char *const variables[]) {
  return is_refused(SPAWN) ? faults.error
                           : __real_posix_spawn(pid, path, actions, attributes, words, variables);
}
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms) {
  return is_refused(POLL) ? -1 : __real_poll(fds, n, timeout_ms);
}
ssize_t __wrap_read(int fd, void *bytes, size_t len) {
  return is_refused(READ) ? -1 : __real_read(fd, bytes, len);
}
pid_t __wrap_waitpid(pid_t pid, int *result, int flags) {
  return is_refused(WAIT) ? -1 : __real_waitpid(pid, result, flags);
}
int __wrap_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to) {
  return is_refused(DUP_ACTION) ? faults.error
                                : __real_posix_spawn_file_actions_adddup2(actions, fd, to);
}

static kr_secure *new_pool(void) {
  kr_secure *pool = NULL;
  assert_int_equal(kr_secure_new(64u * 1024u, &pool, NULL), KR_OK);
  return pool;
}

static void done_pool(kr_secure *pool) {
  assert_int_equal(kr_secure_used(pool), 0);
  kr_secure_free(pool);
}

static void says_nothing_secret(const kr_error *error) {
  static const char *const pieces[] = {"QUFB", "QkJC", "s3cret"};
  for (size_t i = 0; i < 3; i++) {
    assert_null(strstr(error->message, pieces[i]));
    assert_null(strstr(error->hint, pieces[i]));
    assert_null(strstr(error->source, pieces[i]));
  }
}

/* ---- the text of keys, by source ---- */

typedef struct text_row {
  const char *name;
  kr_key_source source;
  const char *text;
  kr_status status;
  const char *message;
  size_t n_keys;
  const char *first_id;
} text_row;

static const text_row texts[] = {
    {"variable: one key", KR_KEY_ENVIRONMENT, "k-1 " KEY_A, KR_OK, "", 1, "k-1"},
    {"variable: lines", KR_KEY_ENVIRONMENT, "k-1 " KEY_A "\nk-2 " KEY_B "\n", KR_OK, "", 2, "k-1"},
    {"variable: parted by ;", KR_KEY_ENVIRONMENT, "k-2 " KEY_B "; k-1 " KEY_A ";", KR_OK, "", 2,
     "k-2"},
    {"variable: a whole key file, whose heading has a ;", KR_KEY_ENVIRONMENT,
     HEADING "k-1 " KEY_A "\n", KR_OK, "", 1, "k-1"},
    {"variable: a comment hides what is after its ;", KR_KEY_ENVIRONMENT,
     " # x; k-2 " KEY_B "\nk-1 " KEY_A, KR_OK, "", 1, "k-1"},
    {"variable: second is bad", KR_KEY_ENVIRONMENT, "k-1 " KEY_A ";k-2 QUFB", KR_UNTRUSTED,
     "variable KROSYN_KEY, line 2", 0, NULL},
    {"variable: no id", KR_KEY_ENVIRONMENT, KEY_A, KR_UNTRUSTED, "line 1", 0, NULL},
    {"variable: only blanks", KR_KEY_ENVIRONMENT, " ; ", KR_UNTRUSTED, "holds no key", 0, NULL},
    {"command: lines", KR_KEY_COMMAND, HEADING "k-1 " KEY_A "\nk-2 " KEY_B "\n", KR_OK, "", 2,
     "k-1"},
    {"command: a lone key", KR_KEY_COMMAND, KEY_A, KR_OK, "", 1, "command"},
    {"command: a lone key and a newline", KR_KEY_COMMAND, KEY_A "\r\n", KR_OK, "", 1, "command"},
    {"command: two lone keys", KR_KEY_COMMAND, KEY_A "\n" KEY_B "\n", KR_UNTRUSTED, "line 1", 0,
     NULL},
    {"command: a ; parts nothing", KR_KEY_COMMAND, "k-1 " KEY_A ";k-2 " KEY_B, KR_UNTRUSTED,
     "key command KROSYN_KEY, line 1", 0, NULL},
    {"command: nothing", KR_KEY_COMMAND, "", KR_UNTRUSTED, "holds no key", 0, NULL},
    {"file: a lone key is none", KR_KEY_FILE, KEY_A, KR_UNTRUSTED, "key file", 0, NULL},
    {"credential: lines", KR_KEY_CREDENTIAL, HEADING "k-1 " KEY_A "\n", KR_OK, "", 1, "k-1"},
};

static void run_text(void **state) {
  const text_row *row = *state;
  kr_secure *pool = new_pool();
  kr_keyring *keyring = NULL;
  kr_error error = {0};
  assert_int_equal(kr_keyring_parse(row->source, KR_STR("KROSYN_KEY"), kr_str_cstr(row->text), pool,
                                    &keyring, &error),
                   row->status);
  assert_non_null(strstr(error.message, row->message));
  says_nothing_secret(&error);
  if (row->status == KR_OK) {
    assert_int_equal(kr_keyring_count(keyring), row->n_keys);
    assert_true(kr_str_equal(kr_keyring_id(keyring, 0), kr_str_cstr(row->first_id)));
    assert_int_equal(kr_keyring_source(keyring), row->source);
    const kr_secret *key = kr_keyring_find(keyring, kr_str_cstr(row->first_id));
    assert_int_equal(kr_secret_reveal(key).len, KR_KEY_BYTES);
  }
  kr_keyring_free(keyring);
  done_pool(pool);
}

/* ---- the variable ---- */

static void test_variable(void **state) {
  (void)state;
  kr_secure *pool = new_pool();
  uint8_t *text = NULL;
  size_t len = 99;
  (void)unsetenv("KROSYN_KEY");
  assert_int_equal(kr_keyenv_take(pool, &text, &len, NULL), KR_OK);
  assert_null(text);
  assert_int_equal(len, 0);
  assert_int_equal(setenv("KROSYN_KEY", "k-1 " KEY_A, 1), 0);
  const char *original = getenv("KROSYN_KEY");
  assert_int_equal(kr_keyenv_take(pool, &text, &len, NULL), KR_OK);
  assert_int_equal(len, 4 + 88);
  assert_memory_equal(text, "k-1 " KEY_A, len);
  for (size_t i = 0; i < len; i++)
    assert_int_equal(original[i], 0);
  assert_null(getenv("KROSYN_KEY"));
  kr_secure_release(pool, text);
  done_pool(pool);
}

/* Too long is cut, and refused when it is read; no room is an error; both leave nothing behind. */
static void test_variable_without_room(void **state) {
  (void)state;
  kr_secure *pool = new_pool();
  uint8_t *text = NULL;
  size_t len = 0;
  char *long_text = malloc(KR_KEYFILE_ROOM_BYTES + 100);
  assert_non_null(long_text);
  memset(long_text, '#', KR_KEYFILE_ROOM_BYTES + 99);
  long_text[KR_KEYFILE_ROOM_BYTES + 99] = '\0';
  assert_int_equal(setenv("KROSYN_KEY", long_text, 1), 0);
  const char *original = getenv("KROSYN_KEY");
  assert_int_equal(kr_keyenv_take(pool, &text, &len, NULL), KR_OK);
  assert_int_equal(len, KR_KEYFILE_ROOM_BYTES);
  assert_int_equal(original[KR_KEYFILE_ROOM_BYTES + 98], 0);
  kr_keyring *keyring = NULL;
  kr_error error = {0};
  assert_int_equal(kr_keyring_parse(KR_KEY_ENVIRONMENT, KR_STR("KROSYN_KEY"),
                                    kr_str_from(text, len), pool, &keyring, &error),
                   KR_UNTRUSTED);
  assert_non_null(strstr(error.message, "longer than 8192"));
  kr_secure_release(pool, text);
  void *filler = kr_secure_alloc(pool, 60u * 1024u);
  assert_non_null(filler);
  assert_int_equal(setenv("KROSYN_KEY", "k-1 " KEY_A, 1), 0);
  original = getenv("KROSYN_KEY");
  assert_int_equal(kr_keyenv_take(pool, &text, &len, &error), KR_NOMEM);
  assert_null(text);
  assert_int_equal(original[0], 0);
  assert_null(getenv("KROSYN_KEY"));
  kr_secure_release(pool, filler);
  free(long_text);
  done_pool(pool);
}

/* What the kernel shows of a program that was started with the variable: this program again. */
#define CHILD_MARK "KROSYN_TEST_ENVIRON_CHILD"

static int environ_holds(const char *needle) {
  char shown[65536];
  int fd = open("/proc/self/environ", O_RDONLY);
  ssize_t n = fd < 0 ? -1 : __real_read(fd, shown, sizeof shown);
  (void)close(fd);
  return n > 0 ? memmem(shown, (size_t)n, needle, strlen(needle)) != NULL : -1;
}

static int environ_child(void) {
  kr_secure *pool = NULL;
  uint8_t *text = NULL;
  size_t len = 0;
  if (kr_secure_new(64u * 1024u, &pool, NULL) != KR_OK || environ_holds(KEY_A) != 1)
    return 10; /* the search can find */
  if (kr_keyenv_take(pool, &text, &len, NULL) != KR_OK || len != 92)
    return 11;
  kr_secure_free(pool);
  return environ_holds("QUFB") == 0 && environ_holds(CHILD_MARK) == 1 ? 0 : 12;
}

static void test_proc_environ(void **state) {
  (void)state;
  char name[] = "test";
  char mark[] = CHILD_MARK "=1";
  char key[] = "KROSYN_KEY=k-1 " KEY_A;
  char *const words[] = {name, NULL};
  char *const variables[] = {mark, key, NULL};
  pid_t pid = 0;
  int result = -1;
  assert_int_equal(__real_posix_spawn(&pid, "/proc/self/exe", NULL, NULL, words, variables), 0);
  assert_int_equal(__real_waitpid(pid, &result, 0), pid);
  assert_true(WIFEXITED(result));
  assert_int_equal(WEXITSTATUS(result), 0);
}

/* ---- the command ---- */

#define LIMIT_MS 20000u
#define SHORT_LIMIT_MS 300u

typedef struct command_row {
  const char *name;
  const char *script; /* of /bin/sh */
  unsigned limit_ms;
  kr_status status;
  const char *message;
  const char *output;
} command_row;

static const command_row commands[] = {
    {"prints", "printf 'k-1 x'", LIMIT_MS, KR_OK, "", "k-1 x"},
    {"prints nothing", ":", LIMIT_MS, KR_OK, "", ""},
    {"prints in pieces", "printf a; sleep 0.1; printf b; sleep 0.1; printf c", LIMIT_MS, KR_OK, "",
     "abc"},
    {"goes on a little after it closed its output", "printf a; exec >&-; sleep 0.2", LIMIT_MS,
     KR_OK, "", "a"},
    {"as much as may be", "head -c 8192 /dev/zero | tr '\\0' x", LIMIT_MS, KR_OK, "", NULL},
    {"one byte more", "head -c 8193 /dev/zero | tr '\\0' x", LIMIT_MS, KR_UNTRUSTED,
     "printed more than", NULL},
    {"without end", "yes s3cret", LIMIT_MS, KR_UNTRUSTED, "printed more than", NULL},
    {"fails", "printf s3cret; exit 3", LIMIT_MS, KR_UNTRUSTED, "exit code 3", NULL},
    {"is killed", "printf s3cret; kill -9 $$", LIMIT_MS, KR_UNTRUSTED, "signal 9", NULL},
    {"is slow", "printf s3cret; exec sleep 100", SHORT_LIMIT_MS, KR_UNTRUSTED, "took too long",
     NULL},
    {"leaves the pipe to others", "sleep 3 & printf s3cret", SHORT_LIMIT_MS, KR_UNTRUSTED,
     "took too long", NULL},
    {"closes its output and stays", "printf s3cret; exec >&- 2>&-; exec sleep 100", SHORT_LIMIT_MS,
     KR_UNTRUSTED, "took too long", NULL},
    {"its input is empty", "read line; printf \"[$line]\"", LIMIT_MS, KR_OK, "", "[]"},
    {"no descriptor of ours is open", "test -e /proc/self/fd/100 || printf closed", LIMIT_MS, KR_OK,
     "", "closed"},
    {"a signal we ignore is not ignored there", "kill -XFSZ $$; printf alive", LIMIT_MS,
     KR_UNTRUSTED, "signal 25", NULL},
};

static kr_status run_script(const char *script, unsigned limit_ms, uint8_t *bytes, size_t *ret_len,
                            kr_error *error) {
  kr_keycommand command = {0};
  assert_int_equal(kr_keycommand_add(&command, KR_STR("/bin/sh"), error), KR_OK);
  assert_int_equal(kr_keycommand_add(&command, KR_STR("-c"), error), KR_OK);
  assert_int_equal(kr_keycommand_add(&command, kr_str_cstr(script), error), KR_OK);
  return kr_keycommand_run(&command, limit_ms, bytes, ret_len, error);
}

static void no_child_is_left(void) {
  errno = 0;
  assert_int_equal(__real_waitpid(-1, NULL, WNOHANG), -1);
  assert_int_equal(errno, ECHILD);
}

static void run_command(void **state) {
  const command_row *row = *state;
  static uint8_t bytes[KR_KEYFILE_ROOM_BYTES];
  size_t len = 0;
  kr_error error = {0};
  int held = dup2(STDIN_FILENO, 100); /* without O_CLOEXEC, as a library's caller may have it */
  void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
  kr_status status = run_script(row->script, row->limit_ms, bytes, &len, &error);
  (void)signal(SIGXFSZ, before);
  (void)close(held);
  if (status != row->status)
    fail_msg("%s: %s", kr_status_name(status), error.message);
  assert_non_null(strstr(error.message, row->message));
  says_nothing_secret(&error);
  if (status != KR_OK)
    assert_non_null(strstr(error.message, "/bin/sh"));
  if (row->output != NULL)
    assert_true(kr_str_equal(kr_str_from(bytes, len), kr_str_cstr(row->output)));
  no_child_is_left();
}

static void test_command_not_there(void **state) {
  (void)state;
  static uint8_t bytes[KR_KEYFILE_ROOM_BYTES];
  static const char *const programs[] = {"/no/such/program", "/etc/passwd", "/tmp"};
  for (size_t i = 0; i < 3; i++) {
    kr_keycommand command = {0};
    size_t len = 0;
    kr_error error = {0};
    assert_int_equal(kr_keycommand_add(&command, kr_str_cstr(programs[i]), &error), KR_OK);
    assert_int_equal(kr_keycommand_add(&command, KR_STR("s3cret"), &error), KR_OK);
    assert_int_equal(kr_keycommand_run(&command, LIMIT_MS, bytes, &len, &error), KR_UNTRUSTED);
    assert_non_null(strstr(error.message, "cannot be run"));
    assert_non_null(strstr(error.message, programs[i]));
    says_nothing_secret(&error);
  }
}

static void test_command_words(void **state) {
  (void)state;
  kr_keycommand command = {0};
  size_t offset = 0;
  assert_int_equal(kr_keycommand_split(&command, " \t/a/b  c\t'd  e'  ", NULL), KR_OK);
  static const char *const words[] = {"/a/b", "c", "'d", "e'", ""};
  assert_int_equal(command.n_words, 4);
  for (size_t i = 0; i < 5; i++)
    assert_true(kr_str_equal(kr_keycommand_next(&command, &offset), kr_str_cstr(words[i])));
  assert_string_equal(kr_keycommand_program(&command), "/a/b");
  static const char *const refused[] = {"", "   ", "relative/path", "pass show x", "./x"};
  for (size_t i = 0; i < 5; i++) {
    command = (kr_keycommand){0};
    assert_int_equal(kr_keycommand_split(&command, refused[i], NULL), KR_INVALID);
  }
  command = (kr_keycommand){0};
  assert_int_equal(kr_keycommand_add(&command, KR_STR("/a\0b"), NULL), KR_INVALID);
  assert_int_equal(kr_keycommand_add(&command, KR_STR("/a\xff"), NULL), KR_INVALID);
  assert_int_equal(kr_keycommand_add(&command, KR_STR("/a"), NULL), KR_OK);
  for (size_t i = 1; i < KR_KEYCOMMAND_WORDS; i++)
    assert_int_equal(kr_keycommand_add(&command, KR_STR(""), NULL), KR_OK);
  assert_int_equal(kr_keycommand_add(&command, KR_STR(""), NULL), KR_LIMIT);
  static char long_word[KR_KEYCOMMAND_TEXT_BYTES];
  memset(long_word, '/', sizeof long_word);
  command = (kr_keycommand){0};
  assert_int_equal(kr_keycommand_add(&command, kr_str_from(long_word, sizeof long_word), NULL),
                   KR_LIMIT);
  assert_int_equal(kr_keycommand_add(&command, kr_str_from(long_word, sizeof long_word - 1), NULL),
                   KR_OK);
  assert_int_equal(kr_keycommand_add(&command, KR_STR(""), NULL), KR_LIMIT);
}

typedef struct fault_row {
  const char *name;
  call kind;
  int error;
  bool is_forever;
  kr_status status;
} fault_row;

static const fault_row fault_rows[] = {
    {"no pipe", PIPE, EMFILE, false, KR_IO},
    {"no room to describe the program", DUP_ACTION, ENOMEM, false, KR_NOMEM},
    {"no process", SPAWN, EAGAIN, false, KR_UNTRUSTED},
    {"no memory for a process", SPAWN, ENOMEM, false, KR_NOMEM},
    {"waiting is interrupted", POLL, EINTR, false, KR_OK},
    {"waiting fails", POLL, EINVAL, false, KR_IO},
    {"reading is interrupted", READ, EINTR, false, KR_OK},
    {"reading fails", READ, EIO, false, KR_IO},
    {"the end is interrupted", WAIT, EINTR, false, KR_OK},
    {"no child to wait for", WAIT, ECHILD, false, KR_IO},
};

static void run_fault(void **state) {
  const fault_row *row = *state;
  static uint8_t bytes[KR_KEYFILE_ROOM_BYTES];
  size_t len = 0;
  kr_error error = {0};
  refuse(row->kind, row->error, row->is_forever);
  kr_status status = run_script("printf s3cret", LIMIT_MS, bytes, &len, &error);
  assert_int_equal(faults.n_refused, 1);
  refuse(NO_CALL, 0, false);
  assert_int_equal(status, row->status);
  says_nothing_secret(&error);
  if (status == KR_OK)
    assert_int_equal(len, 6);
  if (row->kind == WAIT && row->error == ECHILD)
    (void)__real_waitpid(-1, NULL, 0);
  no_child_is_left();
}

/* ---- credentials ---- */

typedef struct mode_row {
  mode_t mode;
  uid_t uid;
  gid_t gid;
  kr_status as_file;
  kr_status as_credential;
} mode_row;

static const mode_row modes[] = {
    {0600, 0, 0, KR_OK, KR_OK},
    {0400, 0, 0, KR_OK, KR_OK},
    {0440, 0, 0, KR_UNTRUSTED, KR_OK}, /* systemd's, with an access list */
    {0640, 0, 0, KR_UNTRUSTED, KR_OK},
    {0460, 0, 0, KR_UNTRUSTED, KR_UNTRUSTED},
    {0450, 0, 0, KR_UNTRUSTED, KR_UNTRUSTED},
    {0444, 0, 0, KR_UNTRUSTED, KR_UNTRUSTED},
    {0404, 0, 0, KR_UNTRUSTED, KR_UNTRUSTED},
    {0402, 0, 0, KR_UNTRUSTED, KR_UNTRUSTED},
    {0440, 0, 12345, KR_UNTRUSTED, KR_UNTRUSTED}, /* a real group */
    {0400, 12345, 0, KR_UNTRUSTED, KR_UNTRUSTED},
};

static void test_modes(void **state) {
  (void)state;
  if (geteuid() != 0)
    skip();
  kr_secure *pool = new_pool();
  char path[] = "/tmp/krosyn-mode-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, "k-1 " KEY_A, 92), 92);
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    const mode_row *row = &modes[i];
    kr_keyring *keyring = NULL;
    kr_error error = {0};
    assert_int_equal(fchown(fd, row->uid, row->gid), 0);
    assert_int_equal(fchmod(fd, row->mode), 0);
    if (kr_keyring_load(kr_str_cstr(path), pool, &keyring, &error) != row->as_file)
      fail_msg("mode %04o as a file", (unsigned)row->mode);
    kr_keyring_free(keyring);
    keyring = NULL;
    if (kr_keyring_load_credential(kr_str_cstr(path), pool, &keyring, &error) != row->as_credential)
      fail_msg("mode %04o, group %u as a credential", (unsigned)row->mode, (unsigned)row->gid);
    kr_keyring_free(keyring);
  }
  (void)close(fd);
  (void)unlink(path);
  done_pool(pool);
}

/* ---- passphrases ---- */

static const kr_scrypt cheap = {.n = 16, .r = 1, .p = 1};

static kr_status derive(kr_secure *pool, const char *passphrase, const char *salt,
                        kr_keyring **ret_keyring, kr_error *error) {
  return kr_keyring_derive(KR_STR("p-1"), kr_str_cstr(passphrase), kr_str_cstr(salt), &cheap, pool,
                           ret_keyring, error);
}

/* The key is what RFC 7914 says of empty strings at this cost, whole and as it is. */
static void test_derived_key(void **state) {
  (void)state;
  kr_secure *pool = new_pool();
  kr_keyring *keyring = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf wanted = KR_BUF_INIT(64, NULL);
  assert_int_equal(
      kr_hex_decode(KR_STR("77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
                           "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"),
                    &wanted),
      KR_OK);
  assert_int_equal(derive(pool, "", "", &keyring, NULL), KR_OK);
  assert_int_equal(kr_keyring_count(keyring), 1);
  assert_int_equal(kr_keyring_source(keyring), KR_KEY_PASSPHRASE);
  assert_true(
      kr_str_equal(kr_secret_reveal(kr_keyring_find(keyring, KR_STR("p-1"))), kr_buf_str(&wanted)));
  kr_keyring_free(keyring);
  done_pool(pool);
}

static void test_wrong_passphrase(void **state) {
  test_home *home = *state;
  kr_store *store = NULL;
  kr_keyring *keyrings[3] = {NULL};
  static const uint8_t uuid[16] = {1};
  assert_int_equal(derive(home->pool, "s3cret one", "salt", &keyrings[0], NULL), KR_OK);
  assert_int_equal(derive(home->pool, "s3cret two", "salt", &keyrings[1], NULL), KR_OK);
  assert_int_equal(derive(home->pool, "s3cret one", "other salt", &keyrings[2], NULL), KR_OK);
  assert_int_equal(kr_store_memory_new(&store, NULL), KR_OK);
  kr_store_txn *txn = NULL;
  assert_int_equal(kr_store_begin(store, KR_STORE_WRITE, &txn, NULL), KR_OK);
  assert_int_equal(kr_vault_create(txn, keyrings[0], home->pool, uuid, &home->error), KR_OK);
  assert_int_equal(kr_store_commit(txn, NULL), KR_OK);
  for (size_t i = 0; i < 3; i++) {
    kr_vault *vault = NULL;
    kr_error error = {0};
    kr_status status = kr_vault_open(store, keyrings[i], home->pool, &vault, &error);
    kr_vault_free(vault);
    assert_int_equal(status, i == 0 ? KR_OK : KR_UNTRUSTED);
    says_nothing_secret(&error);
    if (i > 0)
      assert_non_null(strstr(error.message, "wrong passphrase: it does not give the key p-1"));
  }
  /* Another source is said by its own name. */
  kr_vault *vault = NULL;
  kr_error error = {0};
  assert_int_equal(kr_vault_open(store, home->keyring, home->pool, &vault, &error), KR_UNTRUSTED);
  assert_non_null(strstr(error.message, "wrong key from the key file: have key k-"));
  assert_non_null(strstr(error.message, "need key p-1"));
  char needed[KR_KEY_ID_BYTES + 1];
  assert_int_equal(kr_vault_key_needed(store, needed, NULL), KR_OK);
  assert_string_equal(needed, "p-1");
  for (size_t i = 0; i < 3; i++)
    kr_keyring_free(keyrings[i]);
  kr_store_close(store);
}

/* ---- memory that is not there ---- */

static kr_status work_derive(kr_secure *pool, kr_keyring **ret_keyring, kr_error *error) {
  return derive(pool, "a passphrase", "salt", ret_keyring, error);
}

static kr_status work_parse(kr_secure *pool, kr_keyring **ret_keyring, kr_error *error) {
  return kr_keyring_parse(KR_KEY_COMMAND, KR_STR("/x"), KR_STR(KEY_A "\n"), pool, ret_keyring,
                          error);
}

static kr_status work_lines(kr_secure *pool, kr_keyring **ret_keyring, kr_error *error) {
  return kr_keyring_parse(KR_KEY_ENVIRONMENT, KR_STR("KROSYN_KEY"),
                          KR_STR("k-1 " KEY_A ";k-2 " KEY_B), pool, ret_keyring, error);
}

static void test_allocations(void **state) {
  (void)state;
  kr_status (*const works[])(kr_secure *, kr_keyring **, kr_error *) = {work_derive, work_parse,
                                                                        work_lines};
  kr_secure *pool = new_pool();
  for (size_t i = 0; i < 3; i++) {
    size_t n = 0;
    for (;; n++) {
      kr_keyring *keyring = NULL;
      kr_error error = {0};
      assert_true(n < 100);
      kr_test_fail_at(n);
      kr_status status = works[i](pool, &keyring, &error);
      size_t n_refused = kr_test_fail_stop();
      kr_keyring_free(keyring);
      assert_int_equal(kr_secure_used(pool), 0);
      if (n_refused == 0) {
        assert_int_equal(status, KR_OK);
        break;
      }
      assert_int_equal(status, KR_NOMEM);
      assert_int_equal(error.status, KR_NOMEM);
    }
    assert_true(n >= 2);
  }
  done_pool(pool);
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct CMUnitTest single_tests[] = {
    cmocka_unit_test(test_variable),
    cmocka_unit_test(test_variable_without_room),
    cmocka_unit_test(test_proc_environ),
    cmocka_unit_test(test_command_not_there),
    cmocka_unit_test(test_command_words),
    cmocka_unit_test(test_modes),
    cmocka_unit_test(test_derived_key),
    cmocka_unit_test_setup_teardown(test_wrong_passphrase, test_home_setup, test_home_teardown),
    cmocka_unit_test(test_allocations),
};

#define ADD_ROWS(rows, function)                                                                   \
  for (size_t i = 0; i < COUNT(rows); i++)                                                         \
    tests[n++] = (struct CMUnitTest) {                                                             \
      (rows)[i].name, (function), NULL, NULL, (void *)(uintptr_t) & (rows)[i]                      \
    }

int main(void) {
  if (getenv(CHILD_MARK) != NULL)
    return environ_child();
  static struct CMUnitTest
      tests[COUNT(texts) + COUNT(commands) + COUNT(fault_rows) + COUNT(single_tests)];
  size_t n = 0;
  ADD_ROWS(texts, run_text);
  ADD_ROWS(commands, run_command);
  ADD_ROWS(fault_rows, run_fault);
  memcpy(tests + n, single_tests, sizeof single_tests);
  return cmocka_run_group_tests(tests, NULL, NULL);
}

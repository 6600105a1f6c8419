/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_lmdb.c - the embedded store: the suite; files and modes; who may open
 * what; several processes; growth of the map. No test forks with a store open.
 */
#define _GNU_SOURCE
#include "store/conformance.h"
#include "store/lmdb_support.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const kr_store_lmdb_options as_is = {.is_create = false};
static const kr_store_lmdb_options as_new = {.is_create = true};
static const kr_store_lmdb_options as_reader = {.is_read_only = true};

static kr_store *make(void) { return create_at(place_of("suite")); }

static kr_store *reopen(kr_store *store) {
  kr_store_close(store);
  return reopen_at(place_of("suite"));
}

static void dispose(kr_store *store) {
  kr_store_close(store);
  place_clear(place_of("suite"));
}

static const char *place_of_copy(void) { return place_of("copy"); }

static kr_store *open_copy(void) { return reopen_at(place_of_copy()); }

static void dispose_copy(kr_store *store) {
  kr_store_close(store);
  place_clear(place_of_copy());
}

static const store_subject lmdb_subject = {.name = "lmdb",
                                           .make = make,
                                           .reopen = reopen,
                                           .dispose = dispose,
                                           .place_of_copy = place_of_copy,
                                           .open_copy = open_copy,
                                           .dispose_copy = dispose_copy};

static void assert_open_fails(const char *path, const kr_store_lmdb_options *options,
                              kr_status expected, const char *in_message) {
  kr_store *store = NULL;
  kr_error error = {.status = KR_OK};
  assert_int_equal(open_at(path, options, &store, &error), expected);
  assert_int_equal(error.status, expected);
  if (strstr(error.message, in_message) == NULL)
    fail_msg("'%s' does not say '%s'", error.message, in_message);
  assert_string_not_equal(error.hint, "");
}

static unsigned mode_of(const char *path, const char *name) {
  char file[600];
  struct stat info;
  (void)snprintf(file, sizeof file, "%s/%s", path, name);
  assert_int_equal(stat(file, &info), 0);
  return info.st_mode & 07777;
}

static void modes_are_private(void **state) {
  (void)state;
  const char *path = place_of("modes");
  mode_t before = umask(0);
  kr_store_close(create_at(path));
  (void)umask(before);
  assert_int_equal(mode_of(path, "."), 0700);
  assert_int_equal(mode_of(path, "data.mdb"), 0600);
  assert_int_equal(mode_of(path, "lock.mdb"), 0600);
  place_clear(path);
}

static void creating_never_overwrites(void **state) {
  (void)state;
  const char *path = place_of("create");
  kr_store *store = create_at(path);
  store_put_one(store, KR_STR("k"), KR_STR("1"));
  kr_store_close(store);
  assert_open_fails(path, &as_new, KR_EXISTS, path);
  store = reopen_at(path);
  assert_true(store_has(store, KR_STR("k"), KR_STR("1")));
  kr_store_close(store);
  place_clear(path);

  /* An empty directory is taken, and made private; one with anything in it is not. */
  assert_int_equal(mkdir(path, 0755), 0);
  kr_store_close(create_at(path));
  assert_int_equal(mode_of(path, "."), 0700);
  place_clear(path);
  assert_int_equal(mkdir(path, 0755), 0);
  char other[600];
  (void)snprintf(other, sizeof other, "%s/other", path);
  file_write(other, "x", 1);
  assert_open_fails(path, &as_new, KR_EXISTS, path);
  assert_int_equal(mode_of(path, "."), 0755);
  place_clear(path);
}

static void missing_stores(void **state) {
  (void)state;
  const char *path = place_of("missing");
  assert_open_fails(path, &as_is, KR_NOT_FOUND, path);
  assert_open_fails(path, &as_reader, KR_NOT_FOUND, path);
  assert_int_equal(access(path, F_OK), -1);
  assert_int_equal(mkdir(path, 0700), 0);
  assert_open_fails(path, &as_is, KR_NOT_FOUND, path);
  /* Looking for a store leaves nothing behind. */
  assert_int_equal(rmdir(path), 0);
  assert_open_fails(place_of("no/such"), &as_new, KR_IO, "no/such");

  kr_store *store = NULL;
  assert_int_equal(kr_store_lmdb_open(KR_STR(""), &as_is, &store, NULL), KR_INVALID);
  assert_int_equal(kr_store_lmdb_open(KR_STR("a\0b"), &as_is, &store, NULL), KR_INVALID);
  static uint8_t longest[KR_STORE_LMDB_PATH_BYTES + 1];
  memset(longest, 'x', sizeof longest);
  assert_int_equal(kr_store_lmdb_open(kr_str_from(longest, sizeof longest), &as_is, &store, NULL),
                   KR_INVALID);
}

static void links_are_refused(void **state) {
  (void)state;
  const char *path = place_of("link");
  const char *target = place_of("target");
  kr_store_close(create_at(path));
  kr_store_close(create_at(target));
  char from[600];
  char to[600];
  static const char *const names[] = {"data.mdb", "lock.mdb"};
  for (size_t i = 0; i < 2; i++) {
    (void)snprintf(from, sizeof from, "%s/%s", path, names[i]);
    (void)snprintf(to, sizeof to, "%s/%s", target, names[i]);
    assert_int_equal(unlink(from), 0);
    assert_int_equal(symlink(to, from), 0);
    kr_store *store = NULL;
    assert_int_equal(open_at(path, &as_is, &store, NULL), KR_REFUSED);
    assert_int_equal(unlink(from), 0);
    assert_int_equal(mkfifo(from, 0600), 0);
    assert_int_equal(open_at(path, &as_is, &store, NULL), KR_REFUSED);
    assert_int_equal(unlink(from), 0);
    assert_int_equal(link(to, from), 0);
  }
  place_clear(path);
  place_clear(target);
}

static void opened_once_per_process(void **state) {
  (void)state;
  const char *path = place_of("twice");
  const char *alias = place_of("alias");
  kr_store *store = create_at(path);
  assert_int_equal(symlink(path, alias), 0);
  assert_open_fails(path, &as_is, KR_EXISTS, "open in this process");
  assert_open_fails(alias, &as_reader, KR_EXISTS, "open in this process");
  /* The refused ones took nothing from the first. */
  store_put_one(store, KR_STR("k"), KR_STR("1"));
  assert_true(store_has(store, KR_STR("k"), KR_STR("1")));
  kr_store_close(store);
  store = reopen_at(alias);
  assert_true(store_has(store, KR_STR("k"), KR_STR("1")));
  kr_store_close(store);
  assert_int_equal(unlink(alias), 0);
  place_clear(path);
}

static void read_only(void **state) {
  (void)state;
  const char *path = place_of("reader");
  kr_store *store = create_at(path);
  store_put_one(store, KR_STR("k"), KR_STR("1"));
  kr_store_close(store);
  assert_int_equal(open_at(path, &as_reader, &store, NULL), KR_OK);
  assert_true(store_has(store, KR_STR("k"), KR_STR("1")));
  kr_store_txn *txn = NULL;
  kr_error error = {.status = KR_OK};
  assert_int_equal(kr_store_begin(store, KR_STORE_WRITE, &txn, &error), KR_REFUSED);
  assert_non_null(strstr(error.message, path));
  kr_store_close(store);
  place_clear(path);
}

/* As an ordinary user: root may write anywhere. */
static int without_rights(void *argument) {
  char *path = argument;
  char file[600];
  kr_store *store = NULL;
  kr_error error = {.status = KR_OK};
  (void)snprintf(file, sizeof file, "%s/vault", path);
  if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
    return 1;
  if (open_at(file, &as_new, &store, &error) != KR_OK)
    return 2;
  kr_store_close(store);
  char data[700];
  (void)snprintf(data, sizeof data, "%s/data.mdb", file);
  if (chmod(data, 0400) != 0 || open_at(file, &as_is, &store, &error) != KR_IO ||
      strstr(error.message, "permission denied") == NULL || error.hint[0] == '\0')
    return 3;
  if (open_at(file, &as_reader, &store, &error) != KR_OK)
    return 4;
  kr_store_close(store);
  if (chmod(data, 0600) != 0 || chmod(file, 0500) != 0 ||
      open_at(file, &as_is, &store, &error) != KR_OK)
    return 5;
  kr_store_close(store);
  if (chmod(file, 0000) != 0 || open_at(file, &as_is, &store, &error) != KR_IO)
    return 6;
  (void)chmod(file, 0700);
  place_clear(file);
  if (chmod(path, 0500) != 0 || open_at(file, &as_new, &store, &error) != KR_IO ||
      strstr(error.message, "permission denied") == NULL)
    return 7;
  return chmod(path, 0700) == 0 ? 0 : 8;
}

static void without_permission(void **state) {
  (void)state;
  char path[600];
  (void)snprintf(path, sizeof path, "%s", place_of("rights"));
  assert_int_equal(mkdir(path, 0700), 0);
  assert_int_equal(chmod(place(), 0755), 0);
  if (geteuid() == 0)
    assert_int_equal(chown(path, 65534, 65534), 0);
  assert_int_equal(in_child(without_rights, path), 0);
  assert_int_equal(rmdir(path), 0);
}

static void refused_filesystems(void **state) {
  (void)state;
  static const struct {
    uint64_t type;
    const char *name;
  } rows[] = {{0x6969, "NFS"},      {0xFF534D42, "CIFS"},   {0xFFFFFFFFFF534D42, "CIFS"},
              {0xFE534D42, "SMB2"}, {0x65735546, "FUSE"},   {0x01021997, "9P"},
              {0x00C36400, "Ceph"}, {0x0BD00BD0, "Lustre"}, {0xEF53, NULL},
              {0x58465342, NULL},   {0x9123683E, NULL},     {0x01021994, NULL},
              {0x794C7630, NULL},   {0x2FC12FC1, NULL}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const char *name = kr_store_lmdb_refused_filesystem(rows[i].type);
    if (rows[i].name == NULL)
      assert_null(name);
    else
      assert_string_equal(name, rows[i].name);
  }
}

enum { N_PROCESSES = 3, N_COMMITS = 60 };

/* Count up together, checking that what was acknowledged stays. */
static int count_in_process(void *argument) {
  kr_store *store = NULL;
  if (open_at(argument, &as_is, &store, NULL) != KR_OK)
    return 1;
  uint64_t last = 0;
  for (unsigned i = 0; i < N_COMMITS; i++) {
    kr_store_txn *txn = NULL;
    kr_str found = {NULL, 0};
    uint64_t count = 0;
    if (kr_store_begin(store, KR_STORE_WRITE, &txn, NULL) != KR_OK)
      return 2;
    if (kr_store_get(txn, KR_STR("count"), &found, NULL) == KR_OK)
      memcpy(&count, found.ptr, sizeof count);
    if (count < last)
      return 3;
    last = ++count;
    if (kr_store_put(txn, KR_STR("count"), kr_str_from(&count, sizeof count), NULL) != KR_OK ||
        kr_store_commit(txn, NULL) != KR_OK)
      return 4;
  }
  kr_store_close(store);
  return 0;
}

static void processes_take_turns(void **state) {
  (void)state;
  char path[600];
  (void)snprintf(path, sizeof path, "%s", place_of("processes"));
  kr_store_close(create_at(path));
  pid_t pids[N_PROCESSES];
  for (unsigned i = 0; i < N_PROCESSES; i++) {
    pids[i] = fork();
    assert_true(pids[i] >= 0);
    if (pids[i] == 0)
      _exit(count_in_process(path));
  }
  for (unsigned i = 0; i < N_PROCESSES; i++)
    assert_int_equal(child_result(pids[i]), 0);
  uint64_t expected = N_PROCESSES * N_COMMITS;
  kr_store *store = reopen_at(path);
  assert_true(store_has(store, KR_STR("count"), kr_str_from(&expected, sizeof expected)));
  kr_store_close(store);
  place_clear(path);
}

static int create_in_process(void *argument) {
  kr_store *store = NULL;
  return (int)open_at(argument, &as_new, &store, NULL);
}

static void one_of_many_creates(void **state) {
  (void)state;
  char path[600];
  (void)snprintf(path, sizeof path, "%s", place_of("race"));
  for (unsigned round = 0; round < 10; round++) {
    pid_t pids[4];
    unsigned n_created = 0;
    for (unsigned i = 0; i < 4; i++) {
      pids[i] = fork();
      assert_true(pids[i] >= 0);
      if (pids[i] == 0)
        _exit(create_in_process(path));
    }
    for (unsigned i = 0; i < 4; i++) {
      int result = child_result(pids[i]);
      assert_true(result == KR_OK || result == KR_EXISTS);
      n_created += result == KR_OK;
    }
    assert_int_equal(n_created, 1);
    kr_store_close(reopen_at(path));
    place_clear(path);
  }
}

/* A process that has the store open, with some readers, until it is killed. */
typedef struct holder {
  const char *path;
  unsigned n_readers;
  int go[2];
  int ready[2];
  pid_t pid;
} holder;

static int hold_for_ever(const holder *self) {
  kr_store *store = NULL;
  kr_store_txn *txn = NULL;
  char byte = 0;
  /* A test that fails must not leave a process behind. */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
    return 4;
  if (read(self->go[0], &byte, 1) != 1 || open_at(self->path, &as_is, &store, NULL) != KR_OK)
    return 1;
  for (unsigned i = 0; i < self->n_readers; i++)
    if (kr_store_begin(store, KR_STORE_READ, &txn, NULL) != KR_OK)
      return 2;
  if (write(self->ready[1], "r", 1) != 1)
    return 3;
  for (;;)
    (void)pause();
}

static void holder_fork(holder *self, const char *path, unsigned n_readers) {
  *self = (holder){.path = path, .n_readers = n_readers};
  assert_int_equal(pipe(self->go), 0);
  assert_int_equal(pipe(self->ready), 0);
  self->pid = fork();
  assert_true(self->pid >= 0);
  if (self->pid == 0)
    _exit(hold_for_ever(self));
  (void)close(self->ready[1]);
}

static void holder_go(holder *self) {
  char byte = 0;
  assert_int_equal(write(self->go[1], "g", 1), 1);
  assert_int_equal(read(self->ready[0], &byte, 1), 1);
}

static void holder_kill(holder *self) {
  assert_int_equal(kill(self->pid, SIGKILL), 0);
  assert_int_equal(child_result(self->pid), -SIGKILL);
  (void)close(self->go[0]);
  (void)close(self->go[1]);
  (void)close(self->ready[0]);
}

/*
 * A killed reader pins its snapshot until its slot is freed, at the latest by
 * the next open. A process that stays keeps LMDB from starting its table anew.
 */
static void killed_readers_are_forgotten(void **state) {
  (void)state;
  char path[600];
  (void)snprintf(path, sizeof path, "%s", place_of("killed"));
  kr_store *store = create_at(path);
  store_put_one(store, KR_STR("k"), KR_STR("1"));
  kr_store_close(store);
  holder staying;
  holder_fork(&staying, path, 0);
  holder_go(&staying);
  for (unsigned i = 0; i < 5; i++) {
    holder reader;
    holder_fork(&reader, path, 1);
    holder_go(&reader);
    holder_kill(&reader);
  }
  store = reopen_at(path);
  static uint8_t value[20000];
  char data[700];
  struct stat before;
  struct stat after;
  (void)snprintf(data, sizeof data, "%s/data.mdb", path);
  for (unsigned i = 0; i < 10; i++)
    store_put_one(store, KR_STR("big"), kr_str_from(value, sizeof value));
  assert_int_equal(stat(data, &before), 0);
  for (unsigned i = 0; i < 100; i++)
    store_put_one(store, KR_STR("big"), kr_str_from(value, sizeof value));
  assert_int_equal(stat(data, &after), 0);
  assert_true(after.st_size <= before.st_size * 2);
  kr_store_close(store);
  holder_kill(&staying);
  place_clear(path);
}

/* Killed while this process has the store open: the writer's look every 30 s frees the slot. */
static void readers_killed_later_are_forgotten(void **state) {
  (void)state;
  char path[600];
  (void)snprintf(path, sizeof path, "%s", place_of("later"));
  kr_store_close(create_at(path));
  holder reader;
  holder_fork(&reader, path, 1);
  kr_store *store = reopen_at(path);
  store_put_one(store, KR_STR("k"), KR_STR("1"));
  holder_go(&reader);
  holder_kill(&reader);
  MDB_envinfo info;
  static uint8_t value[20000];
  for (unsigned i = 0; i < 20; i++)
    store_put_one(store, KR_STR("big"), kr_str_from(value, sizeof value));
  assert_int_equal(mdb_env_info(kr_store_lmdb_of(store)->env, &info), 0);
  size_t pinned = info.me_last_pgno;
  assert_true(pinned > 80);
  kr_store_lmdb_of(store)->checked_us -= KR_STORE_LMDB_CHECK_US;
  for (unsigned i = 0; i < 100; i++)
    store_put_one(store, KR_STR("big"), kr_str_from(value, sizeof value));
  assert_int_equal(mdb_env_info(kr_store_lmdb_of(store)->env, &info), 0);
  assert_true(info.me_last_pgno < pinned + 20);
  kr_store_close(store);
  place_clear(path);
}

/* The table of readers full of living ones is a limit; of dead ones it is cleared. */
static void the_table_of_readers_fills(void **state) {
  (void)state;
  char path[600];
  (void)snprintf(path, sizeof path, "%s", place_of("table"));
  kr_store_close(create_at(path));
  holder greedy;
  holder_fork(&greedy, path, KR_STORE_LMDB_READERS);
  kr_store *store = reopen_at(path);
  store_put_one(store, KR_STR("k"), KR_STR("1"));
  holder_go(&greedy);
  kr_store_txn *txn = NULL;
  kr_error error = {.status = KR_OK};
  assert_int_equal(kr_store_begin(store, KR_STORE_READ, &txn, &error), KR_LIMIT);
  assert_non_null(strstr(error.message, "readers"));
  store_put_one(store, KR_STR("k"), KR_STR("2"));
  holder_kill(&greedy);
  assert_true(store_has(store, KR_STR("k"), KR_STR("2")));
  kr_store_close(store);
  place_clear(path);
}

/* Repeat a transaction as callers do; counts how often it was told to. */
static kr_status put_repeating(kr_store *store, kr_str key, kr_str value, unsigned *n_repeats) {
  for (unsigned i = 0; i < 20; i++) {
    kr_store_txn *txn = NULL;
    KR_TRY(kr_store_begin(store, KR_STORE_WRITE, &txn, NULL));
    kr_status status = kr_store_put(txn, key, value, NULL);
    kr_status commit_status = kr_store_commit(txn, NULL);
    assert_true(status == KR_OK || commit_status == status);
    if (commit_status != KR_LIMIT)
      return commit_status;
    (*n_repeats)++;
  }
  return KR_LIMIT;
}

static void the_map_grows(void **state) {
  (void)state;
  const char *path = place_of("growth");
  place_clear(path);
  kr_store *store = NULL;
  const kr_store_lmdb_options tiny = {.is_create = true, .map_bytes = 1};
  static uint8_t value[3000000];
  memset(value, 'v', sizeof value);
  assert_int_equal(open_at(path, &tiny, &store, NULL), KR_OK);
  unsigned n_repeats = 0;
  for (unsigned i = 0; i < 40; i++) {
    char key[16];
    int len = snprintf(key, sizeof key, "%u", i);
    size_t size = i % 10 == 9 ? sizeof value : 5000;
    assert_int_equal(
        put_repeating(store, kr_str_from(key, (size_t)len), kr_str_from(value, size), &n_repeats),
        KR_OK);
  }
  /* It was told to, but growth in time and by need keeps that rare. */
  assert_in_range(n_repeats, 1, 5);
  kr_store_close(store);
  store = reopen_at(path);
  assert_true(store_has(store, KR_STR("0"), kr_str_from(value, 5000)));
  assert_true(store_has(store, KR_STR("39"), kr_str_from(value, sizeof value)));
  kr_store_close(store);
  place_clear(path);
}

/* Another process grows the map while this one has it open: both go on. */
static int grow_in_process(void *argument) {
  kr_store *store = NULL;
  static uint8_t value[1000000];
  unsigned n_repeats = 0;
  const kr_store_lmdb_options tiny = {.map_bytes = 1};
  int *ends = argument;
  char path[600] = {0};
  if (read(ends[0], path, sizeof path - 1) <= 0 || open_at(path, &tiny, &store, NULL) != KR_OK)
    return 1;
  if (put_repeating(store, KR_STR("large"), kr_str_from(value, sizeof value), &n_repeats) != KR_OK)
    return 2;
  kr_store_close(store);
  return 0;
}

static void a_map_grown_elsewhere_is_adopted(void **state) {
  (void)state;
  char path[600];
  (void)snprintf(path, sizeof path, "%s", place_of("adopt"));
  place_clear(path);
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t pid = fork(); /* before the store is opened here */
  assert_true(pid >= 0);
  if (pid == 0)
    _exit(grow_in_process(ends));
  kr_store *store = NULL;
  const kr_store_lmdb_options tiny = {.is_create = true, .map_bytes = 1};
  assert_int_equal(open_at(path, &tiny, &store, NULL), KR_OK);
  store_put_one(store, KR_STR("small"), KR_STR("1"));
  assert_true(write(ends[1], path, strlen(path)) > 0);
  assert_int_equal(child_result(pid), 0);
  static uint8_t value[1000000];
  assert_true(store_has(store, KR_STR("large"), kr_str_from(value, sizeof value)));
  store_put_one(store, KR_STR("small"), KR_STR("2"));
  assert_true(store_has(store, KR_STR("small"), KR_STR("2")));
  kr_store_close(store);
  (void)close(ends[0]);
  (void)close(ends[1]);
  place_clear(path);
}

typedef struct grow_job {
  kr_store *store;
  unsigned number;
} grow_job;

static void *grow_in_thread(void *argument) {
  grow_job *job = argument;
  static const uint8_t value[30000];
  for (unsigned i = 0; i < 25; i++) {
    char key[32];
    int len = snprintf(key, sizeof key, "%u/%u", job->number, i);
    unsigned n_repeats = 0;
    if (put_repeating(job->store, kr_str_from(key, (size_t)len), kr_str_from(value, sizeof value),
                      &n_repeats) != KR_OK ||
        !store_has(job->store, kr_str_from(key, (size_t)len), kr_str_from(value, sizeof value)))
      return NULL;
  }
  return job;
}

static void the_map_grows_under_threads(void **state) {
  (void)state;
  const char *path = place_of("threads");
  place_clear(path);
  const kr_store_lmdb_options tiny = {.is_create = true, .map_bytes = 1};
  kr_store *store = NULL;
  assert_int_equal(open_at(path, &tiny, &store, NULL), KR_OK);
  grow_job jobs[4];
  pthread_t threads[4];
  for (unsigned i = 0; i < 4; i++) {
    jobs[i] = (grow_job){.store = store, .number = i};
    assert_int_equal(pthread_create(&threads[i], NULL, grow_in_thread, &jobs[i]), 0);
  }
  for (unsigned i = 0; i < 4; i++) {
    void *result = NULL;
    assert_int_equal(pthread_join(threads[i], &result), 0);
    assert_ptr_equal(result, &jobs[i]);
  }
  kr_store_close(store);
  place_clear(path);
}

static bool file_holds(const char *path, const char *text) {
  char file[600];
  size_t len = 0;
  (void)snprintf(file, sizeof file, "%s/data.mdb", path);
  uint8_t *bytes = file_bytes(file, &len);
  bool holds = kr_str_find(kr_str_from(bytes, len), kr_str_cstr(text), 0) != SIZE_MAX;
  free(bytes);
  return holds;
}

enum { REPLACED = 40 };

static size_t count_replaced(const char *path) {
  char text[40];
  size_t n = 0;
  for (int i = 0; i < REPLACED; i++) {
    (void)snprintf(text, sizeof text, "value-number-%d-replaced", i);
    n += file_holds(path, text);
  }
  return n;
}

static void copies_hold_nothing_removed(void **state) {
  (void)state;
  char text[40];
  kr_store *store = create_at(place_of("a"));
  for (int i = 0; i < REPLACED; i++) {
    (void)snprintf(text, sizeof text, "value-number-%d-replaced", i);
    store_put_one(store, KR_STR("k"), kr_str_cstr(text));
  }
  store_put_one(store, KR_STR("k"), KR_STR("value-that-is-live"));
  assert_int_equal(kr_store_copy(store, kr_str_cstr(place_of("copy")), NULL), KR_OK);
  kr_store_close(store);
  assert_int_not_equal(count_replaced(place_of("a")), 0);
  assert_int_equal(count_replaced(place_of("copy")), 0);
  assert_true(file_holds(place_of("copy"), "value-that-is-live"));
  assert_int_equal(mode_of(place_of("copy"), "."), 0700);
  assert_int_equal(mode_of(place_of("copy"), "data.mdb"), 0600);
  place_clear(place_of("a"));
  place_clear(place_of("copy"));
}

/* Removed from the middle of a page that goes on: LMDB leaves the bytes in its unused part. */
static void copies_hold_no_rest_of_a_page(void **state) {
  (void)state;
  static char value[3000];
  char text[64];
  kr_store *store = create_at(place_of("a"));
  kr_store_txn *txn = NULL;
  assert_int_equal(kr_store_begin(store, KR_STORE_WRITE, &txn, NULL), KR_OK);
  for (int i = 0; i < REPLACED; i++) {
    (void)snprintf(text, sizeof text, "value-number-%d-replaced", i);
    assert_int_equal(kr_store_put(txn, kr_str_cstr(text), kr_str_cstr(text), NULL), KR_OK);
  }
  for (int i = 0; i < REPLACED; i++) {
    (void)snprintf(text, sizeof text, "value-number-%d-replaced", i);
    assert_int_equal(kr_store_remove(txn, kr_str_cstr(text), NULL), KR_OK);
  }
  /* On overflow pages: a longer one before, then a shorter one. */
  memset(value, 'L', sizeof value);
  assert_int_equal(kr_store_put(txn, KR_STR("long"), kr_str_from(value, sizeof value), NULL),
                   KR_OK);
  assert_int_equal(kr_store_put(txn, KR_STR("live"), KR_STR("value-that-is-live"), NULL), KR_OK);
  assert_int_equal(kr_store_commit(txn, NULL), KR_OK);
  assert_int_equal(kr_store_copy(store, kr_str_cstr(place_of("copy")), NULL), KR_OK);
  kr_store_close(store);
  assert_int_not_equal(count_replaced(place_of("a")), 0);
  assert_int_equal(count_replaced(place_of("copy")), 0);
  store = reopen_at(place_of("copy"));
  assert_true(store_has(store, KR_STR("live"), KR_STR("value-that-is-live")));
  assert_true(store_has(store, KR_STR("long"), kr_str_from(value, sizeof value)));
  kr_store_close(store);
  place_clear(place_of("a"));
  place_clear(place_of("copy"));
}

static void compacting_leaves_nothing_removed(void **state) {
  (void)state;
  char text[40];
  kr_store *store = create_at(place_of("a"));
  for (int i = 0; i < REPLACED; i++) {
    (void)snprintf(text, sizeof text, "value-number-%d-replaced", i);
    store_put_one(store, KR_STR("k"), kr_str_cstr(text));
  }
  store_put_one(store, KR_STR("k"), KR_STR("value-that-is-live"));
  assert_int_not_equal(count_replaced(place_of("a")), 0);
  assert_int_equal(kr_store_compact(store, NULL), KR_OK);
  assert_true(store_has(store, KR_STR("k"), KR_STR("value-that-is-live")));
  kr_store_close(store);
  assert_int_equal(count_replaced(place_of("a")), 0);
  assert_true(file_holds(place_of("a"), "value-that-is-live"));
  assert_int_equal(mode_of(place_of("a"), "."), 0700);
  assert_int_equal(mode_of(place_of("a"), "data.mdb"), 0600);
  place_clear(place_of("a"));
}

enum { COUNTERS = 2, COUNTS = 300 };

static uint32_t counter_of(kr_store_txn *txn, kr_str name) {
  kr_str found = {NULL, 0};
  uint32_t count = 0;
  if (kr_store_get(txn, name, &found, NULL) == KR_OK)
    memcpy(&count, found.ptr, sizeof count);
  return count;
}

/* Reads must never go back, and each write must build on the one before. */
static int count_up(void *argument) {
  kr_str name = kr_str_cstr(argument);
  kr_store *store = reopen_at(place_of("a"));
  uint32_t seen = 0;
  for (uint32_t i = 1; i <= COUNTS; i++) {
    kr_store_txn *txn = NULL;
    if (kr_store_begin(store, KR_STORE_WRITE, &txn, NULL) != KR_OK)
      return 1;
    seen = counter_of(txn, name) + 1;
    if (seen != i || kr_store_put(txn, name, kr_str_from(&seen, sizeof seen), NULL) != KR_OK ||
        kr_store_commit(txn, NULL) != KR_OK)
      return 2;
    if (kr_store_begin(store, KR_STORE_READ, &txn, NULL) != KR_OK || counter_of(txn, name) != i)
      return 3;
    kr_store_abort(txn);
  }
  kr_store_close(store);
  return 0;
}

static void others_go_on_while_files_are_replaced(void **state) {
  (void)state;
  char names[COUNTERS][8];
  pid_t children[COUNTERS];
  kr_store_close(create_at(place_of("a")));
  for (int i = 0; i < COUNTERS; i++) {
    (void)snprintf(names[i], sizeof names[i], "count%d", i);
    children[i] = fork();
    assert_true(children[i] >= 0);
    if (children[i] == 0)
      _exit(count_up(names[i]));
  }
  kr_store *store = reopen_at(place_of("a"));
  kr_store_txn *txn = NULL;
  uint32_t n_rounds = 0;
  for (bool are_done = false; !are_done; n_rounds++) {
    assert_int_equal(kr_store_compact(store, NULL), KR_OK);
    assert_int_equal(kr_store_begin(store, KR_STORE_READ, &txn, NULL), KR_OK);
    are_done = true;
    for (int i = 0; i < COUNTERS; i++)
      are_done = counter_of(txn, kr_str_cstr(names[i])) == COUNTS && are_done;
    kr_store_abort(txn);
    assert_true(n_rounds < 100000);
    for (int i = 0; i < COUNTERS; i++) {
      int result = 0;
      /* One that has ended early would be waited for until the end of the test. */
      if (children[i] > 0 && waitpid(children[i], &result, WNOHANG) == children[i]) {
        assert_int_equal(result, 0);
        children[i] = 0;
      }
    }
  }
  for (int i = 0; i < COUNTERS; i++)
    if (children[i] > 0)
      assert_int_equal(child_result(children[i]), 0);
  kr_store_close(store);
  assert_in_range(n_rounds, 2, 100000);
  place_clear(place_of("a"));
}

/* The file may have some pages less than it needs. */
static int copy_into_too_little(void *argument) {
  kr_error error = {.status = KR_OK};
  const struct rlimit limit = {.rlim_cur = 8192, .rlim_max = 8192};
  kr_store *store = reopen_at(argument);
  (void)signal(SIGXFSZ, SIG_IGN);
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
    return 1;
  kr_status status = kr_store_copy(store, kr_str_cstr(place_of("copy")), &error);
  bool is_gone = access(place_of("copy"), F_OK) != 0;
  return status == KR_IO && error.hint[0] != '\0' && is_gone ? 0 : 2;
}

static void a_copy_that_does_not_fit_leaves_nothing(void **state) {
  (void)state;
  kr_store *store = create_at(place_of("a"));
  static const char page[4000];
  char name[16];
  for (int i = 0; i < 20; i++) {
    (void)snprintf(name, sizeof name, "k%d", i);
    store_put_one(store, kr_str_cstr(name), kr_str_from(page, sizeof page));
  }
  kr_store_close(store);
  assert_int_equal(in_child(copy_into_too_little, (void *)(uintptr_t)place_of("a")), 0);
  place_clear(place_of("a"));
}

/* A backup may lie where nothing can be written; and looking at it must not change it. */
static void unshared_readers_leave_no_trace(void **state) {
  (void)state;
  const kr_store_lmdb_options unshared = {.is_read_only = true, .is_unshared = true};
  char lock[600];
  kr_store *store = create_at(place_of("a"));
  store_put_one(store, KR_STR("k"), KR_STR("1"));
  assert_int_equal(kr_store_copy(store, kr_str_cstr(place_of("copy")), NULL), KR_OK);
  kr_store_close(store);
  (void)snprintf(lock, sizeof lock, "%s/lock.mdb", place_of("copy"));
  assert_int_equal(open_at(place_of("copy"), &unshared, &store, NULL), KR_OK);
  assert_true(store_has(store, KR_STR("k"), KR_STR("1")));
  kr_store_txn *txn = NULL;
  assert_int_equal(kr_store_begin(store, KR_STORE_WRITE, &txn, NULL), KR_REFUSED);
  kr_store_close(store);
  assert_int_not_equal(access(lock, F_OK), 0);
  place_clear(place_of("a"));
  place_clear(place_of("copy"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(modes_are_private),
      cmocka_unit_test(creating_never_overwrites),
      cmocka_unit_test(missing_stores),
      cmocka_unit_test(links_are_refused),
      cmocka_unit_test(opened_once_per_process),
      cmocka_unit_test(read_only),
      cmocka_unit_test(without_permission),
      cmocka_unit_test(refused_filesystems),
      cmocka_unit_test(processes_take_turns),
      cmocka_unit_test(one_of_many_creates),
      cmocka_unit_test(killed_readers_are_forgotten),
      cmocka_unit_test(readers_killed_later_are_forgotten),
      cmocka_unit_test(the_table_of_readers_fills),
      cmocka_unit_test(the_map_grows),
      cmocka_unit_test(a_map_grown_elsewhere_is_adopted),
      cmocka_unit_test(the_map_grows_under_threads),
      cmocka_unit_test(copies_hold_nothing_removed),
      cmocka_unit_test(copies_hold_no_rest_of_a_page),
      cmocka_unit_test(compacting_leaves_nothing_removed),
      cmocka_unit_test(others_go_on_while_files_are_replaced),
      cmocka_unit_test(a_copy_that_does_not_fit_leaves_nothing),
      cmocka_unit_test(unshared_readers_leave_no_trace),
  };
  int n_failed = store_conformance(&lmdb_subject);
  n_failed += cmocka_run_group_tests(tests, NULL, NULL);
  place_remove();
  return n_failed;
}

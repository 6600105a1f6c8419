/* SPDX-License-Identifier: Apache-2.0 */
/*
 * custody.c - which key the command line names, and the passphrase: one line
 * from a descriptor, a file or the terminal, byte by byte into the locked room
 * that the library gives. Only the line is taken from a descriptor, so what
 * follows it in a pipe is there for others.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KR_CLI_MAX_DESCRIPTOR 65535

static kr_key_source kr_cli_source_named(const char *name) {
  static const kr_key_source sources[] = {KR_KEY_FILE, KR_KEY_PASSPHRASE, KR_KEY_CREDENTIAL,
                                          KR_KEY_ENVIRONMENT};
  for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
    if (strcmp(name, kr_key_source_name(sources[i])) == 0)
      return sources[i];
  return KR_KEY_AUTO;
}

/** -1 when it is not the number of a descriptor. */
static int kr_cli_descriptor(const char *text) {
  char *end = NULL;
  if (text[0] < '0' || text[0] > '9')
    return -1;
  errno = 0;
  long number = strtol(text, &end, 10);
  return errno == 0 && *end == '\0' && number <= KR_CLI_MAX_DESCRIPTOR ? (int)number : -1;
}

const char *kr_cli_key_problem(const kr_cli *cli) {
  const char *fd = cli->values[KR_CLI_PASSPHRASE_FD];
  const char *file = cli->values[KR_CLI_PASSPHRASE_FILE];
  const char *source = cli->values[KR_CLI_KEY_SOURCE];
  bool is_passphrase = fd != NULL || file != NULL || cli->values[KR_CLI_PASSPHRASE] != NULL;
  if (fd != NULL && kr_cli_descriptor(fd) < 0)
    return "--passphrase-fd takes the number of an open file descriptor";
  if (fd != NULL && file != NULL)
    return "--passphrase-fd and --passphrase-file exclude each other";
  if (source != NULL && kr_cli_source_named(source) == KR_KEY_AUTO)
    return "--key-source takes file, passphrase, credential or environment";
  bool is_file = cli->values[KR_CLI_KEY] != NULL;
  bool is_command = cli->values[KR_CLI_KEY_COMMAND] != NULL;
  kr_key_source named = source == NULL ? KR_KEY_AUTO : kr_cli_source_named(source);
  is_passphrase = is_passphrase || named == KR_KEY_PASSPHRASE;
  bool is_other =
      named != KR_KEY_AUTO && named != KR_KEY_PASSPHRASE && !(named == KR_KEY_FILE && is_file);
  if (is_file + is_command + is_passphrase + is_other > 1)
    return "the key is named in more than one way";
  return NULL;
}

static kr_status kr_cli_read_passphrase(int fd, const char *from, uint8_t *room, size_t cap,
                                        size_t *ret_len, kr_error *error) {
  size_t len = 0;
  for (;;) {
    uint8_t *next = room + len;
    if (len == cap)
      return kr_cli_error(error, KR_LIMIT, "the passphrase from %s is too long", from);
    ssize_t n_read = read(fd, next, 1);
    if (n_read < 0 && errno == EINTR)
      continue;
    if (n_read < 0)
      return kr_cli_error(error, KR_IO, "cannot read the passphrase from %s: %s", from,
                          strerror(errno));
    if (n_read == 0 || *next == '\n')
      break;
    len++;
  }
  if (len > 0 && room[len - 1] == '\r')
    len--;
  *ret_len = len;
  return KR_OK;
}

/** A file that others can read is no place for a passphrase; of a pipe nobody asks. */
static kr_status kr_cli_check_passphrase_file(int fd, const char *path, kr_error *error) {
  struct stat info;
  if (fstat(fd, &info) != 0)
    return kr_cli_error(error, KR_IO, "cannot examine %s: %s", path, strerror(errno));
  if (!S_ISREG(info.st_mode) || (info.st_mode & (S_IRWXG | S_IRWXO)) == 0)
    return KR_OK;
  (void)kr_cli_error(error, KR_UNTRUSTED, "the passphrase file %s is open to other users", path);
  kr_cli_hint(error, "chmod 600 %s", path);
  return KR_UNTRUSTED;
}

static kr_status kr_cli_passphrase_from_file(const char *path, uint8_t *room, size_t cap,
                                             size_t *ret_len, kr_error *error) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return kr_cli_error(error, KR_UNTRUSTED, "cannot open the passphrase file %s: %s", path,
                        strerror(errno));
  kr_status status = kr_cli_check_passphrase_file(fd, path, error);
  if (status == KR_OK)
    status = kr_cli_read_passphrase(fd, path, room, cap, ret_len, error);
  (void)close(fd);
  return status;
}

static kr_status kr_cli_ask_passphrase(void *ctx, bool is_new, uint8_t *room, size_t cap,
                                       size_t *ret_len, kr_error *reterr) {
  const kr_cli *cli = ctx;
  kr_error unwanted = {0};
  kr_error *error = reterr == NULL ? &unwanted : reterr;
  const char *fd = cli->values[KR_CLI_PASSPHRASE_FD];
  const char *file = cli->values[KR_CLI_PASSPHRASE_FILE];
  if (fd != NULL)
    return kr_cli_read_passphrase(kr_cli_descriptor(fd), "the file descriptor", room, cap, ret_len,
                                  error);
  if (file != NULL)
    return kr_cli_passphrase_from_file(file, room, cap, ret_len, error);
  return kr_cli_prompt_passphrase(is_new, room, cap, ret_len, error);
}

void kr_cli_name_key(const kr_cli *cli, kr_home_options *options) {
  const char *source = cli->values[KR_CLI_KEY_SOURCE];
  bool is_passphrase = cli->values[KR_CLI_PASSPHRASE_FD] != NULL ||
                       cli->values[KR_CLI_PASSPHRASE_FILE] != NULL ||
                       cli->values[KR_CLI_PASSPHRASE] != NULL;
  options->key_file = cli->values[KR_CLI_KEY];
  options->key_command = cli->values[KR_CLI_KEY_COMMAND];
  options->key_source = is_passphrase    ? KR_KEY_PASSPHRASE
                        : source != NULL ? kr_cli_source_named(source)
                                         : KR_KEY_AUTO;
  options->ask_passphrase = kr_cli_ask_passphrase;
  options->ask_context = (void *)(uintptr_t)cli;
}

bool kr_cli_has_key_variable(void) {
  const char *value = getenv("KROSYN_KEY");
  return value != NULL && value[0] != '\0';
}

void kr_cli_warn_of_key_variable(const kr_cli *cli) {
  kr_cli_warn(cli, "KROSYN_KEY is set: whoever starts this program, root, and what else is started "
                   "with that environment can read the key; a key file or a credential is safer");
}

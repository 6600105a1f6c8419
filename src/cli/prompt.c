/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt.c - a value or a passphrase typed on the terminal, unseen. The bytes go from the
 * file descriptor into one locked page per entry, which is wiped; stdio, which
 * keeps copies, is not used. A signal that ends the program restores the echo
 * first; Ctrl-Z is ignored meanwhile.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

/* A terminal hands over lines of at most 4095 bytes and drops what is longer. */
#define KR_CLI_MAX_TYPED_BYTES ((size_t)4094)
#define KR_CLI_ENTRY_BYTES ((size_t)4096)

static const int kr_cli_ending_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define KR_CLI_N_SIGNALS (sizeof kr_cli_ending_signals / sizeof kr_cli_ending_signals[0])

/* Written before the handlers are set, read by them: what the terminal was like. */
static struct termios kr_cli_saved_terminal;
static int kr_cli_terminal_fd = STDIN_FILENO;

/* What is asked for. */
typedef struct kr_cli_question {
  int fd; /* of the terminal */
  const char *prompt;
  bool is_twice;
  const char *nothing;   /* the error when nothing is typed */
  const char *elsewhere; /* the hint when it is longer than a terminal can take */
} kr_cli_question;

typedef struct kr_cli_silence {
  struct sigaction before[KR_CLI_N_SIGNALS];
  struct sigaction stop_before;
  bool has_begun;
} kr_cli_silence;

static void kr_cli_on_signal(int number) {
  (void)tcsetattr(kr_cli_terminal_fd, TCSANOW, &kr_cli_saved_terminal);
  ssize_t n_written = write(STDERR_FILENO, "\n", 1);
  (void)n_written;
  /* SA_RESETHAND made the default action current; it runs when the handler returns. */
  (void)raise(number);
}

static kr_status kr_cli_silence_begin(kr_cli_silence *silence, kr_error *error) {
  if (tcgetattr(kr_cli_terminal_fd, &kr_cli_saved_terminal) != 0)
    return kr_cli_error(error, KR_IO, "cannot read the state of the terminal: %s", strerror(errno));
  silence->has_begun = true;
  struct sigaction ending = {.sa_handler = kr_cli_on_signal, .sa_flags = (int)SA_RESETHAND};
  struct sigaction ignoring = {.sa_handler = SIG_IGN};
  (void)sigemptyset(&ending.sa_mask);
  (void)sigemptyset(&ignoring.sa_mask);
  for (size_t i = 0; i < KR_CLI_N_SIGNALS; i++)
    (void)sigaction(kr_cli_ending_signals[i], &ending, &silence->before[i]);
  (void)sigaction(SIGTSTP, &ignoring, &silence->stop_before);
  struct termios silent = kr_cli_saved_terminal;
  silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
  silent.c_lflag |= ICANON;
  if (tcsetattr(kr_cli_terminal_fd, TCSAFLUSH, &silent) != 0)
    return kr_cli_error(error, KR_IO, "cannot hide what is typed: %s", strerror(errno));
  return KR_OK;
}

static void kr_cli_silence_end(const kr_cli_silence *silence) {
  if (!silence->has_begun)
    return;
  (void)tcsetattr(kr_cli_terminal_fd, TCSAFLUSH, &kr_cli_saved_terminal);
  for (size_t i = 0; i < KR_CLI_N_SIGNALS; i++)
    (void)sigaction(kr_cli_ending_signals[i], &silence->before[i], NULL);
  (void)sigaction(SIGTSTP, &silence->stop_before, NULL);
}

/** One line without its newline; ended by Ctrl-D on an empty line too. */
static kr_status kr_cli_read_line(const kr_cli_question *question, const char *prompt,
                                  uint8_t *entry, size_t *ret_len, kr_error *error) {
  size_t len = 0;
  (void)fputs(prompt, stderr);
  (void)fflush(stderr);
  for (;;) {
    ssize_t n_read = read(question->fd, entry + len, KR_CLI_ENTRY_BYTES - len);
    if (n_read < 0 && errno == EINTR)
      continue;
    if (n_read < 0)
      return kr_cli_error(error, KR_IO, "cannot read from the terminal: %s", strerror(errno));
    len += (size_t)n_read;
    bool is_ended = n_read == 0 || entry[len - 1] == '\n' || len == KR_CLI_ENTRY_BYTES;
    if (is_ended)
      break;
  }
  (void)fputc('\n', stderr);
  if (len > 0 && entry[len - 1] == '\n')
    len--;
  if (len > KR_CLI_MAX_TYPED_BYTES) {
    (void)kr_cli_error(error, KR_LIMIT, "a terminal cuts lines of more than %zu bytes",
                       KR_CLI_MAX_TYPED_BYTES);
    kr_cli_hint(error, "%s", question->elsewhere);
    return KR_LIMIT;
  }
  *ret_len = len;
  return KR_OK;
}

/** Without a difference in time that would tell where two entries part. */
static bool kr_cli_same(const uint8_t *a, const uint8_t *b, size_t len) {
  uint8_t difference = 0;
  for (size_t i = 0; i < len; i++)
    difference = (uint8_t)(difference | (a[i] ^ b[i]));
  return difference == 0;
}

static kr_status kr_cli_ask(const kr_cli_question *question, uint8_t *pages, size_t *ret_len,
                            kr_error *error) {
  size_t len = 0;
  size_t again_len = 0;
  kr_status status = kr_cli_read_line(question, question->prompt, pages, &len, error);
  if (status != KR_OK)
    return status;
  if (len == 0)
    return kr_cli_error(error, KR_INVALID, "%s", question->nothing);
  if (question->is_twice) {
    uint8_t *again = pages + KR_CLI_ENTRY_BYTES;
    status = kr_cli_read_line(question, "The same again: ", again, &again_len, error);
    if (status != KR_OK)
      return status;
    if (len != again_len || !kr_cli_same(pages, again, len))
      return kr_cli_error(error, KR_INVALID, "the two entries differ; nothing was saved");
  }
  *ret_len = len;
  return KR_OK;
}

/* What becomes of the answer, before its pages are wiped. */
typedef struct kr_cli_answer {
  kr_engine *engine; /* of a secret */
  kr_secret **ret_value;
  uint8_t *room; /* of a passphrase; else NULL */
  size_t cap;
  size_t *ret_len;
} kr_cli_answer;

static kr_status kr_cli_keep(const kr_cli_answer *answer, kr_str typed, kr_error *error) {
  if (answer->room == NULL)
    return kr_secret_copy(answer->engine, typed, answer->ret_value, error);
  if (typed.len > answer->cap)
    return kr_cli_error(error, KR_LIMIT, "the passphrase is too long");
  memcpy(answer->room, typed.ptr, typed.len);
  *answer->ret_len = typed.len;
  return KR_OK;
}

static kr_status kr_cli_prompt(const kr_cli_question *question, const kr_cli_answer *answer,
                               kr_error *error) {
  size_t size = 2 * KR_CLI_ENTRY_BYTES;
  void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED)
    return kr_cli_error(error, KR_NOMEM, "out of memory");
  (void)madvise(pages, size, MADV_DONTDUMP);
  kr_cli_silence silence = {0};
  size_t len = 0;
  kr_status status = KR_OK;
  kr_cli_terminal_fd = question->fd;
  if (mlock(pages, size) != 0)
    status = kr_cli_error(error, KR_NOMEM, "cannot lock memory for the value: %s", strerror(errno));
  if (status == KR_OK) {
    status = kr_cli_silence_begin(&silence, error);
    if (status == KR_OK)
      status = kr_cli_ask(question, pages, &len, error);
    kr_cli_silence_end(&silence);
  }
  if (status == KR_OK)
    status = kr_cli_keep(answer, (kr_str){.ptr = pages, .len = len}, error);
  explicit_bzero(pages, size);
  (void)munmap(pages, size);
  return status;
}

kr_status kr_cli_prompt_secret(kr_engine *engine, const char *name, kr_secret **ret_value,
                               kr_error *error) {
  char prompt[192];
  (void)snprintf(prompt, sizeof prompt, "Value of %s (not shown): ", name);
  const kr_cli_question question = {.fd = STDIN_FILENO,
                                    .prompt = prompt,
                                    .is_twice = true,
                                    .nothing = "no value was typed; nothing was saved",
                                    .elsewhere = "use --file FILE, or pipe the value in"};
  const kr_cli_answer answer = {.engine = engine, .ret_value = ret_value};
  return kr_cli_prompt(&question, &answer, error);
}

kr_status kr_cli_prompt_passphrase(bool is_new, uint8_t *room, size_t cap, size_t *ret_len,
                                   kr_error *error) {
  bool is_own = isatty(STDIN_FILENO) != 1;
  /* Standard input may carry the value of a secret. */
  int fd = is_own ? open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) : STDIN_FILENO;
  if (fd < 0) {
    (void)kr_cli_error(error, KR_UNTRUSTED,
                       "the key needs a passphrase, and there is no terminal to ask on");
    kr_cli_hint(error, "give --passphrase-fd N or --passphrase-file FILE");
    return KR_UNTRUSTED;
  }
  const kr_cli_question question = {.fd = fd,
                                    .prompt = is_new ? "New passphrase (not shown): "
                                                     : "Passphrase (not shown): ",
                                    .is_twice = is_new,
                                    .nothing = "no passphrase was typed",
                                    .elsewhere = "a passphrase has at most 1024 bytes"};
  const kr_cli_answer answer = {.room = room, .cap = cap, .ret_len = ret_len};
  kr_status status = kr_cli_prompt(&question, &answer, error);
  if (is_own)
    (void)close(fd);
  return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receiver.c - krosyn-receiver: options, a socket on 127.0.0.1, one poll loop
 * over at most RECEIVER_CONNECTIONS_MAX connections. Ends on SIGTERM or after
 * --max-seconds; exit 0 when every expected request came exactly, 1 when not,
 * 2 for wrong usage.
 */
#define _GNU_SOURCE
#include "support/receiver.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVER_CONNECTIONS_MAX 256u
#define RECEIVER_POLL_MS 100 /* how late SIGTERM and delays may be noticed */
#define RECEIVER_SECONDS 60  /* default of --max-seconds */

typedef struct connection {
  int fd; /* -1: free */
  kr_buf in;
  kr_buf out;
  size_t n_sent;
  int64_t not_before_ms; /* of the answer in out */
  bool is_answering;
  bool is_closing;
} connection;

typedef struct receiver {
  int listen_fd;
  int64_t end_ms;
  connection connections[RECEIVER_CONNECTIONS_MAX];
  receiver_expectations expectations;
} receiver;

static volatile sig_atomic_t is_stopped;

static void on_signal(int number) {
  (void)number;
  is_stopped = 1;
}

static int64_t now_ms(void) { return (int64_t)(kr_clock_monotonic_us(kr_clock_system()) / 1000); }

static void connection_close(connection *conn) {
  if (conn->fd >= 0)
    (void)close(conn->fd);
  conn->fd = -1;
  kr_buf_done(&conn->in);
  kr_buf_done(&conn->out);
  conn->n_sent = 0;
  conn->is_answering = false;
  conn->is_closing = false;
}

static void accept_one(receiver *self) {
  int fd = accept4(self->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0)
    return;
  for (size_t i = 0; i < RECEIVER_CONNECTIONS_MAX; i++) {
    connection *conn = &self->connections[i];
    if (conn->fd >= 0)
      continue;
    *conn = (connection){.fd = fd,
                         .in = KR_BUF_INIT(RECEIVER_HEAD_BYTES + RECEIVER_REQUEST_BYTES, NULL),
                         .out = KR_BUF_INIT(RECEIVER_ANSWER_BYTES, NULL)};
    return;
  }
  (void)close(fd);
}

/* Answer the request at the start of conn->in, if it is whole. */
static void connection_answer(receiver *self, connection *conn) {
  static receiver_request request; /* large; one thread */
  receiver_parsed parsed = receiver_parse(kr_buf_str(&conn->in), &request);
  if (parsed == RECEIVER_MORE)
    return;
  if (parsed == RECEIVER_BAD) {
    connection_close(conn);
    return;
  }
  receiver_expect_check(&self->expectations, &request);
  receiver_answer answer = {.out = &conn->out};
  if (receiver_respond(&request, &answer) != KR_OK) {
    connection_close(conn);
    return;
  }
  size_t used = request.all.len;
  memmove(conn->in.ptr, conn->in.ptr + used, conn->in.len - used);
  conn->in.len -= used;
  conn->is_answering = true;
  conn->is_closing = answer.is_closing;
  conn->not_before_ms = now_ms() + answer.delay_ms;
}

static void connection_read(receiver *self, connection *conn) {
  uint8_t chunk[16384];
  ssize_t n_read = recv(conn->fd, chunk, sizeof chunk, 0);
  if (n_read < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n_read <= 0 || kr_buf_append(&conn->in, kr_str_from(chunk, (size_t)n_read)) != KR_OK) {
    connection_close(conn);
    return;
  }
  connection_answer(self, conn);
}

static void connection_write(receiver *self, connection *conn) {
  if (now_ms() < conn->not_before_ms)
    return;
  if (conn->n_sent < conn->out.len) {
    ssize_t n_sent =
        send(conn->fd, conn->out.ptr + conn->n_sent, conn->out.len - conn->n_sent, MSG_NOSIGNAL);
    if (n_sent < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (n_sent < 0) {
      connection_close(conn);
      return;
    }
    conn->n_sent += (size_t)n_sent;
  }
  if (conn->n_sent < conn->out.len)
    return;
  if (conn->is_closing) {
    connection_close(conn);
    return;
  }
  kr_buf_reset(&conn->out);
  conn->n_sent = 0;
  conn->is_answering = false;
  connection_answer(self, conn);
}

static short connection_events(const connection *conn) {
  if (!conn->is_answering)
    return POLLIN;
  return now_ms() < conn->not_before_ms ? POLLRDHUP : POLLOUT | POLLRDHUP;
}

static void serve(receiver *self) {
  struct pollfd polled[RECEIVER_CONNECTIONS_MAX + 1];
  while (is_stopped == 0 && now_ms() < self->end_ms) {
    polled[RECEIVER_CONNECTIONS_MAX] = (struct pollfd){.fd = self->listen_fd, .events = POLLIN};
    bool is_delaying = false;
    for (size_t i = 0; i < RECEIVER_CONNECTIONS_MAX; i++) {
      connection *conn = &self->connections[i];
      polled[i] = (struct pollfd){.fd = conn->fd, .events = connection_events(conn)};
      is_delaying = is_delaying || (conn->is_answering && polled[i].events == POLLRDHUP);
    }
    if (poll(polled, RECEIVER_CONNECTIONS_MAX + 1, is_delaying ? 5 : RECEIVER_POLL_MS) < 0)
      continue;
    for (size_t i = 0; i < RECEIVER_CONNECTIONS_MAX; i++) {
      connection *conn = &self->connections[i];
      if (conn->fd < 0 || polled[i].fd != conn->fd || polled[i].revents == 0)
        continue;
      if (!conn->is_answering)
        connection_read(self, conn);
      else if ((polled[i].revents & POLLOUT) != 0)
        connection_write(self, conn);
      else
        connection_close(conn);
    }
    if (polled[RECEIVER_CONNECTIONS_MAX].revents != 0)
      accept_one(self);
  }
}

static bool start_listening(receiver *self, uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t len = sizeof address;
  int on = 1;
  self->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (self->listen_fd < 0 ||
      setsockopt(self->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(self->listen_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(self->listen_fd, 128) != 0 ||
      getsockname(self->listen_fd, (struct sockaddr *)&address, &len) != 0)
    return false;
  (void)printf("%u\n", (unsigned)ntohs(address.sin_port));
  return fflush(stdout) == 0;
}

static int usage(void) {
  (void)fprintf(stderr, "usage: krosyn-receiver [--port N] [--expect FILE] [--report FILE] "
                        "[--max-seconds N]\n");
  return 2;
}

static bool parse_number(const char *text, long max, long *ret) {
  char *end = NULL;
  errno = 0;
  *ret = strtol(text, &end, 10);
  return errno == 0 && end != text && *end == '\0' && *ret >= 0 && *ret <= max;
}

typedef struct arguments {
  long port;
  long max_seconds;
  const char *expect;
  const char *report;
} arguments;

static bool parse_arguments(int argc, char **argv, arguments *ret) {
  static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                          {"expect", required_argument, NULL, 'e'},
                                          {"report", required_argument, NULL, 'r'},
                                          {"max-seconds", required_argument, NULL, 'm'},
                                          {NULL, 0, NULL, 0}};
  *ret = (arguments){.max_seconds = RECEIVER_SECONDS};
  for (int c = 0; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (c == 'p' && parse_number(optarg, 65535, &ret->port))
      continue;
    if (c == 'm' && parse_number(optarg, 86400, &ret->max_seconds))
      continue;
    if (c == 'e')
      ret->expect = optarg;
    else if (c == 'r')
      ret->report = optarg;
    else
      return false;
  }
  return optind == argc;
}

int main(int argc, char **argv) {
  static receiver self;
  arguments args;
  if (!parse_arguments(argc, argv, &args))
    return usage();
  receiver_expectations *expectations = &self.expectations;
  expectations->text = KR_BUF_INIT(64u * 1024u * 1024u, NULL);
  expectations->arena = KR_ARENA_INIT(256u * 1024u * 1024u, NULL);
  kr_error error = {0};
  if (args.expect != NULL && receiver_expect_load(expectations, args.expect, &error) != KR_OK) {
    (void)fprintf(stderr, "krosyn-receiver: %s\n", error.message);
    return 2;
  }
  expectations->report = args.report == NULL ? stderr : fopen(args.report, "w");
  if (expectations->report == NULL) {
    (void)fprintf(stderr, "krosyn-receiver: cannot write the file of --report\n");
    return 2;
  }
  struct sigaction action = {.sa_handler = on_signal};
  (void)sigaction(SIGTERM, &action, NULL);
  (void)sigaction(SIGINT, &action, NULL);
  for (size_t i = 0; i < RECEIVER_CONNECTIONS_MAX; i++)
    self.connections[i].fd = -1;
  self.end_ms = now_ms() + args.max_seconds * 1000;
  if (!start_listening(&self, (uint16_t)args.port)) {
    (void)fprintf(stderr, "krosyn-receiver: cannot listen on port %ld: %s\n", args.port,
                  strerror(errno));
    return 2;
  }
  serve(&self);
  for (size_t i = 0; i < RECEIVER_CONNECTIONS_MAX; i++)
    connection_close(&self.connections[i]);
  (void)close(self.listen_fd);
  receiver_expect_finish(expectations);
  bool is_failed = expectations->is_failed;
  receiver_expect_done(expectations);
  if (expectations->report != stderr)
    (void)fclose(expectations->report);
  return is_failed ? 1 : 0;
}

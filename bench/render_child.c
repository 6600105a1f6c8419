/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render_child.c - the peers that run in processes of their own: node
 * (peers/peers.js), Python (peers/peers.py), Go (peers/peers.go). Each child is
 * pinned like us and answers a line of JSON with a line: the name of a peer,
 * hex bytes of an output, or nanoseconds that it measured itself. It waits in
 * read() while it is not its turn.
 */
#define _GNU_SOURCE
#include "render_peers.h"

#include "base/cleanup.h"
#include "base/encode.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef KR_BENCH_PEERS
#define KR_BENCH_PEERS "bench/peers"
#endif

extern char **environ;

typedef struct kr_child {
  const char *name;
  char *argv[4]; /* posix_spawn wants them writable, and does not write */
  bool was_tried;
  pid_t pid;
  FILE *in;
  FILE *out;
  char *line;
  size_t line_size;
} kr_child;

static uint8_t kr_child_bytes[64 * 1024];

static char kr_child_js[] = KR_BENCH_PEERS "/peers.js";
static char kr_child_py[] = KR_BENCH_PEERS "/peers.py";
static char kr_child_go[] = KR_BENCH_PEERS "/peers.go";
static char kr_child_run[] = "run";
static char kr_child_node[] = "node";
static char kr_child_python[] = "python3";
static char kr_child_golang[] = "go";

static const char *kr_child_ask(kr_child *child, kr_str question) {
  if (fwrite(question.ptr, 1, question.len, child->in) != question.len ||
      fputc('\n', child->in) == EOF || fflush(child->in) != 0)
    kr_bench_die(child->name, "is gone");
  ssize_t len = getline(&child->line, &child->line_size, child->out);
  if (len <= 0)
    kr_bench_die(child->name, "gave no answer; its own message is above");
  child->line[len - 1] = '\0';
  return child->line;
}

static bool kr_child_start(kr_child *child) {
  if (child->was_tried)
    return child->pid != 0;
  child->was_tried = true;
  int to_child[2];
  int from_child[2];
  if (pipe2(to_child, O_CLOEXEC) != 0 || pipe2(from_child, O_CLOEXEC) != 0)
    return false;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to_child[0], 0);
  posix_spawn_file_actions_adddup2(&actions, from_child[1], 1);
  (void)signal(SIGPIPE, SIG_IGN);
  int status = posix_spawnp(&child->pid, child->argv[0], &actions, NULL, child->argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  (void)close(to_child[0]);
  (void)close(from_child[1]);
  child->in = fdopen(to_child[1], "w");
  child->out = fdopen(from_child[0], "r");
  if (status != 0) {
    fprintf(stderr, "bench: without %s; ./dev bench render --peers installs it\n", child->name);
    child->pid = 0;
  }
  return child->pid != 0;
}

static void kr_child_prepare(void *ctx, const kr_render_case *work) {
  kr_child *child = ctx;
  if (!kr_child_start(child))
    return;
  KR_CLEANUP(kr_buf_done) kr_buf line = KR_BUF_INIT(1024u * 1024u, NULL);
  kr_case_json(work, &line);
  const char *answer = kr_child_ask(child, kr_buf_str(&line));
  if (strcmp(answer, "ok") != 0)
    kr_bench_die(child->name, answer);
}

static void kr_child_text(void *ctx, const char *name, kr_str text) {
  kr_child *child = ctx;
  if (!kr_child_start(child))
    return;
  KR_CLEANUP(kr_buf_done) kr_buf line = KR_BUF_INIT(4u * 1024u * 1024u, NULL);
  kr_json_writer json = kr_json_writer_init(&line, 0);
  kr_json_begin_object(&json);
  kr_json_key(&json, KR_STR("op"));
  kr_json_put_cstr(&json, "parse-text");
  kr_json_key(&json, KR_STR("name"));
  kr_json_put_cstr(&json, name);
  kr_json_key(&json, KR_STR("text"));
  kr_json_put_string(&json, text);
  kr_json_end_object(&json);
  if (kr_json_finish(&json) != KR_OK)
    kr_bench_die(name, "out of memory");
  (void)kr_child_ask(child, kr_buf_str(&line));
}

static kr_str kr_child_question(const kr_peer *peer, const char *op, size_t number) {
  static char line[256];
  int len =
      snprintf(line, sizeof line,
               "{\"op\":\"%s\",\"case\":\"%s\",\"action\":\"%s\",\"engine\":\"%s\",\"n\":%zu}", op,
               peer->work->name, peer->action, peer->name, number);
  return kr_str_from(line, (size_t)len);
}

static double kr_child_measure(void *ctx, size_t n_calls) {
  const kr_peer *peer = ctx;
  return strtod(kr_child_ask(peer->ctx, kr_child_question(peer, "run", n_calls)), NULL);
}

static kr_str kr_child_output(const kr_peer *peer, size_t payload) {
  const char *hex = kr_child_ask(peer->ctx, kr_child_question(peer, "output", payload));
  size_t len = 0;
  for (; hex[0] != '\0' && hex[1] != '\0' && len < sizeof kr_child_bytes; hex += 2)
    kr_child_bytes[len++] =
        (uint8_t)(kr_hex_digit((uint8_t)hex[0]) * 16 + kr_hex_digit((uint8_t)hex[1]));
  return kr_str_from(kr_child_bytes, len);
}

static bool kr_child_peer(void *ctx, const kr_render_case *work, const char *action, size_t index,
                          kr_peer *ret_peer) {
  kr_child *child = ctx;
  if (!kr_child_start(child))
    return false;
  *ret_peer = (kr_peer){.work = work,
                        .batch = {.run = kr_child_measure, .ctx = ret_peer},
                        .output = kr_child_output,
                        .ctx = child};
  (void)snprintf(ret_peer->action, sizeof ret_peer->action, "%s", action);
  const char *answer = kr_child_ask(child, kr_child_question(ret_peer, "engine", index));
  (void)snprintf(ret_peer->name, sizeof ret_peer->name, "%s", answer);
  return answer[0] != '\0';
}

static void kr_child_done(void *ctx) {
  kr_child *child = ctx;
  if (child->pid == 0)
    return;
  (void)fclose(child->in);
  (void)fclose(child->out);
  (void)waitpid(child->pid, NULL, 0);
  free(child->line);
  child->pid = 0;
}

#define KR_CHILD_SOURCE(variable)                                                                  \
  {                                                                                                \
    .ctx = &(variable), .prepare = kr_child_prepare, .text = kr_child_text, .peer = kr_child_peer, \
    .done = kr_child_done                                                                          \
  }

static kr_child kr_node = {.name = "node", .argv = {kr_child_node, kr_child_js, NULL}};
static kr_child kr_python = {.name = "python3", .argv = {kr_child_python, kr_child_py, NULL}};
static kr_child kr_go = {.name = "go", .argv = {kr_child_golang, kr_child_run, kr_child_go, NULL}};

const kr_peer_source kr_source_node = KR_CHILD_SOURCE(kr_node);
const kr_peer_source kr_source_python = KR_CHILD_SOURCE(kr_python);
const kr_peer_source kr_source_go = KR_CHILD_SOURCE(kr_go);

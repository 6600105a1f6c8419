/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render_node.c - the peers that run in node. One child process, pinned like
 * us, that answers a line of JSON with a line: a list of names, hex bytes of an
 * output, or nanoseconds. It waits in read() while it is not its turn.
 */
#define _GNU_SOURCE
#include "render_peers.h"

#include "base/cleanup.h"
#include "base/encode.h"

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

static pid_t kr_node_pid;
static FILE *kr_node_in;
static FILE *kr_node_out;
static char *kr_node_line;
static size_t kr_node_line_size;
static uint8_t kr_node_bytes[64 * 1024];

static const char *kr_node_ask(kr_str question) {
  if (fwrite(question.ptr, 1, question.len, kr_node_in) != question.len ||
      fputc('\n', kr_node_in) == EOF || fflush(kr_node_in) != 0)
    kr_bench_die("node", "is gone");
  ssize_t len = getline(&kr_node_line, &kr_node_line_size, kr_node_out);
  if (len <= 0)
    kr_bench_die("node", "gave no answer; its own message is above");
  kr_node_line[len - 1] = '\0';
  return kr_node_line;
}

static bool kr_node_start(void) {
  static bool was_tried;
  if (was_tried)
    return kr_node_pid != 0;
  was_tried = true;
  int to_child[2];
  int from_child[2];
  if (pipe(to_child) != 0 || pipe(from_child) != 0)
    return false;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to_child[0], 0);
  posix_spawn_file_actions_adddup2(&actions, from_child[1], 1);
  posix_spawn_file_actions_addclose(&actions, to_child[1]);
  posix_spawn_file_actions_addclose(&actions, from_child[0]);
  char program[] = "node";
  char script[] = KR_BENCH_PEERS "/peers.js";
  char *argv[] = {program, script, NULL};
  (void)signal(SIGPIPE, SIG_IGN);
  int status = posix_spawnp(&kr_node_pid, program, &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  (void)close(to_child[0]);
  (void)close(from_child[1]);
  kr_node_in = fdopen(to_child[1], "w");
  kr_node_out = fdopen(from_child[0], "r");
  if (status != 0) {
    fprintf(stderr, "bench: without node; ./dev bench render --peers installs it\n");
    kr_node_pid = 0;
  }
  return kr_node_pid != 0;
}

void kr_node_prepare(const kr_render_case *work) {
  if (!kr_node_start())
    return;
  KR_CLEANUP(kr_buf_done) kr_buf line = KR_BUF_INIT(1024u * 1024u, NULL);
  kr_case_json(work, &line);
  const char *answer = kr_node_ask(kr_buf_str(&line));
  if (strcmp(answer, "ok") != 0)
    kr_bench_die("node", answer);
}

void kr_node_text(const char *name, kr_str text) {
  if (!kr_node_start())
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
  (void)kr_node_ask(kr_buf_str(&line));
}

static kr_str kr_node_question(const kr_peer *peer, const char *op, size_t number) {
  static char line[256];
  int len =
      snprintf(line, sizeof line,
               "{\"op\":\"%s\",\"case\":\"%s\",\"action\":\"%s\",\"engine\":\"%s\",\"n\":%zu}", op,
               peer->work->name, peer->action, peer->name, number);
  return kr_str_from(line, (size_t)len);
}

static double kr_node_run(void *ctx, size_t n_calls) {
  return strtod(kr_node_ask(kr_node_question(ctx, "run", n_calls)), NULL);
}

bool kr_node_peer(const kr_render_case *work, const char *action, size_t index, kr_peer *ret_peer) {
  if (!kr_node_start())
    return false;
  *ret_peer = (kr_peer){.work = work, .batch = {.run = kr_node_run, .ctx = ret_peer}};
  (void)snprintf(ret_peer->action, sizeof ret_peer->action, "%s", action);
  const char *answer = kr_node_ask(kr_node_question(ret_peer, "engine", index));
  (void)snprintf(ret_peer->name, sizeof ret_peer->name, "%s", answer);
  return answer[0] != '\0';
}

kr_str kr_node_output(const kr_peer *peer, size_t payload) {
  const char *hex = kr_node_ask(kr_node_question(peer, "output", payload));
  size_t len = 0;
  for (; hex[0] != '\0' && hex[1] != '\0' && len < sizeof kr_node_bytes; hex += 2)
    kr_node_bytes[len++] =
        (uint8_t)(kr_hex_digit((uint8_t)hex[0]) * 16 + kr_hex_digit((uint8_t)hex[1]));
  return kr_str_from(kr_node_bytes, len);
}

void kr_node_done(void) {
  if (kr_node_pid == 0)
    return;
  (void)fclose(kr_node_in);
  (void)fclose(kr_node_out);
  (void)waitpid(kr_node_pid, NULL, 0);
  free(kr_node_line);
  kr_node_pid = 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* render_peers.c - all peers as one list. */
#include "render_peers.h"

#include <stdio.h>

#ifndef KR_BENCH_HAS_LUAJIT
void kr_lua_prepare(const kr_render_case *work) {
  static bool is_told;
  (void)work;
  if (!is_told)
    fprintf(stderr, "bench: without luajit; ./dev bench render --peers installs it\n");
  is_told = true;
}
bool kr_lua_peer(const kr_render_case *work, const char *action, size_t index, kr_peer *ret_peer) {
  (void)work;
  (void)action;
  (void)index;
  (void)ret_peer;
  return false;
}
kr_str kr_lua_output(const kr_peer *peer, size_t payload) {
  (void)peer;
  (void)payload;
  return (kr_str){0};
}
void kr_lua_done(void) {}
#endif

static kr_peer kr_peers[KR_PEERS_MAX];
static size_t kr_n_lua;

void kr_peers_prepare(const kr_render_case *work) {
  kr_lua_prepare(work);
  kr_node_prepare(work);
}

void kr_peers_text(const char *name, kr_str text) { kr_node_text(name, text); }

size_t kr_peers_find(const kr_render_case *work, const char *action, kr_peer **ret_peers) {
  size_t n_peers = 0;
  for (size_t i = 0; n_peers < KR_PEERS_MAX && kr_lua_peer(work, action, i, &kr_peers[n_peers]);
       i++)
    n_peers++;
  kr_n_lua = n_peers;
  for (size_t i = 0; n_peers < KR_PEERS_MAX && kr_node_peer(work, action, i, &kr_peers[n_peers]);
       i++)
    n_peers++;
  *ret_peers = kr_peers;
  return n_peers;
}

kr_str kr_peer_output(const kr_peer *peer, size_t payload) {
  return peer < kr_peers + kr_n_lua ? kr_lua_output(peer, payload) : kr_node_output(peer, payload);
}

void kr_peers_done(void) {
  kr_lua_done();
  kr_node_done();
}

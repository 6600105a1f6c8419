/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render_peers.h - the engines that krosyn is compared with in the suite
 * "render". Each may be absent: then it is named on stderr and left out.
 *
 *   render_lua.c   LuaJIT in this process, its loop and its clock inside Lua
 *   render_node.c  a node process (peers/peers.js) that takes turns with us:
 *                  one line asks, one line answers
 */
#ifndef KR_BENCH_RENDER_PEERS_H
#define KR_BENCH_RENDER_PEERS_H

#include "bench.h"
#include "render_case.h"

/** A peer in one case. What is done: "render", "compile", "request", "condition" or "parse". */
typedef struct kr_peer {
  char name[32];
  char action[16];
  const kr_render_case *work;
  kr_bench_batch batch;
} kr_peer;

#define KR_PEERS_MAX 14u

/** Tell the peers about a case, before any peer of it is asked for. */
void kr_peers_prepare(const kr_render_case *work);

/** The same for a case that is a JSON text to parse. */
void kr_peers_text(const char *name, kr_str text);

/** The peers that can do this action on this case. Static until the next call. */
size_t kr_peers_find(const kr_render_case *work, const char *action, kr_peer **ret_peers);

/** What a peer renders from a payload; the bytes are valid until the next call. */
kr_str kr_peer_output(const kr_peer *peer, size_t payload);

void kr_peers_done(void);

/* One per peer file; index < KR_PEERS_MAX, false when there are no more. */
void kr_lua_prepare(const kr_render_case *work);
bool kr_lua_peer(const kr_render_case *work, const char *action, size_t index, kr_peer *ret_peer);
kr_str kr_lua_output(const kr_peer *peer, size_t payload);
void kr_lua_done(void);

void kr_node_prepare(const kr_render_case *work);
void kr_node_text(const char *name, kr_str text);
bool kr_node_peer(const kr_render_case *work, const char *action, size_t index, kr_peer *ret_peer);
kr_str kr_node_output(const kr_peer *peer, size_t payload);
void kr_node_done(void);

#endif

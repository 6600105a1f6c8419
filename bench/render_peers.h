/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render_peers.h - the engines that krosyn is compared with in the suite
 * "render". Each may be absent: then it is named on stderr and left out.
 *
 *   render_lua.c        LuaJIT in this process, its loop and its clock inside Lua
 *   render_ctemplate.c  ctemplate in this process (its C++ behind ctemplate_shim.h)
 *   render_jq.c         libjq in this process
 *   render_child.c      engines of node, Python and Go: processes that take turns
 *                       with us (peers/), one line asks, one line answers
 */
#ifndef KR_BENCH_RENDER_PEERS_H
#define KR_BENCH_RENDER_PEERS_H

#include "bench.h"
#include "render_case.h"

/** A peer in one case. What is done: "render", "compile", "request", "condition" or "parse". */
typedef struct kr_peer kr_peer;
struct kr_peer {
  char name[32];
  char action[16];
  const kr_render_case *work;
  kr_bench_batch batch;
  /* What it renders from a payload; the bytes are valid until the next call. */
  kr_str (*output)(const kr_peer *peer, size_t payload);
  void *ctx; /* of the source */
};

/** Where peers come from: a library, or a process. ctx is given to every function. */
typedef struct kr_peer_source {
  void *ctx;
  /* Told about a case, before any peer of it is asked for. */
  void (*prepare)(void *ctx, const kr_render_case *work);
  /* The same for a case that is a JSON text to parse; may be NULL. */
  void (*text)(void *ctx, const char *name, kr_str text);
  /* The peer of this index that can do the action; false when there are no more. */
  bool (*peer)(void *ctx, const kr_render_case *work, const char *action, size_t index,
               kr_peer *ret_peer);
  void (*done)(void *ctx);
} kr_peer_source;

#define KR_PEERS_MAX 23u /* with krosyn: KR_BENCH_ENGINES_MAX */

void kr_peers_prepare(const kr_render_case *work);
void kr_peers_text(const char *name, kr_str text);

/** The peers that can do this action on this case. Static until the next call. */
size_t kr_peers_find(const kr_render_case *work, const char *action, kr_peer **ret_peers);

void kr_peers_done(void);

/* One per peer file; those of libraries are there where the library is. */
extern const kr_peer_source kr_source_lua;
extern const kr_peer_source kr_source_ctemplate;
extern const kr_peer_source kr_source_jq;
extern const kr_peer_source kr_source_node;
extern const kr_peer_source kr_source_python;
extern const kr_peer_source kr_source_go;

#endif

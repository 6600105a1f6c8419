/* SPDX-License-Identifier: Apache-2.0 */
/* render_peers.c - all peers as one list, in the order of the results. */
#include "render_peers.h"

#include <stdio.h>

static const kr_peer_source *const kr_sources[] = {
#ifdef KR_BENCH_HAS_LUAJIT
    &kr_source_lua,
#endif
    &kr_source_node,
#ifdef KR_BENCH_HAS_CTEMPLATE
    &kr_source_ctemplate,
#endif
    &kr_source_go,
#ifdef KR_BENCH_HAS_JQ
    &kr_source_jq,
#endif
    &kr_source_python,
};

#define KR_SOURCES (sizeof kr_sources / sizeof kr_sources[0])

/* Libraries that were not there when this program was built. */
static const char *const kr_absent[] = {
#ifndef KR_BENCH_HAS_LUAJIT
    "luajit",
#endif
#ifndef KR_BENCH_HAS_CTEMPLATE
    "ctemplate",
#endif
#ifndef KR_BENCH_HAS_JQ
    "libjq",
#endif
    NULL};

static kr_peer kr_peers[KR_PEERS_MAX];

void kr_peers_prepare(const kr_render_case *work) {
  static bool is_told;
  for (size_t i = 0; !is_told && kr_absent[i] != NULL; i++)
    fprintf(stderr, "bench: without %s; ./dev bench render --peers installs it\n", kr_absent[i]);
  is_told = true;
  for (size_t i = 0; i < KR_SOURCES; i++)
    kr_sources[i]->prepare(kr_sources[i]->ctx, work);
}

void kr_peers_text(const char *name, kr_str text) {
  for (size_t i = 0; i < KR_SOURCES; i++)
    if (kr_sources[i]->text != NULL)
      kr_sources[i]->text(kr_sources[i]->ctx, name, text);
}

size_t kr_peers_find(const kr_render_case *work, const char *action, kr_peer **ret_peers) {
  size_t n_peers = 0;
  for (size_t i = 0; i < KR_SOURCES; i++)
    for (size_t index = 0;
         n_peers < KR_PEERS_MAX &&
         kr_sources[i]->peer(kr_sources[i]->ctx, work, action, index, &kr_peers[n_peers]);
         index++)
      n_peers++;
  *ret_peers = kr_peers;
  return n_peers;
}

void kr_peers_done(void) {
  for (size_t i = 0; i < KR_SOURCES; i++)
    kr_sources[i]->done(kr_sources[i]->ctx);
}

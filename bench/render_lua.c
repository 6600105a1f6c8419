/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render_lua.c - LuaJIT as a peer: "luajit" joins the pieces with `..` and
 * escapes nothing; "luajit-escaped" passes each field through an escaper for
 * JSON strings written with string.gsub; "luajit-repeat" is "luajit" with four
 * payloads that never change, whose results it finds interned already. The loop runs inside Lua.
 */
#include "base/cleanup.h"
#include "render_peers.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

static lua_State *kr_lua;

/* Each defines a function of (pieces' function or source, payloads, n). */
static const char kr_lua_loops[] =
    "local escapes = {['\"']='\\\\\"', ['\\\\']='\\\\\\\\', ['\\n']='\\\\n', ['\\t']='\\\\t'}\n"
    "function escape(s) if not s:find('[%c\"\\\\]') then return s end\n"
    "  return (s:gsub('[%c\"\\\\]', escapes)) end\n"
    "sink = {}\n"
    "function loop_repeat(f, ps, n) local sink = sink\n"
    "  for i = 1, n do sink[1] = f(ps[i % 4 + 1]) end end\n"
    "numbers = {}\n"
    "for i = 0, 4095 do numbers[i] = string.format('SO-2024-%05d', i) end\n"
    "function loop_render(f, ps, n) local sink, numbers = sink, numbers\n"
    "  for i = 1, n do local p = ps[i % 4 + 1] p.order_id = numbers[i % 4096]\n"
    "    sink[1] = f(p) end end\n"
    "local counter = 0\n"
    "function loop_compile(source, ps, n)\n"
    "  for i = 1, n do counter = counter + 1\n"
    "    sink[1] = loadstring(source .. '--' .. counter)()(ps[i % 4 + 1]) end end\n"
    "function loop_condition(f, ps, n) local hits = 0\n"
    "  for i = 1, n do if f(ps[i % 4 + 1]) then hits = hits + 1 end end sink[1] = hits end\n"
    "condition = function(p) return p.status == 'paid' end\n";

static void kr_lua_check(int status) {
  if (status != 0)
    kr_bench_die("luajit", lua_tostring(kr_lua, -1));
}

static void kr_lua_load(const kr_buf *source) {
  kr_lua_check(luaL_loadbuffer(kr_lua, (const char *)source->ptr, source->len, "case"));
}

/* Globals: NAME_render, NAME_escaped, NAME_source, NAME_payloads. */
static void kr_lua_prepare(void *ctx, const kr_render_case *work) {
  (void)ctx;
  char name[64];
  if (kr_lua == NULL) {
    kr_lua = luaL_newstate();
    luaL_openlibs(kr_lua);
    kr_lua_check(luaL_dostring(kr_lua, kr_lua_loops));
  }
  KR_CLEANUP(kr_buf_done) kr_buf source = KR_BUF_INIT(1024u * 1024u, NULL);
  for (int is_escaped = 0; is_escaped < 2; is_escaped++) {
    kr_buf_reset(&source);
    kr_case_lua(work, is_escaped != 0, &source);
    kr_lua_load(&source);
    kr_lua_check(lua_pcall(kr_lua, 0, 1, 0));
    (void)snprintf(name, sizeof name, "%s_%s", work->name, is_escaped != 0 ? "escaped" : "render");
    lua_setglobal(kr_lua, name);
    lua_pushlstring(kr_lua, (const char *)source.ptr, source.len);
    (void)snprintf(name, sizeof name, "%s_%s_source", work->name,
                   is_escaped != 0 ? "escaped" : "render");
    lua_setglobal(kr_lua, name);
  }
  lua_newtable(kr_lua);
  for (size_t i = 0; i <= KR_CASE_PAYLOADS; i++) {
    kr_buf_reset(&source);
    kr_case_lua_payload(work, i, &source);
    kr_lua_load(&source);
    kr_lua_check(lua_pcall(kr_lua, 0, 1, 0));
    lua_rawseti(kr_lua, -2, (int)i + 1);
  }
  (void)snprintf(name, sizeof name, "%s_payloads", work->name);
  lua_setglobal(kr_lua, name);
}

static double kr_lua_run(void *ctx, size_t n_calls) {
  const kr_peer *peer = ctx;
  char name[64];
  const char *kind = strcmp(peer->name, "luajit-escaped") == 0 ? "escaped" : "render";
  bool is_compile = strcmp(peer->action, "compile") == 0;
  bool is_condition = strcmp(peer->action, "condition") == 0;
  bool is_repeat = strcmp(peer->name, "luajit-repeat") == 0;
  lua_getglobal(kr_lua, is_compile     ? "loop_compile"
                        : is_condition ? "loop_condition"
                        : is_repeat    ? "loop_repeat"
                                       : "loop_render");
  (void)snprintf(name, sizeof name, is_compile ? "%s_%s_source" : "%s_%s", peer->work->name, kind);
  lua_getglobal(kr_lua, is_condition ? "condition" : name);
  (void)snprintf(name, sizeof name, "%s_payloads", peer->work->name);
  lua_getglobal(kr_lua, name);
  lua_pushnumber(kr_lua, (double)n_calls);
  double start = kr_bench_now_ns();
  kr_lua_check(lua_pcall(kr_lua, 3, 0, 0));
  return kr_bench_now_ns() - start;
}

static kr_str kr_lua_output(const kr_peer *peer, size_t payload) {
  char name[64];
  size_t len = 0;
  lua_settop(kr_lua, 0);
  (void)snprintf(name, sizeof name, "%s_%s", peer->work->name,
                 strcmp(peer->name, "luajit-escaped") == 0 ? "escaped" : "render");
  lua_getglobal(kr_lua, name);
  (void)snprintf(name, sizeof name, "%s_payloads", peer->work->name);
  lua_getglobal(kr_lua, name);
  lua_rawgeti(kr_lua, -1, (int)payload + 1);
  lua_remove(kr_lua, -2);
  if (payload != KR_CASE_HOSTILE) {
    (void)snprintf(name, sizeof name, KR_CASE_NUMBER_FORMAT, (unsigned)payload);
    lua_pushstring(kr_lua, name);
    lua_setfield(kr_lua, -2, "order_id");
  }
  kr_lua_check(lua_pcall(kr_lua, 1, 1, 0));
  const char *text = lua_tolstring(kr_lua, -1, &len); /* stays on the stack until the next call */
  return kr_str_from(text, len);
}

static bool kr_lua_peer(void *ctx, const kr_render_case *work, const char *action, size_t index,
                        kr_peer *ret_peer) {
  (void)ctx;
  static const char *const names[] = {"luajit", "luajit-repeat", "luajit-escaped"};
  bool is_render = strcmp(action, "render") == 0;
  bool is_known = is_render || strcmp(action, "compile") == 0 || strcmp(action, "condition") == 0;
  if (!is_known || index >= (is_render ? 3u : 1u))
    return false;
  *ret_peer = (kr_peer){
      .work = work, .batch = {.run = kr_lua_run, .ctx = ret_peer}, .output = kr_lua_output};
  (void)snprintf(ret_peer->name, sizeof ret_peer->name, "%s", names[index]);
  (void)snprintf(ret_peer->action, sizeof ret_peer->action, "%s", action);
  return true;
}

static void kr_lua_done(void *ctx) {
  (void)ctx;
  if (kr_lua != NULL)
    lua_close(kr_lua);
  kr_lua = NULL;
}

const kr_peer_source kr_source_lua = {
    .prepare = kr_lua_prepare, .peer = kr_lua_peer, .done = kr_lua_done};

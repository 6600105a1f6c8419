/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables.c - the .def lists as arrays, and look-ups in them. Sizes are small
 * (under a hundred rows), so a search by first letter and length is enough.
 */
#include "base/assert.h"
#include "base/str.h"
#include "lang/compiler.h"

const bool kr_lang_words[256] = {
    ['0'] = true, ['1'] = true, ['2'] = true, ['3'] = true, ['4'] = true, ['5'] = true,
    ['6'] = true, ['7'] = true, ['8'] = true, ['9'] = true, ['A'] = true, ['B'] = true,
    ['C'] = true, ['D'] = true, ['E'] = true, ['F'] = true, ['G'] = true, ['H'] = true,
    ['I'] = true, ['J'] = true, ['K'] = true, ['L'] = true, ['M'] = true, ['N'] = true,
    ['O'] = true, ['P'] = true, ['Q'] = true, ['R'] = true, ['S'] = true, ['T'] = true,
    ['U'] = true, ['V'] = true, ['W'] = true, ['X'] = true, ['Y'] = true, ['Z'] = true,
    ['_'] = true, ['a'] = true, ['b'] = true, ['c'] = true, ['d'] = true, ['e'] = true,
    ['f'] = true, ['g'] = true, ['h'] = true, ['i'] = true, ['j'] = true, ['k'] = true,
    ['l'] = true, ['m'] = true, ['n'] = true, ['o'] = true, ['p'] = true, ['q'] = true,
    ['r'] = true, ['s'] = true, ['t'] = true, ['u'] = true, ['v'] = true, ['w'] = true,
    ['x'] = true, ['y'] = true, ['z'] = true};

static const kr_function_info kr_functions[] = {
#define KR_PURE true
#define KR_IMPURE false
#define KR_FUNCTION(id, name, min, max, params, result, marks, purity, registers, cost, example,   \
                    expected, group, arguments, phrase)                                            \
  {name,        min,                                                                               \
   max,         params,                                                                            \
   result,      KR_MARKS_##marks,                                                                  \
   KR_##purity, KR_REGISTERS_##registers,                                                          \
   cost,        sizeof(params) - 1,                                                                \
   example,     expected,                                                                          \
   group,       arguments,                                                                         \
   phrase},
#include "lang/functions.def"
};

static const kr_opcode_info kr_opcodes[] = {
#define KR_OPCODE(id, name, pops, pushes, operands) {name, pops, pushes, operands},
#include "lang/opcodes.def"
};

#define KR_ROOT(name)                                                                              \
  { .ptr = (const uint8_t *)(name), .len = sizeof(name) - 1 }
static const kr_str kr_roots[] = {KR_ROOT("secret"),    KR_ROOT("payload"), KR_ROOT("lookup"),
                                  KR_ROOT("processed"), KR_ROOT("item"),    KR_ROOT("index")};
#undef KR_ROOT

static const char *const kr_sinks[] = {"url", "query", "header",    "json", "form",
                                       "xml", "text",  "condition", "value"};

static const struct {
  const char *name;
  uint8_t function;
} kr_accessors[] = {
    {"lowercase", KR_FUNCTION_LOWERCASE},
    {"uppercase", KR_FUNCTION_UPPERCASE},
    {"trim", KR_FUNCTION_TRIM},
    {"length", KR_FUNCTION_LENGTH},
    {"first", KR_FUNCTION_FIRST},
    {"last", KR_FUNCTION_LAST},
    {"string", KR_FUNCTION_TO_STRING},
    {"number", KR_FUNCTION_TO_NUMBER},
    {"boolean", KR_FUNCTION_TO_BOOL},
    {"json", KR_FUNCTION_TO_JSON},
    {"base64", KR_FUNCTION_BASE64_ENCODE},
    {"urlEncode", KR_FUNCTION_URL_ENCODE},
};

const kr_function_info *kr_function_row(unsigned function) {
  KR_ASSERT(function < KR_FUNCTION_COUNT);
  return &kr_functions[function];
}

const char *kr_function_name(uint8_t function) {
  return function < KR_FUNCTION_COUNT ? kr_functions[function].name : "emitted";
}

bool kr_function_find(kr_str name, unsigned *ret_function) {
  for (unsigned i = 0; i < KR_FUNCTION_COUNT; i++) {
    if (name.len == 0 || (uint8_t)kr_functions[i].name[0] != name.ptr[0])
      continue;
    if (kr_str_equal(kr_str_cstr(kr_functions[i].name), name)) {
      *ret_function = i;
      return true;
    }
  }
  return false;
}

const char *kr_function_nearest(kr_str name) {
  const char *nearest = NULL;
  size_t best = 3;
  for (unsigned i = 0; i < KR_FUNCTION_COUNT; i++) {
    size_t distance = kr_str_distance(kr_str_cstr(kr_functions[i].name), name, 2);
    if (distance < best) {
      best = distance;
      nearest = kr_functions[i].name;
    }
  }
  return nearest;
}

/* switch(x, k1, v1, ..., default) and object(k1, v1, ...) alternate; others repeat the last. */
static char kr_function_letter(const kr_function_info *row, unsigned index, unsigned n_args) {
  if (row == &kr_functions[KR_FUNCTION_SWITCH]) {
    if (index == 0)
      return row->params[0];
    return index + 1 == n_args || index % 2 == 0 ? row->params[2] : row->params[1];
  }
  if (row == &kr_functions[KR_FUNCTION_OBJECT])
    return row->params[index % 2];
  return row->params[index < row->n_params ? index : row->n_params - 1u];
}

char kr_function_param(const kr_function_info *row, unsigned index, unsigned n_args) {
  char letter = kr_function_letter(row, index, n_args);
  return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

bool kr_function_secret_ok(const kr_function_info *row, unsigned index, unsigned n_args) {
  char letter = kr_function_letter(row, index, n_args);
  return letter >= 'A' && letter <= 'Z';
}

/* What gives a truth value or a number of its argument tells something of it; so does a choice. */
bool kr_function_decides(const kr_function_info *row, unsigned index, unsigned n_args) {
  char letter = kr_function_letter(row, index, n_args);
  if (row == &kr_functions[KR_FUNCTION_IF] || row == &kr_functions[KR_FUNCTION_SWITCH])
    return letter == 'a';
  return (row->result == 'b' || row->result == 'n') && letter >= 'a' && letter != 'p';
}

bool kr_accessor_find(kr_str name, unsigned *ret_function) {
  for (size_t i = 0; i < sizeof(kr_accessors) / sizeof(kr_accessors[0]); i++)
    if (name.len > 0 && kr_accessors[i].name[0] == (char)name.ptr[0] &&
        kr_str_equal(kr_str_cstr(kr_accessors[i].name), name)) {
      *ret_function = kr_accessors[i].function;
      return true;
    }
  return false;
}

const kr_opcode_info *kr_opcode_row(unsigned opcode) {
  KR_ASSERT(opcode < KR_OP_COUNT);
  return &kr_opcodes[opcode];
}

const char *kr_root_name(unsigned root) { return (const char *)kr_root_text(root).ptr; }

kr_str kr_root_text(unsigned root) { return root < KR_ROOT_COUNT ? kr_roots[root] : KR_STR("?"); }

const char *kr_sink_name(kr_sink sink) {
  size_t index = (size_t)sink;
  return index < sizeof(kr_sinks) / sizeof(kr_sinks[0]) ? kr_sinks[index] : "?";
}

bool kr_sink_from_name(kr_str name, kr_sink *ret_sink) {
  for (size_t i = 0; i < sizeof(kr_sinks) / sizeof(kr_sinks[0]); i++)
    if (kr_str_equal(kr_str_cstr(kr_sinks[i]), name)) {
      *ret_sink = (kr_sink)i;
      return true;
    }
  return false;
}

const char *kr_context_name(uint8_t context) {
  static const char *const names[] = {
#define KR_X(id, word) word,
      KR_CONTEXTS(KR_X)
#undef KR_X
  };
  return context < KR_CONTEXT_COUNT ? names[context] : "?";
}

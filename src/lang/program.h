/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - the inside of a compiled program, for the VM, the verifier and
 * the disassembler. The instruction set is opcodes.def.
 *
 *   code[i]       8 bytes each; positions[i] says which bytes of which source it came from
 *   constants[]   JSON scalars written in the template
 *   steps[]       ".name", "[3]", each perhaps optional
 *   slots[]       one per distinct path prefix: parent slot + step; parents come first
 *   patterns[]    compiled with the program and owned by it; a call names its own
 *   pool          literal bytes of the output, already escaped for their place
 *
 * Immutable once kr_compile() returned it; everything lives in its arena.
 */
#ifndef KR_LANG_PROGRAM_H
#define KR_LANG_PROGRAM_H

#include "lang/compile.h"
#include "regex/regex.h"

/* Every limit of the compiler; inclusive. */
#define KR_LIMIT_TEMPLATE_BYTES (64u * 1024u)
#define KR_LIMIT_NESTING 64u
#define KR_LIMIT_NODES 4096u
#define KR_LIMIT_PATH_STEPS 32u
#define KR_LIMIT_ARGUMENTS 64u
#define KR_LIMIT_SLOTS 4096u
#define KR_LIMIT_PATTERNS 64u
#define KR_LIMIT_ITEM_NESTING 3u                 /* map and filter inside each other */
#define KR_LIMIT_FOLD_BYTES 4096u                /* of one result that replaces its call */
#define KR_LIMIT_FOLD_FUEL 50000u                /* of all calls that a compile evaluates */
#define KR_LIMIT_CODE_BYTES (8u * 1024u * 1024u) /* of each table of a program */

/* Where a value is emitted; decides escaping and refusals. (ID, word) */
#define KR_CONTEXTS(X)                                                                             \
  X(TEXT, "text")                                                                                  \
  X(URL_BASE, "url origin")                                                                        \
  X(URL_USERINFO, "url user")                                                                      \
  X(URL_HOST, "url host")                                                                          \
  X(URL_HOST_LABEL, "url host label")                                                              \
  X(URL_PATH, "url path")                                                                          \
  X(URL_SEGMENTS, "url path segments")                                                             \
  X(URL_SUFFIX, "url suffix")                                                                      \
  X(URL_RAW, "url raw")                                                                            \
  X(URL_QUERY, "url query")                                                                        \
  X(URL_PAIRS, "query string")                                                                     \
  X(URL_FRAGMENT, "url fragment")                                                                  \
  X(QUERY, "query value")                                                                          \
  X(HEADER, "header value")                                                                        \
  X(JSON_STRING, "json string")                                                                    \
  X(JSON_VALUE, "json value")                                                                      \
  X(JSON_KEY, "json key")                                                                          \
  X(VALUE, "value")                                                                                \
  X(FORM, "form value")                                                                            \
  X(XML_TEXT, "xml text")                                                                          \
  X(XML_ATTRIBUTE, "xml attribute")                                                                \
  X(RAW, "raw")

typedef enum kr_context {
#define KR_X(id, word) KR_CONTEXT_##id,
  KR_CONTEXTS(KR_X)
#undef KR_X
      KR_CONTEXT_COUNT
} kr_context;

typedef enum kr_function {
#define KR_FUNCTION(id, ...) KR_FUNCTION_##id,
#include "lang/functions.def"
  KR_FUNCTION_COUNT
} kr_function;

typedef enum kr_marks { KR_MARKS_PARTS, KR_MARKS_WHOLE, KR_MARKS_LAZY, KR_MARKS_ESCAPER } kr_marks;
typedef enum kr_registers {
  KR_REGISTERS_NEVER,
  KR_REGISTERS_LONG,
  KR_REGISTERS_ALWAYS
} kr_registers;

#define KR_REGISTERS_LONG_BYTES 8u /* shorter results are not told to the redactor */

/** One row of functions.def. */
typedef struct kr_function_info {
  const char *name;
  uint8_t min_args;
  uint8_t max_args;
  const char *params; /* letters, see functions.def; the last repeats */
  char result;
  uint8_t marks;     /* kr_marks */
  bool is_pure;      /* the same arguments give the same result */
  uint8_t registers; /* kr_registers */
  uint8_t cost;
  uint8_t n_params; /* letters in params */
  const char *example;
  const char *expected;
  const char *group; /* the last three are for people */
  const char *arguments;
  const char *phrase;
} kr_function_info;

/** map and filter: the second argument is evaluated for each item of the first. */
static inline bool kr_function_is_each(unsigned function) {
  return function == KR_FUNCTION_MAP || function == KR_FUNCTION_FILTER;
}

const kr_function_info *kr_function_row(unsigned function);

/** false when there is no such function. */
bool kr_function_find(kr_str name, unsigned *ret_function);

/** The nearest name within two edits, or NULL. */
const char *kr_function_nearest(kr_str name);

/** Letter of parameter index in lower case. */
char kr_function_param(const kr_function_info *row, unsigned index, unsigned n_args);
bool kr_function_secret_ok(const kr_function_info *row, unsigned index, unsigned n_args);

/** Does the parameter take a secret only where decisions on secrets are allowed? */
bool kr_function_decides(const kr_function_info *row, unsigned index, unsigned n_args);

/** The function an accessor (".lowercase") stands for; false for any other name. */
bool kr_accessor_find(kr_str name, unsigned *ret_function);

typedef enum kr_opcode {
#define KR_OPCODE(id, ...) KR_OP_##id,
#include "lang/opcodes.def"
  KR_OP_COUNT
} kr_opcode;

/* Operand b of MARK. */
#define KR_MARK_FURTHER 1u /* not the first secret: the function joined with that one */
#define KR_MARK_UNTRUSTED                                                                          \
  2u /* one of the branches is untrusted: all of them are escaped as such                          \
      */

#define KR_POPS_B (-1)
#define KR_POPS_2B (-2)

typedef struct kr_opcode_info {
  const char *name;
  int pops;
  int pushes;
  const char *operands;
} kr_opcode_info;

const kr_opcode_info *kr_opcode_row(unsigned opcode);

typedef enum kr_code {
#define KR_DIAGNOSTIC(id, number, meaning) KR_E_##id = (number),
#include "lang/diagnostics.def"
} kr_code;

typedef enum kr_root {
  KR_ROOT_SECRET,
  KR_ROOT_PAYLOAD,
  KR_ROOT_LOOKUP,
  KR_ROOT_PROCESSED,
  KR_ROOT_ITEM,
  KR_ROOT_INDEX,
  KR_ROOT_COUNT
} kr_root;

/** "payload"; the text ends in a NUL too. */
const char *kr_root_name(unsigned root);
kr_str kr_root_text(unsigned root);

typedef struct kr_instruction {
  uint8_t op;
  uint8_t a;
  uint16_t b;
  uint32_t c;
} kr_instruction;

_Static_assert(sizeof(kr_instruction) == 8, "an instruction is 8 bytes");

typedef struct kr_position {
  uint32_t offset;
  uint32_t len;
  uint32_t source; /* index in sources */
} kr_position;

#define KR_NO_ACCESSOR 255u

typedef struct kr_step {
  bool is_index;
  bool is_optional;
  uint8_t accessor; /* function this name stands for on what is no object, or KR_NO_ACCESSOR */
  int64_t index;
  kr_str name;
} kr_step;

#define KR_NO_SLOT UINT32_MAX

typedef struct kr_slot {
  uint32_t parent; /* KR_NO_SLOT: the root itself */
  uint32_t step;   /* unused for a root */
  uint8_t root;    /* kr_root */
  bool is_untrusted;
  kr_secret_set secrets;
} kr_slot;

typedef struct kr_site {
  uint8_t secret;
  uint8_t context;
} kr_site;

/** Instructions [from, to), the rest of a hole: whether and how they fail is decided on a secret.
 */
typedef struct kr_guard {
  uint32_t from;
  uint32_t to;
  uint32_t secret;
  kr_position position; /* of the hole */
} kr_guard;

#define KR_NO_GROUP UINT32_MAX

/** A piece of a replacement: a group's text, or with KR_NO_GROUP the text itself. */
typedef struct kr_piece {
  uint32_t group;
  kr_str text;
} kr_piece;

/** A pattern of the template, with the replacement that stands beside it. */
typedef struct kr_pattern {
  kr_regex *regex; /* owned by the program */
  kr_str text;
  const kr_piece *pieces; /* NULL: no replacement, or one that is computed */
  uint32_t n_pieces;
} kr_pattern;
/* Readable bytes behind the pool, so that literals are copied in steps of 32 bytes. */
#define KR_POOL_PADDING 32u

struct kr_program {
  kr_sink sink;
  kr_missing_mode missing;
  const kr_instruction *code;
  const kr_position *positions;
  uint32_t n_code;
  uint32_t max_stack; /* set by the verifier */
  const kr_json *constants;
  uint32_t n_constants;
  const kr_step *steps;
  uint32_t n_steps;
  const kr_slot *slots;
  uint32_t n_slots;
  kr_str pool;
  const kr_str *sources;
  uint32_t n_sources;
  const kr_str *references;
  uint32_t n_references;
  const kr_pattern *patterns;
  uint32_t n_patterns;
  const kr_site *sites;
  uint32_t n_sites;
  const kr_guard *guards;
  uint32_t n_guards;
  kr_str origin;
  kr_secret_set secrets;
  uint32_t n_secret_names; /* size of the table when this was compiled */
  const kr_str *secret_names;
  bool is_untrusted;
  bool uses_lookup;
  kr_arena arena;
};

/**
 * Check a program before it may run: operands inside their tables, jumps
 * forward and onto instructions, one stack depth for each instruction, slots
 * after their parents. Sets max_stack. KR_INTERNAL: the compiler has a bug.
 */
kr_status kr_program_verify(kr_program *program, kr_error *reterr) KR_MUST_USE;

/** Append a step as a template would write it: ".id", "[0]", "['a key']", and its "?". */
kr_status kr_step_write(const kr_step *step, kr_buf *out) KR_MUST_USE;

/** Append "$payload.order.id" for a slot. */
kr_status kr_program_slot_path(const kr_program *program, uint32_t slot, kr_buf *out) KR_MUST_USE;

#endif

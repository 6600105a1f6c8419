/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compiler.h - what the stages of one compilation share: the text, the place
 * for diagnostics, the tree, and the program being built.
 *
 *   lexer.c    characters -> tokens                parser.c   tokens, text -> nodes
 *   check.c    nodes: arity, types, marks          place.c    parts -> contexts
 *   pattern.c  patterns and replacements           fold.c     nodes: what literals alone say
 *   place_url.c, place_json.c, place_xml.c         the state machines of the sinks
 *   emit.c     nodes -> instructions               compile.c  the order of all this
 *
 * Reporting never stops a stage by itself; a stage that cannot go on returns
 * NULL or false after it has reported. Failures of memory stick in `status`.
 */
#ifndef KR_LANG_COMPILER_H
#define KR_LANG_COMPILER_H

#include "lang/index.h"
#include "lang/program.h"

typedef enum kr_token_type {
  KR_TOKEN_END,
  KR_TOKEN_IDENT,
  KR_TOKEN_DOLLAR, /* "$name": text is the name */
  KR_TOKEN_STRING, /* text is the decoded value */
  KR_TOKEN_NUMBER,
  KR_TOKEN_PUNCTUATION, /* one byte of ( ) [ ] { } , : . ? */
  KR_TOKEN_ERROR
} kr_token_type;

typedef struct kr_token {
  kr_token_type type;
  uint8_t byte;   /* of punctuation */
  bool is_spaced; /* blanks stand before it */
  kr_code code;   /* of an error */
  const char *message;
  size_t offset;
  size_t len;
  kr_str text;
} kr_token;

/** A letter, a digit or "_"? (tables.c) */
extern const bool kr_lang_words[256];
static inline bool kr_lang_is_word(uint8_t byte) { return kr_lang_words[byte]; }

typedef struct kr_lexer {
  kr_str text;
  size_t next;
  kr_arena *arena; /* decoded strings */
  kr_status status;
} kr_lexer;

/** The next token; after the end, END again. An ERROR token is final. */
kr_token kr_lexer_next(kr_lexer *lexer);

typedef enum kr_node_type {
  KR_NODE_NULL,
  KR_NODE_TRUE,
  KR_NODE_FALSE,
  KR_NODE_NUMBER, /* text: digits */
  KR_NODE_STRING, /* text */
  KR_NODE_REF,    /* root, steps; of $secret: name in text, bit in secret */
  KR_NODE_CALL,   /* function, children, steps on the result */
  KR_NODE_ARRAY,
  KR_NODE_OBJECT, /* children: key, value, key, value */
  KR_NODE_CHUNK   /* literal text between holes */
} kr_node_type;

typedef struct kr_node kr_node;
struct kr_node {
  kr_node_type type;
  uint8_t root;
  uint8_t secret;
  uint8_t context; /* of a hole, set by the place stage */
  bool is_untrusted;
  bool is_decided; /* a decision on a secret takes part, so what it is or fails with tells of it */
  bool is_segment_begin;
  bool is_segment_end;
  unsigned function;
  unsigned pattern; /* 1 + index of the pattern of a call, or 0 */
  unsigned n_children;
  unsigned n_steps;
  size_t offset;
  size_t len;
  kr_str text;
  kr_node *first;
  kr_node *last;
  kr_node *next;
  kr_step *steps;
  kr_secret_set secrets;   /* set by check.c */
  const kr_json *constant; /* set by fold.c: the value that the node always has, or NULL */
  const kr_node *chosen;   /* the argument that a lazy call always comes to, or NULL */
  kr_str literal;          /* of a chunk: bytes as they are written, escaped */
};

/** A field: an expression, or parts of text. */
typedef struct kr_field {
  kr_node *expression; /* NULL: text */
  kr_node *parts;      /* chunks and holes, by next */
} kr_field;

/* What $item carries, in the body of a map or filter. */
typedef struct kr_item_marks {
  kr_secret_set secrets;
  bool is_untrusted;
  bool is_decided;
} kr_item_marks;

typedef struct kr_compiler {
  kr_str text;
  const uint8_t *kept; /* the text in the program's memory, once something of it is needed there */
  const kr_compile_options *options;
  kr_sink sink;
  const char *source; /* field of the diagnostics */
  uint32_t source_index;
  kr_diagnostics *diagnostics;
  kr_diagnostic *last; /* for kr_report_hint */
  unsigned mute;       /* > 0: trial parse, nothing is recorded */
  bool is_limit;       /* the first error is a limit */
  bool is_body;        /* leaves of a JSON body: a null is null, not the result */
  kr_status status;    /* sticky: KR_NOMEM, KR_LIMIT of a table */
  kr_arena scratch;    /* the tree */
  size_t n_nodes;
  unsigned depth;
  unsigned item_depth; /* bodies of map and filter around the token */
  unsigned n_items;    /* the same around the node being checked */
  kr_item_marks items[KR_LIMIT_ITEM_NESTING];
  kr_lexer lexer;
  kr_token token;
  kr_program *program;
  kr_buf code;
  kr_buf positions;
  kr_buf constants;
  kr_buf steps;
  kr_buf slots;
  kr_buf pool;
  kr_buf sources;
  kr_buf references;
  kr_buf sites;
  kr_buf patterns;
  kr_buf guards;
  uint32_t guard_from; /* of the hole being emitted: the first instruction a secret decides on */
  kr_buf path;         /* of a reference, while it is looked for */
  kr_index step_index;
  kr_index slot_index;
  kr_index reference_index;
  void *evaluation;   /* what the evaluator's begin() gave, or NULL */
  uint32_t fold_fuel; /* left */
} kr_compiler;

/** Record an error (number and status follow from the code). */
void kr_report(kr_compiler *compiler, kr_code code, size_t offset, size_t len, const char *format,
               ...) KR_PRINTF(5, 6);
void kr_report_lint(kr_compiler *compiler, kr_code code, size_t offset, size_t len,
                    const char *format, ...) KR_PRINTF(5, 6);

/** Hint of what was reported last. */
void kr_report_hint(kr_compiler *compiler, const char *format, ...) KR_PRINTF(2, 3);

/** Parse the text for its sink; false after reporting. */
bool kr_parse_field(kr_compiler *compiler, kr_field *ret_field);

/** Fill in functions, secrets and marks below a node; reports. */
void kr_check_node(kr_compiler *compiler, kr_node *node);

/** Report what is decided on a secret and would stand in JSON as no text; after the place stage. */
void kr_check_bare(kr_compiler *compiler, const kr_node *hole);

/** Compile the pattern of a call, and the replacement written beside it; reports. */
void kr_check_pattern(kr_compiler *compiler, kr_node *call);

/** Evaluate what can be, below a node that was checked; reports what always fails. */
void kr_fold_call(kr_compiler *compiler, kr_node *node);
void kr_fold_literal(kr_compiler *compiler, kr_node *node);

/** Does a constant count as true? */
bool kr_fold_truth(const kr_json *constant);

/** The bytes a constant hole writes, in the scratch arena; false: leave it to the render, or
 * reported. */
bool kr_fold_hole(kr_compiler *compiler, const kr_node *node, bool is_whole, kr_str *ret_bytes);

/** A constant with everything in it, copied. */
kr_status kr_fold_copy(const kr_json *from, kr_arena *arena, kr_json *ret_json) KR_MUST_USE;

/** Is the result surely a text, number or boolean, that is: nothing concat would refuse? */
bool kr_check_is_scalar(const kr_node *node);

/** "a string", for messages about parameters. */
const char *kr_check_param_name(char param);

/** The context of every part of a text, or of the expression; reports. */
void kr_place_field(kr_compiler *compiler, kr_field *field);
void kr_place_url(kr_compiler *compiler, kr_field *field);
void kr_place_json(kr_compiler *compiler, kr_field *field);
void kr_place_xml(kr_compiler *compiler, kr_field *field);

/** Is the node a call of this function? */
static inline bool kr_node_calls(const kr_node *node, unsigned function) {
  return node->type == KR_NODE_CALL && node->function == function;
}

/** Tokens of a parsed field, and the tree of a placed one, as lines. */
kr_status kr_dump_tokens(kr_compiler *compiler, const kr_field *field, kr_buf *out) KR_MUST_USE;
kr_status kr_dump_tree(const kr_field *field, kr_buf *out) KR_MUST_USE;

/** A parsed field as template text again, in one form for all spellings (print.c). */
kr_status kr_lang_print(const kr_compiler *compiler, const kr_field *field,
                        kr_buf *out) KR_MUST_USE;

/** Instructions for a placed field. */
void kr_emit_field(kr_compiler *compiler, const kr_field *field);

/** Literal output bytes at the position of a node (NULL: none). */
void kr_emit_literal(kr_compiler *compiler, kr_str bytes, const kr_node *node);
void kr_emit(kr_compiler *compiler, kr_opcode op, unsigned a, unsigned b, uint32_t c,
             const kr_node *node);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vm.h - the inside of the VM, shared by its parts:
 *
 *   vm.c       the loop, and the two entries of render.h
 *   evaluate.c the third entry: constants, for the compiler
 *   resolve.c  slots: paths into payload, lookup, processed, each resolved once
 *   emit_run.c runs of literals and plain values, the common case
 *   output.c   marked bytes: escaping by context, spans, JSON text
 *   escape.c   the escapers and refusals, one per context
 *   each.c     the loops of map and filter
 *   call.c     calling functions: conversions, marks, previews, registration
 *   functions_*.c  the bodies
 */
#ifndef KR_VM_VM_H
#define KR_VM_VM_H

#include "secmem/sensitive.h"
#include "vm/copy.h"
#include "vm/value.h"
#include "vm/zone.h"

#define KR_LIMIT_SCRATCH_BYTES (32u * 1024u * 1024u) /* memory of one render */

/* A map or filter that is running: its array, the item, what it gave so far. */
typedef struct kr_frame {
  kr_value array;
  kr_value *results; /* [array.count] */
  uint32_t index;
  uint32_t n_results;
  kr_secret_set secrets; /* of the results and the array */
  bool is_untrusted;
  bool is_unknown;
} kr_frame;

typedef enum kr_slot_state { KR_SLOT_FRESH, KR_SLOT_RESOLVED } kr_slot_state;

/*
 * Where in its object a key was found last, by program and slot: payloads of
 * one source have their members in one order. Only ever a first guess, so that
 * slots of several programs may share an entry.
 */
#define KR_VM_HINTS 2048u

struct kr_vm {
  kr_arena arena;          /* values of this render */
  kr_regex_scratch *regex; /* made when a pattern is first used */
  kr_rendered work;        /* where functions build a result before it goes to the arena */
  const kr_program *program;
  const kr_render_input *input;
  kr_rendered *rendered;
  kr_error *reterr;
  kr_value *stack;
  const kr_json **trees; /* [n_slots] NULL: not resolved, or no node of input data */
  kr_value *slots;       /* [n_slots] the others; NULL until one is needed */
  uint8_t *slot_states;
  kr_frame frames[KR_LIMIT_ITEM_NESTING];
  uint32_t n_frames;
  bool is_sensitive; /* a secret or what derives from one was touched */
  uint32_t fuel;
  uint32_t owed; /* bytes not paid yet, below 32 */
  uint32_t pc;
  size_t segment;      /* start of the path segment being written */
  size_t output_limit; /* bytes, by sink */
  bool has_now;        /* now() was called in this render, and is */
  int64_t now_ms;
  kr_zone_cache zones; /* stays from render to render */
  uint32_t hint_base;
  uint32_t last_member; /* index of the member found last, in whatever object */
  uint16_t hints[KR_VM_HINTS];
};

/** Begin a run; kr_vm_clear() must follow, also after a failure. */
kr_status kr_vm_prepare(kr_vm *vm, const kr_program *program, const kr_render_input *input,
                        kr_rendered *rendered, kr_error *reterr) KR_MUST_USE;

/** Run; *ret_top is set at RETURN, and lives until the VM is cleared. */
kr_status kr_vm_run(kr_vm *vm, const kr_value **ret_top) KR_MUST_USE;

/** Wipe what was made from secrets; keep the memory. */
void kr_vm_clear(kr_vm *vm);

/** Describe a failure at the instruction being run; returns status. */
kr_status kr_vm_fail(kr_vm *vm, kr_status status, kr_code code, const char *format, ...)
    KR_PRINTF(4, 5);

/** The one error for a secret that its place refuses: never says why. */
kr_status kr_vm_refuse_secret(kr_vm *vm, kr_secret_set secrets, const char *place);

/** The failure of kr_vm_spend(). */
kr_status kr_vm_fail_fuel(kr_vm *vm);

/** Pay for reading or writing n_bytes, before the work. */
KR_MUST_USE static inline kr_status kr_vm_spend(kr_vm *vm, size_t n_bytes) {
  size_t cost = n_bytes / 32;
  if (__builtin_expect(cost > vm->fuel, 0))
    return kr_vm_fail_fuel(vm);
  vm->fuel -= (uint32_t)cost;
  return KR_OK;
}

/**
 * Pay for one piece of n_bytes that is looked for or copied, before the work: what is left of 32
 * bytes is owed, so that many small pieces are not free.
 */
#define KR_PIECE_BYTES 8u /* what a piece costs beside its bytes */
KR_MUST_USE static inline kr_status kr_vm_spend_piece(kr_vm *vm, size_t n_bytes) {
  size_t owed = vm->owed + n_bytes + KR_PIECE_BYTES;
  KR_TRY(kr_vm_spend(vm, owed));
  vm->owed = (uint32_t)(owed % 32);
  return KR_OK;
}

/** Are two values the same? Pays as it goes. */
kr_status kr_vm_equal(kr_vm *vm, const kr_value *a, const kr_value *b,
                      bool *ret_is_equal) KR_MUST_USE;

/** Does a value count as true? Pays for the digits of a number. */
KR_MUST_USE static inline kr_status kr_vm_truth(kr_vm *vm, const kr_value *value, bool *ret_truth) {
  *ret_truth = value->type == KR_VALUE_TRUE;
  if (value->type == KR_VALUE_TRUE || value->type == KR_VALUE_FALSE)
    return KR_OK;
  if (value->type == KR_VALUE_NUMBER)
    KR_TRY(kr_vm_spend(vm, value->count));
  *ret_truth = kr_value_truth(value);
  return KR_OK;
}

/** The member of an object, or *ret_is_found is false; pays for the members passed. */
kr_status kr_vm_find(kr_vm *vm, const kr_value *object, kr_str key, kr_value *ret_value,
                     bool *ret_is_found) KR_MUST_USE;

/** len bytes of this render; *ret_ptr is never NULL on KR_OK. */
kr_status kr_vm_alloc(kr_vm *vm, size_t len, void **ret_ptr) KR_MUST_USE;

static inline bool kr_vm_is_preview(const kr_vm *vm) { return vm->input->secrets == NULL; }

/** The node of input data at a slot; NULL: kr_vm_slot() says what stands there. */
const kr_json *kr_vm_tree_resolve(kr_vm *vm, uint32_t slot);

/** Of a slot without a parent: the payload, the lookup, the processed fields; or NULL. */
const kr_json *kr_vm_tree_root(const kr_vm *vm, const kr_slot *row);

static inline bool kr_vm_is_key(const kr_json_member *member, kr_str name) {
  return member->key.count == name.len && kr_copy_equal(member->key.text, name.ptr, name.len);
}

static inline const kr_json *kr_vm_tree(kr_vm *vm, uint32_t slot) {
  const kr_json *tree = vm->trees[slot];
  if (tree != NULL)
    return tree;
  /* A key of an object resolved before, where its hint says: most slots, hence here. */
  const kr_slot *row = &vm->program->slots[slot];
  const kr_json *parent = row->parent == KR_NO_SLOT ? NULL : vm->trees[row->parent];
  if (parent == NULL || parent->type != KR_JSON_OBJECT)
    return kr_vm_tree_resolve(vm, slot);
  const kr_step *step = &vm->program->steps[row->step];
  uint32_t hint = vm->hints[(vm->hint_base + slot) % KR_VM_HINTS];
  if (hint >= parent->count || step->is_index || vm->fuel == 0 ||
      !kr_vm_is_key(&parent->members[hint], step->name))
    return kr_vm_tree_resolve(vm, slot);
  vm->fuel--;
  vm->last_member = hint;
  tree = &parent->members[hint].value;
  vm->trees[slot] = tree;
  return tree;
}

/** Value of a slot, perhaps missing. Does not apply the mode. */
kr_status kr_vm_slot(kr_vm *vm, uint32_t slot, kr_value *ret_value) KR_MUST_USE;

/** What the mode makes of a missing slot: an error, null, or "". */
kr_status kr_vm_missing_slot(kr_vm *vm, uint32_t slot, kr_value *ret_value) KR_MUST_USE;

/** The same for a value that a function did not find. */
kr_status kr_vm_missing_result(kr_vm *vm, kr_value *ret_value) KR_MUST_USE;

kr_status kr_vm_step(kr_vm *vm, const kr_step *step, const kr_value *from,
                     kr_value *ret_value) KR_MUST_USE;

/** The value of a secret with its marks; in a preview the text that stands for it. */
kr_status kr_vm_secret(kr_vm *vm, uint32_t secret, kr_value *ret_value) KR_MUST_USE;

/** Call a function of the table (not a lazy one). args may be changed. */
kr_status kr_vm_call(kr_vm *vm, unsigned function, kr_value *args, unsigned n_args,
                     kr_value *ret_value) KR_MUST_USE;

/** In a preview: the text that stands for the result of a call over this argument, if any does. */
kr_status kr_vm_preview_call(kr_vm *vm, unsigned function, const kr_value *arg, kr_value *result,
                             bool *ret_is_done) KR_MUST_USE;

/** EACH: begin with the first item, or *ret_is_done with the result of it all. */
kr_status kr_vm_each(kr_vm *vm, unsigned function, const kr_value *array, kr_value *result,
                     bool *ret_is_done) KR_MUST_USE;

/** NEXT: keep what the body gave; on to the next item, or *ret_is_done with the result. */
kr_status kr_vm_next(kr_vm *vm, unsigned function, const kr_value *given, kr_value *result,
                     bool *ret_is_done) KR_MUST_USE;

/** $item and $index of the innermost loop. */
kr_value kr_vm_item(const kr_vm *vm);
kr_value kr_vm_index(const kr_vm *vm);

/** What $item.path gave: in a preview a secret is hidden; missing as the mode wants it. */
kr_status kr_vm_item_value(kr_vm *vm, const kr_instruction *in, kr_value *value) KR_MUST_USE;

/** "item 3: " into message when loops run; bytes written. */
size_t kr_vm_item_words(const kr_vm *vm, char *message, size_t len);

/** In a preview: the text of data that carries secrets gives way to the one that stands for it. */
kr_status kr_vm_hide(kr_vm *vm, kr_value *value) KR_MUST_USE;

/** The same for a choice that cannot be made, on a secret or an unknown $lookup. */
kr_status kr_vm_undecided_call(kr_vm *vm, unsigned function, const kr_value *arg,
                               kr_value *ret_value) KR_MUST_USE;

/** MARK: a scalar was chosen by a function on the value of a secret: all of it is marked. */
kr_status kr_vm_mark(kr_vm *vm, const kr_instruction *in, kr_value *value) KR_MUST_USE;

/** `‹name(…)›`, for what depends on an unknown $lookup. */
kr_status kr_vm_unknown_call(kr_vm *vm, unsigned function, kr_value *ret_value) KR_MUST_USE;

/** A string for a scalar: numbers and booleans convert, others fail (null: "" unless strict). */
kr_status kr_vm_to_text(kr_vm *vm, const kr_value *value, kr_value *ret_string) KR_MUST_USE;

/** Compact JSON of any value as a string that keeps its parts. */
kr_status kr_vm_to_json(kr_vm *vm, const kr_value *value, kr_value *ret_string) KR_MUST_USE;

/* Building a string with parts: begin, put pieces, take it. Not reentrant. */
void kr_vm_build_begin(kr_vm *vm);
kr_status kr_vm_build_bytes(kr_vm *vm, kr_str bytes) KR_MUST_USE;
kr_status kr_vm_build_value(kr_vm *vm, const kr_value *string) KR_MUST_USE;
kr_status kr_vm_build_reserve(kr_vm *vm, size_t n_bytes) KR_MUST_USE; /* room in vm->work.buf */
kr_status kr_vm_build_take(kr_vm *vm, kr_value *ret_string) KR_MUST_USE;

/** Write a value into the output for its context. */
kr_status kr_vm_emit(kr_vm *vm, kr_context context, const kr_value *value,
                     bool is_whole) KR_MUST_USE;

/** Literals and plain references from pc on; returns where the first other instruction is. */
uint32_t kr_vm_emit_run(kr_vm *vm, uint32_t pc);

/** Write a value that needs no care; false, and nothing done, for any other (kr_vm_emit). */
bool kr_vm_emit_plain(kr_vm *vm, kr_context context, const kr_value *value);

/** Is the output within the limit of its sink? */
kr_status kr_vm_check_output(kr_vm *vm) KR_MUST_USE;

/** Check the path segment that began at vm->segment. */
kr_status kr_vm_end_segment(kr_vm *vm) KR_MUST_USE;

/** Append literal bytes to the output. */
kr_status kr_vm_put_literal(kr_vm *vm, kr_str bytes) KR_MUST_USE;

/** Outer blanks of a header value go, and the spans move with the rest. */
void kr_vm_trim_output(kr_rendered *out);

/** What an escaper says of a chunk: KR_OK, KR_INVALID (refused), KR_LIMIT, KR_NOMEM. */
typedef struct kr_escape {
  kr_context context;
  bool is_secret; /* derives from secrets and template only */
  kr_str whole;   /* the value, for look-ahead */
} kr_escape;

/** May this whole value stand in the context at all? (host, origin, label; UTF-8) */
bool kr_escape_accepts(const kr_escape *escape);

/** Append bytes [from, to) of the value, escaped; KR_INVALID when refused. */
kr_status kr_escape_chunk(const kr_escape *escape, size_t from, size_t to, kr_buf *out) KR_MUST_USE;

/** Code and words of a refusal in this context. */
kr_code kr_escape_code(kr_context context);

/** Is this a "." or ".." segment, also written with %2e? */
bool kr_escape_is_dots(kr_str segment);

typedef kr_status kr_function_body(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result);

#endif

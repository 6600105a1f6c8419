/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emit.c - nodes to instructions. An expression leaves one value on the stack;
 * "kept" means that a missing value may stay missing, because the consumer
 * accepts it. if, switch, and, or, default, coalesce become forward jumps, so
 * that only what is needed is evaluated.
 */
#include "lang/compiler.h"

static uint32_t kr_emit_count(const kr_buf *buf, size_t item_size) {
  return (uint32_t)(buf->len / item_size);
}

static void kr_emit_append(kr_compiler *compiler, kr_buf *buf, const void *item, size_t size) {
  kr_status status = kr_buf_append(buf, kr_str_from(item, size));
  if (status != KR_OK && compiler->status == KR_OK)
    compiler->status = status;
}

/*
 * A new row of a table, to be filled in where it stands: a row made aside from
 * small fields and copied as words waits for its own stores. NULL: no memory.
 */
static void *kr_emit_row(kr_compiler *compiler, kr_buf *buf, size_t size) {
  if (size > buf->cap - buf->len) {
    kr_status status = kr_buf_reserve(buf, size);
    if (status != KR_OK && compiler->status == KR_OK)
      compiler->status = status;
    if (status != KR_OK)
      return NULL;
  }
  void *row = buf->ptr + buf->len;
  buf->len += size;
  return row;
}

void kr_emit(kr_compiler *compiler, kr_opcode op, unsigned a, unsigned b, uint32_t c,
             const kr_node *node) {
  if (compiler->status != KR_OK)
    return;
  kr_instruction *instruction = kr_emit_row(compiler, &compiler->code, sizeof(*instruction));
  kr_position *position = kr_emit_row(compiler, &compiler->positions, sizeof(*position));
  if (instruction == NULL || position == NULL)
    return;
  instruction->op = (uint8_t)op;
  instruction->a = (uint8_t)a;
  instruction->b = (uint16_t)b;
  instruction->c = c;
  position->offset = node == NULL ? 0 : (uint32_t)node->offset;
  position->len = node == NULL ? 0 : (uint32_t)node->len;
  position->source = compiler->source_index;
}

static kr_instruction *kr_emit_at(kr_compiler *compiler, uint32_t index) {
  return (kr_instruction *)(void *)compiler->code.ptr + index;
}

static uint32_t kr_emit_here(const kr_compiler *compiler) {
  return kr_emit_count(&compiler->code, sizeof(kr_instruction));
}

/* A forward jump whose target is set by kr_emit_land; chains through operand c. */
static void kr_emit_jump(kr_compiler *compiler, kr_opcode op, unsigned a, unsigned b,
                         uint32_t *chain, const kr_node *node) {
  uint32_t here = kr_emit_here(compiler);
  kr_emit(compiler, op, a, b, *chain, node);
  *chain = here + 1;
}

static void kr_emit_land(kr_compiler *compiler, uint32_t chain) {
  if (compiler->status != KR_OK)
    return;
  uint32_t here = kr_emit_here(compiler);
  while (chain != 0) {
    kr_instruction *jump = kr_emit_at(compiler, chain - 1);
    chain = jump->c;
    jump->c = here;
  }
}

/* A place for an instruction that has none, such as the quote before a text. */
static void kr_emit_place(kr_compiler *compiler, uint32_t index, const kr_node *node) {
  kr_position *position = (kr_position *)(void *)compiler->positions.ptr + index;
  if (node == NULL || position->len > 0)
    return;
  position->offset = (uint32_t)node->offset;
  position->len = (uint32_t)node->len;
}

#define KR_EMIT_LITERAL_MAX 65535u

void kr_emit_literal(kr_compiler *compiler, kr_str bytes, const kr_node *node) {
  while (bytes.len > 0 && compiler->status == KR_OK) {
    uint32_t start = (uint32_t)compiler->pool.len;
    uint32_t n_code = kr_emit_here(compiler);
    kr_instruction *last = n_code > 0 ? kr_emit_at(compiler, n_code - 1) : NULL;
    bool is_joined = !compiler->options->is_plain && last != NULL &&
                     last->op == KR_OP_EMIT_LITERAL && last->b < KR_EMIT_LITERAL_MAX;
    size_t room = is_joined ? KR_EMIT_LITERAL_MAX - last->b : KR_EMIT_LITERAL_MAX;
    kr_str piece = kr_str_slice(bytes, 0, room);
    if (is_joined) {
      last->b = (uint16_t)(last->b + piece.len);
      kr_emit_place(compiler, n_code - 1, node);
    } else {
      kr_emit(compiler, KR_OP_EMIT_LITERAL, 0, (unsigned)piece.len, start, node);
    }
    kr_emit_append(compiler, &compiler->pool, piece.ptr, piece.len);
    bytes = kr_str_skip(bytes, piece.len);
  }
}

/*
 * Bytes for the program: of one copy of the template where they stand in it,
 * else of one of their own. Never NULL but without memory, which is told.
 */
static const uint8_t *kr_emit_keep(kr_compiler *compiler, kr_str bytes) {
  kr_arena *arena = &compiler->program->arena;
  uintptr_t at = (uintptr_t)bytes.ptr - (uintptr_t)compiler->text.ptr;
  bool is_inside = at < compiler->text.len && bytes.len <= compiler->text.len - at;
  if (is_inside && compiler->kept != NULL)
    return compiler->kept + at;
  kr_str copy = {0};
  kr_status status = kr_arena_copy(arena, is_inside ? compiler->text : bytes, &copy);
  if (status != KR_OK) {
    compiler->status = status;
    return NULL;
  }
  if (!is_inside)
    return copy.ptr;
  compiler->kept = copy.ptr;
  return compiler->kept + at;
}

static uint32_t kr_emit_constant_index(kr_compiler *compiler, kr_json_type type, kr_str text) {
  kr_json constant = {.type = (uint8_t)type};
  if (type == KR_JSON_STRING || type == KR_JSON_NUMBER) {
    constant.count = (uint32_t)text.len;
    constant.text = kr_emit_keep(compiler, text);
    if (constant.text == NULL)
      return 0;
  }
  uint32_t index = kr_emit_count(&compiler->constants, sizeof(kr_json));
  kr_emit_append(compiler, &compiler->constants, &constant, sizeof(constant));
  return index;
}

static void kr_emit_constant(kr_compiler *compiler, kr_json_type type, kr_str text,
                             const kr_node *node) {
  kr_emit(compiler, KR_OP_CONSTANT, 0, 0, kr_emit_constant_index(compiler, type, text), node);
}

/* The value that fold.c found for a node, as one constant. */
static void kr_emit_folded(kr_compiler *compiler, const kr_node *node) {
  kr_json constant = {0};
  kr_status status = kr_fold_copy(node->constant, &compiler->program->arena, &constant);
  if (status != KR_OK) {
    compiler->status = status;
    return;
  }
  kr_emit(compiler, KR_OP_CONSTANT, 0, 0, kr_emit_count(&compiler->constants, sizeof(kr_json)),
          node);
  kr_emit_append(compiler, &compiler->constants, &constant, sizeof(constant));
}

/* What fold.c knows of a node, unless this is the plain program. */
static const kr_json *kr_emit_known(const kr_compiler *compiler, const kr_node *node) {
  return compiler->options->is_plain ? NULL : node->constant;
}

/* The same of an argument that may decide; where secrets take part nothing is pruned. */
static const kr_json *kr_emit_argument(const kr_compiler *compiler, const kr_node *call,
                                       const kr_node *arg) {
  return call->secrets != 0 ? NULL : kr_emit_known(compiler, arg);
}

static bool kr_emit_same_step(const kr_step *a, const kr_step *b) {
  return a->is_index == b->is_index && a->is_optional == b->is_optional &&
         (a->is_index ? a->index == b->index : kr_str_equal(a->name, b->name));
}

static void kr_emit_remember(kr_compiler *compiler, kr_index *index, uint64_t hash, uint32_t row) {
  if (compiler->options->is_plain && index != &compiler->reference_index)
    return; /* so the next one alike has a row of its own */
  kr_status status = kr_index_add(index, hash, row);
  if (status != KR_OK && compiler->status == KR_OK)
    compiler->status = status;
}

static uint32_t kr_emit_step(kr_compiler *compiler, const kr_step *step) {
  const kr_step *steps = (const kr_step *)(const void *)compiler->steps.ptr;
  uint64_t hash = kr_index_mix(kr_index_hash(step->name), (uint64_t)step->index);
  uint32_t row = 0;
  for (kr_index_probe at = kr_index_begin(&compiler->step_index, hash); kr_index_next(&at, &row);)
    if (kr_emit_same_step(&steps[row], step))
      return row;
  row = kr_emit_count(&compiler->steps, sizeof(kr_step));
  kr_step *added = kr_emit_row(compiler, &compiler->steps, sizeof(*added));
  if (added == NULL)
    return 0;
  *added = *step;
  added->name.ptr = kr_emit_keep(compiler, step->name);
  kr_emit_remember(compiler, &compiler->step_index, hash, row);
  return row;
}

static bool kr_emit_is_slot(const kr_slot *slot, uint32_t parent, uint32_t step,
                            const kr_node *node) {
  return slot->parent == parent && slot->step == step && slot->root == node->root &&
         slot->secrets == node->secrets && slot->is_untrusted == node->is_untrusted;
}

/* The marks are part of the identity: a field of $processed has its own, the whole has all. */
static uint32_t kr_emit_slot(kr_compiler *compiler, uint32_t parent, uint32_t step,
                             const kr_node *node) {
  const kr_slot *slots = (const kr_slot *)(const void *)compiler->slots.ptr;
  bool is_first =
      parent == KR_NO_SLOT && compiler->slots.len > 0 && kr_emit_is_slot(slots, parent, step, node);
  if (is_first) /* most references have the root of the first one */
    return 0;
  uint64_t hash = kr_index_mix(kr_index_mix(node->secrets, (uint64_t)parent << 32 | step),
                               (uint64_t)node->root << 1 | node->is_untrusted);
  uint32_t row = 0;
  for (kr_index_probe at = kr_index_begin(&compiler->slot_index, hash); kr_index_next(&at, &row);)
    if (kr_emit_is_slot(&slots[row], parent, step, node))
      return row;
  row = kr_emit_count(&compiler->slots, sizeof(kr_slot));
  if (row == KR_LIMIT_SLOTS) {
    kr_report(compiler, KR_E_SLOTS, node->offset, node->len, "more than %u distinct paths",
              KR_LIMIT_SLOTS);
    return 0;
  }
  kr_slot *added = kr_emit_row(compiler, &compiler->slots, sizeof(*added));
  if (added == NULL)
    return 0;
  *added = (kr_slot){.parent = parent,
                     .step = step,
                     .root = node->root,
                     .is_untrusted = node->is_untrusted,
                     .secrets = node->secrets};
  kr_emit_remember(compiler, &compiler->slot_index, hash, row);
  return row;
}

/* An item has no slot, since it changes; its path is kept for messages. */
static void kr_emit_item(kr_compiler *compiler, const kr_node *node, bool is_kept) {
  kr_emit(compiler, node->root == KR_ROOT_ITEM ? KR_OP_ITEM : KR_OP_INDEX, 0, 0, 0, node);
  for (unsigned i = 0; i < node->n_steps && compiler->status == KR_OK; i++)
    kr_emit(compiler, KR_OP_STEP, 0, 0, kr_emit_step(compiler, &node->steps[i]), node);
  kr_str path = kr_str_slice(compiler->text, node->offset, node->offset + node->len);
  uint32_t index = kr_emit_constant_index(compiler, KR_JSON_STRING, path);
  kr_emit(compiler, KR_OP_ITEM_VALUE, is_kept, 0, index, node);
}

static uint32_t kr_emit_path(kr_compiler *compiler, const kr_node *node) {
  uint32_t slot = kr_emit_slot(compiler, KR_NO_SLOT, 0, node);
  for (unsigned i = 0; i < node->n_steps && compiler->status == KR_OK; i++)
    slot = kr_emit_slot(compiler, slot, kr_emit_step(compiler, &node->steps[i]), node);
  if (node->root == KR_ROOT_LOOKUP)
    compiler->program->uses_lookup = true;
  return slot;
}

/*
 * From an instruction on to the end of the hole it depends on secrets what
 * fails and whether: that is told in the same words whatever they are.
 */
static void kr_emit_guard(kr_compiler *compiler, uint32_t from, bool is_decided) {
  if (is_decided && from < compiler->guard_from)
    compiler->guard_from = from;
}

static void kr_emit_guard_end(kr_compiler *compiler, const kr_node *hole) {
  kr_guard guard = {.from = compiler->guard_from,
                    .to = kr_emit_here(compiler),
                    .position = {.offset = (uint32_t)hole->offset,
                                 .len = (uint32_t)hole->len,
                                 .source = compiler->source_index}};
  if (guard.from >= guard.to || hole->secrets == 0)
    return;
  guard.secret = (uint32_t)__builtin_ctzll(hole->secrets);
  kr_emit_append(compiler, &compiler->guards, &guard, sizeof(guard));
}

/*
 * What a choice gave tells which it was: it carries the secrets it was decided
 * on, and those of what was not chosen, so that its marks tell nothing either.
 */
static void kr_emit_mark(kr_compiler *compiler, bool is_decided, const kr_node *node) {
  kr_secret_set secrets = is_decided ? node->secrets : 0;
  unsigned flags = node->is_untrusted ? KR_MARK_UNTRUSTED : 0;
  for (; secrets != 0; secrets &= secrets - 1, flags |= KR_MARK_FURTHER)
    kr_emit(compiler, KR_OP_MARK, node->function, flags, (uint32_t)__builtin_ctzll(secrets), node);
}

static void kr_emit_kept(kr_compiler *compiler, const kr_node *node, bool is_kept);

static void kr_emit_value(kr_compiler *compiler, const kr_node *node) {
  kr_emit_kept(compiler, node, false);
}

static void kr_emit_and_or(kr_compiler *compiler, const kr_node *node) {
  bool is_and = node->function == KR_FUNCTION_AND;
  uint32_t decided = 0;
  uint32_t end = 0;
  bool is_settled = false;   /* by a constant: what stands behind it is never needed */
  kr_secret_set secrets = 0; /* of the arguments before */
  for (const kr_node *arg = node->first; arg != NULL && !is_settled; arg = arg->next) {
    const kr_json *known = kr_emit_argument(compiler, node, arg);
    if (known != NULL) {
      is_settled = kr_fold_truth(known) != is_and;
      continue;
    }
    uint32_t from = kr_emit_here(compiler);
    kr_emit_value(compiler, arg);
    kr_emit_guard(compiler, from, secrets != 0);
    secrets |= arg->secrets;
    kr_emit_jump(compiler, KR_OP_UNKNOWN, node->function, 1, &end, node);
    kr_emit_jump(compiler, is_and ? KR_OP_JUMP_FALSE : KR_OP_JUMP_TRUE, 0, 0, &decided, arg);
  }
  if (!is_settled) {
    kr_emit_constant(compiler, is_and ? KR_JSON_TRUE : KR_JSON_FALSE, (kr_str){0}, node);
    kr_emit_jump(compiler, KR_OP_JUMP, 0, 0, &end, node);
  }
  kr_emit_land(compiler, decided);
  kr_emit_constant(compiler, is_and ? KR_JSON_FALSE : KR_JSON_TRUE, (kr_str){0}, node);
  kr_emit_land(compiler, end);
  kr_emit_mark(compiler, secrets != 0, node);
}

static void kr_emit_if(kr_compiler *compiler, const kr_node *node, bool is_kept) {
  const kr_node *then = node->first->next;
  uint32_t otherwise = 0;
  uint32_t end = 0;
  kr_emit_value(compiler, node->first);
  kr_emit_jump(compiler, KR_OP_UNKNOWN, node->function, 1, &end, node);
  kr_emit_jump(compiler, KR_OP_JUMP_FALSE, 0, 0, &otherwise, node);
  uint32_t from = kr_emit_here(compiler);
  kr_emit_kept(compiler, then, is_kept);
  kr_emit_jump(compiler, KR_OP_JUMP, 0, 0, &end, node);
  kr_emit_land(compiler, otherwise);
  kr_emit_kept(compiler, then->next, is_kept);
  kr_emit_land(compiler, end);
  kr_emit_mark(compiler, node->first->secrets != 0, node);
  kr_emit_guard(compiler, from, node->first->secrets != 0);
}

static void kr_emit_switch(kr_compiler *compiler, const kr_node *node, bool is_kept) {
  uint32_t end = 0;
  kr_emit_value(compiler, node->first);
  kr_emit_jump(compiler, KR_OP_UNKNOWN, node->function, 1, &end, node);
  const kr_node *key = node->first->next;
  kr_secret_set secrets = node->first->secrets;
  for (; key->next != NULL; key = key->next->next)
    secrets |= key->secrets;
  key = node->first->next;
  uint32_t from = kr_emit_here(compiler);
  for (; key->next != NULL; key = key->next->next) {
    uint32_t next = 0;
    kr_emit_value(compiler, key);
    kr_emit_jump(compiler, KR_OP_UNKNOWN, node->function, 2, &end, node);
    kr_emit_jump(compiler, KR_OP_JUMP_UNEQUAL, 0, 0, &next, key);
    kr_emit_kept(compiler, key->next, is_kept);
    kr_emit_jump(compiler, KR_OP_JUMP, 0, 0, &end, node);
    kr_emit_land(compiler, next);
  }
  kr_emit(compiler, KR_OP_POP, 0, 0, 0, node);
  kr_emit_kept(compiler, key, is_kept);
  kr_emit_land(compiler, end);
  kr_emit_mark(compiler, secrets != 0, node);
  kr_emit_guard(compiler, from, secrets != 0);
}

/* default(x, y): y may be missing only where the consumer accepts it; coalesce ends in null. */
static void kr_emit_default(kr_compiler *compiler, const kr_node *node, bool is_kept) {
  bool is_coalesce = node->function == KR_FUNCTION_COALESCE;
  uint32_t end = 0;
  bool is_settled = false;   /* by a constant */
  kr_secret_set decided = 0; /* a secret is always there, but what was decided on one may be null */
  uint32_t from = kr_emit_here(compiler);
  for (const kr_node *arg = node->first; arg != NULL && !is_settled; arg = arg->next) {
    const kr_json *known = kr_emit_argument(compiler, node, arg);
    is_settled = known != NULL && known->type != KR_JSON_NULL;
    if (known != NULL && !is_settled && arg->next != NULL)
      continue;
    if (is_settled || (arg->next == NULL && !is_coalesce)) {
      kr_emit_kept(compiler, arg, is_kept);
      break;
    }
    if (arg->is_decided)
      decided |= arg->secrets;
    kr_emit_kept(compiler, arg, true);
    kr_emit_jump(compiler, KR_OP_UNKNOWN, node->function, 1, &end, node);
    kr_emit_jump(compiler, KR_OP_JUMP_SETTLED, 0, 0, &end, node);
  }
  if (is_coalesce && !is_settled)
    kr_emit_constant(compiler, KR_JSON_NULL, (kr_str){0}, node);
  kr_emit_land(compiler, end);
  kr_emit_mark(compiler, decided != 0, node);
  kr_emit_guard(compiler, from, decided != 0);
}

/* map(array, body): the body leaves one value for each item. */
static void kr_emit_each(kr_compiler *compiler, const kr_node *node) {
  uint32_t end = 0;
  kr_emit_value(compiler, node->first);
  uint32_t from = kr_emit_here(compiler);
  kr_emit_jump(compiler, KR_OP_EACH, node->function, 0, &end, node);
  uint32_t body = kr_emit_here(compiler);
  kr_emit_value(compiler, node->first->next);
  kr_emit(compiler, KR_OP_NEXT, node->function, 0, body, node);
  kr_emit_land(compiler, end);
  kr_emit_guard(compiler, from, node->first->is_decided);
}

static void kr_emit_lazy(kr_compiler *compiler, const kr_node *node, bool is_kept) {
  switch (node->function) {
  case KR_FUNCTION_AND:
  case KR_FUNCTION_OR:
    kr_emit_and_or(compiler, node);
    return;
  case KR_FUNCTION_MAP:
  case KR_FUNCTION_FILTER:
    kr_emit_each(compiler, node);
    return;
  case KR_FUNCTION_IF:
    kr_emit_if(compiler, node, is_kept);
    return;
  case KR_FUNCTION_SWITCH:
    kr_emit_switch(compiler, node, is_kept);
    return;
  default:
    kr_emit_default(compiler, node, is_kept);
    return;
  }
}

static bool kr_emit_are_scalar(const kr_node *arg) {
  for (; arg != NULL; arg = arg->next)
    if (!kr_check_is_scalar(arg))
      return false;
  return true;
}

/* concat inside concat, of what no concat refuses: its arguments are those of the outer one. */
static bool kr_emit_is_flat(const kr_node *node) {
  if (node->constant != NULL || node->is_decided || !kr_node_calls(node, KR_FUNCTION_CONCAT) ||
      node->n_steps > 0)
    return false;
  return kr_emit_are_scalar(node->first);
}

/* Recursion is bounded by KR_LIMIT_NESTING. */
static void kr_emit_flatten(const kr_node *node, const kr_node *args[KR_LIMIT_ARGUMENTS],
                            unsigned *n_args, unsigned n_after) {
  for (const kr_node *arg = node->first; arg != NULL; arg = arg->next) {
    n_after += arg == node->first ? node->n_children : 0;
    n_after--;
    if (kr_emit_is_flat(arg) && kr_emit_are_scalar(arg->next) &&
        *n_args + arg->n_children + n_after <= KR_LIMIT_ARGUMENTS)
      kr_emit_flatten(arg, args, n_args, n_after);
    else
      args[(*n_args)++] = arg;
  }
}

static bool kr_emit_joins(const kr_node *node) {
  return node->constant != NULL && node->constant->type >= KR_JSON_FALSE &&
         node->constant->type <= KR_JSON_STRING;
}

/* Constants beside each other, as one text. */
static void kr_emit_joined(kr_compiler *compiler, const kr_node *const *args, unsigned n_args,
                           const kr_node *node) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(KR_LIMIT_CODE_BYTES, NULL);
  for (unsigned i = 0; i < n_args; i++) {
    const kr_json *constant = args[i]->constant;
    kr_str bytes = kr_json_text(constant);
    if (constant->type == KR_JSON_TRUE || constant->type == KR_JSON_FALSE)
      bytes = constant->type == KR_JSON_TRUE ? KR_STR("true") : KR_STR("false");
    kr_emit_append(compiler, &text, bytes.ptr, bytes.len);
  }
  kr_emit_constant(compiler, KR_JSON_STRING, kr_buf_str(&text), node);
}

/*
 * The arguments of a concat: inner ones opened, constants joined. Errors name
 * an argument by its number, so nothing is opened or joined before one that may be refused.
 */
static unsigned kr_emit_concat(kr_compiler *compiler, const kr_node *node) {
  const kr_node *args[KR_LIMIT_ARGUMENTS];
  unsigned n_args = 0;
  unsigned n_emitted = 0;
  unsigned first = 0; /* from here on nothing is refused */
  kr_emit_flatten(node, args, &n_args, 0);
  for (unsigned i = 0; i < n_args; i++)
    if (!kr_check_is_scalar(args[i]))
      first = i + 1;
  for (unsigned i = 0; i < n_args; n_emitted++) {
    unsigned n = 0;
    while (i >= first && i + n < n_args && kr_emit_joins(args[i + n]))
      n++;
    if (n > 1)
      kr_emit_joined(compiler, args + i, n, node);
    else
      kr_emit_value(compiler, args[i]);
    i += n > 1 ? n : 1;
  }
  return n_emitted;
}

static void kr_emit_call(kr_compiler *compiler, const kr_node *node, bool is_kept) {
  const kr_function_info *row = kr_function_row(node->function);
  bool keeps_inner = is_kept || node->n_steps > 0;
  uint32_t from = 0;
  if (node->chosen != NULL && !compiler->options->is_plain) {
    kr_emit_kept(compiler, node->chosen, keeps_inner);
    from = kr_emit_here(compiler);
  } else if (row->marks == KR_MARKS_LAZY) {
    kr_emit_lazy(compiler, node, keeps_inner);
    from = kr_emit_here(compiler);
  } else if (node->function == KR_FUNCTION_CONCAT && !node->is_decided &&
             !compiler->options->is_plain) {
    unsigned n_args = kr_emit_concat(compiler, node);
    from = kr_emit_here(compiler);
    kr_emit(compiler, KR_OP_CALL, node->function, n_args, 0, node);
  } else {
    unsigned index = 0;
    for (const kr_node *arg = node->first; arg != NULL; arg = arg->next, index++)
      kr_emit_kept(compiler, arg, kr_function_param(row, index, node->n_children) == 'm');
    from = kr_emit_here(compiler);
    kr_emit(compiler, KR_OP_CALL, node->function, node->n_children, node->pattern, node);
  }
  for (unsigned i = 0; i < node->n_steps; i++)
    kr_emit(compiler, KR_OP_STEP, 0, 0, kr_emit_step(compiler, &node->steps[i]), node);
  bool may_miss = node->n_steps > 0 || (row->result == 'a' && row->marks != KR_MARKS_LAZY);
  if (may_miss && !is_kept)
    kr_emit(compiler, KR_OP_PRESENT, 0, 0, 0, node);
  kr_emit_guard(compiler, from, node->is_decided);
}

static void kr_emit_container(kr_compiler *compiler, const kr_node *node) {
  for (const kr_node *child = node->first; child != NULL; child = child->next)
    kr_emit_value(compiler, child);
  bool is_array = node->type == KR_NODE_ARRAY;
  kr_emit(compiler, is_array ? KR_OP_ARRAY : KR_OP_OBJECT, 0,
          is_array ? node->n_children : node->n_children / 2, 0, node);
}

static void kr_emit_kept(kr_compiler *compiler, const kr_node *node, bool is_kept) {
  if (compiler->status != KR_OK)
    return;
  if (kr_emit_known(compiler, node) != NULL) {
    kr_emit_folded(compiler, node);
    return;
  }
  switch (node->type) {
  case KR_NODE_NULL:
    kr_emit_constant(compiler, KR_JSON_NULL, node->text, node);
    return;
  case KR_NODE_TRUE:
    kr_emit_constant(compiler, KR_JSON_TRUE, node->text, node);
    return;
  case KR_NODE_FALSE:
    kr_emit_constant(compiler, KR_JSON_FALSE, node->text, node);
    return;
  case KR_NODE_NUMBER:
    kr_emit_constant(compiler, KR_JSON_NUMBER, node->text, node);
    return;
  case KR_NODE_STRING:
  case KR_NODE_CHUNK:
    kr_emit_constant(compiler, KR_JSON_STRING, node->text, node);
    return;
  case KR_NODE_REF: {
    uint32_t from = kr_emit_here(compiler);
    if (node->root == KR_ROOT_SECRET)
      kr_emit(compiler, KR_OP_SECRET, 0, 0, node->secret, node);
    else if (node->root == KR_ROOT_ITEM || node->root == KR_ROOT_INDEX)
      kr_emit_item(compiler, node, is_kept);
    else
      kr_emit(compiler, KR_OP_SLOT, is_kept, 0, kr_emit_path(compiler, node), node);
    kr_emit_guard(compiler, from, node->is_decided);
    return;
  }
  case KR_NODE_CALL:
    kr_emit_call(compiler, node, is_kept);
    return;
  case KR_NODE_ARRAY:
  case KR_NODE_OBJECT:
    kr_emit_container(compiler, node);
    return;
  }
}

static kr_status kr_emit_reference_path(kr_compiler *compiler, const kr_node *node) {
  kr_buf *path = &compiler->path;
  kr_buf_reset(path);
  KR_TRY(kr_buf_append(path, KR_STR("$")));
  KR_TRY(kr_buf_append(path, kr_str_cstr(kr_root_name(node->root))));
  if (node->root == KR_ROOT_SECRET) {
    KR_TRY(kr_buf_append(path, KR_STR(".")));
    KR_TRY(kr_buf_append(path, node->text));
  }
  for (unsigned i = 0; i < node->n_steps; i++) {
    const kr_step *step = &node->steps[i];
    if (step->is_index) {
      KR_TRY(kr_buf_printf(path, "[%lld]", (long long)step->index));
      continue;
    }
    KR_TRY(kr_buf_append(path, KR_STR(".")));
    KR_TRY(kr_buf_append(path, step->name));
  }
  return KR_OK;
}

/* Is it written as it is listed? Brackets, question marks, escapes and blanks make it longer. */
static bool kr_emit_is_as_written(const kr_node *node) {
  size_t len = 1 + kr_root_text(node->root).len;
  if (node->root == KR_ROOT_SECRET)
    len += 1 + node->text.len;
  for (unsigned i = 0; i < node->n_steps; i++) {
    if (node->steps[i].is_index)
      return false;
    len += 1 + node->steps[i].name.len;
  }
  return len == node->len;
}

/* For `check`: every reference once, and where each secret may land. */
static void kr_emit_reference(kr_compiler *compiler, const kr_node *node) {
  kr_status status = KR_OK;
  kr_str path = kr_str_slice(compiler->text, node->offset, node->offset + node->len);
  if (!kr_emit_is_as_written(node)) {
    status = kr_emit_reference_path(compiler, node);
    path = kr_buf_str(&compiler->path);
  }
  uint64_t hash = kr_index_hash(path);
  const kr_str *references = (const kr_str *)(const void *)compiler->references.ptr;
  uint32_t row = 0;
  kr_index_probe at = kr_index_begin(&compiler->reference_index, hash);
  while (status == KR_OK && kr_index_next(&at, &row))
    if (kr_str_equal(references[row], path))
      return;
  if (status != KR_OK) {
    compiler->status = status;
    return;
  }
  row = kr_emit_count(&compiler->references, sizeof(kr_str));
  kr_str *added = kr_emit_row(compiler, &compiler->references, sizeof(*added));
  if (added == NULL)
    return;
  added->ptr = kr_emit_keep(compiler, path);
  added->len = path.len;
  kr_emit_remember(compiler, &compiler->reference_index, hash, row);
}

static void kr_emit_references(kr_compiler *compiler, const kr_node *node) {
  if (compiler->status != KR_OK)
    return;
  bool is_item = node->root == KR_ROOT_ITEM || node->root == KR_ROOT_INDEX;
  if (node->type == KR_NODE_REF && !is_item)
    kr_emit_reference(compiler, node);
  for (const kr_node *child = node->first; child != NULL; child = child->next)
    kr_emit_references(compiler, child);
}

static void kr_emit_sites(kr_compiler *compiler, const kr_node *node) {
  for (kr_secret_set left = node->secrets; left != 0; left &= left - 1) {
    kr_site site = {.secret = (uint8_t)__builtin_ctzll(left), .context = node->context};
    const kr_site *sites = (const kr_site *)(const void *)compiler->sites.ptr;
    uint32_t n_sites = kr_emit_count(&compiler->sites, sizeof(kr_site));
    bool is_known = false;
    for (uint32_t i = 0; i < n_sites && !is_known; i++)
      is_known = sites[i].secret == site.secret && sites[i].context == site.context;
    if (!is_known)
      kr_emit_append(compiler, &compiler->sites, &site, sizeof(site));
  }
}

/* is_whole: the hole is the whole field, so a null in it is the result. */
static void kr_emit_hole(kr_compiler *compiler, const kr_node *node, bool is_whole) {
  kr_program *program = compiler->program;
  program->secrets |= node->secrets;
  program->is_untrusted |= node->is_untrusted;
  compiler->guard_from = UINT32_MAX;
  kr_emit_references(compiler, node);
  if (compiler->sink == KR_SINK_CONDITION) {
    kr_emit_value(compiler, node);
    kr_emit(compiler, KR_OP_RETURN, 0, 0, 0, node);
    kr_emit_guard_end(compiler, node);
    return;
  }
  kr_emit_sites(compiler, node);
  kr_str bytes = {0};
  bool is_known = node->constant != NULL && kr_fold_hole(compiler, node, is_whole, &bytes);
  if (is_known && !compiler->options->is_plain) {
    kr_emit_literal(compiler, bytes, node);
    return;
  }
  uint32_t from = kr_emit_here(compiler);
  if (compiler->options->is_plain) {
    kr_emit_value(compiler, node);
    from = kr_emit_here(compiler);
    kr_emit(compiler, KR_OP_EMIT, node->context, is_whole, 0, node);
  } else if (node->type == KR_NODE_REF && node->root == KR_ROOT_SECRET) {
    kr_emit(compiler, KR_OP_EMIT_SECRET, node->context, is_whole, node->secret, node);
  } else if (node->type == KR_NODE_REF) {
    kr_emit(compiler, KR_OP_EMIT_SLOT, node->context, is_whole, kr_emit_path(compiler, node), node);
  } else {
    kr_emit_value(compiler, node);
    from = kr_emit_here(compiler);
    kr_emit(compiler, KR_OP_EMIT, node->context, is_whole, 0, node);
  }
  kr_emit_guard(compiler, from, node->is_decided);
  kr_emit_guard_end(compiler, node);
}

/* A segment is judged at its end: what was decided in it belongs to the last guard in it. */
static void kr_emit_segment_end(kr_compiler *compiler, uint32_t begin, const kr_node *node) {
  uint32_t n_guards = kr_emit_count(&compiler->guards, sizeof(kr_guard));
  kr_emit(compiler, KR_OP_SEGMENT_END, 0, 0, 0, node);
  if (n_guards == 0)
    return;
  kr_guard guard = ((const kr_guard *)(const void *)compiler->guards.ptr)[n_guards - 1];
  if (guard.from < begin)
    return;
  guard.to = kr_emit_here(compiler);
  guard.from = guard.to - 1;
  kr_emit_append(compiler, &compiler->guards, &guard, sizeof(guard));
}

void kr_emit_field(kr_compiler *compiler, const kr_field *field) {
  if (field->expression != NULL) {
    kr_emit_hole(compiler, field->expression, true);
    return;
  }
  bool is_quoted = compiler->sink == KR_SINK_VALUE;
  if (is_quoted)
    kr_emit_literal(compiler, KR_STR("\""), NULL);
  uint32_t segment = 0;
  for (const kr_node *node = field->parts; node != NULL; node = node->next) {
    if (node->is_segment_begin)
      segment = kr_emit_here(compiler);
    if (node->is_segment_begin)
      kr_emit(compiler, KR_OP_SEGMENT_BEGIN, 0, 0, 0, node);
    if (node->type == KR_NODE_CHUNK)
      kr_emit_literal(compiler, node->literal, node);
    else
      kr_emit_hole(compiler, node, false);
    if (node->is_segment_end)
      kr_emit_segment_end(compiler, segment, node);
  }
  if (is_quoted)
    kr_emit_literal(compiler, KR_STR("\""), NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost.c - what a render of a program costs and gives at most, known from the
 * program alone: an abstract run over the instructions that keeps sizes
 * instead of values. Every instruction outside of loops runs at most once, so
 * the sum over all of them bounds each way through; where ways meet, the larger
 * size counts. A loop's body is bounded for one item and multiplied.
 *
 * The payment itself is in vm/ (kr_vm_spend); tests/lang/cost.py compares.
 */
#include "lang/cost.h"

#define KR_COST_LOOP_ITEM 64u /* paid by EACH, in 32nds */

/* What stands on top where jumps land; below it nothing has changed since. */
typedef struct kr_landing_place {
  kr_shape top;
  uint32_t depth;
  bool is_met;
} kr_landing_place;

typedef struct kr_coster {
  const kr_program *program;
  kr_shape *stack;
  uint32_t depth;
  kr_landing_place *places; /* [n_code + 1] */
  kr_shape *slots;
  kr_shape items[KR_LIMIT_ITEM_NESTING];
  unsigned n_items;
  kr_form fuel; /* in 32nds */
  kr_form output;
  kr_form segment; /* output since the path segment began */
  const char *open_by;
} kr_coster;

static void kr_coster_pay(kr_coster *coster, kr_form cost, const char *by) {
  if (cost.is_open && coster->open_by == NULL)
    coster->open_by = by;
  coster->fuel = kr_form_add(coster->fuel, cost);
}

static void kr_coster_push(kr_coster *coster, kr_shape shape) {
  coster->stack[coster->depth++] = shape;
}

static kr_shape kr_coster_call(kr_coster *coster, unsigned function, const kr_shape *args,
                               unsigned n_args) {
  kr_form cost;
  kr_shape result = kr_cost_of_call(function, args, n_args, &cost);
  kr_coster_pay(coster, cost, kr_function_row(function)->name);
  return result;
}

/* A member, an item, or what an accessor makes of the whole. */
static kr_shape kr_coster_step(kr_coster *coster, const kr_step *step, const kr_shape *from) {
  kr_shape part = kr_shape_data(kr_form_max(from->json, from->text));
  kr_coster_pay(coster, kr_cost_of_find(kr_form_max(from->json, from->text)), NULL);
  if (step->is_index || step->accessor == KR_NO_ACCESSOR)
    return part;
  return kr_shape_max(part, kr_coster_call(coster, step->accessor, from, 1));
}

static unsigned kr_coster_variable(unsigned root) {
  return root == KR_ROOT_LOOKUP      ? KR_COST_LOOKUP
         : root == KR_ROOT_PROCESSED ? KR_COST_PROCESSED
                                     : KR_COST_PAYLOAD;
}

/*
 * Whoever reads a slot that is no node of the data looks for it and for each
 * part of its path again, by two ways (kr_vm_tree, kr_vm_slot).
 */
static void kr_coster_read(kr_coster *coster, uint32_t slot) {
  uint64_t n_looks = 4;
  uint32_t at = slot;
  for (; coster->program->slots[at].parent != KR_NO_SLOT; at = coster->program->slots[at].parent)
    n_looks += 2;
  kr_form root = coster->slots[at].json;
  kr_coster_pay(coster, kr_form_scale(kr_cost_of_find(root), at == slot ? 0 : n_looks), NULL);
}

/* What each slot holds, and what an accessor in its path costs once. */
static void kr_coster_slots(kr_coster *coster) {
  const kr_program *program = coster->program;
  for (uint32_t i = 0; i < program->n_slots; i++) {
    const kr_slot *slot = &program->slots[i];
    kr_coster_pay(coster, kr_form_fixed(KR_COST_UNIT), NULL);
    coster->slots[i] =
        slot->parent == KR_NO_SLOT
            ? kr_shape_data(kr_form_of(kr_coster_variable(slot->root)))
            : kr_coster_step(coster, &program->steps[slot->step], &coster->slots[slot->parent]);
  }
}

static void kr_coster_collect(kr_coster *coster, uint32_t count, uint32_t n_values) {
  coster->depth -= n_values;
  kr_form json = kr_form_fixed(2u + 2u * (uint64_t)n_values);
  for (uint32_t i = 0; i < n_values; i++)
    json = kr_form_add(json, kr_form_max(coster->stack[coster->depth + i].json,
                                         coster->stack[coster->depth + i].text));
  kr_coster_push(coster, kr_shape_container(json, kr_form_fixed(count)));
}

static kr_form kr_coster_written(kr_context context, const kr_shape *value) {
  kr_form json = kr_form_max(value->json, value->text);
  switch (context) {
  case KR_CONTEXT_JSON_VALUE:
  case KR_CONTEXT_VALUE:
    return json;
  case KR_CONTEXT_TEXT:
    return value->is_scalar ? value->text : json;
  case KR_CONTEXT_JSON_STRING:
  case KR_CONTEXT_JSON_KEY: /* JSON in a string: its quotes and backslashes double */
    return value->is_scalar ? value->json : kr_form_scale(json, 2);
  case KR_CONTEXT_RAW:
  case KR_CONTEXT_HEADER:
  case KR_CONTEXT_URL_BASE:
  case KR_CONTEXT_URL_HOST:
  case KR_CONTEXT_URL_HOST_LABEL:
    return value->text;
  case KR_CONTEXT_XML_TEXT:
  case KR_CONTEXT_XML_ATTRIBUTE:
    return kr_form_scale(value->text, 6);
  default:
    return kr_form_scale(value->text, 3);
  }
}

static void kr_coster_write(kr_coster *coster, kr_form bytes) {
  coster->output = kr_form_add(coster->output, bytes);
  coster->segment = kr_form_add(coster->segment, bytes);
}

static void kr_coster_emit(kr_coster *coster, kr_context context, const kr_shape *value) {
  bool is_json = context == KR_CONTEXT_JSON_VALUE || context == KR_CONTEXT_VALUE;
  bool takes_all = context == KR_CONTEXT_TEXT || context == KR_CONTEXT_JSON_STRING;
  kr_form cost = value->text;
  if (is_json || (takes_all && !value->is_scalar))
    cost = kr_cost_of_json(value);
  if (takes_all && !value->is_scalar)
    cost = kr_form_add(cost, kr_form_max(value->json, value->text));
  kr_coster_pay(coster, cost, NULL);
  kr_coster_write(coster, kr_coster_written(context, value));
}

static void kr_coster_jump(kr_coster *coster, uint32_t target) {
  kr_landing_place *place = &coster->places[target];
  place->depth = coster->depth;
  if (coster->depth == 0) {
    place->is_met = true;
    return;
  }
  kr_shape top = coster->stack[coster->depth - 1];
  place->top = place->is_met ? kr_shape_max(place->top, top) : top;
  place->is_met = true;
}

static void kr_coster_land(kr_coster *coster, uint32_t pc, bool is_reached) {
  const kr_landing_place *place = &coster->places[pc];
  if (!place->is_met)
    return;
  kr_shape top = place->top;
  coster->depth = place->depth;
  if (coster->depth == 0)
    return;
  if (is_reached)
    top = kr_shape_max(top, coster->stack[coster->depth - 1]);
  coster->stack[coster->depth - 1] = top;
}

static void kr_coster_run(kr_coster *coster, uint32_t from, uint32_t to);

/* A bound of one item, summed over the items: what grows with the item grows with the array. */
static kr_form kr_coster_sum(const kr_form *each, const kr_shape *array, unsigned level) {
  kr_form rest = *each;
  rest.per[KR_COST_ITEM + level] = 0;
  /* an item may be null where data has less: kr_shape_data() */
  kr_form size =
      kr_form_add(kr_form_max(array->json, array->text), kr_form_scale(array->items, KR_COST_NULL));
  return kr_form_add(kr_form_times(array->items, rest),
                     kr_form_scale(size, each->per[KR_COST_ITEM + level]));
}

/* EACH at pc: its body ends with NEXT before `end`. */
static void kr_coster_loop(kr_coster *coster, uint32_t pc) {
  const kr_instruction *in = &coster->program->code[pc];
  const char *name = kr_function_row(in->a)->name;
  kr_shape array = coster->stack[--coster->depth];
  unsigned level = coster->n_items++;
  kr_form outside = coster->fuel;
  coster->items[level] = kr_shape_data(kr_form_of(KR_COST_ITEM + level));
  coster->fuel = kr_form_fixed(KR_COST_LOOP_ITEM);
  kr_coster_run(coster, pc + 1, in->c);
  kr_shape given = coster->stack[--coster->depth];
  kr_form body = coster->fuel;
  coster->n_items--;
  coster->fuel = outside;
  kr_coster_pay(coster, kr_coster_sum(&body, &array, level), name);
  kr_form all = kr_form_max(array.json, array.text);
  if (in->a == KR_FUNCTION_MAP) {
    kr_form each = kr_form_add(kr_form_max(given.json, given.text), kr_form_fixed(1));
    all = kr_coster_sum(&each, &array, level);
  }
  kr_coster_push(coster, kr_shape_container(kr_form_add(all, kr_form_fixed(2)), array.items));
}

static void kr_coster_instruction(kr_coster *coster, uint32_t pc) {
  const kr_program *program = coster->program;
  const kr_instruction *in = &program->code[pc];
  kr_shape *stack = coster->stack;
  kr_shape secret = kr_shape_string(kr_form_of(KR_COST_SECRETS));
  kr_coster_pay(coster, kr_form_fixed(KR_COST_UNIT), NULL);
  switch ((kr_opcode)in->op) {
  case KR_OP_CONSTANT:
    kr_coster_push(coster, kr_shape_constant(&program->constants[in->c]));
    return;
  case KR_OP_SLOT:
    kr_coster_read(coster, in->c);
    kr_coster_push(coster, coster->slots[in->c]);
    return;
  case KR_OP_SECRET:
    kr_coster_push(coster, secret);
    return;
  case KR_OP_CALL:
    coster->depth -= in->b;
    kr_coster_push(coster, kr_coster_call(coster, in->a, &stack[coster->depth], in->b));
    return;
  case KR_OP_ARRAY:
  case KR_OP_OBJECT:
    kr_coster_collect(coster, in->b, in->op == KR_OP_OBJECT ? in->b * 2u : in->b);
    return;
  case KR_OP_STEP:
    stack[coster->depth - 1] =
        kr_coster_step(coster, &program->steps[in->c], &stack[coster->depth - 1]);
    return;
  case KR_OP_POP:
    coster->depth--;
    return;
  case KR_OP_RETURN:
    kr_coster_pay(coster, stack[--coster->depth].text, NULL);
    return;
  case KR_OP_NEXT: /* the digits of a number, where it is a condition */
    kr_coster_pay(coster, stack[coster->depth - 1].text, NULL);
    return;
  case KR_OP_JUMP:
    kr_coster_jump(coster, in->c);
    return;
  case KR_OP_JUMP_FALSE:
  case KR_OP_JUMP_TRUE:
    kr_coster_pay(coster, stack[--coster->depth].text, NULL);
    kr_coster_jump(coster, in->c);
    return;
  case KR_OP_JUMP_SETTLED:
    kr_coster_jump(coster, in->c);
    coster->depth--;
    return;
  case KR_OP_JUMP_UNEQUAL:
    coster->depth--;
    kr_coster_pay(coster, kr_cost_of_equal(&stack[coster->depth - 1], &stack[coster->depth]),
                  "switch");
    kr_coster_jump(coster, in->c);
    coster->depth--;
    return;
  case KR_OP_ITEM:
    kr_coster_push(coster, coster->items[coster->n_items - 1]);
    return;
  case KR_OP_INDEX:
    kr_coster_push(coster, kr_shape_short(10));
    return;
  case KR_OP_EMIT_LITERAL:
    kr_coster_pay(coster, kr_form_fixed(in->b), NULL);
    kr_coster_write(coster, kr_form_fixed(in->b));
    return;
  case KR_OP_EMIT:
    kr_coster_emit(coster, (kr_context)in->a, &stack[--coster->depth]);
    return;
  case KR_OP_EMIT_SLOT:
    kr_coster_read(coster, in->c);
    kr_coster_emit(coster, (kr_context)in->a, &coster->slots[in->c]);
    return;
  case KR_OP_EMIT_SECRET:
    kr_coster_emit(coster, (kr_context)in->a, &secret);
    return;
  case KR_OP_SEGMENT_BEGIN:
    coster->segment = kr_form_fixed(0);
    return;
  case KR_OP_SEGMENT_END:
    kr_coster_pay(coster, coster->segment, NULL);
    return;
  default: /* HALT, PRESENT, ITEM_VALUE, MARK keep what they find; UNKNOWN is of previews */
    return;
  }
}

/* Recursion is bounded by KR_LIMIT_ITEM_NESTING. */
static void kr_coster_run(kr_coster *coster, uint32_t from, uint32_t to) {
  const kr_instruction *code = coster->program->code;
  bool is_reached = true;
  for (uint32_t pc = from; pc < to; pc++) {
    kr_coster_land(coster, pc, is_reached);
    is_reached = code[pc].op != KR_OP_JUMP;
    if (code[pc].op != KR_OP_EACH) {
      kr_coster_instruction(coster, pc);
      continue;
    }
    kr_coster_pay(coster, kr_form_fixed(KR_COST_UNIT), NULL);
    kr_coster_loop(coster, pc);
    pc = code[pc].c - 1; /* behind NEXT, where the result stands */
  }
}

static kr_bound kr_coster_bound(const kr_form *form) {
  kr_bound bound = {.is_open = form->is_open, .fixed = form->fixed};
  memcpy(bound.per, form->per, sizeof bound.per);
  return bound;
}

kr_status kr_program_cost(const kr_program *program, kr_cost *ret_cost) {
  KR_CLEANUP(kr_arena_done) kr_arena arena = KR_ARENA_INIT(4 * KR_LIMIT_CODE_BYTES, NULL);
  kr_coster coster = {.program = program,
                      .stack = kr_arena_calloc(&arena, program->max_stack + 1u, sizeof(kr_shape)),
                      .places =
                          kr_arena_calloc(&arena, program->n_code + 1u, sizeof(kr_landing_place)),
                      .slots = kr_arena_calloc(&arena, program->n_slots + 1u, sizeof(kr_shape))};
  *ret_cost = (kr_cost){.fuel = {.is_open = true}, .output = {.is_open = true}};
  bool has_memory = coster.stack != NULL && coster.places != NULL && coster.slots != NULL;
  if (!has_memory) /* a program beyond the arena has no bound worth a word */
    return kr_arena_why(&arena) == KR_LIMIT ? KR_OK : KR_NOMEM;
  kr_coster_slots(&coster);
  kr_coster_run(&coster, 0, program->n_code);
  ret_cost->fuel = kr_coster_bound(&coster.fuel);
  ret_cost->fuel.fixed = (coster.fuel.fixed + KR_COST_UNIT - 1) / KR_COST_UNIT;
  ret_cost->output = kr_coster_bound(&coster.output);
  ret_cost->open_by = coster.fuel.is_open ? coster.open_by : NULL;
  return KR_OK;
}

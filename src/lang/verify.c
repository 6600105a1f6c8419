/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - proves of every compiled program what the VM then takes for
 * granted, in one pass: jumps go forward only, so the depth at a target is
 * known (from the jump) before the pass reaches it. The one way back, from the
 * end of a loop to its body, is checked against the EACH it belongs to.
 */
#include "base/assert.h"
#include "lang/program.h"

#define KR_DEPTH_UNKNOWN UINT32_MAX
#define KR_VERIFY_FEW 256u /* instructions whose depths need no memory of their own */

typedef struct kr_verifier {
  const kr_program *program;
  uint32_t *depths; /* [n_code + 1] stack depth before each instruction */
  uint32_t max;
  uint32_t loops[KR_LIMIT_ITEM_NESTING]; /* EACH instructions whose body we are in */
  uint32_t n_loops;
} kr_verifier;

static bool kr_verify_operands(const kr_program *program, const kr_opcode_info *opcode,
                               uint32_t pc) {
  const kr_instruction *in = &program->code[pc];
  for (const char *letter = opcode->operands; *letter != '\0'; letter++) {
    bool is_good = true;
    switch (*letter) {
    case 'k':
      is_good = in->c < program->n_constants;
      break;
    case 's':
      is_good = in->c < program->n_slots;
      break;
    case 'S':
      is_good = in->c < program->n_secret_names && in->c < KR_SECRETS_MAX &&
                (program->secrets >> in->c & 1) != 0;
      break;
    case 't':
      is_good = in->c > pc && in->c < program->n_code;
      break;
    case 'u':
      is_good = in->c <= pc && in->c > 0;
      break;
    case 'f':
      is_good = in->a < KR_FUNCTION_COUNT;
      break;
    case 'x':
      is_good = in->a < KR_CONTEXT_COUNT;
      break;
    case 'p':
      is_good = in->c < program->n_steps;
      break;
    case 'l':
      is_good = in->c <= program->pool.len && in->b <= program->pool.len - in->c;
      break;
    default:
      break;
    }
    if (!is_good)
      return false;
  }
  if (in->op != KR_OP_CALL)
    return true;
  const kr_function_info *row = kr_function_row(in->a);
  if (row->params[0] == 'p' ? in->c == 0 || in->c > program->n_patterns : in->c != 0)
    return false;
  return in->b >= row->min_args && in->b <= row->max_args && row->marks != KR_MARKS_LAZY &&
         row->marks != KR_MARKS_ESCAPER;
}

static bool kr_verify_reach(kr_verifier *verifier, uint32_t pc, uint32_t depth) {
  if (verifier->depths[pc] != KR_DEPTH_UNKNOWN && verifier->depths[pc] != depth)
    return false;
  verifier->depths[pc] = depth;
  if (depth > verifier->max)
    verifier->max = depth;
  return true;
}

/* A jump stays in the body it is in. */
static bool kr_verify_jump(kr_verifier *verifier, uint32_t target, uint32_t depth) {
  bool is_inside = verifier->n_loops == 0 ||
                   target < verifier->program->code[verifier->loops[verifier->n_loops - 1]].c;
  return is_inside && kr_verify_reach(verifier, target, depth);
}

/*
 * EACH at pc, its body, NEXT at c - 1. Nobody may have jumped into the body;
 * the way around it brings a result where the array was.
 */
static bool kr_verify_each(kr_verifier *verifier, uint32_t pc, uint32_t depth) {
  const kr_instruction *code = verifier->program->code;
  uint32_t end = code[pc].c;
  const kr_instruction *next = &code[end - 1];
  if (verifier->n_loops == KR_LIMIT_ITEM_NESTING || next->op != KR_OP_NEXT || next->c != pc + 1 ||
      next->a != code[pc].a || !kr_function_is_each(code[pc].a))
    return false;
  for (uint32_t i = pc + 1; i < end; i++)
    if (verifier->depths[i] != KR_DEPTH_UNKNOWN)
      return false;
  if (!kr_verify_jump(verifier, end, depth))
    return false;
  verifier->loops[verifier->n_loops++] = pc;
  return kr_verify_reach(verifier, pc + 1, depth - 1);
}

static bool kr_verify_next(kr_verifier *verifier, uint32_t pc, uint32_t depth) {
  if (verifier->n_loops == 0)
    return false;
  uint32_t each = verifier->loops[--verifier->n_loops];
  return verifier->program->code[each].c == pc + 1 && depth == verifier->depths[each] &&
         kr_verify_reach(verifier, pc + 1, depth);
}

static bool kr_verify_flow(kr_verifier *verifier, const kr_opcode_info *row, uint32_t pc) {
  const kr_instruction *in = &verifier->program->code[pc];
  uint32_t depth = verifier->depths[pc];
  uint32_t pops = row->pops == KR_POPS_B    ? in->b
                  : row->pops == KR_POPS_2B ? in->b * 2u
                                            : (uint32_t)row->pops;
  if (depth == KR_DEPTH_UNKNOWN || depth < pops)
    return false;
  uint32_t after = depth - pops + (uint32_t)row->pushes;
  switch (in->op) {
  case KR_OP_HALT:
    return depth == 0 && pc + 1 == verifier->program->n_code && verifier->n_loops == 0;
  case KR_OP_RETURN:
    return verifier->n_loops == 0 && kr_verify_reach(verifier, pc + 1, after);
  case KR_OP_EACH:
    return kr_verify_each(verifier, pc, depth);
  case KR_OP_NEXT:
    return kr_verify_next(verifier, pc, depth);
  case KR_OP_ITEM:
  case KR_OP_INDEX:
    return verifier->n_loops > 0 && kr_verify_reach(verifier, pc + 1, after);
  case KR_OP_JUMP:
    return kr_verify_jump(verifier, in->c, depth);
  case KR_OP_JUMP_FALSE:
  case KR_OP_JUMP_TRUE:
    return kr_verify_jump(verifier, in->c, after) && kr_verify_reach(verifier, pc + 1, after);
  case KR_OP_JUMP_SETTLED:
  case KR_OP_JUMP_UNEQUAL:
    return kr_verify_jump(verifier, in->c, after + 1) && kr_verify_reach(verifier, pc + 1, after);
  case KR_OP_UNKNOWN:
    return in->b >= 1 && in->b <= depth && kr_verify_jump(verifier, in->c, depth - in->b + 1) &&
           kr_verify_reach(verifier, pc + 1, depth);
  default:
    return kr_verify_reach(verifier, pc + 1, after);
  }
}

static bool kr_verify_slots(const kr_program *program) {
  for (uint32_t i = 0; i < program->n_slots; i++) {
    const kr_slot *slot = &program->slots[i];
    bool is_root = slot->parent == KR_NO_SLOT;
    if (slot->root >= KR_ROOT_COUNT || (!is_root && slot->parent >= i) ||
        (!is_root && slot->step >= program->n_steps))
      return false;
  }
  return true;
}

static bool kr_verify_guards(const kr_program *program) {
  for (uint32_t i = 0; i < program->n_guards; i++) {
    const kr_guard *guard = &program->guards[i];
    if (guard->from >= guard->to || guard->to > program->n_code ||
        guard->secret >= program->n_secret_names || guard->position.source >= program->n_sources)
      return false;
  }
  return true;
}

static kr_status kr_verify_bug(kr_error *reterr, uint32_t pc) {
  return kr_fail(reterr, KR_INTERNAL, "the compiler made a bad program (instruction %u)",
                 (unsigned)pc);
}

kr_status kr_program_verify(kr_program *program, kr_error *reterr) {
  KR_CLEANUP(kr_arena_done) kr_arena arena = KR_ARENA_INIT(KR_LIMIT_CODE_BYTES, NULL);
  size_t n_depths = (size_t)program->n_code + 1;
  uint32_t few[KR_VERIFY_FEW];
  kr_verifier verifier = {.program = program, .depths = few};
  if (n_depths > KR_VERIFY_FEW)
    verifier.depths = kr_arena_alloc(&arena, n_depths * sizeof(uint32_t));
  if (verifier.depths == NULL)
    return kr_fail_nomem(reterr);
  memset(verifier.depths, 0xFF, n_depths * sizeof(uint32_t));
  verifier.depths[0] = 0;
  if (!kr_verify_slots(program) || !kr_verify_guards(program) || program->n_code == 0)
    return kr_verify_bug(reterr, 0);
  for (uint32_t pc = 0; pc < program->n_code; pc++) {
    if (program->code[pc].op >= KR_OP_COUNT)
      return kr_verify_bug(reterr, pc);
    const kr_opcode_info *row = kr_opcode_row(program->code[pc].op);
    if (!kr_verify_operands(program, row, pc) || !kr_verify_flow(&verifier, row, pc))
      return kr_verify_bug(reterr, pc);
  }
  program->max_stack = verifier.max;
  return KR_OK;
}

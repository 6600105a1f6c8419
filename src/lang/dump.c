/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump.c - a program as text, one instruction per line, driven by the operand
 * letters of opcodes.def. Names of secrets, never values: a program has none.
 */
#include "lang/parser.h"

/* Letters, digits and "_": what may follow a dot. */
static bool kr_step_is_name(kr_str name) {
  return name.len > 0 && !(name.ptr[0] >= '0' && name.ptr[0] <= '9') &&
         kr_parser_secret_end(name, 0) == name.len;
}

/* ['a key'], escaped so that it is right in a template and, unchanged, inside a JSON string. */
static kr_status kr_step_write_key(kr_str key, kr_buf *out) {
  KR_TRY(kr_buf_append(out, KR_STR("['")));
  for (size_t at = 0; at < key.len;) {
    size_t quote = kr_str_find(key, KR_STR("'"), at);
    KR_TRY(kr_json_escape(kr_str_slice(key, at, quote), out));
    if (quote == SIZE_MAX)
      break;
    KR_TRY(kr_buf_append(out, KR_STR("\\u0027")));
    at = quote + 1;
  }
  return kr_buf_append(out, KR_STR("']"));
}

kr_status kr_step_write(const kr_step *step, kr_buf *out) {
  if (step->is_index)
    KR_TRY(kr_buf_printf(out, "[%lld]", (long long)step->index));
  else if (kr_step_is_name(step->name))
    KR_TRY(kr_buf_printf(out, ".%.*s", KR_FMT(step->name)));
  else
    KR_TRY(kr_step_write_key(step->name, out));
  return step->is_optional ? kr_buf_byte(out, '?') : KR_OK;
}

kr_status kr_program_slot_path(const kr_program *program, uint32_t slot, kr_buf *out) {
  uint32_t chain[KR_LIMIT_PATH_STEPS + 1];
  uint32_t n_chain = 0;
  for (uint32_t at = slot; at != KR_NO_SLOT && n_chain <= KR_LIMIT_PATH_STEPS;
       at = program->slots[at].parent)
    chain[n_chain++] = at;
  KR_TRY(kr_buf_printf(out, "$%s", kr_root_name(program->slots[slot].root)));
  while (n_chain-- > 0) {
    const kr_slot *at = &program->slots[chain[n_chain]];
    if (at->parent == KR_NO_SLOT)
      continue;
    KR_TRY(kr_step_write(&program->steps[at->step], out));
  }
  return KR_OK;
}

static kr_status kr_dump_constant(const kr_json *constant, kr_buf *out) {
  KR_TRY(kr_buf_byte(out, ' '));
  return kr_json_write(constant, out);
}

static kr_status kr_dump_pattern(const kr_pattern *pattern, kr_buf *out) {
  kr_json text = kr_json_string(pattern->text);
  KR_TRY(kr_buf_printf(out, " pattern"));
  KR_TRY(kr_dump_constant(&text, out));
  for (uint32_t i = 0; i < pattern->n_pieces; i++) {
    const kr_piece *piece = &pattern->pieces[i];
    text = kr_json_string(piece->text);
    KR_TRY(kr_buf_printf(out, i == 0 ? " by" : ""));
    if (piece->group == KR_NO_GROUP)
      KR_TRY(kr_dump_constant(&text, out));
    else
      KR_TRY(kr_buf_printf(out, " $%u", (unsigned)piece->group));
  }
  return KR_OK;
}

static kr_status kr_dump_operand(const kr_program *program, const kr_instruction *in, char letter,
                                 kr_buf *out) {
  kr_json literal = {0};
  switch (letter) {
  case 'k':
    return kr_dump_constant(&program->constants[in->c], out);
  case 's':
    KR_TRY(kr_buf_byte(out, ' '));
    return kr_program_slot_path(program, in->c, out);
  case 'S':
    return kr_buf_printf(out, " $secret.%.*s", KR_FMT(program->secret_names[in->c]));
  case 't':
  case 'u':
    return kr_buf_printf(out, " -> %u", (unsigned)in->c);
  case 'f':
    return kr_buf_printf(out, " %s", kr_function_name(in->a));
  case 'x':
    return kr_buf_printf(out, " <%s>", kr_context_name(in->a));
  case 'n':
    return kr_buf_printf(out, " %u", (unsigned)in->b);
  case 'p':
    KR_TRY(kr_buf_byte(out, ' '));
    return kr_step_write(&program->steps[in->c], out);
  case 'q':
    return in->c != 0 ? kr_dump_pattern(&program->patterns[in->c - 1], out) : KR_OK;
  case 'm':
    return in->a != 0 ? kr_buf_printf(out, " or-missing") : KR_OK;
  case 'w':
    return in->b != 0 ? kr_buf_printf(out, " whole") : KR_OK;
  default:
    literal = kr_json_string(kr_str_slice(program->pool, in->c, (size_t)in->c + in->b));
    return kr_dump_constant(&literal, out);
  }
}

kr_status kr_program_dump(const kr_program *program, kr_buf *out) {
  KR_TRY(kr_buf_printf(out, "sink %s, stack %u, slots %u\n", kr_sink_name(program->sink),
                       (unsigned)program->max_stack, (unsigned)program->n_slots));
  for (uint32_t pc = 0; pc < program->n_code; pc++) {
    const kr_instruction *in = &program->code[pc];
    const kr_opcode_info *row = kr_opcode_row(in->op);
    KR_TRY(kr_buf_printf(out, "%4u  %s", (unsigned)pc, row->name));
    for (const char *letter = row->operands; *letter != '\0'; letter++)
      KR_TRY(kr_dump_operand(program, in, *letter, out));
    KR_TRY(kr_buf_byte(out, '\n'));
  }
  return KR_OK;
}

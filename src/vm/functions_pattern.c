/* SPDX-License-Identifier: Apache-2.0 */
/*
 * functions_pattern.c - matches, extract, regexReplace. The pattern is named by
 * the instruction and belongs to the program; the work of each search is paid
 * from the fuel of the render (regex/regex.h).
 */
#include "vm/functions.h"

static const kr_pattern *kr_pattern_of(const kr_vm *vm) {
  return &vm->program->patterns[vm->program->code[vm->pc].c - 1];
}

static kr_status kr_pattern_begin(kr_vm *vm, kr_str subject) {
  if (subject.len > KR_LIMIT_SUBJECT_BYTES)
    return kr_vm_fail(vm, KR_LIMIT, KR_E_SUBJECT_BYTES,
                      "a pattern searches at most %u bytes, and this text has more",
                      KR_LIMIT_SUBJECT_BYTES);
  if (vm->regex == NULL && kr_regex_scratch_new(&vm->regex) != KR_OK)
    return kr_fail_nomem(vm->reterr);
  return KR_OK;
}

static kr_status kr_pattern_find(kr_vm *vm, const kr_regex_search *search, bool *ret_found) {
  kr_error error = {0};
  kr_status status =
      kr_regex_find(kr_pattern_of(vm)->regex, vm->regex, search, &vm->fuel, ret_found, &error);
  if (status == KR_OK)
    return KR_OK;
  if (status == KR_NOMEM)
    return kr_fail_nomem(vm->reterr);
  return kr_vm_fail(vm, status, status == KR_LIMIT ? KR_E_MATCH : KR_E_NOT_TEXT, "%s",
                    error.message);
}

kr_status kr_body_MATCHES(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  bool is_found = false;
  kr_regex_search search = {.subject = kr_value_text(&args[1])};
  KR_TRY(kr_pattern_begin(vm, search.subject));
  KR_TRY(kr_pattern_find(vm, &search, &is_found));
  *result = kr_value_bool(is_found);
  return KR_OK;
}

kr_status kr_body_EXTRACT(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  unsigned n_groups = kr_regex_n_groups(kr_pattern_of(vm)->regex);
  int64_t group = n_args == 3 ? args[2].integer : n_groups > 0;
  bool is_found = false;
  size_t start = 0;
  size_t end = 0;
  kr_regex_search search = {.subject = kr_value_text(&args[1])};
  if (group < 0 || group > (int64_t)n_groups)
    return kr_vm_fail(vm, KR_INVALID, KR_E_ARGUMENT, "the pattern has %u group%s", n_groups,
                      n_groups == 1 ? "" : "s");
  KR_TRY(kr_pattern_begin(vm, search.subject));
  KR_TRY(kr_pattern_find(vm, &search, &is_found));
  *result = (kr_value){.type = KR_VALUE_MISSING};
  if (is_found && kr_regex_group(vm->regex, (unsigned)group, &start, &end))
    *result = kr_value_string(kr_str_slice(search.subject, start, end));
  return KR_OK;
}

/* What stands for one match: the pieces of the template, or computed text as it is. */
static kr_status kr_pattern_put(kr_vm *vm, const kr_pattern *pattern, kr_str subject,
                                const kr_value *replacement) {
  if (pattern->pieces == NULL)
    return kr_vm_build_bytes(vm, kr_value_text(replacement));
  for (uint32_t i = 0; i < pattern->n_pieces; i++) {
    const kr_piece *piece = &pattern->pieces[i];
    size_t start = 0;
    size_t end = 0;
    kr_str text = piece->text;
    if (piece->group != KR_NO_GROUP)
      text = kr_regex_group(vm->regex, piece->group, &start, &end)
                 ? kr_str_slice(subject, start, end)
                 : (kr_str){0};
    KR_TRY(kr_vm_build_bytes(vm, text));
  }
  return KR_OK;
}

kr_status kr_body_REGEX_REPLACE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_regex_search search = {.subject = kr_value_text(&args[2])};
  bool is_found = false;
  size_t start = 0;
  size_t end = 0;
  KR_TRY(kr_pattern_begin(vm, search.subject));
  kr_vm_build_begin(vm);
  KR_TRY(kr_pattern_find(vm, &search, &is_found));
  while (is_found && kr_regex_group(vm->regex, 0, &start, &end)) {
    KR_TRY(kr_vm_spend(vm, 32));
    KR_TRY(kr_vm_build_bytes(vm, kr_str_slice(search.subject, search.from, start)));
    KR_TRY(kr_pattern_put(vm, kr_pattern_of(vm), search.subject, &args[1]));
    search.from = end;
    search.is_nonempty = start == end;
    KR_TRY(kr_pattern_find(vm, &search, &is_found));
  }
  KR_TRY(kr_vm_build_bytes(vm, kr_str_skip(search.subject, search.from)));
  return kr_vm_build_take(vm, result);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost.h - what cost.c, cost_form.c and cost_functions.c share: bounds as sums, and what is
 * known of a value.
 *
 *   bound = fixed + per[PAYLOAD] * bytes of the payload + ... + per[ITEM] * bytes of an item
 *
 * A bound that is no such sum (a product of two unknown sizes, the work of a
 * match) is open: then only the limits of a render hold.
 */
#ifndef KR_LANG_COST_H
#define KR_LANG_COST_H

#include "lang/program.h"

#define KR_COST_ITEM KR_COST_INPUTS /* per[] of the items of the loops around, outermost first */
#define KR_COST_VARIABLES (KR_COST_INPUTS + KR_LIMIT_ITEM_NESTING)
#define KR_COST_NULL 4u  /* "null": what stands for a missing value in JSON */
#define KR_COST_UNIT 32u /* fuel is counted in 32nds: the bytes that cost 1 */

typedef struct kr_form {
  uint64_t fixed;
  uint64_t per[KR_COST_VARIABLES];
  bool is_open;
} kr_form;

/** What is known of a value without data. */
typedef struct kr_shape {
  kr_form text;            /* bytes as a text; of arrays and objects: as JSON */
  kr_form json;            /* bytes as compact JSON */
  kr_form items;           /* of an array or object */
  bool is_scalar;          /* surely no array or object */
  const kr_json *constant; /* written in the template, or NULL */
} kr_shape;

static inline kr_form kr_form_fixed(uint64_t fixed) { return (kr_form){.fixed = fixed}; }
kr_form kr_form_of(unsigned variable);
kr_form kr_form_open(void);
kr_form kr_form_add(kr_form a, kr_form b);
kr_form kr_form_max(kr_form a, kr_form b);
kr_form kr_form_scale(kr_form a, uint64_t factor);
kr_form kr_form_times(kr_form a, kr_form b); /* open unless one of them is fixed */
bool kr_form_is_fixed(const kr_form *form);

/** A string of so many bytes; JSON may escape each of them in six. */
kr_shape kr_shape_string(kr_form text);
kr_shape kr_shape_short(uint64_t bytes); /* a number, a truth value, a date */
kr_shape kr_shape_constant(const kr_json *constant);
kr_shape kr_shape_container(kr_form json, kr_form items);
kr_shape kr_shape_max(kr_shape a, kr_shape b);

/** Of any type, from data of so many bytes of JSON. */
kr_shape kr_shape_data(kr_form json);

/** What writing it as JSON costs, in 32nds. */
kr_form kr_cost_of_json(const kr_shape *shape);

/** What looking for a key in an object of so many bytes of JSON costs, with its step, in 32nds. */
kr_form kr_cost_of_find(kr_form json);

/** What comparing two values costs, in 32nds. */
kr_form kr_cost_of_equal(const kr_shape *a, const kr_shape *b);

/** The result of a call, and what it costs in 32nds beyond its instruction. */
kr_shape kr_cost_of_call(unsigned function, const kr_shape *args, unsigned n_args,
                         kr_form *ret_cost);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost_functions.c - what each function gives and costs at most, read off the
 * bodies in vm/functions_*.c. A function that is not listed here is open: its
 * work or its result is no sum of sizes (patterns, sort, unique, merge).
 */
#include "lang/cost.h"

#define KR_COST_INTEGER 20u   /* digits of 64 bits and a sign */
#define KR_COST_NUMBER 64u    /* a double as text */
#define KR_COST_DIGITS 34u    /* what rounding may add to the text of a number */
#define KR_COST_DATE 32u      /* of an ISO 8601 date */
#define KR_COST_ZONE 65536u   /* the longest file of a time zone */
#define KR_COST_DIRECTIVE 16u /* bytes of a date for each byte of its format */
#define KR_COST_STEPS 32u     /* of the path of get */
#define KR_COST_UUID 512u
#define KR_COST_HASH 512u /* setting up an HMAC, and so a digest */
#define KR_COST_READ 128u /* a fraction becomes a double */
#define KR_COST_REAL 512u /* and a double the shortest digits */
#define KR_COST_PIECE 8u  /* a piece of a text that is built, beside its bytes */
#define KR_COST_CASE 3u   /* for each byte */
#define KR_COST_POINT 4u  /* bytes of a character */

static kr_form kr_cost_texts(const kr_shape *args, unsigned n_args) {
  kr_form sum = kr_form_fixed(0);
  for (unsigned i = 0; i < n_args; i++)
    sum = kr_form_add(sum, args[i].text);
  return sum;
}

static void kr_cost_plus(kr_form *cost, kr_form more) { *cost = kr_form_add(*cost, more); }

static void kr_cost_pieces(kr_form *cost, kr_form n_pieces) {
  kr_cost_plus(cost, kr_form_scale(n_pieces, KR_COST_PIECE));
}

/* A text that is paid for as it is built, of a few pieces. */
static kr_shape kr_cost_built(kr_form text, kr_form *cost) {
  kr_cost_plus(cost, text);
  kr_cost_pieces(cost, kr_form_fixed(4));
  return kr_shape_string(text);
}

/* The number that is written in the template, or open. */
static kr_form kr_cost_count(const kr_shape *arg) {
  int64_t count = 0;
  if (arg->constant == NULL || !kr_json_to_int(arg->constant, &count))
    return kr_form_open();
  return kr_form_fixed(count < 0 ? 0 : (uint64_t)count);
}

/* equals() with each item of an array. */
static kr_form kr_cost_search(const kr_shape *array, const kr_shape *wanted) {
  if (!wanted->is_scalar)
    return kr_form_open();
  kr_form each = kr_form_add(wanted->text, kr_form_fixed(KR_COST_UNIT));
  return kr_form_add(kr_form_times(array->items, each), kr_form_max(array->json, array->text));
}

static kr_shape kr_cost_padded(const kr_shape *args, kr_form *cost) {
  kr_form count = kr_cost_count(&args[1]);
  kr_form text = kr_form_add(args[0].text, kr_form_scale(count, KR_COST_POINT));
  kr_cost_plus(cost, kr_form_add(count, kr_form_fixed(KR_COST_UNIT)));
  return kr_cost_built(text, cost);
}

static kr_shape kr_cost_repeated(const kr_shape *args, kr_form *cost) {
  kr_form count = kr_cost_count(&args[1]);
  kr_cost_plus(cost, kr_form_add(count, kr_form_fixed(KR_COST_UNIT)));
  return kr_cost_built(kr_form_times(count, args[0].text), cost);
}

/* A search has at least one byte, so it is found at most as often as the subject has bytes. */
static kr_shape kr_cost_replaced(const kr_shape *args, kr_form *cost) {
  kr_form added = kr_form_times(args[2].text, args[1].text);
  kr_cost_plus(cost, kr_form_scale(args[2].text, KR_COST_UNIT));
  kr_cost_pieces(cost, kr_form_scale(args[2].text, 2));
  return kr_cost_built(kr_form_add(args[2].text, added), cost);
}

static kr_shape kr_cost_split(const kr_shape *args, kr_form *cost) {
  kr_form items = kr_form_add(args[1].text, kr_form_fixed(1));
  kr_cost_plus(cost, kr_form_scale(items, KR_COST_UNIT));
  kr_form json = kr_form_add(kr_form_scale(args[1].text, 6), kr_form_scale(items, 3));
  return kr_shape_container(kr_form_add(json, kr_form_fixed(2)), items);
}

static kr_shape kr_cost_joined(const kr_shape *args, kr_form *cost) {
  kr_cost_plus(cost, kr_form_scale(args[1].items, KR_COST_UNIT));
  return kr_cost_built(kr_form_add(args[1].text, kr_form_times(args[1].items, args[0].text)), cost);
}

/* Items of an array, all or some of them, each paid for. */
static kr_shape kr_cost_listed(const kr_shape *from, kr_form *cost) {
  kr_cost_plus(cost, kr_form_scale(from->items, KR_COST_UNIT));
  return kr_shape_container(kr_form_add(from->json, kr_form_fixed(2)), from->items);
}

static kr_shape kr_cost_object(const kr_shape *args, unsigned n_args, kr_form *cost) {
  uint64_t n_pairs = n_args / 2;
  kr_form json = kr_form_fixed(2 + 2 * n_pairs);
  for (unsigned i = 0; i < n_args; i++)
    json = kr_form_add(json, args[i].json);
  for (unsigned i = 0; i + 1 < n_args; i += 2)
    kr_cost_plus(
        cost, kr_form_scale(kr_form_add(args[i].text, kr_form_fixed(8 + KR_COST_UNIT)), n_pairs));
  return kr_shape_container(json, kr_form_fixed(n_pairs));
}

static kr_form kr_cost_count_of(const kr_shape *args, unsigned n_args) {
  kr_form count = kr_form_fixed(n_args);
  for (unsigned i = 0; i < n_args; i++)
    count = kr_form_add(count, args[i].items);
  return count;
}

/* min, max: the best so far is read again for each. */
static kr_shape kr_cost_extreme(const kr_shape *args, unsigned n_args, kr_form *cost) {
  kr_form count = kr_cost_count_of(args, n_args);
  kr_form texts = kr_form_add(kr_cost_texts(args, n_args), kr_form_fixed(KR_COST_NUMBER));
  kr_cost_plus(cost, kr_form_add(kr_form_scale(count, KR_COST_UNIT), texts));
  kr_cost_plus(cost, kr_form_times(count, texts));
  return kr_shape_string(texts);
}

/* Both sides are read, and the result is written. */
static kr_shape kr_cost_computed(const kr_shape *args, unsigned n_args, kr_form *cost) {
  kr_form count = kr_cost_count_of(args, n_args);
  uint64_t each = KR_COST_UNIT + 2 * KR_COST_READ + KR_COST_NUMBER + KR_COST_REAL;
  kr_cost_plus(cost, kr_form_scale(count, each));
  kr_cost_plus(cost, kr_form_scale(kr_cost_texts(args, n_args), 2));
  return kr_shape_short(KR_COST_NUMBER);
}

static kr_shape kr_cost_cased(const kr_shape *arg, kr_form *cost) {
  kr_cost_plus(cost, kr_form_scale(arg->text, KR_COST_CASE));
  kr_cost_pieces(cost, arg->text);
  return kr_cost_built(kr_form_scale(arg->text, 2), cost); /* no character grows to more */
}

/* Each byte may be escaped by itself. */
static kr_shape kr_cost_escaped(const kr_shape *arg, uint64_t factor, uint64_t more,
                                kr_form *cost) {
  kr_cost_pieces(cost, kr_form_scale(arg->text, 2));
  return kr_cost_built(kr_form_add(kr_form_scale(arg->text, factor), kr_form_fixed(more)), cost);
}

/* As many steps as the path has dots and brackets, if it is written in the template. */
static kr_shape kr_cost_got(const kr_shape *args, unsigned n_args, kr_form *cost) {
  kr_form all = kr_form_max(args[0].json, args[0].text);
  kr_shape found = kr_shape_data(all);
  uint64_t n_steps = KR_COST_STEPS;
  if (args[1].constant != NULL && args[1].constant->type == KR_JSON_STRING) {
    kr_str path = kr_json_text(args[1].constant);
    n_steps = 1;
    for (size_t i = 0; i < path.len; i++)
      n_steps += path.ptr[i] == '.' || path.ptr[i] == '[';
  }
  kr_cost_plus(cost, kr_form_scale(kr_cost_of_find(all), n_steps));
  return n_args == 3 ? kr_shape_max(found, args[2]) : found;
}

static bool kr_cost_is_utc(const kr_shape *zone) {
  return zone->constant != NULL && zone->constant->type == KR_JSON_STRING &&
         kr_str_equal(kr_json_text(zone->constant), KR_STR("UTC"));
}

static kr_shape kr_cost_dated(const kr_shape *args, unsigned n_args, kr_form *cost) {
  kr_cost_pieces(cost, kr_form_scale(args[1].text, 2));
  if (n_args == 3 && !kr_cost_is_utc(&args[2]))
    kr_cost_plus(cost, kr_form_fixed(KR_COST_ZONE));
  return kr_cost_built(kr_form_scale(args[1].text, KR_COST_DIRECTIVE), cost);
}

static kr_shape kr_cost_basic_auth(const kr_shape *args, kr_form *cost) {
  kr_form pair = kr_form_add(kr_cost_texts(args, 2), kr_form_fixed(1));
  kr_cost_plus(cost, kr_form_add(kr_form_scale(pair, 3), kr_form_fixed(6)));
  kr_cost_pieces(cost, kr_form_fixed(4));
  return kr_shape_string(kr_form_add(kr_form_scale(pair, 2), kr_form_fixed(10)));
}

/* An encoder is paid for by the size of what it gives. */
static kr_shape kr_cost_encoded(const kr_shape *arg, uint64_t factor, uint64_t more,
                                kr_form *cost) {
  kr_form text = kr_form_scale(arg->text, factor);
  kr_cost_plus(cost, text);
  return kr_shape_string(kr_form_add(text, kr_form_fixed(more)));
}

static kr_shape kr_cost_to_json(const kr_shape *arg, bool is_text, kr_form *cost) {
  kr_cost_plus(cost, kr_cost_of_json(arg));
  return kr_shape_string(is_text ? kr_form_max(arg->text, arg->json) : arg->json);
}

static kr_shape kr_cost_of_text(unsigned function, const kr_shape *args, unsigned n_args,
                                kr_form *cost) {
  switch (function) {
  case KR_FUNCTION_CONCAT:
    return kr_cost_built(kr_cost_texts(args, n_args), cost);
  case KR_FUNCTION_UPPERCASE:
  case KR_FUNCTION_LOWERCASE:
  case KR_FUNCTION_CAPITALIZE:
    return kr_cost_cased(&args[0], cost);
  case KR_FUNCTION_TRIM:
  case KR_FUNCTION_TRIM_START:
  case KR_FUNCTION_TRIM_END:
  case KR_FUNCTION_SUBSTRING:
  case KR_FUNCTION_BEFORE:
  case KR_FUNCTION_AFTER:
  case KR_FUNCTION_BASE64_DECODE:
  case KR_FUNCTION_URL_DECODE:
    return kr_shape_string(args[0].text);
  case KR_FUNCTION_TRUNCATE:
    return kr_cost_built(n_args == 3 ? kr_form_add(args[0].text, args[2].text) : args[0].text,
                         cost);
  case KR_FUNCTION_REPLACE:
    return kr_cost_replaced(args, cost);
  case KR_FUNCTION_PAD_START:
  case KR_FUNCTION_PAD_END:
    return kr_cost_padded(args, cost);
  case KR_FUNCTION_REPEAT:
    return kr_cost_repeated(args, cost);
  case KR_FUNCTION_JOIN:
    return kr_cost_joined(args, cost);
  case KR_FUNCTION_BASE64_ENCODE:
  case KR_FUNCTION_BASE64_URL_ENCODE:
    return kr_cost_encoded(&args[0], 2, 4, cost);
  case KR_FUNCTION_HEX_ENCODE:
    return kr_cost_encoded(&args[0], 2, 0, cost);
  case KR_FUNCTION_URL_ENCODE:
    return kr_cost_encoded(&args[0], 3, 0, cost);
  case KR_FUNCTION_XML_ESCAPE:
  case KR_FUNCTION_HTML_ESCAPE:
    return kr_cost_escaped(&args[0], 6, 0, cost);
  case KR_FUNCTION_QUOTED_STRING:
    return kr_cost_escaped(&args[0], 2, 2, cost);
  case KR_FUNCTION_SHA256:
  case KR_FUNCTION_HMAC_SHA256:
    kr_cost_plus(cost, kr_form_fixed(KR_COST_HASH));
    return kr_shape_short(64);
  case KR_FUNCTION_BASIC_AUTH:
    return kr_cost_basic_auth(args, cost);
  case KR_FUNCTION_TO_JSON:
  case KR_FUNCTION_TO_STRING:
    return kr_cost_to_json(&args[0], function == KR_FUNCTION_TO_STRING, cost);
  case KR_FUNCTION_TYPE_OF:
    return kr_shape_short(7);
  case KR_FUNCTION_UUID:
    kr_cost_plus(cost, kr_form_fixed(KR_COST_UUID));
    return kr_shape_short(36);
  case KR_FUNCTION_PARSE_DATE:
    if (n_args == 2)
      kr_cost_pieces(cost, args[1].text);
    return kr_shape_short(KR_COST_DATE);
  case KR_FUNCTION_NOW:
  case KR_FUNCTION_ADD_DURATION:
  case KR_FUNCTION_FROM_UNIX:
    return kr_shape_short(KR_COST_DATE);
  case KR_FUNCTION_FORMAT_DATE:
    return kr_cost_dated(args, n_args, cost);
  default:
    kr_cost_plus(cost, kr_form_open());
    return kr_shape_data(kr_form_open());
  }
}

static kr_shape kr_cost_of_number(unsigned function, const kr_shape *args, unsigned n_args,
                                  kr_form *cost) {
  switch (function) {
  case KR_FUNCTION_ADD:
  case KR_FUNCTION_SUBTRACT:
  case KR_FUNCTION_MULTIPLY:
  case KR_FUNCTION_DIVIDE:
  case KR_FUNCTION_MODULO:
  case KR_FUNCTION_SUM:
    return kr_cost_computed(args, n_args, cost);
  case KR_FUNCTION_ROUND:
  case KR_FUNCTION_FLOOR:
  case KR_FUNCTION_CEIL:
  case KR_FUNCTION_ABS:
  case KR_FUNCTION_TO_NUMBER:
    return kr_shape_string(kr_form_add(args[0].text, kr_form_fixed(KR_COST_DIGITS)));
  case KR_FUNCTION_MIN:
  case KR_FUNCTION_MAX:
    return kr_cost_extreme(args, n_args, cost);
  case KR_FUNCTION_INDEX_OF:
  case KR_FUNCTION_LENGTH:
  case KR_FUNCTION_COUNT_ITEMS:
  case KR_FUNCTION_TO_INTEGER:
  case KR_FUNCTION_DATE_DIFF:
  case KR_FUNCTION_TO_UNIX:
    return kr_shape_short(KR_COST_INTEGER);
  default:
    return kr_cost_of_text(function, args, n_args, cost);
  }
}

static kr_shape kr_cost_of_list(unsigned function, const kr_shape *args, unsigned n_args,
                                kr_form *cost) {
  switch (function) {
  case KR_FUNCTION_FIRST:
  case KR_FUNCTION_LAST:
  case KR_FUNCTION_AT:
    return kr_shape_data(kr_form_max(args[0].json, args[0].text));
  case KR_FUNCTION_GET:
    return kr_cost_got(args, n_args, cost);
  case KR_FUNCTION_PLUCK: /* a key is looked for in each item; all members together are bounded */
    kr_cost_plus(cost, kr_form_scale(args[0].items, KR_COST_UNIT));
    kr_cost_plus(cost, kr_cost_of_find(args[0].json));
    return kr_cost_listed(&args[0], cost);
  case KR_FUNCTION_SLICE:
  case KR_FUNCTION_REVERSE:
  case KR_FUNCTION_KEYS:
  case KR_FUNCTION_VALUES:
    return kr_cost_listed(&args[0], cost);
  case KR_FUNCTION_FLATTEN: {
    kr_form all = kr_form_max(args[0].json, args[0].text); /* bounds the items of the inner ones */
    kr_cost_plus(cost, kr_form_scale(all, 2 * KR_COST_UNIT));
    return kr_shape_container(kr_form_add(all, kr_form_fixed(2)), all);
  }
  case KR_FUNCTION_SPLIT:
    return kr_cost_split(args, cost);
  case KR_FUNCTION_OBJECT:
    return kr_cost_object(args, n_args, cost);
  case KR_FUNCTION_PARSE_JSON:
    return kr_shape_data(args[0].text);
  default:
    return kr_cost_of_number(function, args, n_args, cost);
  }
}

static kr_shape kr_cost_of_truth(unsigned function, const kr_shape *args, unsigned n_args,
                                 kr_form *cost) {
  switch (function) {
  case KR_FUNCTION_EQUALS:
  case KR_FUNCTION_NOT_EQUALS:
    kr_cost_plus(cost, kr_cost_of_equal(&args[0], &args[1]));
    return kr_shape_short(5);
  case KR_FUNCTION_IN:
    kr_cost_plus(cost, kr_cost_search(&args[1], &args[0]));
    return kr_shape_short(5);
  case KR_FUNCTION_CONTAINS:
    kr_cost_plus(cost, kr_cost_search(&args[0], &args[1]));
    return kr_shape_short(5);
  case KR_FUNCTION_MATCHES:
    kr_cost_plus(cost, kr_form_open());
    return kr_shape_short(5);
  case KR_FUNCTION_NOT:
  case KR_FUNCTION_EXISTS:
  case KR_FUNCTION_IS_EMPTY:
  case KR_FUNCTION_IS_NULL:
  case KR_FUNCTION_STARTS_WITH:
  case KR_FUNCTION_ENDS_WITH:
  case KR_FUNCTION_GREATER_THAN:
  case KR_FUNCTION_GREATER_THAN_OR_EQUAL:
  case KR_FUNCTION_LESS_THAN:
  case KR_FUNCTION_LESS_THAN_OR_EQUAL:
  case KR_FUNCTION_BETWEEN:
  case KR_FUNCTION_TO_BOOL:
    return kr_shape_short(5);
  default:
    return kr_cost_of_list(function, args, n_args, cost);
  }
}

kr_shape kr_cost_of_call(unsigned function, const kr_shape *args, unsigned n_args,
                         kr_form *ret_cost) {
  *ret_cost = kr_form_scale(kr_cost_texts(args, n_args), kr_function_row(function)->cost);
  return kr_cost_of_truth(function, args, n_args, ret_cost);
}

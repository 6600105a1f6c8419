/* SPDX-License-Identifier: Apache-2.0 */
/* render_case.c - the pieces, the payloads, and both in each engine's language. */
#include "render_case.h"

#include "bench.h"

#include <stdio.h>

#define SLACK_FIELDS 8u
#define ORDER_FIELDS 30u

static const char *const kr_slack_literals[SLACK_FIELDS + 1] = {
    "{\"channel\":\"#orders\",\"text\":\"New order ",
    " from ",
    " ",
    " for ",
    " EUR: ",
    ", shipped to ",
    " (",
    ") by ",
    ". Have a look at it today.\"}"};

static const char *const kr_slack_fields[SLACK_FIELDS] = {
    "order_id", "first_name", "last_name", "total", "item", "city", "country", "carrier"};
static const char *const kr_slack_values[SLACK_FIELDS] = {
    "SO-2024-00017", "Ada", "Lovelace",  "1249.90", "Analytical engine, brass",
    "London",        "GB",  "Royal Mail"};

static const char *const kr_order_fields[ORDER_FIELDS] = {
    "order_id",    "status", "currency",     "customer_id", "first_name", "last_name",
    "email",       "phone",  "company",      "vat_id",      "street",     "house_number",
    "postal_code", "city",   "region",       "country",     "carrier",    "tracking",
    "warehouse",   "sku",    "item_name",    "quantity",    "unit_price", "discount",
    "tax_rate",    "total",  "payment_type", "created_at",  "updated_at", "note"};
static const char *const kr_order_values[ORDER_FIELDS] = {"SO-2024-00017",
                                                          "paid",
                                                          "EUR",
                                                          "C-88213",
                                                          "Ada",
                                                          "Lovelace",
                                                          "ada@example.com",
                                                          "+44 20 7946 0018",
                                                          "Analytical Engines Ltd",
                                                          "GB123456789",
                                                          "St James's Square",
                                                          "12",
                                                          "SW1Y 4JH",
                                                          "London",
                                                          "Greater London",
                                                          "GB",
                                                          "Royal Mail",
                                                          "RM123456785GB",
                                                          "LHR-2",
                                                          "AE-1842-B",
                                                          "Analytical engine, brass",
                                                          "3",
                                                          "416.63",
                                                          "0.00",
                                                          "20",
                                                          "1249.90",
                                                          "card",
                                                          "2024-05-17T09:30:00Z",
                                                          "2024-05-17T09:31:12Z",
                                                          "Please ring the bell twice"};

/* What no template asks for; with it an order has 1.1 KB, as parsed and sent around. */
static const char kr_order_rest[] =
    ",\"source\":{\"channel\":\"web\",\"campaign\":null,\"is_test\":false,\"visits\":17,"
    "\"agent\":\"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\","
    "\"tags\":[\"wholesale\",\"returning\",\"newsletter\"],\"geo\":{\"lat\":51.50735,\"lon\":-0."
    "12776},"
    "\"events\":[{\"at\":1715938200,\"kind\":\"created\"},{\"at\":1715938272,\"kind\":\"paid\"}]}";

/* What an engine that does not escape, or that maps case by bytes, gets wrong. */
static const char kr_hostile[] = "\\u00e9 \\\"},{\\\"admin\\\":true \\\\ \\n\\t</script>";

const char *kr_case_field(const kr_render_case *work, unsigned field) {
  return work->n_fields == SLACK_FIELDS ? kr_slack_fields[field] : kr_order_fields[field];
}

const kr_json *kr_case_next(kr_render_case *work, size_t turn) {
  static char numbers[KR_CASE_NUMBERS][KR_CASE_NUMBER_BYTES + 3];
  if (numbers[0][0] == '\0')
    for (unsigned i = 0; i < KR_CASE_NUMBERS; i++)
      (void)snprintf(numbers[i], sizeof numbers[i], KR_CASE_NUMBER_FORMAT, i);
  size_t index = turn % KR_CASE_PAYLOADS;
  const char *number = numbers[turn % KR_CASE_NUMBERS];
  *work->numbers[index] = kr_json_string(kr_str_from(number, KR_CASE_NUMBER_BYTES));
  return work->payloads[index];
}

static void kr_case_add(kr_render_case *work, const char *literal, unsigned field,
                        kr_piece_function function) {
  if (work->n_pieces == KR_CASE_PIECES)
    kr_bench_die(work->name, "too many pieces");
  work->pieces[work->n_pieces++] =
      (kr_piece){.literal = literal, .field = field, .function = function};
}

/* Members start at another one for each rotated payload; the digit makes the values differ. */
static void kr_case_payload(kr_render_case *work, size_t index, unsigned shift, kr_arena *arena) {
  static const char *const digits[] = {"0", "1", "2", "3", "4"};
  char *text = work->payload_text[index];
  size_t len = 0;
  bool is_slack = work->n_fields == SLACK_FIELDS;
  for (unsigned i = 0; i < work->n_fields; i++) {
    unsigned field = (i + shift) % work->n_fields;
    const char *value = is_slack ? kr_slack_values[field] : kr_order_values[field];
    bool is_fixed = strcmp(kr_case_field(work, field), "status") == 0 ||
                    strcmp(kr_case_field(work, field), "country") == 0;
    len += (size_t)snprintf(text + len, KR_CASE_TEXT_BYTES - len, "%s\"%s\":\"%s%s\"",
                            i == 0 ? "{" : ",", kr_case_field(work, field),
                            index == KR_CASE_HOSTILE || work->is_hostile ? kr_hostile : value,
                            is_fixed ? "" : digits[index]);
  }
  (void)snprintf(text + len, KR_CASE_TEXT_BYTES - len, "%s}", is_slack ? "" : kr_order_rest);
  kr_error error = {0};
  if (kr_json_parse(kr_str_cstr(text), NULL, arena, &work->payloads[index], &error) != KR_OK)
    kr_bench_die(work->name, error.message);
  if (index != KR_CASE_HOSTILE) /* trees are immutable, but this one is ours */
    work->numbers[index] =
        (kr_json *)(uintptr_t)kr_json_get(work->payloads[index], KR_STR("order_id"));
}

void kr_case_slack(kr_render_case *work, kr_arena *arena) {
  *work = (kr_render_case){.name = "slack", .n_fields = SLACK_FIELDS};
  for (unsigned i = 0; i < SLACK_FIELDS; i++) {
    kr_case_add(work, kr_slack_literals[i], 0, KR_PIECE_PLAIN);
    kr_case_add(work, NULL, i, KR_PIECE_PLAIN);
  }
  kr_case_add(work, kr_slack_literals[SLACK_FIELDS], 0, KR_PIECE_PLAIN);
  for (size_t i = 0; i <= KR_CASE_PAYLOADS; i++)
    kr_case_payload(work, i, 0, arena);
}

static kr_piece_function kr_case_function(unsigned field) {
  static const struct {
    const char *field;
    kr_piece_function function;
  } rows[] = {{"currency", KR_PIECE_LOWER}, {"last_name", KR_PIECE_UPPER},
              {"company", KR_PIECE_TRIM},   {"created_at", KR_PIECE_HEAD},
              {"sku", KR_PIECE_REPLACE},    {"street", KR_PIECE_JOIN},
              {"region", KR_PIECE_DEFAULT}, {"status", KR_PIECE_CHOOSE}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (strcmp(rows[i].field, kr_order_fields[field]) == 0)
      return rows[i].function;
  return KR_PIECE_PLAIN;
}

static void kr_case_make_order(kr_render_case *work, bool has_functions, unsigned rotation,
                               kr_arena *arena) {
  static char literals[ORDER_FIELDS][64];
  for (unsigned i = 0; i < ORDER_FIELDS; i++) {
    (void)snprintf(literals[i], sizeof literals[i], "%s\"out_%s\":\"", i == 0 ? "{" : "\",",
                   kr_order_fields[i]);
    kr_case_add(work, literals[i], 0, KR_PIECE_PLAIN);
    kr_case_add(work, NULL, i, has_functions ? kr_case_function(i) : KR_PIECE_PLAIN);
  }
  kr_case_add(work, "\"}", 0, KR_PIECE_PLAIN);
  for (unsigned i = 0; i <= KR_CASE_PAYLOADS; i++) {
    /* rotation 2: every second payload; 4: all, each by another amount */
    bool is_rotated = rotation >= KR_CASE_PAYLOADS || (rotation > 0 && i % 2 == 1);
    kr_case_payload(work, i, is_rotated ? 7 * (i + 1) : 0, arena);
  }
}

void kr_case_order(kr_render_case *work, bool has_functions, unsigned rotation, kr_arena *arena) {
  *work = (kr_render_case){.name = has_functions ? "orderfn" : "order", .n_fields = ORDER_FIELDS};
  kr_case_make_order(work, has_functions, rotation, arena);
}

void kr_case_hostile(kr_render_case *work, kr_arena *arena) {
  *work = (kr_render_case){.name = "hostile", .n_fields = ORDER_FIELDS, .is_hostile = true};
  kr_case_make_order(work, false, 0, arena);
}

static void kr_case_put(kr_buf *out, kr_str bytes) {
  if (kr_buf_append(out, bytes) != KR_OK)
    kr_bench_die("case", "out of memory");
}

static void kr_case_put_cstr(kr_buf *out, const char *text) { kr_case_put(out, kr_str_cstr(text)); }

/* format takes the field and the field after it */
static void kr_case_put_format(kr_buf *out, const char *format, const char *field,
                               const char *next) {
  for (; *format != '\0'; format++) {
    if (*format == '@')
      kr_case_put_cstr(out, field);
    else if (*format == '~')
      kr_case_put_cstr(out, next);
    else
      kr_case_put(out, kr_str_from(format, 1));
  }
}

static void kr_case_put_field(const kr_render_case *work, const kr_piece *piece,
                              const char *const formats[], kr_buf *out) {
  kr_case_put_format(out, formats[piece->function], kr_case_field(work, piece->field),
                     kr_case_field(work, (piece->field + 1) % work->n_fields));
}

void kr_case_krosyn(const kr_render_case *work, kr_buf *out) {
  static const char *const formats[] = {
      [KR_PIECE_PLAIN] = "$payload.@",
      [KR_PIECE_UPPER] = "${uppercase($payload.@)}",
      [KR_PIECE_LOWER] = "${lowercase($payload.@)}",
      [KR_PIECE_TRIM] = "${trim($payload.@)}",
      [KR_PIECE_HEAD] = "${substring($payload.@, 0, 8)}",
      [KR_PIECE_REPLACE] = "${replace(\"-\", \"/\", $payload.@)}",
      [KR_PIECE_JOIN] = "${concat($payload.@, \" \", $payload.~)}",
      [KR_PIECE_DEFAULT] = "${default($payload.@?, \"none\")}",
      [KR_PIECE_CHOOSE] = "${if(equals($payload.@, \"paid\"), \"yes\", \"no\")}"};
  for (size_t i = 0; i < work->n_pieces; i++) {
    if (work->pieces[i].literal != NULL)
      kr_case_put_cstr(out, work->pieces[i].literal);
    else
      kr_case_put_field(work, &work->pieces[i], formats, out);
  }
  kr_case_put(out, kr_str_from("", 1));
  out->len--;
}

static void kr_case_lua_quote(kr_str text, kr_buf *out) {
  kr_case_put_cstr(out, "\"");
  for (size_t i = 0; i < text.len; i++) {
    char escape[8];
    (void)snprintf(escape, sizeof escape, "\\%03u", (unsigned)text.ptr[i]);
    bool is_plain = text.ptr[i] >= ' ' && text.ptr[i] != '"' && text.ptr[i] != '\\';
    kr_case_put(out, is_plain ? kr_str_slice(text, i, i + 1) : kr_str_cstr(escape));
  }
  kr_case_put_cstr(out, "\"");
}

void kr_case_lua(const kr_render_case *work, bool is_escaped, kr_buf *out) {
  static const char *const formats[] = {[KR_PIECE_PLAIN] = "p.@",
                                        [KR_PIECE_UPPER] = "upper(p.@)",
                                        [KR_PIECE_LOWER] = "lower(p.@)",
                                        [KR_PIECE_TRIM] = "match(p.@, '^%s*(.-)%s*$')",
                                        [KR_PIECE_HEAD] = "sub(p.@, 1, 8)",
                                        [KR_PIECE_REPLACE] = "gsub(p.@, '%-', '/')",
                                        [KR_PIECE_JOIN] = "p.@ .. ' ' .. p.~",
                                        [KR_PIECE_DEFAULT] = "(p.@ or 'none')",
                                        [KR_PIECE_CHOOSE] = "(p.@ == 'paid' and 'yes' or 'no')"};
  kr_case_put_cstr(out, "local upper, lower, match, sub, gsub, escape = string.upper, string.lower,"
                        " string.match, string.sub, string.gsub, escape\n"
                        "return function(p) return ");
  for (size_t i = 0; i < work->n_pieces; i++) {
    const kr_piece *piece = &work->pieces[i];
    kr_case_put_cstr(out, i == 0 ? "" : " .. ");
    if (piece->literal != NULL) {
      kr_case_lua_quote(kr_str_cstr(piece->literal), out);
      continue;
    }
    kr_case_put_cstr(out, is_escaped ? "escape(" : "(");
    kr_case_put_field(work, piece, formats, out);
    kr_case_put_cstr(out, ")");
  }
  kr_case_put(out, kr_str_from(" end\n\0", 6));
  out->len--;
}

void kr_case_lua_payload(const kr_render_case *work, size_t payload, kr_buf *out) {
  const kr_json *json = work->payloads[payload];
  kr_case_put_cstr(out, "return {");
  for (uint32_t i = 0; i < json->count; i++) {
    if (json->members[i].value.type != KR_JSON_STRING)
      continue;
    kr_case_put(out, kr_json_text(&json->members[i].key));
    kr_case_put_cstr(out, "=");
    kr_case_lua_quote(kr_json_text(&json->members[i].value), out);
    kr_case_put_cstr(out, ",");
  }
  kr_case_put(out, kr_str_from("}\0", 2));
  out->len--;
}

void kr_case_json(const kr_render_case *work, kr_buf *out) {
  static const char *const names[] = {"plain",   "upper", "lower",   "trim",  "head",
                                      "replace", "join",  "default", "choose"};
  kr_json_writer json = kr_json_writer_init(out, 0);
  kr_json_begin_object(&json);
  kr_json_key(&json, KR_STR("op"));
  kr_json_put_cstr(&json, "case");
  kr_json_key(&json, KR_STR("name"));
  kr_json_put_cstr(&json, work->name);
  kr_json_key(&json, KR_STR("pieces"));
  kr_json_begin_array(&json);
  for (size_t i = 0; i < work->n_pieces; i++) {
    const kr_piece *piece = &work->pieces[i];
    kr_json_begin_object(&json);
    kr_json_key(&json, piece->literal != NULL ? KR_STR("literal") : KR_STR("field"));
    kr_json_put_cstr(&json,
                     piece->literal != NULL ? piece->literal : kr_case_field(work, piece->field));
    kr_json_key(&json, KR_STR("next"));
    kr_json_put_cstr(&json, kr_case_field(work, (piece->field + 1) % work->n_fields));
    kr_json_key(&json, KR_STR("function"));
    kr_json_put_cstr(&json, names[piece->function]);
    kr_json_end_object(&json);
  }
  kr_json_end_array(&json);
  kr_json_key(&json, KR_STR("payloads"));
  kr_json_begin_array(&json);
  for (size_t i = 0; i <= KR_CASE_PAYLOADS; i++)
    kr_json_put_cstr(&json, work->payload_text[i]);
  kr_json_end_array(&json);
  kr_json_end_object(&json);
  if (kr_json_finish(&json) != KR_OK)
    kr_bench_die(work->name, "out of memory");
}

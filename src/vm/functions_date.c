/* SPDX-License-Identifier: Apache-2.0 */
/*
 * functions_date.c - dates. Between functions a date is a string, ISO 8601 in
 * UTC ending in Z; the fraction of a second keeps its 0, 3, 6 or 9 digits.
 */
#include "vm/date_format.h"
#include "vm/functions.h"
#include "vm/number.h"

static kr_status kr_date_argument(kr_vm *vm, const kr_value *arg, unsigned index,
                                  const char *function, kr_instant *ret_instant) {
  if (kr_instant_parse(kr_value_text(arg), ret_instant))
    return KR_OK;
  kr_status status = kr_vm_fail(
      vm, KR_INVALID, KR_E_DATE,
      "argument %u of %s is not an ISO 8601 date of the years 0000 to 9999", index + 1, function);
  kr_error_hint(vm->reterr, "parseDate(text, format) and fromUnix(seconds) make such dates");
  return status;
}

static kr_status kr_date_result(kr_vm *vm, const kr_instant *instant, kr_value *result) {
  void *memory = NULL;
  KR_TRY(kr_vm_alloc(vm, KR_INSTANT_TEXT_BYTES, &memory));
  *result = kr_value_string(kr_str_from(memory, kr_instant_print(instant, memory)));
  return KR_OK;
}

static kr_status kr_date_out_of_range(kr_vm *vm, const char *function) {
  return kr_vm_fail(vm, KR_INVALID, KR_E_DATE, "the result of %s is outside the years 0000 to 9999",
                    function);
}

/* The same instant for a whole render, so that its parts agree. */
kr_status kr_body_NOW(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)args;
  (void)n_args;
  if (!vm->has_now) {
    const kr_clock *clock = vm->input->clock;
    vm->now_ms = kr_clock_wall_ms(clock == NULL ? kr_clock_system() : clock);
    vm->has_now = true;
  }
  int64_t millis = vm->now_ms % 1000;
  if (millis < 0)
    millis += 1000;
  kr_instant instant = {
      .seconds = (vm->now_ms - millis) / 1000, .nanos = (int32_t)millis * 1000000, .digits = 3};
  if (!kr_instant_is_in_range(instant.seconds))
    return kr_date_out_of_range(vm, "now");
  return kr_date_result(vm, &instant, result);
}

#define KR_ZONE_COST 4096u /* bytes */

static kr_status kr_date_zone(kr_vm *vm, kr_str name, int64_t seconds, kr_zone_offset *ret_offset) {
  *ret_offset = (kr_zone_offset){.seconds = 0, .name = KR_STR("UTC")};
  if (kr_str_equal(name, KR_STR("UTC")))
    return KR_OK;
  const kr_zone_reader *reader =
      vm->input->zones == NULL ? kr_zone_reader_system() : vm->input->zones;
  const kr_zone *zone = NULL;
  size_t n_bytes = 0;
  kr_error error = {0};
  if (!kr_zone_cache_has(&vm->zones, reader,
                         name)) /* as much as any known file has, before it is read */
    KR_TRY(kr_vm_spend(vm, KR_ZONE_COST));
  kr_status status = kr_zone_cache_get(&vm->zones, reader, name, &zone, &n_bytes, &error);
  if (status == KR_NOMEM)
    return kr_fail_nomem(vm->reterr);
  if (status != KR_OK) {
    status = kr_vm_fail(vm, status, KR_E_ZONE, "%s", error.message);
    kr_error_hint(vm->reterr, "%s", error.hint);
    return status;
  }
  *ret_offset = kr_zone_at(zone, seconds);
  return kr_vm_spend(vm, n_bytes > KR_ZONE_COST ? n_bytes - KR_ZONE_COST : 0);
}

kr_status kr_body_FORMAT_DATE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  kr_instant instant;
  kr_zone_offset offset;
  kr_str zone = n_args == 3 ? kr_value_text(&args[2]) : KR_STR("UTC");
  KR_TRY(kr_date_argument(vm, &args[0], 0, "formatDate", &instant));
  KR_TRY(kr_date_zone(vm, zone, instant.seconds, &offset));
  return kr_date_format(vm, &instant, offset, kr_value_text(&args[1]), result);
}

kr_status kr_body_PARSE_DATE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  kr_instant instant;
  if (n_args == 2)
    KR_TRY(kr_date_parse(vm, kr_value_text(&args[0]), kr_value_text(&args[1]), &instant));
  else
    KR_TRY(kr_date_argument(vm, &args[0], 0, "parseDate", &instant));
  return kr_date_result(vm, &instant, result);
}

kr_status kr_body_ADD_DURATION(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_instant instant;
  kr_instant sum;
  kr_duration duration;
  KR_TRY(kr_date_argument(vm, &args[0], 0, "addDuration", &instant));
  if (!kr_duration_parse(kr_value_text(&args[1]), &duration)) {
    kr_status status = kr_vm_fail(vm, KR_INVALID, KR_E_DATE,
                                  "argument 2 of addDuration is not an ISO 8601 duration");
    kr_error_hint(vm->reterr, "such as P1Y2M3DT4H5M6S, PT30M, P2W or -P1D");
    return status;
  }
  if (!kr_instant_add(&instant, &duration, &sum))
    return kr_date_out_of_range(vm, "addDuration");
  return kr_date_result(vm, &sum, result);
}

typedef struct kr_date_unit {
  const char *name; /* also without its final s */
  int64_t seconds;  /* 0: in months */
  int64_t months;
} kr_date_unit;

static const kr_date_unit kr_date_units[] = {
    {"milliseconds", 0, 0}, {"seconds", 1, 0},    {"minutes", 60, 0}, {"hours", 3600, 0},
    {"days", 86400, 0},     {"weeks", 604800, 0}, {"months", 0, 1},   {"years", 0, 12}};

static kr_status kr_date_find_unit(kr_vm *vm, kr_str text, size_t n_units, const char *function,
                                   const kr_date_unit **ret_unit) {
  for (size_t i = 0; i < n_units; i++) {
    kr_str name = kr_str_cstr(kr_date_units[i].name);
    if (kr_str_equal(text, name) || kr_str_equal(text, kr_str_slice(name, 0, name.len - 1))) {
      *ret_unit = &kr_date_units[i];
      return KR_OK;
    }
  }
  kr_status status = kr_vm_fail(vm, KR_INVALID, KR_E_ARGUMENT, "%s has no such unit", function);
  kr_error_hint(vm->reterr, n_units == 2 ? "there are seconds and milliseconds"
                                         : "there are milliseconds, seconds, minutes, hours, "
                                           "days, weeks, months and years");
  return status;
}

/* Whole units from a to b, towards zero. */
kr_status kr_body_DATE_DIFF(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  kr_instant a;
  kr_instant b;
  const kr_date_unit *unit = &kr_date_units[0];
  kr_str name = n_args == 3 ? kr_value_text(&args[2]) : KR_STR("seconds");
  KR_TRY(kr_date_argument(vm, &args[0], 0, "dateDiff", &a));
  KR_TRY(kr_date_argument(vm, &args[1], 1, "dateDiff", &b));
  KR_TRY(kr_date_find_unit(vm, name, sizeof(kr_date_units) / sizeof(kr_date_units[0]), "dateDiff",
                           &unit));
  if (unit->months > 0) {
    *result = kr_value_int(kr_instant_months_between(&a, &b) / unit->months);
    return KR_OK;
  }
  int64_t seconds = b.seconds - a.seconds;
  int64_t nanos = (int64_t)b.nanos - a.nanos;
  if (seconds > 0 && nanos < 0) { /* both of one sign, so that divisions go towards zero */
    seconds--;
    nanos += 1000000000;
  } else if (seconds < 0 && nanos > 0) {
    seconds++;
    nanos -= 1000000000;
  }
  *result =
      kr_value_int(unit->seconds > 0 ? seconds / unit->seconds : seconds * 1000 + nanos / 1000000);
  return KR_OK;
}

/* Whole units, to the past. */
kr_status kr_body_TO_UNIX(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  kr_instant instant;
  const kr_date_unit *unit = &kr_date_units[0];
  KR_TRY(kr_date_argument(vm, &args[0], 0, "toUnix", &instant));
  KR_TRY(kr_date_find_unit(vm, n_args == 2 ? kr_value_text(&args[1]) : KR_STR("seconds"), 2,
                           "toUnix", &unit));
  *result = kr_value_int(unit->seconds > 0 ? instant.seconds
                                           : instant.seconds * 1000 + instant.nanos / 1000000);
  return KR_OK;
}

#define KR_UNIX_DIGITS_MAX 12 /* of whole seconds; 9999-12-31 has 12 */

kr_status kr_body_FROM_UNIX(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  kr_digits digits;
  const kr_date_unit *unit = &kr_date_units[0];
  KR_TRY(kr_digits_read(vm, &args[0], &digits));
  KR_TRY(kr_date_find_unit(vm, n_args == 2 ? kr_value_text(&args[1]) : KR_STR("seconds"), 2,
                           "fromUnix", &unit));
  kr_instant instant = {.digits = unit->seconds > 0 ? 0 : 3};
  digits.exponent -= instant.digits;
  kr_digits_round(&digits, 9, KR_ROUND_DOWN);
  if (digits.exponent > KR_UNIX_DIGITS_MAX)
    return kr_date_out_of_range(vm, "fromUnix");
  for (int64_t position = digits.exponent - 1; position >= 0; position--)
    instant.seconds = instant.seconds * 10 + kr_digits_at(&digits, position);
  for (int64_t position = -1; position >= -9; position--)
    instant.nanos = instant.nanos * 10 + kr_digits_at(&digits, position);
  if (digits.is_negative) {
    instant.seconds = -instant.seconds - (instant.nanos > 0);
    instant.nanos = instant.nanos > 0 ? 1000000000 - instant.nanos : 0;
  }
  if (!kr_instant_is_in_range(instant.seconds))
    return kr_date_out_of_range(vm, "fromUnix");
  return kr_date_result(vm, &instant, result);
}

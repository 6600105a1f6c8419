/* SPDX-License-Identifier: Apache-2.0 */
/*
 * date_format.c - dates in other forms than ISO 8601. What a format does not
 * say when reading is the first of January, midnight, UTC; a year it must say.
 * What it says twice must agree: a weekday that is not the date's is an error,
 * for then day and month are likely to be swapped.
 */
#include "vm/date_format.h"

static const char *const kr_date_months[] = {"January",   "February", "March",    "April",
                                             "May",       "June",     "July",     "August",
                                             "September", "October",  "November", "December"};
static const char *const kr_date_weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                               "Thursday", "Friday", "Saturday"};
#define KR_DATE_SHORT_NAME 3 /* letters of %a and %b */

static kr_status kr_date_bad_format(kr_vm *vm) {
  kr_status status =
      kr_vm_fail(vm, KR_INVALID, KR_E_DATE, "the date format has an unknown directive");
  kr_error_hint(vm->reterr, "there are %%Y %%m %%d %%H %%M %%S %%z %%Z %%j %%a %%b %%A %%B %%%%");
  return status;
}

#define KR_DATE_DIGITS 16 /* room for the longest, an offset */

/* So many digits, with zeros in front. */
static size_t kr_date_print(char *out, int32_t number, size_t n_digits) {
  for (size_t i = n_digits; i-- > 0; number /= 10)
    out[i] = (char)('0' + number % 10);
  return n_digits;
}

/* "+0100"; with seconds where a zone of old has them. */
static size_t kr_date_print_offset(char out[KR_DATE_DIGITS], int32_t offset) {
  int32_t east = offset < 0 ? -offset : offset;
  size_t len = 1;
  out[0] = offset < 0 ? '-' : '+';
  len += kr_date_print(out + len, east / 3600 % 100, 2);
  len += kr_date_print(out + len, east / 60 % 60, 2);
  if (east % 60 != 0)
    len += kr_date_print(out + len, east % 60, 2);
  return len;
}

static bool kr_date_directive(const kr_civil *civil, kr_zone_offset offset, uint8_t directive,
                              char out[KR_DATE_DIGITS], kr_str *ret_text) {
  size_t len = 0;
  switch (directive) {
  case 'Y':
    len = kr_date_print(out, civil->year, 4);
    break;
  case 'm':
    len = kr_date_print(out, civil->month, 2);
    break;
  case 'd':
    len = kr_date_print(out, civil->day, 2);
    break;
  case 'H':
    len = kr_date_print(out, civil->hour, 2);
    break;
  case 'M':
    len = kr_date_print(out, civil->minute, 2);
    break;
  case 'S':
    len = kr_date_print(out, civil->second, 2);
    break;
  case 'j':
    len = kr_date_print(out, civil->day_of_year, 3);
    break;
  case 'z':
    len = kr_date_print_offset(out, offset.seconds);
    break;
  case 'Z':
    *ret_text = offset.name;
    return true;
  case 'A':
  case 'a':
    *ret_text = kr_str_cstr(kr_date_weekdays[civil->weekday]);
    *ret_text = directive == 'a' ? kr_str_slice(*ret_text, 0, KR_DATE_SHORT_NAME) : *ret_text;
    return true;
  case 'B':
  case 'b':
    *ret_text = kr_str_cstr(kr_date_months[civil->month - 1]);
    *ret_text = directive == 'b' ? kr_str_slice(*ret_text, 0, KR_DATE_SHORT_NAME) : *ret_text;
    return true;
  case '%':
    *ret_text = KR_STR("%");
    return true;
  default:
    return false;
  }
  *ret_text = kr_str_from(out, len);
  return true;
}

kr_status kr_date_format(kr_vm *vm, const kr_instant *instant, kr_zone_offset offset, kr_str format,
                         kr_value *ret_string) {
  int64_t local = instant->seconds + offset.seconds;
  if (!kr_instant_is_in_range(local))
    return kr_vm_fail(vm, KR_INVALID, KR_E_DATE,
                      "in this time zone the date is outside the years 0000 to 9999");
  kr_civil civil = kr_calendar_civil(local);
  kr_vm_build_begin(vm);
  for (size_t at = 0; at < format.len;) {
    size_t percent = kr_str_find(format, KR_STR("%"), at);
    KR_TRY(kr_vm_build_bytes(vm, kr_str_slice(format, at, percent)));
    if (percent == SIZE_MAX)
      break;
    char scratch[KR_DATE_DIGITS];
    kr_str text;
    if (percent + 1 >= format.len ||
        !kr_date_directive(&civil, offset, format.ptr[percent + 1], scratch, &text))
      return kr_date_bad_format(vm);
    KR_TRY(kr_vm_build_bytes(vm, text));
    at = percent + 2;
  }
  return kr_vm_build_take(vm, ret_string);
}

typedef struct kr_date_reading {
  kr_str rest;
  kr_civil civil;
  int32_t offset;
  bool has_year;
  bool has_month_day;
  bool has_day_of_year;
  bool has_weekday;
} kr_date_reading;

static bool kr_date_number(kr_date_reading *reading, size_t n_digits, int32_t *ret_number) {
  int32_t number = 0;
  if (reading->rest.len < n_digits)
    return false;
  for (size_t i = 0; i < n_digits; i++) {
    uint8_t byte = reading->rest.ptr[i];
    if (byte < '0' || byte > '9')
      return false;
    number = number * 10 + (byte - '0');
  }
  reading->rest = kr_str_skip(reading->rest, n_digits);
  *ret_number = number;
  return true;
}

static bool kr_date_name(kr_date_reading *reading, const char *const *names, int32_t n_names,
                         bool is_short, int32_t *ret_index) {
  for (int32_t i = 0; i < n_names; i++) {
    kr_str name = kr_str_cstr(names[i]);
    if (is_short)
      name = kr_str_slice(name, 0, KR_DATE_SHORT_NAME);
    if (kr_str_equal_nocase(kr_str_slice(reading->rest, 0, name.len), name)) {
      reading->rest = kr_str_skip(reading->rest, name.len);
      *ret_index = i;
      return true;
    }
  }
  return false;
}

static bool kr_date_take(kr_date_reading *reading, kr_str text) {
  if (!kr_str_starts(reading->rest, text))
    return false;
  reading->rest = kr_str_skip(reading->rest, text.len);
  return true;
}

/* Z, +HHMM, +HH:MM */
static bool kr_date_offset(kr_date_reading *reading) {
  int32_t hours = 0;
  int32_t minutes = 0;
  if (kr_date_take(reading, KR_STR("Z")))
    return true;
  bool is_negative = kr_date_take(reading, KR_STR("-"));
  if (!is_negative && !kr_date_take(reading, KR_STR("+")))
    return false;
  if (!kr_date_number(reading, 2, &hours))
    return false;
  (void)kr_date_take(reading, KR_STR(":"));
  if (!kr_date_number(reading, 2, &minutes) || hours > 23 || minutes > 59)
    return false;
  reading->offset = hours * 3600 + minutes * 60;
  if (is_negative)
    reading->offset = -reading->offset;
  return true;
}

/* One directive; *ret_is_known is false when there is no such directive. */
static bool kr_date_read(kr_date_reading *reading, uint8_t directive, bool *ret_is_known) {
  kr_civil *civil = &reading->civil;
  bool is_good = false;
  switch (directive) {
  case 'Y':
    reading->has_year = true;
    return kr_date_number(reading, 4, &civil->year);
  case 'm':
    reading->has_month_day = true;
    return kr_date_number(reading, 2, &civil->month);
  case 'd':
    reading->has_month_day = true;
    return kr_date_number(reading, 2, &civil->day);
  case 'H':
    return kr_date_number(reading, 2, &civil->hour);
  case 'M':
    return kr_date_number(reading, 2, &civil->minute);
  case 'S':
    return kr_date_number(reading, 2, &civil->second);
  case 'j':
    reading->has_day_of_year = true;
    return kr_date_number(reading, 3, &civil->day_of_year);
  case 'z':
    return kr_date_offset(reading);
  case 'Z': /* other abbreviations mean several zones each */
    return kr_date_take(reading, KR_STR("UTC")) || kr_date_take(reading, KR_STR("GMT")) ||
           kr_date_take(reading, KR_STR("Z"));
  case 'a':
  case 'A':
    reading->has_weekday = true;
    return kr_date_name(reading, kr_date_weekdays, 7, directive == 'a', &civil->weekday);
  case 'b':
  case 'B':
    reading->has_month_day = true;
    is_good = kr_date_name(reading, kr_date_months, 12, directive == 'b', &civil->month);
    civil->month++;
    return is_good;
  case '%':
    return kr_date_take(reading, KR_STR("%"));
  default:
    *ret_is_known = false;
    return false;
  }
}

static bool kr_date_settle(kr_date_reading *reading, kr_instant *ret_instant) {
  kr_civil *civil = &reading->civil;
  if (!reading->has_year)
    return false;
  if (reading->has_day_of_year && !reading->has_month_day) {
    if (civil->day_of_year < 1 ||
        civil->day_of_year > 365 + (int32_t)kr_calendar_is_leap(civil->year))
      return false;
    kr_civil date = kr_calendar_civil(
        (kr_calendar_days(civil->year, 1, 1) + civil->day_of_year - 1) * INT64_C(86400));
    civil->month = date.month;
    civil->day = date.day;
  }
  kr_instant instant = {0};
  if (!kr_calendar_seconds(civil, &instant.seconds))
    return false;
  kr_civil date = kr_calendar_civil(instant.seconds);
  if ((reading->has_weekday && date.weekday != civil->weekday) ||
      (reading->has_day_of_year && date.day_of_year != civil->day_of_year))
    return false;
  instant.seconds -= reading->offset;
  *ret_instant = instant;
  return kr_instant_is_in_range(instant.seconds);
}

kr_status kr_date_parse(kr_vm *vm, kr_str text, kr_str format, kr_instant *ret_instant) {
  kr_date_reading reading = {.rest = text, .civil = {.month = 1, .day = 1}};
  bool is_good = true;
  for (size_t at = 0; at < format.len && is_good;) {
    KR_TRY(kr_vm_spend_piece(vm, 0));
    size_t percent = kr_str_find(format, KR_STR("%"), at);
    bool is_known = percent == SIZE_MAX || percent + 1 < format.len;
    is_good = kr_date_take(&reading, kr_str_slice(format, at, percent));
    if (is_good && is_known && percent != SIZE_MAX)
      is_good = kr_date_read(&reading, format.ptr[percent + 1], &is_known);
    if (!is_known)
      return kr_date_bad_format(vm);
    at = percent == SIZE_MAX ? format.len : percent + 2;
  }
  if (is_good && reading.rest.len == 0 && kr_date_settle(&reading, ret_instant))
    return KR_OK;
  kr_status status =
      kr_vm_fail(vm, KR_INVALID, KR_E_DATE, "the text is not a date of the given format");
  kr_error_hint(vm->reterr, "it must match to its end, exist, and name a year");
  return status;
}

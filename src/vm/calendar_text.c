/* SPDX-License-Identifier: Apache-2.0 */
/* calendar_text.c - reading ISO 8601 dates (the profile of RFC 3339) and durations. */
#include "vm/calendar.h"

typedef struct kr_cursor {
  kr_str rest;
} kr_cursor;

static bool kr_cursor_take(kr_cursor *cursor, const char *any_of) {
  if (cursor->rest.len == 0 || cursor->rest.ptr[0] == '\0' ||
      strchr(any_of, cursor->rest.ptr[0]) == NULL)
    return false;
  cursor->rest = kr_str_skip(cursor->rest, 1);
  return true;
}

static bool kr_cursor_number(kr_cursor *cursor, size_t n_digits, int32_t *ret_number) {
  int32_t number = 0;
  if (cursor->rest.len < n_digits)
    return false;
  for (size_t i = 0; i < n_digits; i++) {
    uint8_t byte = cursor->rest.ptr[i];
    if (byte < '0' || byte > '9')
      return false;
    number = number * 10 + (byte - '0');
  }
  cursor->rest = kr_str_skip(cursor->rest, n_digits);
  *ret_number = number;
  return true;
}

static kr_str kr_cursor_digits(kr_cursor *cursor) {
  size_t len = 0;
  while (len < cursor->rest.len && cursor->rest.ptr[len] >= '0' && cursor->rest.ptr[len] <= '9')
    len++;
  kr_str digits = kr_str_slice(cursor->rest, 0, len);
  cursor->rest = kr_str_skip(cursor->rest, len);
  return digits;
}

void kr_instant_fraction(kr_str digits, kr_instant *instant) {
  int32_t nanos = 0;
  for (size_t i = 0; i < 9; i++)
    nanos = nanos * 10 + (i < digits.len ? digits.ptr[i] - '0' : 0);
  instant->nanos = nanos;
  instant->digits = digits.len > 6 ? 9 : digits.len > 3 ? 6 : 3;
}

static bool kr_cursor_time(kr_cursor *cursor, kr_civil *civil, kr_instant *instant) {
  if (!kr_cursor_number(cursor, 2, &civil->hour) || !kr_cursor_take(cursor, ":") ||
      !kr_cursor_number(cursor, 2, &civil->minute))
    return false;
  if (!kr_cursor_take(cursor, ":"))
    return true;
  if (!kr_cursor_number(cursor, 2, &civil->second))
    return false;
  if (!kr_cursor_take(cursor, ".,"))
    return true;
  kr_str digits = kr_cursor_digits(cursor);
  kr_instant_fraction(digits, instant);
  return digits.len > 0;
}

/* Z, +HH:MM, +HHMM, +HH; nothing is UTC. */
static bool kr_cursor_offset(kr_cursor *cursor, int32_t *ret_offset) {
  *ret_offset = 0;
  if (cursor->rest.len == 0 || kr_cursor_take(cursor, "Zz"))
    return true;
  bool is_negative = cursor->rest.ptr[0] == '-';
  int32_t hours = 0;
  int32_t minutes = 0;
  if (!kr_cursor_take(cursor, "+-") || !kr_cursor_number(cursor, 2, &hours))
    return false;
  bool is_divided = kr_cursor_take(cursor, ":");
  if ((is_divided || cursor->rest.len > 0) && !kr_cursor_number(cursor, 2, &minutes))
    return false;
  int32_t offset = hours * 3600 + minutes * 60;
  *ret_offset = is_negative ? -offset : offset;
  return hours <= 23 && minutes <= 59;
}

bool kr_instant_parse(kr_str text, kr_instant *ret_instant) {
  kr_cursor cursor = {.rest = text};
  kr_civil civil = {0};
  kr_instant instant = {0};
  int32_t offset = 0;
  if (!kr_cursor_number(&cursor, 4, &civil.year) || !kr_cursor_take(&cursor, "-") ||
      !kr_cursor_number(&cursor, 2, &civil.month) || !kr_cursor_take(&cursor, "-") ||
      !kr_cursor_number(&cursor, 2, &civil.day))
    return false;
  if (cursor.rest.len > 0 &&
      (!kr_cursor_take(&cursor, "Tt ") || !kr_cursor_time(&cursor, &civil, &instant) ||
       !kr_cursor_offset(&cursor, &offset)))
    return false;
  if (cursor.rest.len > 0 || !kr_calendar_seconds(&civil, &instant.seconds))
    return false;
  instant.seconds -= offset;
  *ret_instant = instant;
  return kr_instant_is_in_range(instant.seconds);
}

#define KR_DURATION_DIGITS_MAX 12 /* of one number; the calendar has far fewer of anything */

typedef struct kr_duration_unit {
  char letter;
  int32_t months;
  int32_t days;
  int32_t seconds;
} kr_duration_unit;

static const kr_duration_unit kr_duration_dates[] = {
    {'Y', 12, 0, 0}, {'M', 1, 0, 0}, {'W', 0, 7, 0}, {'D', 0, 1, 0}};
static const kr_duration_unit kr_duration_times[] = {
    {'H', 0, 0, 3600}, {'M', 0, 0, 60}, {'S', 0, 0, 1}};

/* One "12.5S"; *ret_rank says which of the units it was. */
static bool kr_duration_part(kr_cursor *cursor, bool is_negative, const kr_duration_unit *units,
                             size_t n_units, kr_duration *duration, size_t *ret_rank) {
  if (cursor->rest.len > 0 && cursor->rest.ptr[0] == '-')
    is_negative = !is_negative;
  (void)kr_cursor_take(cursor, "+-");
  kr_str digits = kr_cursor_digits(cursor);
  kr_instant fraction = {0};
  bool has_fraction = digits.len > 0 && kr_cursor_take(cursor, ".,");
  if (has_fraction) {
    kr_str after = kr_cursor_digits(cursor);
    kr_instant_fraction(after, &fraction);
    if (after.len == 0)
      return false;
  }
  if (digits.len == 0 || digits.len > KR_DURATION_DIGITS_MAX || cursor->rest.len == 0)
    return false;
  int64_t number = 0;
  for (size_t i = 0; i < digits.len; i++)
    number = number * 10 + (digits.ptr[i] - '0');
  if (is_negative)
    number = -number;
  size_t rank = 0;
  while (rank < n_units && (uint8_t)units[rank].letter != cursor->rest.ptr[0])
    rank++;
  cursor->rest = kr_str_skip(cursor->rest, 1);
  if (rank == n_units || (has_fraction && units[rank].letter != 'S'))
    return false;
  duration->months += number * units[rank].months;
  duration->days += number * units[rank].days;
  duration->seconds += number * units[rank].seconds;
  duration->nanos += is_negative ? -fraction.nanos : fraction.nanos;
  duration->digits = has_fraction ? fraction.digits : duration->digits;
  *ret_rank = rank;
  return true;
}

/* Parts in the order of their units, each at most once, until the end or a 'T'. */
static bool kr_duration_parts(kr_cursor *cursor, bool is_negative, const kr_duration_unit *units,
                              size_t n_units, kr_duration *duration, size_t *n_parts) {
  size_t next = 0;
  while (cursor->rest.len > 0 && cursor->rest.ptr[0] != 'T') {
    size_t rank = 0;
    if (!kr_duration_part(cursor, is_negative, units, n_units, duration, &rank) || rank < next)
      return false;
    next = rank + 1;
    (*n_parts)++;
  }
  return true;
}

bool kr_duration_parse(kr_str text, kr_duration *ret_duration) {
  kr_cursor cursor = {.rest = text};
  kr_duration duration = {0};
  size_t n_dates = 0;
  size_t n_times = 0;
  bool is_negative = text.len > 0 && text.ptr[0] == '-';
  (void)kr_cursor_take(&cursor, "+-");
  if (!kr_cursor_take(&cursor, "P") ||
      !kr_duration_parts(&cursor, is_negative, kr_duration_dates, 4, &duration, &n_dates))
    return false;
  bool has_time = kr_cursor_take(&cursor, "T");
  if (!kr_duration_parts(&cursor, is_negative, kr_duration_times, 3, &duration, &n_times))
    return false;
  *ret_duration = duration;
  return cursor.rest.len == 0 && n_dates + n_times > 0 && (n_times > 0) == has_time;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* calendar.c - dates to days and back, by counting the leap years before a year. */
#include "vm/calendar.h"

#define KR_DAY_SECONDS INT64_C(86400)
#define KR_DAYS_TO_1970 719528 /* from 0000-01-01 */
#define KR_CYCLE_YEARS 400
#define KR_CYCLE_DAYS 146097 /* of 400 years */

/* Days of a year before each month; a leap year has one more from March on. */
static const int16_t kr_month_starts[] = {0,   31,  59,  90,  120, 151, 181,
                                          212, 243, 273, 304, 334, 365};

bool kr_calendar_is_leap(int32_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int32_t kr_calendar_month_start(int32_t year, int32_t month) {
  return kr_month_starts[month - 1] + (month > 2 && kr_calendar_is_leap(year));
}

int32_t kr_calendar_month_days(int32_t year, int32_t month) {
  return kr_month_starts[month] - kr_month_starts[month - 1] +
         (month == 2 && kr_calendar_is_leap(year));
}

/* Days from 0000-01-01 to the first of a year; one cycle is added so that nothing is negative. */
static int64_t kr_calendar_year_start(int32_t year) {
  int64_t before = (int64_t)year + KR_CYCLE_YEARS - 1;
  return (before + 1) * 365 + before / 4 - before / 100 + before / 400 + 1 - KR_CYCLE_DAYS;
}

int64_t kr_calendar_days(int32_t year, int32_t month, int32_t day) {
  return kr_calendar_year_start(year) + kr_calendar_month_start(year, month) + day - 1 -
         KR_DAYS_TO_1970;
}

kr_civil kr_calendar_civil(int64_t seconds) {
  int64_t days = seconds / KR_DAY_SECONDS;
  int64_t rest = seconds % KR_DAY_SECONDS;
  if (rest < 0) {
    rest += KR_DAY_SECONDS;
    days--;
  }
  kr_civil civil = {.hour = (int32_t)(rest / 3600),
                    .minute = (int32_t)(rest / 60 % 60),
                    .second = (int32_t)(rest % 60),
                    .weekday = (int32_t)(((days + 4) % 7 + 7) % 7)}; /* 1970-01-01: a Thursday */
  days += KR_DAYS_TO_1970;
  civil.year = (int32_t)(days * KR_CYCLE_YEARS / KR_CYCLE_DAYS); /* off by one at most */
  while (kr_calendar_year_start(civil.year) > days)
    civil.year--;
  while (kr_calendar_year_start(civil.year + 1) <= days)
    civil.year++;
  int32_t day = (int32_t)(days - kr_calendar_year_start(civil.year));
  civil.day_of_year = day + 1;
  civil.month = day / 31 + 1; /* this one or the next */
  if (civil.month < 12 && kr_calendar_month_start(civil.year, civil.month + 1) <= day)
    civil.month++;
  civil.day = day - kr_calendar_month_start(civil.year, civil.month) + 1;
  return civil;
}

bool kr_instant_is_in_range(int64_t seconds) {
  return seconds >= KR_INSTANT_FIRST && seconds <= KR_INSTANT_LAST;
}

bool kr_calendar_seconds(const kr_civil *civil, int64_t *ret_seconds) {
  if (civil->year < 0 || civil->year > 9999 || civil->month < 1 || civil->month > 12 ||
      civil->day < 1 || civil->day > kr_calendar_month_days(civil->year, civil->month) ||
      civil->hour < 0 || civil->hour > 23 || civil->minute < 0 || civil->minute > 59 ||
      civil->second < 0 || civil->second > 59)
    return false;
  *ret_seconds = kr_calendar_days(civil->year, civil->month, civil->day) * KR_DAY_SECONDS +
                 civil->hour * 3600 + civil->minute * 60 + civil->second;
  return true;
}

int kr_instant_compare(const kr_instant *a, const kr_instant *b) {
  if (a->seconds != b->seconds)
    return a->seconds < b->seconds ? -1 : 1;
  return (a->nanos > b->nanos) - (a->nanos < b->nanos);
}

/* So many digits with zeros in front, and what stands behind them; bytes written. */
static size_t kr_calendar_print(char *out, int32_t number, size_t n_digits, char behind) {
  for (size_t i = n_digits; i-- > 0; number /= 10)
    out[i] = (char)('0' + number % 10);
  out[n_digits] = behind;
  return n_digits + 1;
}

size_t kr_instant_print(const kr_instant *instant, char out[KR_INSTANT_TEXT_BYTES]) {
  kr_civil civil = kr_calendar_civil(instant->seconds);
  int32_t needed = instant->nanos == 0             ? 0
                   : instant->nanos % 1000000 == 0 ? 3
                   : instant->nanos % 1000 == 0    ? 6
                                                   : 9;
  int32_t digits = instant->digits > needed ? instant->digits : needed;
  size_t len = kr_calendar_print(out, civil.year, 4, '-');
  len += kr_calendar_print(out + len, civil.month, 2, '-');
  len += kr_calendar_print(out + len, civil.day, 2, 'T');
  len += kr_calendar_print(out + len, civil.hour, 2, ':');
  len += kr_calendar_print(out + len, civil.minute, 2, ':');
  len += kr_calendar_print(out + len, civil.second, 2, digits > 0 ? '.' : 'Z');
  if (digits > 0) {
    int32_t fraction = instant->nanos;
    for (int32_t i = 9; i > digits; i--)
      fraction /= 10;
    len += kr_calendar_print(out + len, fraction, (size_t)digits, 'Z');
  }
  return len;
}

static kr_instant kr_instant_moved(kr_instant instant, int64_t seconds, int64_t nanos) {
  nanos += instant.nanos;
  seconds += instant.seconds;
  seconds += nanos / 1000000000;
  nanos %= 1000000000;
  if (nanos < 0) {
    nanos += 1000000000;
    seconds--;
  }
  instant.seconds = seconds;
  instant.nanos = (int32_t)nanos;
  return instant;
}

static bool kr_instant_add_months(const kr_instant *instant, int64_t months, kr_instant *ret_sum) {
  kr_civil civil = kr_calendar_civil(instant->seconds);
  int64_t total = (int64_t)civil.year * 12 + civil.month - 1 + months;
  if (total < 0 || total >= 10000 * 12)
    return false;
  civil.year = (int32_t)(total / 12);
  civil.month = (int32_t)(total % 12) + 1;
  int32_t last = kr_calendar_month_days(civil.year, civil.month);
  if (civil.day > last)
    civil.day = last;
  *ret_sum = *instant;
  return kr_calendar_seconds(&civil, &ret_sum->seconds);
}

bool kr_instant_add(const kr_instant *instant, const kr_duration *duration, kr_instant *ret_sum) {
  kr_instant sum = *instant;
  if (!kr_instant_add_months(instant, duration->months, &sum))
    return false;
  /* In two steps: each of the numbers is below 2^62, so that no sum leaves 64 bits. */
  sum.seconds += duration->days * KR_DAY_SECONDS;
  if (!kr_instant_is_in_range(sum.seconds))
    return false;
  sum = kr_instant_moved(sum, duration->seconds, duration->nanos);
  if (duration->digits > sum.digits)
    sum.digits = duration->digits;
  *ret_sum = sum;
  return kr_instant_is_in_range(sum.seconds);
}

int64_t kr_instant_months_between(const kr_instant *a, const kr_instant *b) {
  kr_civil from = kr_calendar_civil(a->seconds);
  kr_civil to = kr_calendar_civil(b->seconds);
  int64_t months = ((int64_t)to.year - from.year) * 12 + to.month - from.month;
  kr_instant sum = *a;
  int order = kr_instant_compare(a, b);
  /* The same month of the calendar; when its day is not reached yet, one less. */
  if (kr_instant_add_months(a, months, &sum) && kr_instant_compare(&sum, b) * order < 0)
    months += order;
  return months;
}

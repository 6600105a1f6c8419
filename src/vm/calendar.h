/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calendar.h - the proleptic Gregorian calendar of the years 0000 to 9999, in
 * UTC, without leap seconds: instants, ISO 8601 text (RFC 3339), durations.
 * Pure functions; false means the text is malformed or the result out of range.
 */
#ifndef KR_VM_CALENDAR_H
#define KR_VM_CALENDAR_H

#include "base/str.h"

#define KR_INSTANT_FIRST INT64_C(-62167219200) /* 0000-01-01T00:00:00Z */
#define KR_INSTANT_LAST INT64_C(253402300799)  /* 9999-12-31T23:59:59Z */

typedef struct kr_instant {
  int64_t seconds; /* since 1970-01-01T00:00:00Z */
  int32_t nanos;   /* 0 to 999999999, always forwards */
  int32_t digits;  /* of the fraction, for printing: 0, 3, 6 or 9; more where nanos needs it */
} kr_instant;

typedef struct kr_civil {
  int32_t year;
  int32_t month; /* 1 to 12 */
  int32_t day;   /* 1 to 31 */
  int32_t hour;
  int32_t minute;
  int32_t second;
  int32_t day_of_year; /* 1 to 366 */
  int32_t weekday;     /* 0 is Sunday */
} kr_civil;

bool kr_calendar_is_leap(int32_t year);
int32_t kr_calendar_month_days(int32_t year, int32_t month);

/** Days from 1970-01-01 to a date; year from -300 to 10300. */
int64_t kr_calendar_days(int32_t year, int32_t month, int32_t day);

/** Date and time of seconds since 1970, one year beyond the range on both sides included. */
kr_civil kr_calendar_civil(int64_t seconds);

/** Seconds since 1970 of a date and time whose parts are checked here. */
bool kr_calendar_seconds(const kr_civil *civil, int64_t *ret_seconds);

bool kr_instant_is_in_range(int64_t seconds);

/** YYYY-MM-DD [T HH:MM [:SS [.f]] [Z | +HH:MM]]; without an offset it is UTC. */
bool kr_instant_parse(kr_str text, kr_instant *ret_instant);

#define KR_INSTANT_TEXT_BYTES 32
/** "2026-01-02T03:04:05.678Z"; returns its length. */
size_t kr_instant_print(const kr_instant *instant, char out[KR_INSTANT_TEXT_BYTES]);

/** Fraction of a second from its digits; the tenth and later ones are cut. */
void kr_instant_fraction(kr_str digits, kr_instant *instant);

/** ISO 8601 "P1Y2M3W4DT5H6M7.8S"; a sign before P is of all, before a number of that one. */
typedef struct kr_duration {
  int64_t months;
  int64_t days;
  int64_t seconds;
  int64_t nanos; /* the sign of its seconds */
  int32_t digits;
} kr_duration;

bool kr_duration_parse(kr_str text, kr_duration *ret_duration);

/** First years and months (a day that is not there becomes the last of its month), then days,
 *  then time. */
bool kr_instant_add(const kr_instant *instant, const kr_duration *duration, kr_instant *ret_sum);

/** Whole months from a to b, towards zero, as kr_instant_add counts them. */
int64_t kr_instant_months_between(const kr_instant *a, const kr_instant *b);

/** Negative, zero, positive. */
int kr_instant_compare(const kr_instant *a, const kr_instant *b);

#endif

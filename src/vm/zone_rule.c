/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone_rule.c - the TZ string at the end of a TZif file, for what comes after
 * its last transition: "CET-1CEST,M3.5.0,M10.5.0/3" (POSIX, and the times of
 * RFC 8536 section 3.3.1). Its offsets count west of UTC; ours count east.
 */
#include "vm/calendar.h"
#include "vm/zone.h"

#define KR_RULE_HOURS_MAX 167 /* of a time of a rule */
#define KR_RULE_OFFSET_HOURS_MAX 24
#define KR_DAY_SECONDS 86400

static bool kr_rule_take(kr_str *rest, uint8_t byte) {
  if (rest->len == 0 || rest->ptr[0] != byte)
    return false;
  *rest = kr_str_skip(*rest, 1);
  return true;
}

static bool kr_rule_number(kr_str *rest, int32_t least, int32_t most, int32_t *ret_number) {
  int32_t number = 0;
  size_t len = 0;
  while (len < rest->len && len < 4 && rest->ptr[len] >= '0' && rest->ptr[len] <= '9')
    number = number * 10 + (rest->ptr[len++] - '0');
  *rest = kr_str_skip(*rest, len);
  *ret_number = number;
  return len > 0 && number >= least && number <= most;
}

/* "CET" or "<+03>": letters, in brackets also digits and signs; three at least. */
static bool kr_rule_name(kr_str *rest, char name[KR_ZONE_ABBREVIATION_BYTES + 1]) {
  bool is_quoted = kr_rule_take(rest, '<');
  size_t len = 0;
  for (; len < rest->len && len < KR_ZONE_ABBREVIATION_BYTES; len++) {
    uint8_t byte = rest->ptr[len];
    uint8_t letter = byte | 0x20;
    bool is_sign = byte == '+' || byte == '-' || (byte >= '0' && byte <= '9');
    if (!(letter >= 'a' && letter <= 'z') && !(is_quoted && is_sign))
      break;
    name[len] = (char)byte;
  }
  name[len] = '\0';
  *rest = kr_str_skip(*rest, len);
  return len >= 3 && (!is_quoted || kr_rule_take(rest, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool kr_rule_time(kr_str *rest, int32_t hours_max, int32_t *ret_seconds) {
  int32_t parts[3] = {0};
  bool is_negative = kr_rule_take(rest, '-');
  if (!is_negative)
    (void)kr_rule_take(rest, '+');
  if (!kr_rule_number(rest, 0, hours_max, &parts[0]))
    return false;
  for (size_t i = 1; i < 3 && kr_rule_take(rest, ':'); i++)
    if (!kr_rule_number(rest, 0, 59, &parts[i]))
      return false;
  int32_t seconds = parts[0] * 3600 + parts[1] * 60 + parts[2];
  *ret_seconds = is_negative ? -seconds : seconds;
  return true;
}

static bool kr_rule_month_day(kr_str *rest, kr_zone_day *day) {
  int32_t month = 0;
  int32_t week = 0;
  int32_t weekday = 0;
  if (!kr_rule_number(rest, 1, 12, &month) || !kr_rule_take(rest, '.') ||
      !kr_rule_number(rest, 1, 5, &week) || !kr_rule_take(rest, '.') ||
      !kr_rule_number(rest, 0, 6, &weekday))
    return false;
  *day = (kr_zone_day){
      .kind = 'M', .month = (int16_t)month, .week = (int16_t)week, .day = (int16_t)weekday};
  return true;
}

/* ",M3.5.0/3", ",J60", ",59" */
static bool kr_rule_day(kr_str *rest, kr_zone_day *day) {
  int32_t number = 0;
  if (!kr_rule_take(rest, ','))
    return false;
  if (kr_rule_take(rest, 'M')) {
    if (!kr_rule_month_day(rest, day))
      return false;
  } else {
    bool is_julian = kr_rule_take(rest, 'J');
    if (!kr_rule_number(rest, is_julian ? 1 : 0, 365, &number))
      return false;
    *day = (kr_zone_day){.kind = is_julian ? 'J' : 'N', .day = (int16_t)number};
  }
  day->time = 2 * 3600;
  return !kr_rule_take(rest, '/') || kr_rule_time(rest, KR_RULE_HOURS_MAX, &day->time);
}

bool kr_zone_rule_parse(kr_str text, kr_zone_rule *ret_rule) {
  kr_zone_rule rule = {0};
  int32_t west = 0;
  if (!kr_rule_name(&text, rule.names[0]) || !kr_rule_time(&text, KR_RULE_OFFSET_HOURS_MAX, &west))
    return false;
  rule.offsets[0] = -west;
  rule.has_saving = text.len > 0;
  if (rule.has_saving) {
    if (!kr_rule_name(&text, rule.names[1]))
      return false;
    west -= 3600; /* one hour ahead unless it says otherwise */
    if (text.len > 0 && text.ptr[0] != ',' && !kr_rule_time(&text, KR_RULE_OFFSET_HOURS_MAX, &west))
      return false;
    rule.offsets[1] = -west;
    if (!kr_rule_day(&text, &rule.start) || !kr_rule_day(&text, &rule.end))
      return false;
  }
  *ret_rule = rule;
  return text.len == 0;
}

/* Seconds since 1970 of the wall clock at the change, as if it were UTC. */
static int64_t kr_rule_change(const kr_zone_day *rule, int32_t year) {
  int64_t days = 0;
  if (rule->kind == 'M') {
    days = kr_calendar_days(year, rule->month, 1);
    int64_t weekday = ((days + 4) % 7 + 7) % 7; /* of the first; 1970-01-01 was a Thursday */
    int64_t day = (rule->day - weekday + 7) % 7 + (rule->week - 1) * 7;
    if (day >= kr_calendar_month_days(year, rule->month))
      day -= 7;
    days += day;
  } else {
    days = kr_calendar_days(year, 1, 1) + rule->day;
    if (rule->kind == 'J') /* February 29 is never counted */
      days += rule->day >= 60 && kr_calendar_is_leap(year) ? 0 : -1;
  }
  return days * KR_DAY_SECONDS + rule->time;
}

/* The latest change decides; of two at the same instant the one to daylight saving. */
kr_zone_offset kr_zone_rule_at(const kr_zone_rule *rule, int64_t seconds) {
  unsigned kind = 0;
  int64_t latest = INT64_MIN;
  int32_t year = kr_calendar_civil(seconds).year;
  for (int32_t y = year - 1; rule->has_saving && y <= year + 1; y++) {
    int64_t start = kr_rule_change(&rule->start, y) - rule->offsets[0];
    int64_t end = kr_rule_change(&rule->end, y) - rule->offsets[1];
    if (end <= seconds && end > latest) {
      latest = end;
      kind = 0;
    }
    if (start <= seconds && start >= latest) {
      latest = start;
      kind = 1;
    }
  }
  return (kr_zone_offset){.seconds = rule->offsets[kind], .name = kr_str_cstr(rule->names[kind])};
}

/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c - system clock, ISO 8601 text, and UUIDv7 text (RFC 9562). */
#define _POSIX_C_SOURCE 200809L
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t kr_clock_system_wall_ms(void *ctx) {
  (void)ctx;
  struct timespec now = {0};
  (void)clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint64_t kr_clock_system_monotonic_us(void *ctx) {
  (void)ctx;
  struct timespec now = {0};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

const kr_clock *kr_clock_system(void) {
  static const kr_clock system_clock = {.wall_ms = kr_clock_system_wall_ms,
                                        .monotonic_us = kr_clock_system_monotonic_us,
                                        .ctx = NULL};
  return &system_clock;
}

#define KR_TIME_FIRST_MS INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define KR_TIME_LAST_MS INT64_C(253402300799999)  /* 9999-12-31T23:59:59.999Z */

void kr_time_format(int64_t wall_ms, char out[KR_TIME_TEXT_BYTES]) {
  if (wall_ms < KR_TIME_FIRST_MS)
    wall_ms = KR_TIME_FIRST_MS;
  if (wall_ms > KR_TIME_LAST_MS)
    wall_ms = KR_TIME_LAST_MS;
  int64_t seconds = wall_ms / 1000;
  int64_t millis = wall_ms % 1000;
  if (millis < 0) {
    millis += 1000;
    seconds--;
  }
  time_t when = (time_t)seconds;
  struct tm parts = {0};
  (void)gmtime_r(&when, &parts);
  (void)snprintf(out, KR_TIME_TEXT_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                 (unsigned)(parts.tm_year + 1900) % 10000u, (unsigned)(parts.tm_mon + 1) % 100u,
                 (unsigned)parts.tm_mday % 100u, (unsigned)parts.tm_hour % 100u,
                 (unsigned)parts.tm_min % 100u, (unsigned)parts.tm_sec % 100u,
                 (unsigned)millis % 1000u);
}

void kr_uuid7_format(int64_t wall_ms, const uint8_t random[10], char out[KR_UUID_TEXT_BYTES]) {
  uint8_t id[16];
  uint64_t stamp = wall_ms < 0 ? 0 : (uint64_t)wall_ms;
  for (int i = 0; i < 6; i++)
    id[i] = (uint8_t)(stamp >> (40 - 8 * i));
  memcpy(id + 6, random, 10);
  id[6] = (uint8_t)((id[6] & 0x0F) | 0x70);
  id[8] = (uint8_t)((id[8] & 0x3F) | 0x80);
  static const char digits[] = "0123456789abcdef";
  char *o = out;
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      *o++ = '-';
    *o++ = digits[id[i] >> 4];
    *o++ = digits[id[i] & 15];
  }
  *o = '\0';
}

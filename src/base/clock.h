/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h - time as a thing that is passed in, so that tests set it. Wall time
 * is milliseconds since 1970-01-01 UTC, without leap seconds (POSIX).
 */
#ifndef KR_BASE_CLOCK_H
#define KR_BASE_CLOCK_H

#include "base/status.h"
#include "base/str.h"

typedef struct kr_clock {
  int64_t (*wall_ms)(void *ctx);
  uint64_t (*monotonic_us)(void *ctx);
  void *ctx;
} kr_clock;

/** The system's CLOCK_REALTIME and CLOCK_MONOTONIC. Static, immutable. */
const kr_clock *kr_clock_system(void);

static inline int64_t kr_clock_wall_ms(const kr_clock *clock) { return clock->wall_ms(clock->ctx); }

static inline uint64_t kr_clock_monotonic_us(const kr_clock *clock) {
  return clock->monotonic_us(clock->ctx);
}

#define KR_TIME_TEXT_BYTES 25 /* "2026-01-02T03:04:05.678Z" and a NUL */

/** ISO 8601 in UTC with milliseconds; years outside 0000-9999 are clamped. */
void kr_time_format(int64_t wall_ms, char out[KR_TIME_TEXT_BYTES]);

#define KR_UUID_TEXT_BYTES 37

/** A UUIDv7 (RFC 9562, section 5.7) from a wall time and 10 random bytes; lower case. */
void kr_uuid7_format(int64_t wall_ms, const uint8_t random[10], char out[KR_UUID_TEXT_BYTES]);

#endif

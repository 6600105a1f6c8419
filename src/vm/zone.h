/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone.h - time zones: TZif files (RFC 8536) and the offset they give for an
 * instant. A zone is immutable; the VM keeps the last few it used. Nothing here
 * touches the process's own time zone.
 */
#ifndef KR_VM_ZONE_H
#define KR_VM_ZONE_H

#include "base/zoneinfo.h"

#define KR_ZONE_ABBREVIATION_BYTES 31u
#define KR_ZONE_CACHE_MAX 32u /* zones a VM keeps */

typedef struct kr_zone kr_zone;

typedef struct kr_zone_offset {
  int32_t seconds; /* east of UTC; between -25 h and 26 h */
  kr_str name;     /* "CET"; borrowed from the zone */
} kr_zone_offset;

/** A zone from a TZif file, copied. KR_INVALID (malformed, or with leap seconds), KR_NOMEM. */
kr_status kr_zone_new(kr_str file, kr_zone **ret_zone) KR_MUST_USE;
void kr_zone_free(kr_zone *zone);

/** The offset at an instant of the years -1 to 10000. */
kr_zone_offset kr_zone_at(const kr_zone *zone, int64_t seconds);

/* What the footer of a TZif file says about the time after its last transition. */
typedef struct kr_zone_day {
  uint8_t kind; /* 'M': month, week (5: last), weekday; 'J': 1 to 365 without leap days; 'N': 0 to
                   365 */
  int16_t month;
  int16_t week;
  int16_t day;
  int32_t time; /* seconds after midnight, -167 h to 167 h */
} kr_zone_day;

typedef struct kr_zone_rule {
  char names[2][KR_ZONE_ABBREVIATION_BYTES + 1]; /* standard, daylight saving */
  int32_t offsets[2];
  bool has_saving;
  kr_zone_day start;
  kr_zone_day end;
} kr_zone_rule;

/** A POSIX TZ string with RFC 8536's longer times; rules must be written. */
bool kr_zone_rule_parse(kr_str text, kr_zone_rule *ret_rule);
kr_zone_offset kr_zone_rule_at(const kr_zone_rule *rule, int64_t seconds);

/** Zones by name, the least recently loaded ones given up first. Zeroed is empty. */
typedef struct kr_zone_cache {
  kr_zone_reader reader; /* of all entries */
  unsigned count;
  unsigned next; /* to be replaced */
  struct {
    kr_zone *zone;
    uint8_t name_len;
    uint8_t name[KR_ZONE_NAME_BYTES];
  } entries[KR_ZONE_CACHE_MAX];
} kr_zone_cache;

void kr_zone_cache_done(kr_zone_cache *cache);

/** Will kr_zone_cache_get() find it without reading a file? */
bool kr_zone_cache_has(const kr_zone_cache *cache, const kr_zone_reader *reader, kr_str name);

/** Find or load. *ret_n_bytes is the length of the file, 0 when it was there.
 *  KR_MISSING, KR_INVALID, KR_IO, KR_LIMIT, KR_NOMEM. */
kr_status kr_zone_cache_get(kr_zone_cache *cache, const kr_zone_reader *reader, kr_str name,
                            const kr_zone **ret_zone, size_t *ret_n_bytes,
                            kr_error *reterr) KR_MUST_USE;

#endif

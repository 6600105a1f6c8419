/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_zone.c - a TZif file. What must hold: it is refused, or every instant of
 * the calendar has an offset within a day or so and a short name.
 */
#include "fuzz.h"
#include "vm/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  kr_zone *zone = NULL;
  if (kr_zone_new(kr_str_from(data, len), &zone) != KR_OK)
    return 0;
  for (int64_t at = INT64_C(-62167219200); at <= INT64_C(253402300799); at += INT64_C(7000000001)) {
    kr_zone_offset found = kr_zone_at(zone, at);
    KR_FUZZ_MUST(found.seconds >= -90000 && found.seconds <= 93600);
    KR_FUZZ_MUST(found.name.len <= KR_ZONE_ABBREVIATION_BYTES);
  }
  kr_zone_free(zone);
  return 0;
}

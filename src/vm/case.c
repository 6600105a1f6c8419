/* SPDX-License-Identifier: Apache-2.0 */
/*
 * case.c - ranges of Unicode's UnicodeData.txt in two shapes: an upper-case
 * range with its distance to lower case, and ranges where upper and lower
 * alternate. Both directions read the same table.
 */
#include "vm/case.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct kr_case_range {
  uint32_t first; /* upper case */
  uint32_t last;
  int32_t distance; /* to lower case; 0: pairs, upper first, from `first` */
} kr_case_range;

static const kr_case_range kr_case_ranges[] = {
    {0x0041, 0x005A, 32}, {0x00C0, 0x00D6, 32}, {0x00D8, 0x00DE, 32}, {0x0100, 0x012F, 0},
    {0x0132, 0x0137, 0},  {0x0139, 0x0148, 0},  {0x014A, 0x0177, 0},  {0x0178, 0x0178, -121},
    {0x0179, 0x017E, 0},  {0x01CD, 0x01DC, 0},  {0x01DE, 0x01EF, 0},  {0x01F8, 0x021F, 0},
    {0x0222, 0x0233, 0},  {0x0386, 0x0386, 38}, {0x0388, 0x038A, 37}, {0x038C, 0x038C, 64},
    {0x038E, 0x038F, 63}, {0x0391, 0x03A1, 32}, {0x03A3, 0x03AB, 32}, {0x0400, 0x040F, 80},
    {0x0410, 0x042F, 32}, {0x0460, 0x0481, 0},  {0x048A, 0x04BF, 0},  {0x04C1, 0x04CE, 0},
    {0x04D0, 0x052F, 0},  {0x0531, 0x0556, 48}, {0x1E00, 0x1E95, 0},  {0x1EA0, 0x1EFF, 0},
    {0xFF21, 0xFF3A, 32},
};

/* Most scripts have no case, and a search through all ranges for each letter would be dear. */
static bool kr_case_exists(uint32_t point) {
  return point < 0x0590 || (point >= 0x1E00 && point < 0x1F00) ||
         (point >= 0xFF21 && point <= 0xFF5A);
}

uint32_t kr_case_lower(uint32_t point) {
  if (!kr_case_exists(point))
    return point;
  for (size_t i = 0; i < sizeof(kr_case_ranges) / sizeof(kr_case_ranges[0]); i++) {
    const kr_case_range *range = &kr_case_ranges[i];
    if (point < range->first)
      break;
    if (point > range->last)
      continue;
    if (range->distance == 0)
      return point + ((point - range->first) % 2 == 0);
    return (uint32_t)((int32_t)point + range->distance);
  }
  return point;
}

uint32_t kr_case_upper(uint32_t point) {
  if (!kr_case_exists(point))
    return point;
  for (size_t i = 0; i < sizeof(kr_case_ranges) / sizeof(kr_case_ranges[0]); i++) {
    const kr_case_range *range = &kr_case_ranges[i];
    uint32_t upper = (uint32_t)((int32_t)point - range->distance);
    if (range->distance == 0 && point >= range->first && point <= range->last)
      return point - ((point - range->first) % 2 == 1);
    if (range->distance != 0 && upper >= range->first && upper <= range->last)
      return upper;
  }
  return point;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * case.h - simple case mapping, one code point to one, for Latin, Greek,
 * Cyrillic, Armenian and fullwidth letters; independent of the locale. Points
 * whose case is more than one point long (the German sharp s) stay.
 */
#ifndef KR_VM_CASE_H
#define KR_VM_CASE_H

#include <stdint.h>

uint32_t kr_case_upper(uint32_t point);
uint32_t kr_case_lower(uint32_t point);

#endif

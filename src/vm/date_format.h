/* SPDX-License-Identifier: Apache-2.0 */
/*
 * date_format.h - the directives of formatDate and parseDate, a part of
 * strftime's: %Y %m %d %H %M %S %z %Z %j %a %b %A %B %%. Names are English,
 * whatever the locale.
 */
#ifndef KR_VM_DATE_FORMAT_H
#define KR_VM_DATE_FORMAT_H

#include "vm/calendar.h"
#include "vm/vm.h"
#include "vm/zone.h"

/** Build the text of an instant at an offset into *ret_string. KR_INVALID: a bad directive, or a
 *  local year outside 0000 to 9999. */
kr_status kr_date_format(kr_vm *vm, const kr_instant *instant, kr_zone_offset offset, kr_str format,
                         kr_value *ret_string) KR_MUST_USE;

/** Read a text that has this form. KR_INVALID: it has not, or the format is bad. */
kr_status kr_date_parse(kr_vm *vm, kr_str text, kr_str format, kr_instant *ret_instant) KR_MUST_USE;

#endif

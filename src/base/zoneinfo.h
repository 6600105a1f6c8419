/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zoneinfo.h - where time zones come from: a reader that is passed in, so that
 * tests bring their own files. The system's reads /usr/share/zoneinfo (Debian:
 * tzdata). It gives bytes; vm/zone.h understands them.
 */
#ifndef KR_BASE_ZONEINFO_H
#define KR_BASE_ZONEINFO_H

#include "base/buf.h"

#define KR_ZONE_NAME_BYTES 64u           /* longest zone name; IANA's are below 40 */
#define KR_ZONE_FILE_BYTES (64u * 1024u) /* longest file; IANA's are below 4 KiB */

typedef struct kr_zone_reader {
  /**
   * Append the TZif file of a zone to out.
   *
   * @name  kr_zone_name_is_safe() holds.
   *
   * Errors: KR_MISSING (no such zone, or no zones at all: the message says which), KR_IO,
   * KR_LIMIT (the file is longer than out may grow), KR_NOMEM.
   */
  kr_status (*read)(void *ctx, kr_str name, kr_buf *out, kr_error *reterr);
  void *ctx;
} kr_zone_reader;

/** Letters, digits, '_', '+', '-' in parts divided by single '/': it cannot leave a folder. */
bool kr_zone_name_is_safe(kr_str name);

/** A kr_zone_reader.read; ctx is the path of a folder, a NUL-terminated string. */
kr_status kr_zone_read_folder(void *ctx, kr_str name, kr_buf *out, kr_error *reterr);

/** The system's zones. Static, immutable. */
const kr_zone_reader *kr_zone_reader_system(void);

#endif

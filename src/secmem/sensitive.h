/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensitive.h - memory for everything that is made from secrets but too large
 * or too short-lived to lock: render buffers, automata, long values, stream
 * tails, records before redaction. Excluded from core dumps (MADV_DONTDUMP),
 * wiped when released, not locked. Whole pages for each block, so use it below
 * kr_buf and kr_arena, not for single small objects. Blocks are zero-filled.
 * A few that were wiped are kept for the next use of their size.
 */
#ifndef KR_SECMEM_SENSITIVE_H
#define KR_SECMEM_SENSITIVE_H

#include "base/memory.h"

/** The allocator for kr_buf and kr_arena. Static, immutable; any thread. */
const kr_allocator *kr_sensitive_memory(void);

/** Give the wiped blocks that wait for their next use (2.6 MiB at most) back to the system. */
void kr_sensitive_trim(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensitive.h - memory for everything that is made from secrets but too large
 * or too short-lived to lock: render buffers, automata, long values, stream
 * tails, records before redaction. Excluded from core dumps (MADV_DONTDUMP),
 * wiped when released, not locked. Whole pages from mmap for each block, so
 * use it below kr_buf and kr_arena, not for single small objects.
 */
#ifndef KR_SECMEM_SENSITIVE_H
#define KR_SECMEM_SENSITIVE_H

#include "base/memory.h"

/** The allocator for kr_buf and kr_arena. Static, immutable; any thread. */
const kr_allocator *kr_sensitive_memory(void);

#endif

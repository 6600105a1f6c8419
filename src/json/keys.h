/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h - finds a key that occurs twice in one object. Private to src/json and its tests. */
#ifndef KR_JSON_KEYS_H
#define KR_JSON_KEYS_H

#include "json/json.h"

#define KR_JSON_LINEAR_KEYS 32u    /* members up to which each key is compared with each */
#define KR_JSON_PROBES_PER_KEY 16u /* table look-ups allowed before keys are sorted instead */

/**
 * *ret_index becomes the index of a member whose key an earlier member has
 * too (the first such member), n_members when all keys differ. KR_NOMEM.
 */
kr_status kr_json_keys_check(const kr_json_member *members, size_t n_members,
                             size_t *ret_index) KR_MUST_USE;

/* The three ways, for the tests: the same answer from each. */
size_t kr_json_keys_linear(const kr_json_member *members, size_t n_members);

/** KR_LIMIT when keys collide so often that sorting is faster. */
kr_status kr_json_keys_hashed(const kr_json_member *members, size_t n_members,
                              size_t *ret_index) KR_MUST_USE;
kr_status kr_json_keys_sorted(const kr_json_member *members, size_t n_members,
                              size_t *ret_index) KR_MUST_USE;

/** The hash of the table; known to anyone, hence the budget of look-ups. */
uint64_t kr_json_keys_hash(kr_str key);

#endif

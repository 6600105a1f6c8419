/* SPDX-License-Identifier: Apache-2.0 */
/* policy.h - may the secrets of a rendered request go where it would take them? */
#ifndef KR_ENGINE_POLICY_H
#define KR_ENGINE_POLICY_H

#include "engine/run.h"

/**
 * Hosts and positions of every secret that took part in the request's bytes, by
 * its spans: also of what came through $processed or a function. KR_REFUSED
 * names the secret and the rule. In a dry run a host that a secret gives is not
 * known and not checked.
 */
kr_status kr_policy_check(const kr_run *run, const kr_request *request,
                          kr_error *reterr) KR_MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* compare_env.h - do the reader of .env files and the naive one agree on a text? */
#ifndef KR_TEST_ENGINE_COMPARE_ENV_H
#define KR_TEST_ENGINE_COMPARE_ENV_H

#include <krosyn/types.h>

/** NULL, or what differs. */
const char *compare_env(kr_str text);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* krosyn.h - the whole public interface: include this one. */
#ifndef KROSYN_KROSYN_H
#define KROSYN_KROSYN_H

#include <krosyn/copies.h>
#include <krosyn/engine.h>
#include <krosyn/redact.h>
#include <krosyn/run.h>
#include <krosyn/types.h>
#include <krosyn/vault.h>

#endif

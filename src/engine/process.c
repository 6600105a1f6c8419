/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.c - protections that belong to a whole process. Programs call this;
 * the library never does by itself (docs/architecture.md).
 */
#define _GNU_SOURCE
#include "engine/engine.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

kr_status kr_process_init(kr_error *reterr) {
  const struct rlimit no_core = {.rlim_cur = 0, .rlim_max = 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0)
    return kr_fail_errno(reterr, errno, "cannot switch core dumps off");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return kr_fail_errno(reterr, errno, "cannot make this process untraceable");
  /* A limit on file sizes is then an error of the write, which is handled, not the end. */
  if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
    return kr_fail_errno(reterr, errno, "cannot ignore the signal of the file size limit");
#ifdef KR_HAS_CONNECTOR
  return kr_http_process_init(reterr);
#else
  return KR_OK;
#endif
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu.c - asks CPUID once. The compiler's __builtin_cpu_supports() also asks
 * the operating system (XGETBV) whether it saves the wide registers; LZCNT,
 * which not every compiler's list of names has, is read by hand.
 */
#define _GNU_SOURCE
#include "base/cpu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

static int kr_cpu_has_lzcnt(void) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000001u, &a, &b, &c, &d) != 0 && (c & (1u << 5)) != 0;
}

static kr_cpu_level kr_cpu_machine(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("ssse3"))
    return KR_CPU_SCALAR;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") ||
      !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("popcnt") || !kr_cpu_has_lzcnt())
    return KR_CPU_SSSE3;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512vbmi") || !__builtin_cpu_supports("avx512vbmi2"))
    return KR_CPU_AVX2;
  return KR_CPU_AVX512;
}
#elif defined(__aarch64__)
static kr_cpu_level kr_cpu_machine(void) { return KR_CPU_SSSE3; } /* NEON is part of the base */
#else
static kr_cpu_level kr_cpu_machine(void) { return KR_CPU_SCALAR; }
#endif

#ifdef __aarch64__
static const char *const kr_cpu_names[] = {"best", "scalar", "neon", "avx2", "avx512"};
#else
static const char *const kr_cpu_names[] = {"best", "scalar", "ssse3", "avx2", "avx512"};
#endif

const char *kr_cpu_level_name(kr_cpu_level level) { return kr_cpu_names[level]; }

static kr_cpu_level kr_cpu_allowed(void) {
  const char *wish = secure_getenv("KROSYN_CPU");
  if (wish != NULL)
    for (int level = KR_CPU_SCALAR; level <= KR_CPU_AVX512; level++)
      if (strcmp(wish, kr_cpu_names[level]) == 0)
        return (kr_cpu_level)level;
  return KR_CPU_AVX512;
}

kr_cpu_level kr_cpu_best(void) {
  static atomic_int known; /* 0: not asked yet; threads that ask at once find the same */
  int level = atomic_load_explicit(&known, memory_order_relaxed);
  if (level == 0) {
    kr_cpu_level machine = kr_cpu_machine();
    kr_cpu_level allowed = kr_cpu_allowed();
    level = (int)(machine < allowed ? machine : allowed);
    atomic_store_explicit(&known, level, memory_order_relaxed);
  }
  return (kr_cpu_level)level;
}

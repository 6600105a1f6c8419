/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu.h - which instruction sets fast code may use. Variants of one algorithm
 * are chosen at run time by level; each level includes those before it.
 */
#ifndef KR_BASE_CPU_H
#define KR_BASE_CPU_H

typedef enum kr_cpu_level {
  KR_CPU_BEST = 0, /* as an option: what kr_cpu_best() says */
  KR_CPU_SCALAR,   /* plain C: the specification of all others */
  KR_CPU_SSSE3,    /* x86: SSSE3 (pshufb); on ARM this level is NEON */
  KR_CPU_AVX2,     /* AVX2, BMI1, BMI2, LZCNT, POPCNT */
  KR_CPU_AVX512    /* F, BW, VL, DQ, VBMI, VBMI2 as well */
} kr_cpu_level;

/**
 * The best level of this machine and operating system, at most what
 * the environment's KROSYN_CPU (scalar, ssse3, on ARM neon, avx2, avx512; read once, at the
 * first call, ignored in setuid programs and when misspelled) allows.
 * Never KR_CPU_BEST. Threads: any.
 */
kr_cpu_level kr_cpu_best(void);

/** As KROSYN_CPU has it. */
const char *kr_cpu_level_name(kr_cpu_level level);

#endif

/* cpu.h - what this processor can do, and what the environment allows.
 * In: cpuid, MULTIMODAL_SIMD. Out: one bit a feature.
 * Not here: the kernels that need them.                    SPDX-License-Identifier: MIT */
#ifndef MM_CORE_CPU_H
#define MM_CORE_CPU_H

#include "err.h"

/* Kernels for x86-64 are built with target attributes, so a plain compiler line has them all. */
#if defined(__x86_64__) && defined(__GNUC__)
#define MM_X86 1
#define MM_TARGET(features) __attribute__((target(features)))
#endif

#if defined(__aarch64__) && defined(__ARM_NEON)
#define MM_NEON 1
#endif

MM_HIDDEN_BEGIN

enum mm_cpu_feature {
  MM_CPU_SSSE3,
  MM_CPU_AVX2,
  MM_CPU_AVX512, /* F, BW, VL and VBMI */
  MM_CPU_SHA     /* SHA extensions, with SSE 4.1 */
};

/* Whether the processor and the system have a feature. Asks anew each time: keep the answer. */
bool mm_cpu_has(enum mm_cpu_feature feature);

/* The value of MULTIMODAL_SIMD; NULL when unset or empty. Returns borrowed. */
const char *mm_cpu_wanted(void);

MM_HIDDEN_END

#endif

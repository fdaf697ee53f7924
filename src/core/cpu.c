/* cpu.c - what this processor can do, and what the environment allows.
 * SPDX-License-Identifier: MIT */
#include "cpu.h"

#include <stdlib.h>

#ifdef MM_X86
#include <cpuid.h>

/* Not every compiler in use knows the name "sha" in __builtin_cpu_supports. */
static bool has_sha(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  return (b >> 29 & 1) && __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1");
}

bool mm_cpu_has(enum mm_cpu_feature feature) {
  switch (feature) {
    case MM_CPU_SSSE3: return __builtin_cpu_supports("ssse3");
    case MM_CPU_AVX2: return __builtin_cpu_supports("avx2");
    case MM_CPU_AVX512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi");
    case MM_CPU_SHA: return has_sha();
  }
  return false;
}
#else
bool mm_cpu_has(enum mm_cpu_feature feature) {
  (void)feature;
  return false;
}
#endif

const char *mm_cpu_wanted(void) {
  const char *name = getenv("MULTIMODAL_SIMD");
  return name && *name ? name : NULL;
}

/* base64.c - RFC 4648 base64, whole and streaming; the choice of the kernel.
 * SPDX-License-Identifier: MIT */
#include "base64.h"
#include "base64_kernels.h"

#include <stdatomic.h>
#include <string.h>

typedef const struct mm_base64_kernel *kernel_ref;

/* Fastest first. */
static const kernel_ref kernels[] = {
#ifdef MM_X86
    &mm_base64_avx512, &mm_base64_avx2, &mm_base64_ssse3,
#endif
#ifdef MM_NEON
    &mm_base64_neon,
#endif
    &mm_base64_scalar,
};
enum { KERNELS = sizeof kernels / sizeof kernels[0] };

/* Whoever comes first chooses; threads that come together choose the same. */
static _Atomic(kernel_ref) chosen;

static kernel_ref named(const char *name) {
  for (size_t i = 0; i < KERNELS; i++)
    if (strcmp(kernels[i]->name, name) == 0 && kernels[i]->available()) return kernels[i];
  return NULL;
}

static kernel_ref choose(void) {
  const char *wanted = mm_cpu_wanted();
  kernel_ref k = wanted ? named(wanted) : NULL;
  for (size_t i = 0; i < KERNELS && !k; i++)
    if (kernels[i]->available()) k = kernels[i];
  if (!k) k = &mm_base64_scalar;
  atomic_store_explicit(&chosen, k, memory_order_relaxed);
  return k;
}

static inline kernel_ref kernel(void) {
  kernel_ref k = atomic_load_explicit(&chosen, memory_order_relaxed);
  return MM_LIKELY(k != NULL) ? k : choose();
}

const char *mm_base64_kernel(void) {
  return kernel()->name;
}

bool mm_base64_force(const char *name) {
  kernel_ref k = named(name);
  if (k) atomic_store_explicit(&chosen, k, memory_order_relaxed);
  return k != NULL;
}

void mm_base64_encode(const void *bytes, size_t n, char *out) {
  if (n == 0) return;
  const unsigned char *in = bytes;
  size_t i = kernel()->encode(in, n, out);
  i += mm_base64_scalar.encode(in + i, n - i, out + i / 3 * 4);
  if (i == n) return;
  unsigned char last[3] = {in[i], n - i == 2 ? in[i + 1] : 0, 0};
  out += i / 3 * 4;
  mm_base64_scalar.encode(last, 3, out);
  memset(out + (n - i) + 1, '=', 3 - (n - i));
}

size_t mm_base64_run(const char *text, size_t n, unsigned char *out) {
  if (n < 4) return 0;
  size_t i = kernel()->run(text, n, out);
  return i + mm_base64_scalar.run(text + i, n - i, out + i / 4 * 3);
}

static unsigned char *put_quantum(const unsigned char v[4], unsigned bytes, unsigned char *out) {
  unsigned bits = (unsigned)v[0] << 18 | (unsigned)v[1] << 12 | (unsigned)v[2] << 6 | v[3];
  for (unsigned k = 0; k < bytes; k++)
    *out++ = (unsigned char)(bits >> (16 - 8 * k));
  return out;
}

/* Take values and white space from text[*at], up to the end or to something else. */
static unsigned char *take(struct mm_base64_stream *s, const char *text, size_t n, size_t *at,
                           unsigned char *out) {
  size_t i = *at;
  while (i < n) {
    if (s->carried == 0) {
      size_t run = mm_base64_run(text + i, n - i, out);
      i += run;
      out += run / 4 * 3;
      if (run) s->padding = 0;
      if (i == n) break;
    }
    unsigned char class = mm_base64_class[(unsigned char)text[i]];
    if (class > MM_B64_SPACE) break;
    i++;
    if (class == MM_B64_SPACE) continue;
    s->padding = 0;
    s->carry[s->carried++] = class & 63;
    if (s->carried < 4) continue;
    out = put_quantum(s->carry, 3, out);
    s->carried = 0;
  }
  *at = i;
  return out;
}

/* The bytes of an open quantum of 2 or 3 characters; of 0, none. False for a lone character. */
static bool close_quantum(struct mm_base64_stream *s, unsigned char **out) {
  if (s->carried == 1) return false;
  memset(s->carry + s->carried, 0, 4 - s->carried);
  if (s->carried) *out = put_quantum(s->carry, s->carried - 1, *out);
  s->carried = 0;
  return true;
}

/* A `=`: it ends a quantum, or is the second one that a quantum of two characters has. */
static bool pad(struct mm_base64_stream *s, unsigned char **out) {
  if (s->carried == 0) {
    bool allowed = s->padding > 0;
    s->padding = 0;
    return allowed;
  }
  unsigned padding = s->carried == 2;
  if (!close_quantum(s, out)) return false;
  s->padding = padding;
  return true;
}

int mm_base64_feed(struct mm_base64_stream *s, const char *text, size_t n, void *out,
                   size_t *out_n) {
  unsigned char *end = out;
  size_t i = 0;
  int rc = MM_OK;
  while (rc == MM_OK) {
    end = take(s, text, n, &i, end);
    if (i == n) break;
    if (mm_base64_class[(unsigned char)text[i++]] != MM_B64_PAD || !pad(s, &end)) rc = MM_ESYNTAX;
  }
  *out_n = (size_t)(end - (unsigned char *)out);
  return rc;
}

int mm_base64_finish(struct mm_base64_stream *s, void *out, size_t *out_n) {
  unsigned char *end = out;
  bool whole = close_quantum(s, &end);
  *s = (struct mm_base64_stream){.carried = 0};
  *out_n = (size_t)(end - (unsigned char *)out);
  return whole ? MM_OK : MM_ESYNTAX;
}

static int broken(struct mm_error *err, size_t at, const char *text) {
  mm_fail(err, MM_ESYNTAX, "base64: %s at byte %zu", text, at);
  if (err) err->at = at;
  return MM_ESYNTAX;
}

static size_t skip_space(const char *text, size_t n, size_t i) {
  while (i < n && mm_base64_class[(unsigned char)text[i]] == MM_B64_SPACE)
    i++;
  return i;
}

/* What follows the last value: white space and the padding of the open quantum. */
static int end_of_text(struct mm_base64_stream *s, const char *text, size_t n, size_t i,
                       unsigned char **out, struct mm_error *err) {
  while (i < n) {
    if (text[i] != '=') return broken(err, i, s->padding ? "missing padding" : "bad character");
    if (!pad(s, out)) return broken(err, i, "misplaced padding");
    i = skip_space(text, n, i + 1);
  }
  if (s->padding) return broken(err, n, "missing padding");
  return close_quantum(s, out) ? MM_OK : broken(err, n, "cut off");
}

int mm_base64_decode(const char *text, size_t n, void *out, size_t *out_n, struct mm_error *err) {
  struct mm_base64_stream s = {.carried = 0};
  unsigned char *end = out;
  size_t i = 0;
  *out_n = 0;
  end = take(&s, text, n, &i, end);
  int rc = end_of_text(&s, text, n, i, &end, err);
  if (rc == MM_OK) *out_n = (size_t)(end - (unsigned char *)out);
  return rc;
}

/* number.c - doubles from and to decimal text.
 * libc converts, but never sees or decides a decimal point: digits go in and out as an integer with
 * an exponent, so no locale can change a number.             SPDX-License-Identifier: MIT */
#include "number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 768 digits decide any rounding; one more says that a non-zero rest was cut off. */
enum { DIGITS = 800, EXPONENT_LIMIT = 100000 };

struct decimal {
  char digits[DIGITS + 16]; /* no zero at either end; room for "1e-100000" after the last */
  size_t n;                 /* digits; 0 for zero */
  int64_t exponent;         /* the value is digits x 10^exponent */
};

static void add_digit(struct decimal *d, char digit, bool after_point, bool *cut) {
  if (after_point) d->exponent--;
  if (d->n == 0 && digit == '0') return;
  if (d->n < DIGITS) {
    d->digits[d->n++] = digit;
    return;
  }
  d->exponent++;
  if (digit != '0') *cut = true;
}

static int64_t read_exponent(const char *text, size_t n) {
  bool negative = n && *text == '-';
  size_t i = n && (*text == '-' || *text == '+');
  int64_t value = 0;
  for (; i < n; i++)
    if (value < INT64_MAX / 20) value = value * 10 + (text[i] - '0');
  return negative ? -value : value;
}

/* Whatever stands between the digits is the decimal point. */
static void parse(const char *text, size_t n, struct decimal *d) {
  bool cut = false;
  bool after_point = false;
  d->n = 0;
  d->exponent = 0;
  size_t i = n && *text == '-';
  for (; i < n && text[i] != 'e' && text[i] != 'E'; i++) {
    if (text[i] >= '0' && text[i] <= '9') {
      add_digit(d, text[i], after_point, &cut);
    } else {
      after_point = true;
    }
  }
  if (i < n) d->exponent += read_exponent(text + i + 1, n - i - 1);
  if (cut) {
    d->digits[d->n++] = '1';
    d->exponent--;
  }
  while (d->n && d->digits[d->n - 1] == '0') {
    d->n--;
    d->exponent++;
  }
}

/* Clinger's fast path: both factors are exact, so one operation rounds once. */
static bool small_double(const struct decimal *d, double *out) {
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (FLT_EVAL_METHOD != 0 || d->n > 15 || d->exponent < -22 || d->exponent > 22) return false;
  uint64_t mantissa = 0;
  for (size_t i = 0; i < d->n; i++)
    mantissa = mantissa * 10 + (uint64_t)(d->digits[i] - '0');
  *out = d->exponent < 0 ? (double)mantissa / powers[-d->exponent]
                         : (double)mantissa * powers[d->exponent];
  return true;
}

static double to_double(struct decimal *d) {
  double value;
  if (small_double(d, &value)) return value;
  int64_t e = d->exponent;
  if (e > EXPONENT_LIMIT) e = EXPONENT_LIMIT;
  if (e < -EXPONENT_LIMIT) e = -EXPONENT_LIMIT;
  snprintf(d->digits + d->n, sizeof d->digits - d->n, "e%d", (int)e);
  return strtod(d->digits, NULL);
}

/* The digits of a finite value above zero. */
static void shortest(double value, struct decimal *d) {
  char print[MM_NUMBER_TEXT + 8];
  for (int digits = DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
    int n = snprintf(print, sizeof print, "%.*e", digits - 1, value);
    parse(print, (size_t)n, d);
    if (to_double(d) == value) return;
  }
}

static bool survives(double value, const struct decimal *written) {
  if (written->n <= DBL_DIG && value >= DBL_MIN && isfinite(value)) return true;
  if (written->n == 0) return true;
  if (value == 0 || !isfinite(value)) return false;
  struct decimal again;
  shortest(value, &again);
  return again.n == written->n && again.exponent == written->exponent &&
         memcmp(again.digits, written->digits, again.n) == 0;
}

double mm_number_read(const char *text, size_t n, bool *exact) {
  struct decimal d;
  parse(text, n, &d);
  double value = to_double(&d);
  if (exact) *exact = survives(value, &d);
  return *text == '-' ? -value : value;
}

static char *fill(char *out, const char *digits, size_t n) {
  memcpy(out, digits, n);
  return out + n;
}

static char *zeros(char *out, int64_t n) {
  memset(out, '0', (size_t)n);
  return out + n;
}

/* The layout of ECMAScript's Number::toString: plain from 1e-6 to below 1e21. */
static char *lay_out(char *out, const struct decimal *d) {
  int64_t n = (int64_t)d->n;
  int64_t point = n + d->exponent; /* digits before the point */
  if (point >= n && point <= 21) return zeros(fill(out, d->digits, d->n), point - n);
  if (point > 0 && point <= 21) {
    out = fill(out, d->digits, (size_t)point);
    *out++ = '.';
    return fill(out, d->digits + point, (size_t)(n - point));
  }
  if (point > -6 && point <= 0) {
    out = zeros(fill(out, "0.", 2), -point);
    return fill(out, d->digits, d->n);
  }
  *out++ = d->digits[0];
  if (n > 1) {
    *out++ = '.';
    out = fill(out, d->digits + 1, d->n - 1);
  }
  return out + snprintf(out, 8, "e%d", (int)(point - 1));
}

size_t mm_number_write(double value, char out[MM_NUMBER_TEXT]) {
  if (!isfinite(value)) return 0;
  char *end = out;
  if (signbit(value)) *end++ = '-';
  if (value == 0) {
    *end++ = '0';
    return (size_t)(end - out);
  }
  struct decimal d = {.n = 0};
  shortest(fabs(value), &d);
  return (size_t)(lay_out(end, &d) - out);
}

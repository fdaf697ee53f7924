/* number_test.c - doubles from and to decimal text.   SPDX-License-Identifier: MIT */
#include "check.h"

/* A second copy of the module under a libc that writes a decimal comma. */
#include <stdarg.h>

static int comma_snprintf(char *out, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define snprintf comma_snprintf
#define mm_number_read comma_number_read
#define mm_number_write comma_number_write
#include "../../src/core/number.c"
#undef snprintf
#undef mm_number_read
#undef mm_number_write
double mm_number_read(const char *text, size_t n, bool *exact);
size_t mm_number_write(double value, char out[MM_NUMBER_TEXT]);

static int comma_snprintf(char *out, size_t size, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(out, size, fmt, args);
  va_end(args);
  for (char *c = out; *c; c++)
    if (*c == '.') *c = ',';
  return n;
}

static double read_text(const char *text, bool *exact) {
  struct guard g = guard_copy(text, strlen(text));
  double value = mm_number_read(g.bytes, strlen(text), exact);
  double comma = comma_number_read(g.bytes, strlen(text), exact);
  guard_free(g);
  CHECK(memcmp(&value, &comma, sizeof value) == 0);
  return value;
}

static bool writes(double value, const char *text) {
  char out[MM_NUMBER_TEXT];
  size_t n = comma_number_write(value, out);
  CHECK(n == strlen(text) && memcmp(out, text, n) == 0);
  n = mm_number_write(value, out);
  return n == strlen(text) && memcmp(out, text, n) == 0;
}

static void reads_what_strtod_reads(void) {
  static const char *const texts[] = {
      "0",
      "-0",
      "-0.0",
      "0e99999999999999999999",
      "1",
      "10",
      "0.1",
      "1.5e3",
      "1E+2",
      "1e-2",
      "123456789012345678",
      "9007199254740993",
      "9007199254740992.99999999999999999999999999",
      "2.2250738585072011e-308",
      "2.2250738585072014e-308",
      "4.9e-324",
      "2.4703282292062327208e-324",
      "2.4703282292062328e-324",
      "1.7976931348623157e308",
      "1.7976931348623159e308",
      "1e309",
      "1e-400",
      "1e99999999999999999999",
      "1e-99999999999999999999",
      "0.000000000000000000000000000000000000000000000000000000000000000000000000000000001e80",
      "8.98846567431158e307",
      "3.14159265358979323846264338327950288",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    double want = strtod(texts[i], NULL);
    double got = read_text(texts[i], NULL);
    CHECK(memcmp(&want, &got, sizeof got) == 0);
  }
}

static void rounds_by_digits_far_behind_the_point(void) {
  char text[2048] = "1.00000000000000011102230246251565404236316680908203125"; /* half way: even */
  CHECK(read_text(text, NULL) == 1.0);
  size_t n = strlen(text);
  memset(text + n, '0', 1500);
  memcpy(text + n + 1500, "1", 2);
  CHECK(read_text(text, NULL) == 1.0000000000000002);
}

static void tells_what_a_double_cannot_hold(void) {
  static const struct {
    const char *text;
    bool exact;
  } cases[] = {
      {"0.1", true},
      {"0.10", true},
      {"1e2", true},
      {"0.30000000000000004", true},
      {"0", true},
      {"0.000", true},
      {"-0.1e-300", true},
      {"9007199254740992", true},
      {"123456789012345678901234567890", false},
      {"100000000000000000000000000000", true},
      {"9007199254740993", false},
      {"0.1000000000000000055", false},
      {"3.14159265358979323846", false},
      {"1e400", false},
      {"1e-400", false},
      {"12345678901234567890", false},
      {"1.7976931348623157e308", true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool exact;
    read_text(cases[i].text, &exact);
    CHECK(exact == cases[i].exact);
  }
}

static void writes_the_shortest_digits(void) {
  CHECK(writes(0.0, "0") && writes(-0.0, "-0") && writes(1.0, "1") && writes(-1.0, "-1"));
  CHECK(writes(0.1, "0.1") && writes(1.0 / 3, "0.3333333333333333"));
  CHECK(writes(0.1 + 0.2, "0.30000000000000004") && writes(100.0, "100"));
  CHECK(writes(1e20, "100000000000000000000") && writes(1e21, "1e21"));
  CHECK(writes(123456789012345680000.0, "123456789012345680000"));
  CHECK(writes(1.5e300, "1.5e300") && writes(-2.5e-7, "-2.5e-7") && writes(1e-6, "0.000001"));
  CHECK(writes(0.00012345, "0.00012345") && writes(9007199254740993.0, "9007199254740992"));
  CHECK(writes(1.7976931348623157e308, "1.7976931348623157e308") && writes(5e-1, "0.5"));
  char out[MM_NUMBER_TEXT];
  CHECK(mm_number_write(NAN, out) == 0 && mm_number_write(-INFINITY, out) == 0);
}

/* Bit patterns from a linear congruence: every one is written so that it reads back the same. */
static void writes_what_reads_back_equal(void) {
  uint64_t bits = 1;
  for (int i = 0; i < 20000; i++) {
    bits = bits * 6364136223846793005u + 1442695040888963407u;
    double value, again;
    memcpy(&value, &bits, sizeof value);
    char out[MM_NUMBER_TEXT];
    size_t n = mm_number_write(value, out);
    if (!isfinite(value)) continue;
    CHECK(n > 0 && n < sizeof out);
    bool exact;
    again = mm_number_read(out, n, &exact);
    CHECK(memcmp(&again, &value, sizeof value) == 0 && exact);
  }
}

int main(void) {
  reads_what_strtod_reads();
  rounds_by_digits_far_behind_the_point();
  tells_what_a_double_cannot_hold();
  writes_the_shortest_digits();
  writes_what_reads_back_equal();
  return 0;
}

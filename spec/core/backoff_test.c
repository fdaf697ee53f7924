/* backoff_test.c - how long to wait before the next attempt.   SPDX-License-Identifier: MIT */
#include "../../src/core/backoff.h"
#include "check.h"

#include <limits.h>
#include <math.h>

static const struct mm_backoff rules = {.base = 0.5, .cap = 8, .max_retry_after = 60};

static void doubles_up_to_the_cap(void) {
  static const double want[] = {0.5, 1, 2, 4, 8, 8, 8};
  for (unsigned i = 0; i < sizeof want / sizeof want[0]; i++) {
    CHECK(mm_backoff(&rules, i + 1, -1, 1) == want[i]);
    CHECK(mm_backoff(&rules, i + 1, NAN, 0.25) == want[i] / 4);
    CHECK(mm_backoff(&rules, i + 1, -1, 0) == 0);
  }
  CHECK(mm_backoff(&rules, UINT_MAX, -1, 1) == 8);
  CHECK(mm_backoff(&rules, 0, -1, 1) == 0.5);
}

static void does_as_the_server_wishes(void) {
  CHECK(mm_backoff(&rules, 1, 0, 1) == 0);
  CHECK(mm_backoff(&rules, 1, 20, 0) == 20);
  CHECK(mm_backoff(&rules, 1, 60, 0.5) == 60);
  CHECK(mm_backoff(&rules, 1, 60.001, 0.5) < 0);
  CHECK(mm_backoff(&rules, 1, INFINITY, 0.5) < 0);
}

static void takes_odd_rules(void) {
  struct mm_backoff never = {.base = 0, .cap = 8, .max_retry_after = 0};
  CHECK(mm_backoff(&never, UINT_MAX, -1, 1) == 0);
  CHECK(mm_backoff(&never, 1, 0, 1) == 0 && mm_backoff(&never, 1, 0.1, 1) < 0);
  struct mm_backoff low = {.base = 5, .cap = 2, .max_retry_after = 60};
  CHECK(mm_backoff(&low, 1, -1, 1) == 2);
  struct mm_backoff endless = {.base = 1, .cap = INFINITY, .max_retry_after = INFINITY};
  CHECK(mm_backoff(&endless, UINT_MAX, -1, 1) == INFINITY);
  CHECK(mm_backoff(&endless, 1, 1e9, 1) == 1e9);
}

int main(void) {
  doubles_up_to_the_cap();
  does_as_the_server_wishes();
  takes_odd_rules();
  return 0;
}

/* poll_test.c - when to look at a task again, and when it is over.   SPDX-License-Identifier: MIT
 */
#include "../../src/core/poll.h"
#include "check.h"

#include <limits.h>
#include <math.h>

static const double delays[] = {1, 2, 4};

static struct mm_poll_rules rules_of(void) {
  return (struct mm_poll_rules){
      .delays = delays, .count = 3, .first = -1, .max_delay = INFINITY, .timeout = INFINITY};
}

static struct mm_poll poll_of(struct mm_poll_rules rules) {
  struct mm_poll poll;
  mm_poll_init(&poll, &rules);
  return poll;
}

static struct mm_poll_report seen(double now, enum mm_poll_state state) {
  return (struct mm_poll_report){
      .now = now, .state = state, .fault = MM_POLL_FINE, .retry_after = -1, .random = 0.5};
}

static struct mm_poll_report lost(double now, enum mm_poll_fault fault) {
  struct mm_poll_report report = seen(now, MM_POLL_NONE);
  report.fault = fault;
  return report;
}

static enum mm_poll_verdict look(struct mm_poll *poll, struct mm_poll_report report) {
  double seconds = -1;
  enum mm_poll_verdict verdict = mm_poll_next(poll, &report, &seconds);
  CHECK((verdict == MM_POLL_WAIT) == (seconds >= 0));
  return verdict;
}

static double wait(struct mm_poll *poll, struct mm_poll_report report) {
  double seconds = -1;
  CHECK(mm_poll_next(poll, &report, &seconds) == MM_POLL_WAIT);
  return seconds;
}

static void waits_as_the_schedule_says(void) {
  struct mm_poll poll = poll_of(rules_of());
  static const double want[] = {1, 2, 4, 4, 4};
  for (size_t i = 0; i < 5; i++)
    CHECK(wait(&poll, seen(0, MM_POLL_RUNNING)) == want[i]);

  struct mm_poll_rules rules = rules_of();
  rules.first = 0;
  rules.max_delay = 3;
  poll = poll_of(rules);
  CHECK(wait(&poll, seen(0, MM_POLL_NONE)) == 0);
  CHECK(wait(&poll, seen(0, MM_POLL_QUEUED)) == 1);
  CHECK(wait(&poll, seen(0, MM_POLL_QUEUED)) == 2);
  CHECK(wait(&poll, seen(0, MM_POLL_QUEUED)) == 3);
}

static void varies_a_delay_and_no_wish(void) {
  struct mm_poll_rules rules = rules_of();
  rules.jitter = 0.5;
  for (int i = 0; i < 3; i++) {
    struct mm_poll poll = poll_of(rules);
    struct mm_poll_report report = seen(0, MM_POLL_RUNNING);
    report.random = i / 2.0;
    CHECK(wait(&poll, report) == 0.5 + i / 2.0);
    report.retry_after = 30;
    CHECK(wait(&poll, report) == 30);
    report.retry_after = 0.1; /* only lengthens */
    CHECK(wait(&poll, report) == 2.0 + 2.0 * i);
  }
  rules.max_delay = 1;
  struct mm_poll poll = poll_of(rules);
  struct mm_poll_report high = seen(0, MM_POLL_RUNNING);
  high.random = 1;
  CHECK(wait(&poll, high) == 1);
  high.retry_after = 7;
  CHECK(wait(&poll, high) == 7);
}

static void is_done_at_every_end(void) {
  struct mm_poll_rules rules = rules_of();
  rules.timeout = 1;
  for (int state = MM_POLL_SUCCEEDED; state <= MM_POLL_EXPIRED; state++) {
    struct mm_poll poll = poll_of(rules);
    CHECK(look(&poll, seen(0, MM_POLL_QUEUED)) == MM_POLL_WAIT);
    CHECK(look(&poll, seen(99, (enum mm_poll_state)state)) == MM_POLL_DONE);
  }
}

static void ends_with_its_time(void) {
  struct mm_poll_rules rules = rules_of();
  rules.timeout = 10;
  struct mm_poll poll = poll_of(rules);
  CHECK(look(&poll, seen(100, MM_POLL_NONE)) == MM_POLL_WAIT);
  CHECK(look(&poll, seen(109.9, MM_POLL_RUNNING)) == MM_POLL_WAIT);
  CHECK(look(&poll, seen(110, MM_POLL_RUNNING)) == MM_POLL_TIMED_OUT);
  CHECK(look(&poll, lost(111, MM_POLL_TRANSIENT)) == MM_POLL_TIMED_OUT);
  CHECK(look(&poll, lost(111, MM_POLL_FATAL)) == MM_POLL_GIVE_UP);
}

static void counts_failures_in_a_row(void) {
  struct mm_poll_rules rules = rules_of();
  rules.max_failures = 3;
  struct mm_poll poll = poll_of(rules);
  for (int round = 0; round < 2; round++) {
    CHECK(look(&poll, lost(0, MM_POLL_TRANSIENT)) == MM_POLL_WAIT);
    CHECK(look(&poll, lost(0, MM_POLL_TRANSIENT)) == MM_POLL_WAIT);
    CHECK(look(&poll, seen(0, MM_POLL_RUNNING)) == MM_POLL_WAIT);
  }
  CHECK(look(&poll, lost(0, MM_POLL_TRANSIENT)) == MM_POLL_WAIT);
  CHECK(look(&poll, seen(0, MM_POLL_NONE)) == MM_POLL_WAIT); /* no look clears nothing */
  CHECK(look(&poll, lost(0, MM_POLL_TRANSIENT)) == MM_POLL_WAIT);
  CHECK(look(&poll, lost(0, MM_POLL_TRANSIENT)) == MM_POLL_GIVE_UP);

  poll = poll_of(rules_of());
  for (int i = 0; i < 1000; i++)
    CHECK(look(&poll, lost(0, MM_POLL_TRANSIENT)) == MM_POLL_WAIT);
  poll.failures = UINT_MAX;
  CHECK(look(&poll, lost(0, MM_POLL_TRANSIENT)) == MM_POLL_WAIT && poll.failures == UINT_MAX);
}

static void waits_for_a_task_to_appear(void) {
  struct mm_poll poll = poll_of(rules_of());
  for (int i = 0; i < 3; i++)
    CHECK(look(&poll, lost(i, MM_POLL_MISSING)) == MM_POLL_WAIT);
  CHECK(look(&poll, lost(3, MM_POLL_MISSING)) == MM_POLL_GIVE_UP);

  poll = poll_of(rules_of());
  CHECK(look(&poll, seen(0, MM_POLL_NONE)) == MM_POLL_WAIT);
  CHECK(look(&poll, lost(10, MM_POLL_MISSING)) == MM_POLL_WAIT);
  CHECK(look(&poll, lost(10.1, MM_POLL_MISSING)) == MM_POLL_GIVE_UP);

  poll = poll_of(rules_of());
  CHECK(look(&poll, seen(0, MM_POLL_QUEUED)) == MM_POLL_WAIT);
  CHECK(look(&poll, lost(1, MM_POLL_MISSING)) == MM_POLL_GIVE_UP);
}

static void knows_names(void) {
  for (int state = MM_POLL_QUEUED; state <= MM_POLL_EXPIRED; state++)
    CHECK((int)mm_poll_state_of(mm_poll_state_name((enum mm_poll_state)state)) == state);
  CHECK(mm_poll_state_of("") == MM_POLL_NONE && mm_poll_state_of("Queued") == MM_POLL_NONE);
  static const char *const transient[] = {"network",    "timeout", "rate_limit",
                                          "overloaded", "server",  "protocol"};
  for (size_t i = 0; i < 6; i++)
    CHECK(mm_poll_fault_of(transient[i]) == MM_POLL_TRANSIENT);
  CHECK(mm_poll_fault_of("not_found") == MM_POLL_MISSING);
  CHECK(mm_poll_fault_of("auth") == MM_POLL_FATAL && mm_poll_fault_of("") == MM_POLL_FATAL);
}

int main(void) {
  waits_as_the_schedule_says();
  varies_a_delay_and_no_wish();
  is_done_at_every_end();
  ends_with_its_time();
  counts_failures_in_a_row();
  waits_for_a_task_to_appear();
  knows_names();
  return 0;
}

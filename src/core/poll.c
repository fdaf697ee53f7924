/* poll.c - when to look at a task again, and when it is over.   SPDX-License-Identifier: MIT */
#include "poll.h"

#include <string.h>

/* A task that was made a moment ago may not be known everywhere yet. */
enum { MOST_MISSING = 3, MISSING_SECONDS = 10 };

static const char *const state_names[] = {"queued", "running",   "succeeded",
                                          "failed", "cancelled", "expired"};

static const char *const transient[] = {"network",    "timeout", "rate_limit",
                                        "overloaded", "server",  "protocol"};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

enum mm_poll_state mm_poll_state_of(const char *name) {
  for (size_t i = 0; i < COUNT(state_names); i++)
    if (strcmp(state_names[i], name) == 0) return (enum mm_poll_state)i;
  return MM_POLL_NONE;
}

const char *mm_poll_state_name(enum mm_poll_state state) {
  return state_names[state == MM_POLL_NONE ? MM_POLL_RUNNING : state];
}

enum mm_poll_fault mm_poll_fault_of(const char *kind) {
  for (size_t i = 0; i < COUNT(transient); i++)
    if (strcmp(transient[i], kind) == 0) return MM_POLL_TRANSIENT;
  return strcmp(kind, "not_found") == 0 ? MM_POLL_MISSING : MM_POLL_FATAL;
}

void mm_poll_init(struct mm_poll *poll, const struct mm_poll_rules *rules) {
  *poll = (struct mm_poll){.rules = *rules};
}

/* Whether a task that is not there may come to be. */
static bool may_appear(struct mm_poll *poll, double now) {
  if (poll->seen || now - poll->start > MISSING_SECONDS) return false;
  return ++poll->missing <= MOST_MISSING;
}

/* Count a failed look; true where it is the last one. */
static bool gives_up(struct mm_poll *poll, const struct mm_poll_report *report) {
  unsigned most = poll->rules.max_failures;
  if (report->fault == MM_POLL_FATAL) return true;
  if (report->fault == MM_POLL_MISSING && !may_appear(poll, report->now)) return true;
  if (poll->failures < ~0u) poll->failures++;
  return most && poll->failures >= most;
}

static double next_delay(struct mm_poll *poll) {
  const struct mm_poll_rules *rules = &poll->rules;
  bool first = !poll->waited && rules->first >= 0;
  poll->waited = true;
  if (first) return rules->first;
  double delay = rules->delays[poll->next];
  if (poll->next + 1 < rules->count) poll->next++;
  return delay;
}

static double wait_of(struct mm_poll *poll, const struct mm_poll_report *report) {
  const struct mm_poll_rules *rules = &poll->rules;
  double delay = next_delay(poll);
  if (delay > rules->max_delay) delay = rules->max_delay;
  delay *= 1 + rules->jitter * (2 * report->random - 1);
  if (delay > rules->max_delay) delay = rules->max_delay;
  return report->retry_after > delay ? report->retry_after : delay;
}

enum mm_poll_verdict mm_poll_next(struct mm_poll *poll, const struct mm_poll_report *report,
                                  double *seconds) {
  if (!poll->started) {
    poll->started = true;
    poll->start = report->now;
  }
  if (report->state >= MM_POLL_SUCCEEDED) return MM_POLL_DONE;
  if (report->fault != MM_POLL_FINE) {
    if (gives_up(poll, report)) return MM_POLL_GIVE_UP;
  } else if (report->state != MM_POLL_NONE) {
    poll->failures = 0;
    poll->seen = true;
  }
  if (report->now - poll->start >= poll->rules.timeout) return MM_POLL_TIMED_OUT;
  *seconds = wait_of(poll, report);
  return MM_POLL_WAIT;
}

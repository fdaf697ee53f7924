/* poll.h - when to look at a task again, and when it is over; no clock, no random source.
 * In: the time, what a look brought, a random number. Out: seconds to wait, or how it ended.
 * Not here: requests, names of a provider's states.        SPDX-License-Identifier: MIT */
#ifndef MM_CORE_POLL_H
#define MM_CORE_POLL_H

#include "err.h"

MM_HIDDEN_BEGIN

/* States of a task, whoever runs it. Those from MM_POLL_SUCCEEDED on are its end. */
enum mm_poll_state {
  MM_POLL_NONE = -1, /* no look was taken, or it failed */
  MM_POLL_QUEUED,
  MM_POLL_RUNNING,
  MM_POLL_SUCCEEDED,
  MM_POLL_FAILED,
  MM_POLL_CANCELLED,
  MM_POLL_EXPIRED
};

/* What a failed look says about the next one. */
enum mm_poll_fault {
  MM_POLL_FINE,      /* it did not fail */
  MM_POLL_TRANSIENT, /* it may succeed a moment later */
  MM_POLL_MISSING,   /* no such task, which a new one may be for a moment */
  MM_POLL_FATAL      /* no later look mends this */
};

struct mm_poll_rules {
  const double *delays;  /* seconds between looks, the last one repeats; borrowed for the life */
  size_t count;          /* of delays, at least 1 */
  double first;          /* seconds before the first look; negative: delays[0] */
  double max_delay;      /* seconds, the ceiling of a delay */
  double jitter;         /* part of a delay by which it varies, 0 to 1 */
  double timeout;        /* seconds since the first call; INFINITY: none */
  unsigned max_failures; /* failures in a row that end it; 0: never */
};

struct mm_poll {
  struct mm_poll_rules rules;
  double start;      /* time of the first call */
  size_t next;       /* index of the next delay */
  unsigned failures; /* in a row */
  unsigned missing;  /* looks that found no such task, before the first good one */
  bool started;      /* the first call was made */
  bool waited;       /* the first wait was handed out */
  bool seen;         /* a look was good */
};

struct mm_poll_report {
  double now;               /* seconds, of any clock that does not go back */
  enum mm_poll_state state; /* MM_POLL_NONE where the look failed or none was taken */
  enum mm_poll_fault fault;
  double retry_after; /* seconds the server asked for; negative: none */
  double random;      /* in [0, 1]; 0.5 leaves a delay as it is */
};

enum mm_poll_verdict {
  MM_POLL_WAIT,     /* look again after *seconds */
  MM_POLL_DONE,     /* the state of the report is the end */
  MM_POLL_GIVE_UP,  /* the fault of the report ends it */
  MM_POLL_TIMED_OUT /* the time is over; the task lives on */
};

/* Begin with these rules. Borrows rules->delays. */
void mm_poll_init(struct mm_poll *poll, const struct mm_poll_rules *rules);

/* What follows from a look. Writes *seconds for MM_POLL_WAIT alone. */
enum mm_poll_verdict mm_poll_next(struct mm_poll *poll, const struct mm_poll_report *report,
                                  double *seconds);

/* A state by its name, MM_POLL_NONE for any other text. */
enum mm_poll_state mm_poll_state_of(const char *name);

/* The name of a state. Returns borrowed, static. */
const char *mm_poll_state_name(enum mm_poll_state state);

/* What a kind of error says about the next look. */
enum mm_poll_fault mm_poll_fault_of(const char *kind);

MM_HIDDEN_END

#endif

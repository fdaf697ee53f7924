/* list.h - doubly linked lists through their members: no allocation, removal at once.
 * In: links inside structs. Out: order.
 * Not here: ownership.                                     SPDX-License-Identifier: MIT */
#ifndef MM_NET_LIST_H
#define MM_NET_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct mm_link {
  struct mm_link *prev; /* itself while in no list */
  struct mm_link *next;
};

#define MM_CONTAINER(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* Make an empty list, or a link that is in none. */
static inline void mm_link_init(struct mm_link *l) {
  l->prev = l->next = l;
}

/* True of a list without members, and of a link that is in no list. */
static inline bool mm_link_alone(const struct mm_link *l) {
  return l->next == l;
}

/* Take out; a link that is in no list stays so. */
static inline void mm_link_remove(struct mm_link *l) {
  l->prev->next = l->next;
  l->next->prev = l->prev;
  mm_link_init(l);
}

/* Put a link that is in no list at the end of one. */
static inline void mm_link_append(struct mm_link *list, struct mm_link *l) {
  l->prev = list->prev;
  l->next = list;
  list->prev->next = l;
  list->prev = l;
}

#endif

/* head.c - a response head as libcurl hands it out, line by line.   SPDX-License-Identifier: MIT */
#include "head.h"

#include <string.h>

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static int reserve(const struct mm_core_api *core, struct mm_head *h, size_t extra) {
  if (extra > MM_HEAD_MAX - h->len) return MM_ETOOBIG;
  if (h->len + extra <= h->cap) return MM_OK;
  size_t cap = h->cap ? h->cap : 512;
  while (cap < h->len + extra)
    cap *= 2;
  char *bytes = core->alloc(h->bytes, cap);
  if (!bytes) return MM_ENOMEM;
  h->bytes = bytes;
  h->cap = cap;
  return MM_OK;
}

static void put(struct mm_head *h, const char *bytes, size_t n) {
  memcpy(h->bytes + h->len, bytes, n);
  h->len += n;
  h->bytes[h->len++] = '\0';
}

/* The rest of a value that was folded over lines (obs-fold): joined by one space. */
static int unfold(const struct mm_core_api *core, struct mm_head *h, const char *text, size_t n) {
  if (!h->len) return MM_OK;
  int rc = reserve(core, h, n + 1);
  if (rc != MM_OK) return rc;
  h->bytes[h->len - 1] = ' ';
  put(h, text, n);
  return MM_OK;
}

static int add_pair(const struct mm_core_api *core, struct mm_head *h, const char *line, size_t n) {
  const char *colon = memchr(line, ':', n);
  if (!colon) return MM_OK;
  size_t name_n = (size_t)(colon - line);
  const char *value = colon + 1;
  const char *end = line + n;
  while (value < end && is_blank(*value))
    value++;
  while (name_n && is_blank(line[name_n - 1]))
    name_n--;
  int rc = reserve(core, h, name_n + (size_t)(end - value) + 2);
  if (rc != MM_OK) return rc;
  char *name = h->bytes + h->len;
  put(h, line, name_n);
  for (size_t i = 0; i < name_n; i++)
    name[i] = lower(name[i]);
  put(h, value, (size_t)(end - value));
  h->count++;
  return MM_OK;
}

/* "HTTP/1.1 200 OK", "HTTP/2 200": the three digits after the first space. */
static int status_of(const char *line, size_t n) {
  const char *space = memchr(line, ' ', n);
  if (!space || line + n - space < 4) return 0;
  int status = 0;
  for (int i = 1; i <= 3; i++) {
    if (space[i] < '0' || space[i] > '9') return 0;
    status = status * 10 + (space[i] - '0');
  }
  return status;
}

int mm_head_line(const struct mm_core_api *core, struct mm_head *h, const char *line, size_t n) {
  if (h->complete) return MM_OK;
  while (n && (line[n - 1] == '\r' || line[n - 1] == '\n' || is_blank(line[n - 1])))
    n--;
  if (n > 5 && memcmp(line, "HTTP/", 5) == 0) {
    h->len = 0;
    h->count = 0;
    h->status = status_of(line, n);
    return MM_OK;
  }
  if (n == 0) {
    h->complete = h->status >= 200;
    return MM_OK;
  }
  if (!is_blank(line[0])) return add_pair(core, h, line, n);
  while (n && is_blank(*line))
    line++, n--;
  return unfold(core, h, line, n);
}

bool mm_head_pair(const struct mm_head *h, size_t *at, const char **name, const char **value) {
  if (*at >= h->len) return false;
  *name = h->bytes + *at;
  *value = *name + strlen(*name) + 1;
  *at = (size_t)(*value - h->bytes) + strlen(*value) + 1;
  return true;
}

const char *mm_head_find(const struct mm_head *h, const char *wanted) {
  const char *name, *value, *found = NULL;
  for (size_t at = 0; mm_head_pair(h, &at, &name, &value);)
    if (strcmp(name, wanted) == 0) found = value;
  return found;
}

void mm_head_free(const struct mm_core_api *core, struct mm_head *h) {
  core->alloc(h->bytes, 0);
  memset(h, 0, sizeof *h);
}

/* plain.h - what the plain C programs share: figures of this process, and a prepared easy handle.
 * Not here: anything of the library.                       SPDX-License-Identifier: MIT */
#ifndef BENCH_PLAIN_H
#define BENCH_PLAIN_H

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SMALL_BODY "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}"

struct figures {
  double cpu; /* seconds */
  long peak;  /* VmHWM, KiB */
};

static inline void die(const char *why) {
  fprintf(stderr, "%s\n", why);
  exit(1);
}

static inline struct figures figures_now(void) {
  struct figures f = {0, 0};
  struct timespec t;
  char line[256];
  FILE *status = fopen("/proc/self/status", "r");
  if (!status) die("no /proc");
  while (fgets(line, sizeof line, status))
    sscanf(line, "VmHWM: %ld", &f.peak);
  fclose(status);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  f.cpu = (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
  return f;
}

static inline void print_figures(struct figures before) {
  struct figures after = figures_now();
  printf("cpu=%.6f growth=%ld\n", after.cpu - before.cpu, after.peak - before.peak);
}

static inline struct curl_slist *json_headers(void) {
  struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
  list = curl_slist_append(list, "Authorization: Bearer key");
  return curl_slist_append(list, "Expect:");
}

static inline CURL *new_post(const char *url, struct curl_slist *headers, curl_write_callback write,
                             void *to) {
  CURL *easy = curl_easy_init();
  if (!easy) die("no memory");
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, SMALL_BODY);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(SMALL_BODY));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, to);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  return easy;
}

static inline size_t drop(char *bytes, size_t size, size_t n, void *to) {
  (void)bytes;
  (void)to;
  return size * n;
}

/* One small request, so that what libcurl itself loads is there before anything is measured. */
static inline void warm(const char *base, struct curl_slist *headers) {
  char url[256];
  snprintf(url, sizeof url, "%s/reply", base);
  CURL *easy = new_post(url, headers, drop, NULL);
  if (curl_easy_perform(easy) != CURLE_OK) die("no server");
  curl_easy_cleanup(easy);
}

#endif

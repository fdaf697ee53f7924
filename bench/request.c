/* request.c - small POSTs, one after the other on one connection of a multi handle.
 * usage: request BASE N. Out: figures.
 * Not here: JSON beyond finding the text of the answer.    SPDX-License-Identifier: MIT */
#include "plain.h"

struct answer {
  char bytes[4096];
  size_t n;
};

static size_t keep(char *bytes, size_t size, size_t n, void *to) {
  struct answer *a = to;
  n *= size;
  if (n > sizeof a->bytes - a->n) return 0;
  memcpy(a->bytes + a->n, bytes, n);
  a->n += n;
  return n;
}

static void drive(CURLM *multi) {
  int running = 1;
  while (running) {
    if (curl_multi_perform(multi, &running)) die("multi failed");
    if (running) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
}

static void one_request(CURLM *multi, const char *url, struct curl_slist *headers) {
  struct answer a = {.n = 0};
  int left;
  CURL *easy = new_post(url, headers, keep, &a);
  curl_multi_add_handle(multi, easy);
  drive(multi);
  CURLMsg *done = curl_multi_info_read(multi, &left);
  if (!done || done->data.result != CURLE_OK) die("request failed");
  if (!memmem(a.bytes, a.n, "\"content\":\"a short answer\"", 26)) die("wrong answer");
  curl_multi_remove_handle(multi, easy);
  curl_easy_cleanup(easy);
}

int main(int argc, char **argv) {
  char url[256];
  if (argc != 3) die("usage: request BASE N");
  curl_global_init(CURL_GLOBAL_DEFAULT);
  struct curl_slist *headers = json_headers();
  CURLM *multi = curl_multi_init();
  snprintf(url, sizeof url, "%s/reply", argv[1]);
  one_request(multi, url, headers);
  struct figures start = figures_now();
  for (int i = atoi(argv[2]); i > 0; i--)
    one_request(multi, url, headers);
  print_figures(start);
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  return 0;
}

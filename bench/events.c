/* events.c - reads a stream of text events.
 * usage: events BASE N CHUNK. Out: figures; fails unless N texts of 20 bytes came.
 * Not here: JSON (events.h scans for the text).            SPDX-License-Identifier: MIT */
#include "plain.h"
#include "events.h"

static size_t take(char *bytes, size_t size, size_t n, void *to) {
  return take_bytes(to, bytes, size * n) ? size * n : 0;
}

int main(int argc, char **argv) {
  struct lines l = {.texts = 0};
  char url[256];
  if (argc != 4) die("usage: events BASE N CHUNK");
  curl_global_init(CURL_GLOBAL_DEFAULT);
  struct curl_slist *headers = json_headers();
  warm(argv[1], headers);
  struct figures start = figures_now();
  snprintf(url, sizeof url, "%s/events/%s/%s", argv[1], argv[2], argv[3]);
  CURL *easy = new_post(url, headers, take, &l);
  if (curl_easy_perform(easy) != CURLE_OK) die("stream failed");
  print_figures(start);
  if (l.texts != strtoul(argv[2], NULL, 10) || l.length != 20 * l.texts) die("texts are missing");
  curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
  return 0;
}

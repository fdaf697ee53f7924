/* picture.c - receives a picture in one reply, keeps it all, then finds, decodes and writes it.
 * usage: picture BASE json|sse BYTES FILE. Out: figures.
 * Not here: SIMD, anything but the one data URL.           SPDX-License-Identifier: MIT */
#include "plain.h"

#include <stdint.h>

struct text {
  char *at;
  size_t n, room;
};

static size_t keep(char *bytes, size_t size, size_t n, void *to) {
  struct text *t = to;
  n *= size;
  if (t->n + n > t->room) {
    size_t room = t->room ? t->room * 2 : 64 << 10;
    while (room < t->n + n)
      room *= 2;
    char *grown = realloc(t->at, room);
    if (!grown) return 0;
    t->at = grown;
    t->room = room;
  }
  memcpy(t->at + t->n, bytes, n);
  t->n += n;
  return n;
}

static unsigned char values[256];

static void make_values(void) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  memset(values, 0xff, sizeof values);
  for (unsigned char i = 0; i < 64; i++)
    values[(unsigned char)digits[i]] = i;
}

/* Returns owned: the bytes of base64 without padding, their number in *got. */
static unsigned char *decode(const char *text, size_t n, size_t *got) {
  const unsigned char *in = (const unsigned char *)text;
  unsigned char *bytes = malloc(n / 4 * 3 + 3), *out = bytes;
  if (!bytes) die("no memory");
  for (size_t i = 0; i + 4 <= n; i += 4) {
    unsigned a = values[in[i]], b = values[in[i + 1]], c = values[in[i + 2]], d = values[in[i + 3]];
    if ((a | b | c | d) > 63) die("no base64");
    unsigned word = a << 18 | b << 12 | c << 6 | d;
    *out++ = (unsigned char)(word >> 16);
    *out++ = (unsigned char)(word >> 8);
    *out++ = (unsigned char)word;
  }
  *got = (size_t)(out - bytes);
  return bytes;
}

/* Where the value of the picture's field begins and how long it is; a line of a stream is found
 * first. */
static const char *find_picture(const struct text *t, int is_sse, size_t *n) {
  static const char mark[] = "data:image/png;base64,";
  const char *from = t->at, *end = t->at + t->n;
  if (is_sse) {
    const char *line_end = memchr(from, '\n', t->n);
    if (line_end) end = line_end;
  }
  const char *found = memmem(from, (size_t)(end - from), mark, sizeof mark - 1);
  if (!found) die("no picture");
  found += sizeof mark - 1;
  const char *quote = memchr(found, '"', (size_t)(end - found));
  if (!quote) die("no end of the picture");
  *n = (size_t)(quote - found);
  return found;
}

int main(int argc, char **argv) {
  struct text t = {0};
  char url[256];
  size_t n, got;
  if (argc != 5) die("usage: picture BASE json|sse BYTES FILE");
  make_values();
  curl_global_init(CURL_GLOBAL_DEFAULT);
  struct curl_slist *headers = json_headers();
  warm(argv[1], headers);
  struct figures start = figures_now();
  snprintf(url, sizeof url, "%s/%s/%s", argv[1], argv[2], argv[3]);
  CURL *easy = new_post(url, headers, keep, &t);
  if (curl_easy_perform(easy) != CURLE_OK) die("download failed");
  const char *text = find_picture(&t, argv[2][0] == 's', &n);
  unsigned char *bytes = decode(text, n, &got);
  FILE *file = fopen(argv[4], "wb");
  if (!file || fwrite(bytes, 1, got, file) != got || fclose(file)) die("cannot write");
  print_figures(start);
  free(bytes);
  free(t.at);
  curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
  return 0;
}

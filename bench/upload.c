/* upload.c - posts a file as base64 inside a JSON body, encoded while libcurl asks for more.
 * usage: upload BASE FILE. Out: figures.
 * Not here: SIMD, seeking, noticing that the file changed. SPDX-License-Identifier: MIT */
#include "plain.h"

#include <stdint.h>
#include <sys/stat.h>

static const char before[] =
    "{\"messages\":[{\"content\":[{\"text\":\"Look.\",\"type\":\"text\"},{\"image_url\":{"
    "\"url\":\"data:image/png;base64,";
static const char after[] = "\"},\"type\":\"image_url\"}],\"role\":\"user\"}],\"model\":\"m\"}";

struct body {
  FILE *file;
  size_t head, tail; /* bytes sent of before and after */
};

static char pairs[4096][2]; /* the two digits of 12 bits */

static void make_pairs(void) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int i = 0; i < 4096; i++) {
    pairs[i][0] = digits[i >> 6];
    pairs[i][1] = digits[i & 63];
  }
}

static size_t encode(const unsigned char *in, size_t n, char *out) {
  size_t written = 0;
  for (; n >= 3; in += 3, n -= 3, written += 4) {
    unsigned word = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];
    memcpy(out + written, pairs[word >> 12], 2);
    memcpy(out + written + 2, pairs[word & 4095], 2);
  }
  if (!n) return written;
  unsigned word = (unsigned)in[0] << 16 | (n > 1 ? (unsigned)in[1] << 8 : 0);
  memcpy(out + written, pairs[word >> 12], 2);
  memcpy(out + written + 2, pairs[word & 4095], 2);
  out[written + 3] = '=';
  if (n == 1) out[written + 2] = '=';
  return written + 4;
}

static size_t copy(char *to, size_t room, const char *from, size_t n, size_t *sent) {
  size_t some = n - *sent < room ? n - *sent : room;
  memcpy(to, from + *sent, some);
  *sent += some;
  return some;
}

static size_t more(char *to, size_t size, size_t n, void *of) {
  struct body *b = of;
  unsigned char raw[48 << 10];
  size_t room = size * n;
  if (b->head < sizeof before - 1) return copy(to, room, before, sizeof before - 1, &b->head);
  size_t whole = room / 4 * 3 < sizeof raw ? room / 4 * 3 : sizeof raw;
  size_t got = fread(raw, 1, whole, b->file);
  if (got) return encode(raw, got, to);
  return copy(to, room, after, sizeof after - 1, &b->tail);
}

int main(int argc, char **argv) {
  struct stat info;
  struct body b = {0};
  char url[256];
  if (argc != 3) die("usage: upload BASE FILE");
  make_pairs();
  curl_global_init(CURL_GLOBAL_DEFAULT);
  struct curl_slist *headers = json_headers();
  warm(argv[1], headers);
  struct figures start = figures_now();
  b.file = fopen(argv[2], "rb");
  if (!b.file || fstat(fileno(b.file), &info)) die("no file");
  snprintf(url, sizeof url, "%s/reply", argv[1]);
  CURL *easy = new_post(url, headers, drop, NULL);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
  curl_easy_setopt(
      easy, CURLOPT_POSTFIELDSIZE_LARGE,
      (curl_off_t)(sizeof before + sizeof after - 2 + ((size_t)info.st_size + 2) / 3 * 4));
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, more);
  curl_easy_setopt(easy, CURLOPT_READDATA, &b);
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
  if (curl_easy_perform(easy) != CURLE_OK) die("upload failed");
  print_figures(start);
  fclose(b.file);
  curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
  return 0;
}

/* body_test.c - request bodies made of segments.   SPDX-License-Identifier: MIT */
#include "check.h"
#include "../../src/core/base64.h"
#include "../../src/core/body.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static struct mm_blob *bytes_blob(const char *bytes, size_t n) {
  struct mm_blob *blob;
  CHECK(mm_blob_from_bytes(bytes, n, NULL, &blob) == MM_OK);
  return blob;
}

/* A file of n bytes that are not all alike. */
static void write_file(const char *path, size_t n) {
  FILE *f = fopen(path, "w");
  CHECK(f);
  for (size_t i = 0; i < n; i++)
    fputc((int)(i * 7 + i / 256), f);
  CHECK(fclose(f) == 0);
}

static char *temp_path(void) {
  static char path[] = "/tmp/mm-body-XXXXXX";
  strcpy(path, "/tmp/mm-body-XXXXXX");
  int fd = mkstemp(path);
  CHECK(fd >= 0 && close(fd) == 0);
  return path;
}

static struct mm_blob *file_blob(const char *path) {
  struct mm_blob *blob;
  struct mm_error err;
  CHECK(mm_blob_from_file(path, "video/mp4", &blob, &err) == MM_OK);
  return blob;
}

static void text(struct mm_body *b, const char *s) {
  CHECK(mm_buf_append(mm_body_text(b), s, strlen(s)) == MM_OK);
}

/* Append to b and to what it should read as. */
static void add_base64(struct mm_body *b, struct mm_buf *want, const char *bytes, size_t n,
                       bool padded) {
  struct mm_blob *blob = bytes_blob(bytes, n);
  CHECK(mm_body_base64(b, blob, padded) == MM_OK);
  mm_blob_unref(blob);
  CHECK(mm_buf_reserve(want, n / 3 * 4 + 4) == MM_OK);
  mm_base64_encode(bytes, n, want->data + want->len);
  want->len += (size_t)mm_base64_length(n);
  while (!padded && n % 3 && want->data[want->len - 1] == '=')
    want->len--;
}

static void add_text(struct mm_body *b, struct mm_buf *want, const char *s) {
  text(b, s);
  CHECK(mm_buf_append(want, s, strlen(s)) == MM_OK);
}

static struct mm_body *mixed_body(struct mm_buf *want) {
  struct mm_body *b;
  CHECK(mm_body_new(&b) == MM_OK);
  mm_buf_init(want, SIZE_MAX);
  add_text(b, want, "{\"a\":\"");
  add_base64(b, want, "0123456789", 10, true);
  add_text(b, want, "\",\"b\":\"");
  add_base64(b, want, "0123456789a", 11, true);
  add_base64(b, want, "0123456789", 10, false);
  add_base64(b, want, "0123456789a", 11, false);
  add_base64(b, want, "0123456789ab", 12, false);
  add_base64(b, want, "x", 1, true);
  add_base64(b, want, "", 0, true);
  struct mm_blob *blob = bytes_blob("raw bytes", 9);
  CHECK(mm_body_blob(b, blob, 4, 5) == MM_OK && mm_body_blob(b, blob, 9, 0) == MM_OK);
  CHECK(mm_body_blob(b, blob, 4, 6) == MM_EINVAL && mm_body_blob(b, blob, 10, 0) == MM_EINVAL);
  mm_blob_unref(blob);
  CHECK(mm_buf_append(want, "bytes", 5) == MM_OK);
  add_text(b, want, "\"}");
  CHECK(mm_body_seal(b) == MM_OK);
  return b;
}

static void reads_the_same_from_every_offset(void) {
  struct mm_buf want;
  struct mm_body *b = mixed_body(&want);
  struct mm_body_reader *r;
  struct mm_error err;
  CHECK(mm_body_length(b) == want.len);
  CHECK(mm_body_open(b, &r) == MM_OK);
  mm_body_unref(b);
  for (size_t at = 0; at <= want.len; at++) {
    for (size_t n = 0; n <= want.len + 1; n++) {
      size_t got;
      size_t expected = n < want.len - at ? n : want.len - at;
      struct guard g = guard_copy(want.data, expected);
      memset(g.bytes, 'X', expected);
      CHECK(mm_body_read(r, at, g.bytes, expected, &got, &err) == MM_OK && got == expected);
      CHECK(memcmp(g.bytes, want.data + at, expected) == 0);
      guard_free(g);
    }
  }
  char more[8];
  size_t got;
  CHECK(mm_body_read(r, want.len - 2, more, 8, &got, &err) == MM_OK && got == 2);
  CHECK(mm_body_read(r, want.len, more, 8, &got, &err) == MM_OK && got == 0);
  CHECK(mm_body_read(r, UINT64_MAX, more, 8, &got, &err) == MM_OK && got == 0);
  mm_body_close(r);
  mm_buf_free(&want);
}

/* Pieces of many sizes over several windows, forwards and again from the middle. */
static void reads_files_in_pieces(void) {
  enum { SIZE = 200001 };
  const char *path = temp_path();
  write_file(path, SIZE);
  unsigned char *raw = malloc(SIZE);
  FILE *f = fopen(path, "r");
  CHECK(raw && f && fread(raw, 1, SIZE, f) == SIZE && fclose(f) == 0);
  size_t length = (size_t)mm_base64_length(SIZE);
  char *want = malloc(length + 3);
  char *out = malloc(length + 3);
  CHECK(want && out);
  want[0] = '"';
  mm_base64_encode(raw, SIZE, want + 1);
  memcpy(want + 1 + length, "\"", 1);
  struct mm_body *b;
  CHECK(mm_body_new(&b) == MM_OK);
  text(b, "\"");
  struct mm_blob *blob = file_blob(path);
  CHECK(mm_body_base64(b, blob, true) == MM_OK);
  mm_blob_unref(blob);
  text(b, "\"");
  CHECK(mm_body_seal(b) == MM_OK && mm_body_length(b) == length + 2);
  static const size_t sizes[] = {1021, 4096, 16384, 16389, 65536, 100000, 1000000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct mm_body_reader *r;
    struct mm_error err;
    CHECK(mm_body_open(b, &r) == MM_OK);
    for (int pass = 0; pass < 2; pass++) {
      size_t got = 0;
      for (size_t at = pass ? 77777 : 0; at < length + 2; at += got) {
        CHECK(mm_body_read(r, at, out, sizes[i] < length + 2 - at ? sizes[i] : length + 2 - at,
                           &got, &err) == MM_OK);
        CHECK(got > 0 && memcmp(out, want + at, got) == 0);
      }
    }
    mm_body_close(r);
  }
  mm_body_unref(b);
  unlink(path);
  free(raw);
  free(want);
  free(out);
}

static size_t descriptors(void) {
  size_t n = 0;
  DIR *d = opendir("/proc/self/fd");
  CHECK(d);
  while (readdir(d))
    n++;
  closedir(d);
  return n;
}

static void keeps_one_descriptor(void) {
  const char *path = temp_path();
  write_file(path, 1000);
  size_t before = descriptors();
  struct mm_blob *blob = file_blob(path);
  struct mm_body *b;
  struct mm_body_reader *r;
  struct mm_error err;
  char out[64];
  size_t got;
  CHECK(mm_body_new(&b) == MM_OK);
  for (int i = 0; i < 10; i++)
    CHECK(mm_body_base64(b, blob, true) == MM_OK);
  CHECK(mm_body_seal(b) == MM_OK && mm_body_open(b, &r) == MM_OK);
  mm_blob_unref(blob);
  for (uint64_t at = 0; at < mm_body_length(b); at += 500) {
    CHECK(mm_body_read(r, at, out, sizeof out, &got, &err) == MM_OK);
    CHECK(descriptors() <= before + 1);
  }
  CHECK(mm_body_read(r, mm_body_length(b) - 5, out, 5, &got, &err) == MM_OK);
  CHECK(descriptors() == before);
  mm_body_close(r);
  mm_body_unref(b);
  unlink(path);
}

static void notices_a_file_that_changes(void) {
  const char *path = temp_path();
  write_file(path, 100000);
  struct mm_blob *blob = file_blob(path);
  struct mm_body *b;
  struct mm_body_reader *r;
  struct mm_error err;
  char out[256];
  size_t got;
  CHECK(mm_body_new(&b) == MM_OK && mm_body_base64(b, blob, true) == MM_OK);
  mm_blob_unref(blob);
  CHECK(mm_body_seal(b) == MM_OK && mm_body_open(b, &r) == MM_OK);
  CHECK(mm_body_read(r, 0, out, sizeof out, &got, &err) == MM_OK && got == sizeof out);
  write_file(path, 90000);
  int rc = MM_OK;
  for (uint64_t at = 0; rc == MM_OK && at < mm_body_length(b); at += got)
    rc = mm_body_read(r, at, out, sizeof out, &got, &err);
  CHECK(rc == MM_ECHANGED && err.code == MM_ECHANGED && err.text[0]);
  mm_body_close(r);
  unlink(path);
  CHECK(mm_body_open(b, &r) == MM_OK);
  CHECK(mm_body_read(r, 0, out, sizeof out, &got, &err) == MM_EFILE);
  mm_body_close(r);
  mm_body_unref(b);
}

/* A file with a hole of 5 GiB, and one that no body can be as long as. */
static void counts_in_64_bits(void) {
  const uint64_t size = UINT64_C(5) << 30;
  char path[64];
  char out[8];
  size_t got;
  struct mm_error err;
  struct mm_body *b;
  struct mm_body_reader *r;
  int fd = memfd_create("big", MFD_CLOEXEC);
  CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
  CHECK(pwrite(fd, "end!!", 5, (off_t)(size - 5)) == 5);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  struct mm_blob *blob = file_blob(path);
  CHECK(mm_body_new(&b) == MM_OK);
  CHECK(mm_body_base64(b, blob, true) == MM_OK && mm_body_blob(b, blob, size - 5, 5) == MM_OK);
  CHECK(mm_body_seal(b) == MM_OK && mm_body_length(b) == mm_base64_length(size) + 5);
  CHECK(mm_body_base64(b, blob, true) == MM_EINVAL);
  CHECK(mm_body_open(b, &r) == MM_OK);
  CHECK(mm_body_read(r, mm_body_length(b) - 8, out, 8, &got, &err) == MM_OK && got == 8);
  CHECK(memcmp(out, "SE=end!!", 8) == 0);
  mm_body_close(r);
  mm_body_unref(b);
  mm_blob_unref(blob);
  CHECK(ftruncate(fd, (off_t)1 << 62) == 0);
  blob = file_blob(path);
  CHECK(mm_body_new(&b) == MM_OK && mm_body_base64(b, blob, true) == MM_OK);
  CHECK(mm_body_base64(b, blob, true) == MM_OK && mm_body_seal(b) == MM_ETOOBIG);
  CHECK(mm_body_open(b, &r) == MM_EINVAL);
  mm_body_unref(b);
  mm_blob_unref(blob);
  close(fd);
}

static int build_and_read(struct mm_blob *blob) {
  struct mm_body *b;
  struct mm_body_reader *r = NULL;
  struct mm_error err;
  char out[512];
  size_t got;
  int rc = mm_body_new(&b);
  if (rc != MM_OK) return rc;
  rc = mm_buf_append(mm_body_text(b), "text", 4);
  if (rc == MM_OK) rc = mm_body_base64(b, blob, true);
  if (rc == MM_OK) rc = mm_buf_append(mm_body_text(b), "text", 4);
  if (rc == MM_OK) rc = mm_body_blob(b, blob, 1, 2);
  if (rc == MM_OK) rc = mm_body_seal(b);
  if (rc == MM_OK) rc = mm_body_open(b, &r);
  if (rc == MM_OK) rc = mm_body_read(r, 0, out, sizeof out, &got, &err);
  if (rc == MM_OK) CHECK(got == 14 && memcmp(out, "textYWJjtextbc", 14) == 0);
  mm_body_close(r);
  mm_body_unref(b);
  return rc;
}

static void survives_failing_allocations(void) {
  struct mm_blob *blob = bytes_blob("abc", 3);
  int rc;
  SWEEP_ALLOC(rc, rc = build_and_read(blob));
  CHECK(rc == MM_OK);
  mm_blob_unref(blob);
}

static void an_empty_body_is_one_too(void) {
  struct mm_body *b;
  struct mm_body_reader *r;
  struct mm_error err;
  char out[4];
  size_t got = 9;
  CHECK(mm_body_new(&b) == MM_OK && mm_body_open(b, &r) == MM_EINVAL);
  CHECK(mm_body_seal(b) == MM_OK && mm_body_seal(b) == MM_OK && mm_body_length(b) == 0);
  CHECK(mm_body_open(b, &r) == MM_OK);
  CHECK(mm_body_read(r, 0, out, 4, &got, &err) == MM_OK && got == 0);
  mm_body_close(r);
  mm_body_unref(b);
}

int main(void) {
  reads_the_same_from_every_offset();
  reads_files_in_pieces();
  keeps_one_descriptor();
  notices_a_file_that_changes();
  counts_in_64_bits();
  survives_failing_allocations();
  an_empty_body_is_one_too();
  CHECK(mm_live() == 0);
  return 0;
}

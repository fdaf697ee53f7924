/* blob_test.c - blobs in memory, in a spool, and by path.   SPDX-License-Identifier: MIT */
#include "../../src/core/blob.h"
#include "../../src/core/file.h"
#include "../../src/core/spool.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char folder[] = "/tmp/multimodal-blob-XXXXXX";
static char path[64], other[64];

static void write_file(const char *name, const char *bytes, size_t n) {
  CHECK(mm_file_write(name, bytes, n, 0, NULL) == MM_OK);
}

/* Read a blob in steps of `step` bytes and compare. */
static void holds(struct mm_blob *b, const char *bytes, size_t n, size_t step) {
  struct mm_blob_reader r;
  char *room = malloc(step);
  CHECK(mm_blob_size(b) == n);
  mm_blob_reader_init(&r, b);
  for (size_t at = 0; at <= n; at += step) {
    size_t got, want = n - at < step ? n - at : step;
    CHECK(mm_blob_reader_read(&r, at, room, step, &got, NULL) == MM_OK);
    CHECK(got == want && memcmp(room, bytes + at, got) == 0);
  }
  mm_blob_reader_free(&r);
  free(room);
}

static void test_memory(void) {
  struct mm_blob *b;
  CHECK(mm_blob_from_bytes("hello", 5, "text/plain", &b) == MM_OK);
  CHECK(strcmp(mm_blob_mime(b), "text/plain") == 0 && mm_blob_weight(b) == 5);
  CHECK(!mm_blob_path(b) && !mm_blob_prefix(b, NULL));
  holds(b, "hello", 5, 2);
  CHECK(mm_blob_ref(b) == b);
  mm_blob_unref(b);
  holds(b, "hello", 5, 100);
  mm_blob_unref(b);
  CHECK(mm_blob_from_bytes(NULL, 0, NULL, &b) == MM_OK && !mm_blob_mime(b));
  holds(b, "", 0, 1);
  mm_blob_unref(b);
  int rc;
  SWEEP_ALLOC(rc, {
    rc = mm_blob_from_bytes("x", 1, "a/b", &b);
    if (rc == MM_OK) mm_blob_unref(b);
  });
}

static void refused(const char *name, int os, const char *text) {
  struct mm_error err = {0};
  struct mm_blob *b;
  CHECK(mm_blob_from_file(name, NULL, &b, &err) == MM_EFILE);
  CHECK(err.os == os && strstr(err.text, text));
}

static void test_path(void) {
  struct mm_blob *b;
  struct mm_error err = {0};
  write_file(path, "GIF89a and more", 15);
  CHECK(mm_blob_from_file(path, NULL, &b, &err) == MM_OK);
  CHECK(strcmp(mm_blob_mime(b), "image/gif") == 0 && strcmp(mm_blob_path(b), path) == 0);
  CHECK(mm_blob_weight(b) == 0);
  holds(b, "GIF89a and more", 15, 4);
  CHECK(mm_blob_save(b, other, 0, &err) == MM_OK);
  CHECK(mm_blob_save(b, other, MM_FILE_EXCLUSIVE, &err) == MM_EFILE && err.os == EEXIST);
  mm_blob_unref(b);
  int rc;
  SWEEP_ALLOC(rc, {
    rc = mm_blob_from_file(other, "a/b", &b, &err);
    if (rc == MM_OK) rc = mm_blob_save(b, other, 0, &err);
    if (mm_live()) mm_blob_unref(b);
  });
  CHECK(rc == MM_OK);
  refused("/nowhere/cat.jpg", ENOENT, "cannot read \"/nowhere/cat.jpg\": no such file");
  refused(folder, EISDIR, "is a directory");
  refused("/dev/null", EINVAL, "not a regular file");
  write_file(path, "", 0);
  refused(path, EINVAL, "is empty");
}

/* What reading says after the file was written again. */
static void tells(const char *bytes, size_t n, int code, const char *text) {
  struct mm_blob *b;
  struct mm_error err = {0};
  char room[32];
  size_t got;
  write_file(path, "0123456789", 10);
  CHECK(mm_blob_from_file(path, NULL, &b, NULL) == MM_OK);
  struct mm_blob_reader early, late;
  mm_blob_reader_init(&early, b);
  CHECK(mm_blob_reader_read(&early, 0, room, 4, &got, NULL) == MM_OK && got == 4);
  int fd = open(path, O_WRONLY | O_TRUNC);
  CHECK(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0);
  CHECK(mm_blob_reader_read(&early, 4, room, 32, &got, &err) == code && strstr(err.text, text));
  err.text[0] = 0;
  mm_blob_reader_init(&late, b);
  CHECK(mm_blob_reader_read(&late, 0, room, 1, &got, &err) == code && strstr(err.text, text));
  mm_blob_reader_free(&early);
  mm_blob_reader_free(&late);
  mm_blob_unref(b);
}

static void test_change(void) {
  tells("0123", 4, MM_ECHANGED, "shrank while it was being sent");
  tells("01234567890", 11, MM_ECHANGED, "grew while it was being sent");
  tells("012345678x", 10, MM_ECHANGED, "changed while it was being sent");
}

static struct mm_blob *spooled(struct mm_spool *s, char byte, size_t n) {
  struct mm_blob *b;
  char piece[1000];
  memset(piece, byte, sizeof piece);
  CHECK(mm_spool_begin(s) == MM_OK && mm_spool_begin(s) == MM_EINVAL);
  for (size_t at = 0; at < n; at += sizeof piece) {
    size_t part = n - at < sizeof piece ? n - at : sizeof piece;
    CHECK(mm_spool_write(s, piece, part, NULL) == MM_OK);
  }
  CHECK(mm_spool_written(s) == n);
  CHECK(mm_spool_end(s, NULL, "p,", true, &b, NULL) == MM_OK);
  return b;
}

static void holds_only(struct mm_blob *b, char byte, size_t n) {
  char *bytes = malloc(n);
  memset(bytes, byte, n);
  holds(b, bytes, n, 777);
  free(bytes);
}

static void test_spool(void) {
  struct mm_spool *s;
  CHECK(mm_spool_new(3000, UINT64_MAX, &s) == MM_OK);
  struct mm_blob *a = spooled(s, 'a', 2000);
  CHECK(mm_spool_fd(s) < 0);
  struct mm_blob *b = spooled(s, 'b', 2000); /* together too many: to the file */
  int fd = mm_spool_fd(s);
  struct stat st;
  CHECK(fd >= 0 && fstat(fd, &st) == 0);
  CHECK((st.st_mode & 0777) == 0600 && st.st_nlink == 0 && st.st_size == 2000);
  struct mm_blob *c = spooled(s, 'c', 900); /* there is still memory for this one */
  CHECK(fstat(fd, &st) == 0 && st.st_size == 2000);
  struct mm_blob *d = spooled(s, 'd', 300000);
  CHECK(fstat(fd, &st) == 0 && st.st_size == 302000);
  mm_spool_unref(s);
  holds_only(a, 'a', 2000);
  holds_only(b, 'b', 2000);
  mm_blob_unref(b);
  holds_only(c, 'c', 900);
  holds_only(d, 'd', 300000);
  CHECK(strcmp(mm_blob_prefix(d, NULL), "p,") == 0 && mm_blob_weight(d) == 300000);
  CHECK(mm_blob_save(d, other, 0, NULL) == MM_OK && stat(other, &st) == 0);
  CHECK(st.st_size == 300000);
  mm_blob_unref(a);
  mm_blob_unref(d);
  mm_blob_unref(c);
}

/* Memory and disk of blobs that are gone are used again. */
static void test_reuse(void) {
  struct mm_spool *s;
  struct stat st;
  CHECK(mm_spool_new(3000, UINT64_MAX, &s) == MM_OK);
  for (int i = 0; i < 10; i++)
    mm_blob_unref(spooled(s, 'a', 2000));
  CHECK(mm_spool_fd(s) < 0);
  for (int i = 0; i < 10; i++)
    mm_blob_unref(spooled(s, 'b', 200000));
  CHECK(fstat(mm_spool_fd(s), &st) == 0 && st.st_size == 0);
  struct mm_blob *first = spooled(s, 'c', 200000), *second = spooled(s, 'd', 200000);
  CHECK(mm_spool_begin(s) == MM_OK);
  mm_blob_unref(first);
  holds_only(second, 'd', 200000);
  mm_blob_unref(second);
  mm_spool_cancel(s);
  mm_spool_cancel(s);
  mm_spool_unref(s);
}

static void test_read_back(void) {
  struct mm_spool *s;
  char room[64];
  size_t got;
  for (size_t memory = 0; memory < 20; memory += 10) {
    CHECK(mm_spool_new(memory, 100, &s) == MM_OK && mm_spool_begin(s) == MM_OK);
    CHECK(mm_spool_write(s, "0123456789", 10, NULL) == MM_OK);
    CHECK(mm_spool_write(s, "abcdef", 6, NULL) == MM_OK);
    CHECK(mm_spool_read(s, 8, room, 64, &got, NULL) == MM_OK);
    CHECK(got == 8 && memcmp(room, "89abcdef", 8) == 0);
    CHECK(mm_spool_read(s, 3, room, 2, &got, NULL) == MM_OK && got == 2 && room[0] == '3');
    CHECK(mm_spool_read(s, 16, room, 2, &got, NULL) == MM_OK && got == 0);
    char many[90] = {0};
    CHECK(mm_spool_write(s, many, 90, NULL) == MM_ETOOBIG && mm_spool_written(s) == 16);
    mm_spool_cancel(s);
    mm_spool_unref(s);
  }
}

static int relieved;

static void relief(void *arg) {
  struct rlimit *limit = arg;
  relieved++;
  CHECK(setrlimit(RLIMIT_NOFILE, limit) == 0);
}

/* Without descriptors the relief is asked once, then it is an error. */
static void test_relief(void) {
  struct rlimit before, none;
  CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
  none = before;
  none.rlim_cur = 3;
  for (int helps = 1; helps >= 0; helps--) {
    struct mm_spool *s;
    struct mm_error err = {0};
    CHECK(mm_spool_new(0, 100, &s) == MM_OK && mm_spool_begin(s) == MM_OK);
    mm_spool_set_relief(s, relief, helps ? &before : &none);
    relieved = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    int rc = mm_spool_write(s, "x", 1, &err);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(relieved == 1 && rc == (helps ? MM_OK : MM_EFILE));
    CHECK(helps || err.os == EMFILE);
    mm_spool_unref(s);
  }
}

static void test_no_folder(void) {
  struct mm_spool *s;
  struct mm_error err = {0};
  CHECK(setenv("TMPDIR", "/nowhere", 1) == 0);
  CHECK(mm_spool_new(0, 100, &s) == MM_OK && mm_spool_begin(s) == MM_OK);
  CHECK(mm_spool_write(s, "x", 1, &err) == MM_EFILE && err.os == ENOENT);
  CHECK(strcmp(err.text, "cannot make a temporary file in /nowhere: no such file or directory") ==
        0);
  mm_spool_cancel(s);
  mm_spool_unref(s);
  CHECK(unsetenv("TMPDIR") == 0);
}

static void test_allocation(void) {
  int rc;
  for (size_t memory = 0; memory <= 5000; memory += 2500) {
    SWEEP_ALLOC(rc, {
      struct mm_spool *s = NULL;
      struct mm_blob *b = NULL;
      char bytes[3000] = {0};
      rc = mm_spool_new(memory, UINT64_MAX, &s);
      if (rc == MM_OK) rc = mm_spool_begin(s);
      if (rc == MM_OK) rc = mm_spool_write(s, bytes, sizeof bytes, NULL);
      if (rc == MM_OK) rc = mm_spool_end(s, "a/b", NULL, false, &b, NULL);
      mm_blob_unref(b);
      mm_spool_unref(s);
    });
    CHECK(rc == MM_OK);
  }
}

int main(void) {
  CHECK(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/cat", folder);
  snprintf(other, sizeof other, "%s/copy", folder);
  test_memory();
  test_path();
  test_change();
  test_spool();
  test_reuse();
  test_read_back();
  test_relief();
  test_no_folder();
  test_allocation();
  unlink(path);
  unlink(other);
  rmdir(folder);
  CHECK(mm_live() == 0);
  return 0;
}

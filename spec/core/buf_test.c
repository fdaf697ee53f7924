/* buf_test.c - growable bytes.   SPDX-License-Identifier: MIT */
#include "check.h"

static void grows_up_to_its_ceiling(void) {
  struct mm_buf b;
  mm_buf_init(&b, 100);
  for (int i = 0; i < 100; i++)
    CHECK(mm_buf_byte(&b, (char)i) == MM_OK);
  CHECK(b.len == 100 && b.cap >= 100);
  CHECK(mm_buf_byte(&b, 'x') == MM_ETOOBIG);
  CHECK(mm_buf_reserve(&b, SIZE_MAX) == MM_ETOOBIG);
  CHECK(b.len == 100 && b.data[99] == 99);
  mm_buf_drop(&b, 98);
  CHECK(b.len == 2 && b.data[0] == 98);
  CHECK(mm_buf_append(&b, "abc", 3) == MM_OK && b.len == 5);
  mm_buf_free(&b);
  CHECK(b.data == NULL && b.len == 0 && b.max == 100);
}

static void stays_as_it_was_when_memory_fails(void) {
  struct mm_buf b;
  mm_buf_init(&b, SIZE_MAX);
  CHECK(mm_buf_append(&b, "abc", 3) == MM_OK);
  mm_alloc_fail_after(0);
  CHECK(mm_buf_reserve(&b, 4096) == MM_ENOMEM);
  mm_alloc_fail_after(-1);
  CHECK(b.len == 3 && memcmp(b.data, "abc", 3) == 0);
  mm_buf_free(&b);
}

static void describes_errors(void) {
  struct mm_error err;
  CHECK(mm_fail(&err, MM_ETOOBIG, "event over %d bytes", 5) == MM_ETOOBIG);
  CHECK(strcmp(err.text, "event over 5 bytes") == 0 && err.os == 0);
  CHECK(mm_fail_os(&err, 2, "cannot read \"%s\"", "cat.jgp") == MM_EFILE);
  CHECK(strcmp(err.text, "cannot read \"cat.jgp\": no such file or directory") == 0);
  CHECK(strcmp(mm_errno_name(err.os), "ENOENT") == 0);
}

int main(void) {
  grows_up_to_its_ceiling();
  stays_as_it_was_when_memory_fails();
  describes_errors();
  return 0;
}

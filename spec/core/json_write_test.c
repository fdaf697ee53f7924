/* json_write_test.c - emitting JSON text.   SPDX-License-Identifier: MIT */
#include "check.h"
#include "../../src/core/json_write.h"

#include <math.h>

static bool is(const struct mm_buf *b, const char *text) {
  return b->len == strlen(text) && memcmp(b->data, text, b->len) == 0;
}

static int write_all(struct mm_json_writer *w) {
  int rc = mm_json_begin(w, '{');
  if (rc == MM_OK) rc = mm_json_key(w, "a", 1);
  if (rc == MM_OK) rc = mm_json_begin(w, '[');
  if (rc == MM_OK) rc = mm_json_integer(w, INT64_MIN);
  if (rc == MM_OK) rc = mm_json_integer(w, INT64_MAX);
  if (rc == MM_OK) rc = mm_json_integer(w, 0);
  if (rc == MM_OK) rc = mm_json_number(w, 0.5);
  if (rc == MM_OK) rc = mm_json_begin(w, '{');
  if (rc == MM_OK) rc = mm_json_end(w, '}');
  if (rc == MM_OK) rc = mm_json_end(w, ']');
  if (rc == MM_OK) rc = mm_json_key(w, "b", 1);
  if (rc == MM_OK) rc = mm_json_string(w, "x/y", 3);
  if (rc == MM_OK) rc = mm_json_key(w, "c", 1);
  if (rc == MM_OK) rc = mm_json_verbatim(w, "null", 4);
  if (rc == MM_OK) rc = mm_json_end(w, '}');
  return rc;
}

static void writes_values_with_their_commas(void) {
  struct mm_buf out;
  struct mm_json_writer w;
  mm_buf_init(&out, SIZE_MAX);
  mm_json_writer_init(&w, &out);
  CHECK(write_all(&w) == MM_OK);
  CHECK(is(&out, "{\"a\":[-9223372036854775808,9223372036854775807,0,0.5,{}],\"b\":\"x/y\","
                 "\"c\":null}"));
  CHECK(w.depth == 0);
  mm_buf_free(&out);
}

static void escapes_only_what_it_must(void) {
  struct mm_buf out;
  mm_buf_init(&out, SIZE_MAX);
  for (int c = 0; c < 0x80; c++) {
    char text[] = {'a', (char)c, 'z'};
    char want[16];
    static const char *const names[] = {"\\b", "\\t", "\\n", NULL, "\\f", "\\r"};
    if (c == '"' || c == '\\') {
      snprintf(want, sizeof want, "a\\%cz", c);
    } else if (c >= 8 && c <= 13 && names[c - 8]) {
      snprintf(want, sizeof want, "a%sz", names[c - 8]);
    } else if (c < 0x20) {
      snprintf(want, sizeof want, "a\\u%04xz", (unsigned)c);
    } else {
      snprintf(want, sizeof want, "a%cz", c);
    }
    out.len = 0;
    CHECK(mm_json_escape(&out, text, 3) == MM_OK && is(&out, want));
  }
  out.len = 0;
  CHECK(mm_json_escape(&out, "\xC3\xA9\xE2\x80\xA8\xF0\x9F\x98\x80", 9) == MM_OK && out.len == 9);
  mm_buf_free(&out);
}

static void finds_a_special_at_every_place(void) {
  struct mm_buf out;
  mm_buf_init(&out, SIZE_MAX);
  for (size_t n = 1; n < 70; n++) {
    for (size_t at = 0; at < n; at++) {
      char text[70];
      memset(text, 'x', n);
      text[at] = '"';
      struct guard g = guard_copy(text, n);
      out.len = 0;
      CHECK(mm_json_escape(&out, g.bytes, n) == MM_OK);
      CHECK(out.len == n + 1 && out.data[at] == '\\' && out.data[at + 1] == '"');
      guard_free(g);
    }
  }
  mm_buf_free(&out);
}

static void refuses_without_a_trace(void) {
  struct mm_buf out;
  struct mm_json_writer w;
  mm_buf_init(&out, SIZE_MAX);
  mm_json_writer_init(&w, &out);
  CHECK(mm_json_begin(&w, '[') == MM_OK);
  CHECK(mm_json_string(&w, "a\xFF", 2) == MM_EUTF8);
  CHECK(mm_json_number(&w, (double)NAN) == MM_EINVAL);
  CHECK(mm_json_number(&w, (double)INFINITY) == MM_EINVAL);
  CHECK(is(&out, "["));
  CHECK(mm_json_integer(&w, 1) == MM_OK);
  CHECK(mm_json_string(&w, "\xC0\x80", 2) == MM_EUTF8);
  CHECK(is(&out, "[1"));
  for (int i = 1; i < MM_JSON_DEPTH; i++)
    CHECK(mm_json_begin(&w, '[') == MM_OK);
  CHECK(mm_json_begin(&w, '[') == MM_EDEPTH);
  mm_buf_free(&out);
  mm_buf_init(&out, 3);
  mm_json_writer_init(&w, &out);
  CHECK(mm_json_string(&w, "ab", 2) == MM_ETOOBIG && out.len == 0);
  CHECK(mm_json_string(&w, "a", 1) == MM_OK);
  mm_buf_free(&out);
}

static void survives_failing_allocations(void) {
  int rc;
  SWEEP_ALLOC(rc, {
    struct mm_buf out;
    struct mm_json_writer w;
    mm_buf_init(&out, SIZE_MAX);
    mm_json_writer_init(&w, &out);
    rc = write_all(&w);
    mm_buf_free(&out);
  });
  CHECK(rc == MM_OK);
}

int main(void) {
  writes_values_with_their_commas();
  escapes_only_what_it_must();
  finds_a_special_at_every_place();
  refuses_without_a_trace();
  survives_failing_allocations();
  return 0;
}

/* json_scan_test.c - JSON that is still growing.   SPDX-License-Identifier: MIT */
#include "../../src/core/json_scan.h"
#include "check.h"

static struct mm_json_scan *new_scan(size_t max) {
  struct mm_json_scan *s;
  CHECK(mm_json_scan_new(max, &s) == MM_OK);
  return s;
}

static int feed_copy(struct mm_json_scan *s, const char *text, size_t n) {
  struct guard g = guard_copy(text, n);
  int rc = mm_json_scan_feed(s, g.bytes, n, NULL);
  guard_free(g);
  return rc;
}

static bool closes_as(const struct mm_json_scan *s, const char *want) {
  struct mm_buf out;
  mm_buf_init(&out, SIZE_MAX);
  CHECK(mm_json_scan_closed(s, &out) == MM_OK);
  bool same = out.len == strlen(want) && (out.len == 0 || memcmp(out.data, want, out.len) == 0);
  if (!same) fprintf(stderr, "closed: %.*s, wanted: %s\n", (int)out.len, out.data, want);
  mm_buf_free(&out);
  return same;
}

static const struct {
  const char *text, *closed;
  bool complete;
} cases[] = {
    {"", "", false},
    {" \n", "", false},
    {"{", "{}", false},
    {"[", "[]", false},
    {"[[", "[[]]", false},
    {"{\"a\":[1,{\"b\":\"x", "{\"a\":[1,{\"b\":\"x\"}]}", false},
    {"{\"a", "{}", false},
    {"{\"a\"", "{}", false},
    {"{\"a\":", "{}", false},
    {"{\"a\":1,", "{\"a\":1}", false},
    {"{\"a\":1,\"b\\u00", "{\"a\":1}", false},
    {"{\"a\":1,\"b\":", "{\"a\":1}", false},
    {"{\"a\":1,\"b\":tru", "{\"a\":1}", false},
    {"{\"a\":1,\"b\":true", "{\"a\":1,\"b\":true}", false},
    {"{\"a\":{}", "{\"a\":{}}", false},
    {"[1 , ", "[1]", false},
    {"[1.", "[1]", false},
    {"[-", "[]", false},
    {"[-0.5e+", "[-0.5]", false},
    {"[1e5", "[1e5]", false},
    {"12", "12", true},
    {"12.", "12", false},
    {"12 ", "12", true},
    {"tru", "", false},
    {"true", "true", true},
    {" null ", " null", true},
    {"\"", "\"\"", false},
    {"\"ab\\", "\"ab\"", false},
    {"\"ab\\n", "\"ab\\n\"", false},
    {"\"ab\\u12", "\"ab\"", false},
    {"\"a\\ud83d", "\"a\"", false},
    {"\"a\\ud83d\\ude0", "\"a\"", false},
    {"\"a\\ud83d\\ude00", "\"a\\ud83d\\ude00\"", false},
    {"\"a\\ud83d\\ud83d", "\"a\\ud83d\"", false},
    {"\"a\\ud83dx", "\"a\\ud83dx\"", false},
    {"\"a\\ud83d\"", "\"a\\ud83d\"", true},
    {"\"\\udc00", "\"\\udc00\"", false},
    {"\"\xF0\x9F\x98", "\"\"", false},
    {"\"\xF0\x9F\x98\x80", "\"\xF0\x9F\x98\x80\"", false},
    {"\"x\" ", "\"x\"", true},
    {"{ \"a\" : [ ] }\r\n\t", "{ \"a\" : [ ] }", true},
};

static void closes_what_is_open(void) {
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    size_t n = strlen(cases[i].text);
    for (size_t split = 0; split <= n; split++) {
      struct mm_json_scan *s = new_scan(1000);
      CHECK(feed_copy(s, cases[i].text, split) == MM_OK);
      CHECK(feed_copy(s, cases[i].text + split, n - split) == MM_OK);
      CHECK(closes_as(s, cases[i].closed));
      CHECK(mm_json_scan_complete(s) == cases[i].complete);
      mm_json_scan_free(s);
    }
  }
}

static const struct {
  const char *text;
  int rc;
  size_t at;
  const char *closed;
} malformed[] = {
    {"x", MM_ESYNTAX, 0, ""},
    {"]", MM_ESYNTAX, 0, ""},
    {",", MM_ESYNTAX, 0, ""},
    {"1,", MM_ESYNTAX, 1, "1"},
    {"01", MM_ESYNTAX, 1, "0"},
    {"-a", MM_ESYNTAX, 1, ""},
    {"+1", MM_ESYNTAX, 0, ""},
    {".5", MM_ESYNTAX, 0, ""},
    {"1.e", MM_ESYNTAX, 2, "1"},
    {"1e,", MM_ESYNTAX, 2, "1"},
    {"[1,]", MM_ESYNTAX, 3, "[1]"},
    {"[,", MM_ESYNTAX, 1, "[]"},
    {"[}", MM_ESYNTAX, 1, "[]"},
    {"{]", MM_ESYNTAX, 1, "{}"},
    {"{1", MM_ESYNTAX, 1, "{}"},
    {"{\"a\"1", MM_ESYNTAX, 4, "{}"},
    {"{\"a\":}", MM_ESYNTAX, 5, "{}"},
    {"{\"a\":1,}", MM_ESYNTAX, 7, "{\"a\":1}"},
    {"{\"a\":1 \"b\"", MM_ESYNTAX, 7, "{\"a\":1}"},
    {"truE", MM_ESYNTAX, 3, ""},
    {"nulll", MM_ESYNTAX, 4, "null"},
    {"NaN", MM_ESYNTAX, 0, ""},
    {"{} {", MM_ESYNTAX, 3, "{}"},
    {"\"a\nb\"", MM_ESYNTAX, 2, "\"a\""},
    {"\"a\001", MM_ESYNTAX, 2, "\"a\""},
    {"\"\\x", MM_ESYNTAX, 2, "\"\""},
    {"\"\\u12g", MM_ESYNTAX, 5, "\"\""},
    {"\"a\xFF", MM_EUTF8, 2, "\"a\""},
    {"\"a\x80", MM_EUTF8, 2, "\"a\""},
    {"\"a\xC1\x80", MM_EUTF8, 2, "\"a\""},
    {"\"a\xE0\x80", MM_EUTF8, 3, "\"a\""},
    {"\"a\xED\xA0\x80", MM_EUTF8, 3, "\"a\""},
    {"\"a\xF0\x80", MM_EUTF8, 3, "\"a\""},
    {"\"a\xF4\x90", MM_EUTF8, 3, "\"a\""},
    {"\"a\xF5", MM_EUTF8, 2, "\"a\""},
    {"\"a\xE2\x82\"", MM_EUTF8, 4, "\"a\""},
};

static void stays_failed(void) {
  for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
    struct mm_json_scan *s = new_scan(1000);
    struct mm_error err = {0};
    CHECK(mm_json_scan_feed(s, malformed[i].text, strlen(malformed[i].text), &err) ==
          malformed[i].rc);
    CHECK(err.code == malformed[i].rc && err.at == malformed[i].at);
    CHECK(closes_as(s, malformed[i].closed));
    CHECK(!mm_json_scan_complete(s));
    CHECK(mm_json_scan_feed(s, " ", 1, &err) == malformed[i].rc && err.at == malformed[i].at);
    CHECK(closes_as(s, malformed[i].closed));
    mm_json_scan_free(s);
  }
}

static void bounds_depth_and_size(void) {
  char deep[MM_JSON_DEPTH + 1];
  for (size_t i = 0; i < sizeof deep; i++)
    deep[i] = '[';
  struct mm_json_scan *s = new_scan(10000);
  CHECK(feed_copy(s, deep, MM_JSON_DEPTH) == MM_OK);
  CHECK(feed_copy(s, deep, 1) == MM_EDEPTH);
  struct mm_buf out;
  mm_buf_init(&out, SIZE_MAX);
  CHECK(mm_json_scan_closed(s, &out) == MM_OK && out.len == MM_JSON_DEPTH * 2);
  mm_buf_free(&out);
  mm_buf_init(&out, 5);
  CHECK(mm_json_scan_closed(s, &out) == MM_ETOOBIG && out.len == 0);
  mm_json_scan_free(s);

  s = new_scan(4);
  struct mm_error err;
  CHECK(feed_copy(s, "\"abc", 4) == MM_OK);
  CHECK(mm_json_scan_feed(s, "d", 1, &err) == MM_ETOOBIG && err.code == MM_ETOOBIG);
  CHECK(closes_as(s, "\"abc\""));
  mm_json_scan_free(s);
}

static int scan_all(const char *text, size_t n, struct mm_buf *out) {
  struct mm_json_scan *s;
  int rc = mm_json_scan_new(SIZE_MAX, &s);
  if (rc != MM_OK) return rc;
  for (size_t i = 0; i < n && rc == MM_OK;) {
    rc = mm_json_scan_feed(s, text + i, 1, NULL);
    CHECK(rc == MM_OK || rc == MM_ENOMEM);
    if (rc == MM_OK) i++;
  }
  if (rc == MM_OK) rc = mm_json_scan_closed(s, out);
  mm_json_scan_free(s);
  return rc;
}

static void survives_failing_memory(void) {
  static const char text[] = "{\"some keys\":[1,2,3,\"and a string long enough to grow twice\",{}],"
                             "\"more\":{\"text\":\"that has come only in p";
  static const char want[] = "{\"some keys\":[1,2,3,\"and a string long enough to grow twice\",{}],"
                             "\"more\":{\"text\":\"that has come only in p\"}}";
  struct mm_buf out;
  mm_buf_init(&out, SIZE_MAX);
  int rc = MM_OK;
  SWEEP_ALLOC(rc, {
    mm_buf_free(&out);
    rc = scan_all(text, sizeof text - 1, &out);
    CHECK(rc == MM_OK || out.len == 0);
  });
  CHECK(rc == MM_OK && out.len == sizeof want - 1 && memcmp(out.data, want, out.len) == 0);
  mm_buf_free(&out);
}

int main(void) {
  closes_what_is_open();
  stays_failed();
  bounds_depth_and_size();
  survives_failing_memory();
  return 0;
}

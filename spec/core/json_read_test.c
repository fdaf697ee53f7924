/* json_read_test.c - reading complete JSON text strictly.   SPDX-License-Identifier: MIT */
#include "check.h"
#include "../../src/core/json_read.h"
#include "../../src/core/number.h"

/* The tokens of a text written down one by one: {K"a"I1}$ and the like. */
static void describe(struct mm_buf *out, enum mm_json_token token, const struct mm_json_reader *r) {
  static const char letters[] = "${}[]KSINtfn";
  CHECK(mm_buf_byte(out, letters[token]) == MM_OK);
  if (token == MM_JSON_KEY || token == MM_JSON_STRING) {
    CHECK(mm_buf_append(out, r->bytes, r->n) == MM_OK);
    for (size_t i = 0; i < r->marks; i++) {
      char text[48];
      int n = snprintf(text, sizeof text, "<%zu@%zu>", r->mark[i].index, r->mark[i].at);
      CHECK(mm_buf_append(out, text, (size_t)n) == MM_OK);
    }
  } else if (token == MM_JSON_INTEGER) {
    char text[32];
    int n = snprintf(text, sizeof text, "%lld", (long long)r->integer);
    CHECK(mm_buf_append(out, text, (size_t)n) == MM_OK);
  } else if (token == MM_JSON_NUMBER) {
    char text[MM_NUMBER_TEXT];
    CHECK(mm_buf_append(out, text, mm_number_write(r->number, text)) == MM_OK);
    if (!r->exact) CHECK(mm_buf_byte(out, '~') == MM_OK);
  }
}

static int read_all(const char *text, size_t n, bool marks, struct mm_buf *out,
                    struct mm_error *err) {
  struct guard g = guard_copy(text, n);
  struct mm_json_reader r;
  enum mm_json_token token = MM_JSON_NULL;
  int rc = MM_OK;
  out->len = 0;
  mm_json_reader_init(&r, g.bytes, n);
  r.marks_allowed = marks;
  while (rc == MM_OK && token != MM_JSON_END) {
    rc = mm_json_next(&r, &token, err);
    if (rc == MM_OK) describe(out, token, &r);
  }
  mm_json_reader_free(&r);
  guard_free(g);
  return rc;
}

static void reads(const char *text, const char *tokens) {
  struct mm_buf out;
  struct mm_error err;
  mm_buf_init(&out, SIZE_MAX);
  int rc = read_all(text, strlen(text), true, &out, &err);
  if (rc != MM_OK) fprintf(stderr, "%s: %s at %d\n", text, err.text, (int)err.at);
  CHECK(rc == MM_OK);
  CHECK(out.len == strlen(tokens) && memcmp(out.data, tokens, out.len) == 0);
  mm_buf_free(&out);
}

static void refuses_n(const char *text, size_t n, int code, size_t at) {
  struct mm_buf out;
  struct mm_error err = {.at = 12345};
  mm_buf_init(&out, SIZE_MAX);
  int rc = read_all(text, n, false, &out, &err);
  if (rc != code || err.at != at) fprintf(stderr, "%s: %d at %d\n", text, rc, (int)err.at);
  CHECK(rc == code && err.code == code && err.at == at && err.text[0]);
  mm_buf_free(&out);
}

static void refuses(const char *text, size_t at) {
  refuses_n(text, strlen(text), MM_ESYNTAX, at);
}

static void reads_values(void) {
  reads("null", "n$");
  reads(" \t\r\n[ ] ", "[]$");
  reads("{}", "{}$");
  reads("\xEF\xBB\xBF true", "t$");
  reads("{\"a\":1,\"b\" : [true,false,null,\"x\"],\"\":{}}", "{KaI1Kb[tfnSx]K{}}$");
  reads("[[],[[]],{\"a\":[]}]", "[[][[]]{Ka[]}]$");
  reads("\"\"", "S$");
  reads("\"a longer string, of more than sixteen bytes\"",
        "Sa longer string, of more than sixteen bytes$");
  reads("\"\x7F\xC2\x80\xF4\x8F\xBF\xBF\"", "S\x7F\xC2\x80\xF4\x8F\xBF\xBF$");
}

static void reads_numbers(void) {
  reads("0", "I0$");
  reads("-0", "N-0$");
  reads("9223372036854775807", "I9223372036854775807$");
  reads("9223372036854775808", "N9223372036854776000~$");
}

static void reads_integers_exactly(void) {
  reads("-9223372036854775808", "I-9223372036854775808$");
  reads("[1.0,1e2,1E+2,0.1,-1.5e-3]", "[N1N100N100N0.1N-0.0015]$");
  reads("9007199254740993", "I9007199254740993$");
  reads("9007199254740993.0", "N9007199254740992~$");
}

static void unescapes(void) {
  reads("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "S\"\\/\b\f\n\r\t$");
  reads("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "SA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80$");
  reads("\"\\ud800\"", "S\xEF\xBF\xBD$");
  reads("\"\\udc00x\"", "S\xEF\xBF\xBDx$");
  reads("\"\\ud800\\u0041\"", "S\xEF\xBF\xBD"
                              "A$");
  reads("\"\\ud800\\ud83d\\ude00\"", "S\xEF\xBF\xBD\xF0\x9F\x98\x80$");
  reads("{\"\\u006b\":1}", "{KkI1}$");
  char text[4096] = "\"";
  char want[4096] = "S";
  for (int i = 0; i < 300; i++) {
    strcat(text, "abc\\n\\/");
    strcat(want, "abc\n/");
  }
  strcat(text, "\"");
  strcat(want, "$");
  reads(text, want); /* longer than the reader's own room */
}

static void tells_marks_from_characters(void) {
  reads("\"\1"
        "1\1\"",
        "S<1@0>$");
  reads("[\"a\1"
        "12\1b\1"
        "3\1\",\"c\"]",
        "[Sab<12@1><3@2>Sc]$");
  reads("\"\\u00011\\u0001\"", "S\1"
                               "1\1$");
  reads("\"\\u00011\1"
        "2\1"
        "1\\u0001\"",
        "S\1"
        "11\1<2@2>$");
  reads("{\"\1"
        "1\1\":\"\"}",
        "{K<1@0>S}$");
  struct mm_buf out;
  struct mm_error err;
  mm_buf_init(&out, SIZE_MAX);
  static const char *const forged[] = {"\"\1\1\"",
                                       "\"\1"
                                       "0\1\"",
                                       "\"\1x\1\"",
                                       "\"\1"
                                       "1\"",
                                       "\"\1"
                                       "1",
                                       "\"\1",
                                       "\"\1"
                                       "12345678901\1\"",
                                       "\"\2\""};
  for (size_t i = 0; i < sizeof forged / sizeof *forged; i++)
    CHECK(read_all(forged[i], strlen(forged[i]), true, &out, &err) == MM_ESYNTAX);
  mm_buf_free(&out);
  refuses("\"\1"
          "1\1\"",
          1); /* no media were given */
}

static void refuses_what_is_no_json(void) {
  refuses("", 0);
  refuses("  ", 2);
  refuses("[1,]", 3);
  refuses("[,1]", 1);
  refuses("{\"a\":1,}", 7);
  refuses("{\"a\" 1}", 5);
  refuses("{\"a\":}", 5);
  refuses("{a:1}", 1);
  refuses("{1:1}", 1);
  refuses("[1}", 2);
  refuses("{\"a\":1]", 6);
  refuses("[1 2]", 3);
  refuses("1 2", 2);
  refuses("[]]", 2);
  refuses("[", 1);
  refuses("{\"a\":", 5);
  refuses("{\"a\"", 4);
  refuses("nul", 0);
  refuses("nulll", 4);
  refuses("True", 0);
  refuses("NaN", 0);
  refuses("Infinity", 0);
  refuses("-Infinity", 1);
  refuses("01", 0);
  refuses("-01", 1);
  refuses("+1", 0);
  refuses(".5", 0);
  refuses("1.", 2);
  refuses("[1.]", 3);
  refuses("1e", 2);
  refuses("1e+", 3);
  refuses("0x10", 1);
  refuses("-", 1);
  refuses("'a'", 0);
  refuses("\"a", 2);
  refuses("\"a\\", 3);
  refuses("\"a\\\"", 4);
  refuses("\"\\x41\"", 1);
  refuses("\"\\u12\"", 1);
  refuses("\"\\u12g4\"", 1);
  refuses("\"\\ud83d\\u12\"", 7);
  refuses("\"a\nb\"", 2);
  refuses("\"a\tb\"", 2);
  refuses("[1] // comment", 4);
  refuses("/* */ 1", 0);
  refuses("\xEF\xBB", 0);
  refuses("[\xC3\xA9]", 1);
  refuses_n("\"a\0b\"", 5, MM_ESYNTAX, 2);
  refuses_n("1\0", 2, MM_ESYNTAX, 1);
  refuses_n("\"a\xFF\"", 4, MM_EUTF8, 2);
  refuses_n("\"a\xC0\x80\"", 5, MM_EUTF8, 2);
  refuses_n("\"\xED\xA0\x80\"", 5, MM_EUTF8, 1);
  refuses_n("\"\xF4\x90\x80\x80\"", 6, MM_EUTF8, 1);
  refuses_n("\"\xE2\x82\"", 4, MM_EUTF8, 1);
}

static void bounds_nesting(void) {
  struct mm_buf out;
  struct mm_error err;
  char text[2 * MM_JSON_DEPTH + 2];
  mm_buf_init(&out, SIZE_MAX);
  memset(text, '[', MM_JSON_DEPTH + 1);
  memset(text + MM_JSON_DEPTH, ']', MM_JSON_DEPTH);
  CHECK(read_all(text, sizeof text - 2, false, &out, &err) == MM_OK);
  memset(text, '[', MM_JSON_DEPTH + 1);
  CHECK(read_all(text, sizeof text - 1, false, &out, &err) == MM_EDEPTH);
  CHECK(err.at == MM_JSON_DEPTH);
  mm_buf_free(&out);
}

/* A text cut anywhere is refused, and never read past. */
static void refuses_every_prefix(void) {
  const char *text = "{\"key\":[1.5e3,\"a\\u00e9\\ud83d\\ude00\1"
                     "1\1\",true,null,{}],\"b\":\"\xC3\xA9\"}";
  struct mm_buf out;
  struct mm_error err;
  mm_buf_init(&out, SIZE_MAX);
  for (size_t n = 0; n < strlen(text); n++)
    CHECK(read_all(text, n, true, &out, &err) == MM_ESYNTAX);
  CHECK(read_all(text, strlen(text), true, &out, &err) == MM_OK);
  mm_buf_free(&out);
}

/* Any byte in any place: an answer or an error, never a crash. */
static void survives_any_byte(void) {
  const char *text = "{\"k\":[-1.5e3,\"a\\u00e9\\ud83d\\ude00\1"
                     "1\1b\",true,null]}";
  struct mm_buf out;
  struct mm_error err;
  char changed[128];
  mm_buf_init(&out, SIZE_MAX);
  size_t n = strlen(text);
  for (size_t i = 0; i < n; i++) {
    for (int c = 0; c < 256; c++) {
      memcpy(changed, text, n);
      changed[i] = (char)c;
      int rc = read_all(changed, n, true, &out, &err);
      CHECK(rc == MM_OK || rc == MM_ESYNTAX || rc == MM_EUTF8);
    }
  }
  mm_buf_free(&out);
}

static int read_quietly(const char *text, size_t n) {
  struct mm_json_reader r;
  enum mm_json_token token = MM_JSON_NULL;
  int rc = MM_OK;
  mm_json_reader_init(&r, text, n);
  r.marks_allowed = true;
  while (rc == MM_OK && token != MM_JSON_END)
    rc = mm_json_next(&r, &token, NULL);
  mm_json_reader_free(&r);
  return rc;
}

static void survives_failing_allocations(void) {
  char text[3000];
  memset(text, 'x', sizeof text);
  memcpy(text,
         "[\"\\n\1"
         "1\1",
         7);
  memcpy(text + sizeof text - 2, "\"]", 2);
  int rc;
  SWEEP_ALLOC(rc, rc = read_quietly(text, sizeof text));
  CHECK(rc == MM_OK);
}

static void reads_short_texts_without_memory(void) {
  const char *text = "{\"a\":[1,2.5,\"\\n\\u00e9\",{\"b\":null}]}";
  mm_alloc_fail_after(0);
  CHECK(read_quietly(text, strlen(text)) == MM_OK);
  mm_alloc_fail_after(-1);
}

int main(void) {
  reads_values();
  reads_numbers();
  reads_integers_exactly();
  unescapes();
  tells_marks_from_characters();
  refuses_what_is_no_json();
  bounds_nesting();
  refuses_every_prefix();
  survives_any_byte();
  survives_failing_allocations();
  reads_short_texts_without_memory();
  return 0;
}

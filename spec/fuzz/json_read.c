/* json_read.c - fuzz target: the reader takes exactly what is JSON, reads numbers right, and what
 * the writer makes of its tokens reads back the same.       SPDX-License-Identifier: MIT */
#include "json.h"

#include "../../src/core/json_write.h"
#include "../../src/core/number.h"

enum { DIGITS = 800 }; /* of a number whose decimal value is compared */

/* A decimal value: digits without zeros around them, and the power of ten of the first. */
struct decimal {
  char digits[DIGITS];
  size_t n;
  long long power;
  bool known;
};

static struct decimal decimal_of(const char *text, size_t n) {
  struct decimal d = {.known = true};
  size_t i = n && text[0] == '-';
  long long before = 0;
  bool point = false;
  for (; i < n && (text[i] | 0x20) != 'e'; i++) {
    if (text[i] == '.') {
      point = true;
      continue;
    }
    if (d.n || text[i] != '0') {
      if (d.n == DIGITS) d.known = false;
      if (d.known) d.digits[d.n++] = text[i];
      before += !point;
    } else if (point) {
      before--;
    }
  }
  while (d.n && d.digits[d.n - 1] == '0')
    d.n--;
  if (n - i > 12) d.known = false;
  d.power = before;
  if (i < n && d.known) d.power += strtoll(text + i + 1, NULL, 10);
  if (d.n == 0) d.power = 0;
  return d;
}

static bool equal_value(const struct decimal *a, const struct decimal *b) {
  return a->n == b->n && a->power == b->power && memcmp(a->digits, b->digits, a->n) == 0;
}

static void check_exact(const char *text, size_t n, double value, bool exact) {
  char out[MM_NUMBER_TEXT];
  size_t written = mm_number_write(value, out);
  FUZZ_CHECK((written == 0) == !isfinite(value));
  if (written == 0) {
    FUZZ_CHECK(!exact);
    return;
  }
  char *terminated = calloc(n + 1, 1);
  FUZZ_CHECK(terminated);
  memcpy(terminated, text, n);
  struct decimal theirs = decimal_of(terminated, n);
  free(terminated);
  out[written < sizeof out ? written : sizeof out - 1] = 0;
  struct decimal ours = decimal_of(out, written);
  if (theirs.known) FUZZ_CHECK(exact == equal_value(&ours, &theirs));
}

static void check_number(const struct mm_json_reader *r, enum mm_json_token token) {
  char *text = calloc(r->n + 1, 1);
  FUZZ_CHECK(text);
  memcpy(text, r->bytes, r->n);
  double want = strtod(text, NULL);
  if (token == MM_JSON_INTEGER) {
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)r->integer);
    FUZZ_CHECK(strcmp(digits, text) == 0);
  } else {
    FUZZ_CHECK(memcmp(&want, &r->number, sizeof want) == 0);
    check_exact(r->bytes, r->n, r->number, r->exact);
  }
  free(text);
}

static int write_number(struct mm_json_writer *w, const struct mm_json_reader *r,
                        enum mm_json_token token) {
  check_number(r, token);
  if (token == MM_JSON_INTEGER) return mm_json_integer(w, r->integer);
  if (isfinite(r->number)) return mm_json_number(w, r->number);
  FUZZ_CHECK(mm_json_number(w, r->number) == MM_EINVAL);
  return mm_json_verbatim(w, r->bytes, r->n);
}

static int write_token(struct mm_json_writer *w, const struct mm_json_reader *r,
                       enum mm_json_token token) {
  switch (token) {
    case MM_JSON_OBJECT: return mm_json_begin(w, '{');
    case MM_JSON_OBJECT_END: return mm_json_end(w, '}');
    case MM_JSON_ARRAY: return mm_json_begin(w, '[');
    case MM_JSON_ARRAY_END: return mm_json_end(w, ']');
    case MM_JSON_KEY: return mm_json_key(w, r->bytes, r->n);
    case MM_JSON_STRING: return mm_json_string(w, r->bytes, r->n);
    case MM_JSON_INTEGER:
    case MM_JSON_NUMBER: return write_number(w, r, token);
    case MM_JSON_TRUE: return mm_json_verbatim(w, "true", 4);
    case MM_JSON_FALSE: return mm_json_verbatim(w, "false", 5);
    case MM_JSON_NULL: return mm_json_verbatim(w, "null", 4);
    case MM_JSON_END: break;
  }
  return MM_OK;
}

/* Write the tokens of a text that has no marks. */
static void write_again(const char *text, size_t n, struct mm_buf *out) {
  struct mm_json_reader r;
  struct mm_json_writer w;
  enum mm_json_token token = MM_JSON_NULL;
  mm_json_reader_init(&r, text, n);
  mm_json_writer_init(&w, out);
  while (token != MM_JSON_END) {
    FUZZ_CHECK(mm_json_next(&r, &token, NULL) == MM_OK);
    FUZZ_CHECK(write_token(&w, &r, token) == MM_OK);
  }
  FUZZ_CHECK(w.depth == 0);
  mm_json_reader_free(&r);
}

static void check_round_trip(const char *text, size_t n, const struct mm_buf *log) {
  struct mm_buf out, again;
  mm_buf_init(&out, SIZE_MAX / 2);
  mm_buf_init(&again, SIZE_MAX / 2);
  write_again(text, n, &out);
  FUZZ_CHECK(log_json(out.data, out.len, false, &again) == MM_OK);
  FUZZ_CHECK(fuzz_same(log, &again));
  mm_buf_free(&out);
  mm_buf_free(&again);
}

/* With memory that fails, the status says so, and nothing else does. */
static void check_memory(const struct fuzz_input *in, bool marks, int rc) {
  struct mm_json_reader r;
  enum mm_json_token token = MM_JSON_NULL;
  mm_alloc_fail_after(in->choice[1] % 4);
  mm_json_reader_init(&r, in->bytes, in->n);
  r.marks_allowed = marks;
  int got = MM_OK;
  while (got == MM_OK && (token != MM_JSON_END))
    got = mm_json_next(&r, &token, NULL);
  FUZZ_CHECK(got == rc || got == MM_ENOMEM);
  mm_json_reader_free(&r);
  mm_alloc_fail_after(-1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct fuzz_input in = fuzz_input(data, n);
  bool marks = in.choice[0] & 1;
  struct mm_buf log;
  mm_buf_init(&log, SIZE_MAX / 2);
  bool bom = in.n >= 3 && memcmp(in.bytes, "\xEF\xBB\xBF", 3) == 0;
  size_t skip = bom ? 3 : 0;
  int rc = log_json(in.bytes, in.n, marks, &log);
  FUZZ_CHECK((rc == MM_OK) == valid_json(in.bytes + skip, in.n - skip, marks));
  if (rc == MM_OK && !marks) check_round_trip(in.bytes, in.n, &log);
  check_memory(&in, marks, rc);
  mm_buf_free(&log);
  return 0;
}

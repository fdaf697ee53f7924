/* json_scan.c - fuzz target: following JSON that grows. The same in any split; complete exactly
 * when it is JSON; what closed() writes is JSON after every byte, and loses nothing that could be
 * kept.                                                     SPDX-License-Identifier: MIT */
#include "json.h"

#include "../../src/core/json_scan.h"

enum { SMALL = 160 }; /* bytes of text looked at after every byte */

static void note_state(const struct mm_json_scan *s, struct mm_buf *log) {
  struct mm_buf closed;
  mm_buf_init(&closed, SIZE_MAX / 2);
  FUZZ_CHECK(mm_json_scan_closed(s, &closed) == MM_OK);
  fuzz_note(log, 'c', closed.data, closed.len);
  fuzz_note(log, mm_json_scan_complete(s) ? 'y' : 'n', NULL, 0);
  mm_buf_free(&closed);
}

static int scan(const struct fuzz_input *in, enum fuzz_cut cut, struct mm_buf *log) {
  struct mm_json_scan *s;
  struct mm_error err = {0};
  FUZZ_CHECK(mm_json_scan_new(in->n, &s) == MM_OK);
  struct fuzz_pieces pieces = fuzz_pieces(in, cut);
  const char *bytes;
  size_t n;
  int rc = MM_OK;
  while (rc == MM_OK && fuzz_next(&pieces, &bytes, &n))
    rc = mm_json_scan_feed(s, bytes, n, &err);
  fuzz_stop(&pieces);
  FUZZ_CHECK(err.code == rc);
  FUZZ_CHECK(rc == MM_OK || mm_json_scan_feed(s, " ", 1, NULL) == rc);
  fuzz_note(log, 'r', &rc, sizeof rc);
  fuzz_note(log, 'a', &err.at, sizeof err.at);
  note_state(s, log);
  mm_json_scan_free(s);
  return rc;
}

/* ---- the longest prefix that can be closed, by trying ---- */

/* What closes text[0..n), appended to it; the text is one that the scan took. */
static void close_naively(const char *text, size_t n, struct mm_buf *out) {
  char open[MM_JSON_DEPTH];
  size_t depth = 0;
  bool string = false;
  out->len = 0;
  FUZZ_CHECK(mm_buf_append(out, text, n) == MM_OK);
  for (size_t i = 0; i < n; i++) {
    char c = text[i];
    if (string && c == '\\')
      i++;
    else if (c == '"')
      string = !string;
    else if (!string && (c == '{' || c == '['))
      open[depth++] = c == '{' ? '}' : ']';
    else if (!string && (c == '}' || c == ']'))
      depth--;
  }
  if (string) FUZZ_CHECK(mm_buf_byte(out, '"') == MM_OK);
  while (depth)
    FUZZ_CHECK(mm_buf_byte(out, open[--depth]) == MM_OK);
}

static void longest(const char *text, size_t n, struct mm_buf *out) {
  for (size_t cut = n; cut > 0; cut--) {
    close_naively(text, cut, out);
    if (valid_json(out->data, out->len, false)) return;
  }
  out->len = 0;
}

/* The closed text says the same as the one found by trying. A pair of surrogates is one character
 * to the scan and two escapes to the other: such texts are only checked to be JSON. */
static void check_closed(const struct mm_json_scan *s, const char *text, size_t n, bool pairs) {
  struct mm_buf closed, tried, ours, theirs;
  struct mm_buf *all[] = {&closed, &tried, &ours, &theirs};
  for (size_t i = 0; i < 4; i++)
    mm_buf_init(all[i], SIZE_MAX / 2);
  FUZZ_CHECK(mm_json_scan_closed(s, &closed) == MM_OK);
  FUZZ_CHECK(closed.len == 0 || valid_json(closed.data, closed.len, false));
  longest(text, n, &tried);
  FUZZ_CHECK((closed.len == 0) == (tried.len == 0));
  if (closed.len && !pairs) {
    FUZZ_CHECK(log_json(closed.data, closed.len, false, &ours) == MM_OK);
    FUZZ_CHECK(log_json(tried.data, tried.len, false, &theirs) == MM_OK);
    FUZZ_CHECK(fuzz_same(&ours, &theirs));
  }
  for (size_t i = 0; i < 4; i++)
    mm_buf_free(all[i]);
}

static bool has_pairs(const struct fuzz_input *in) {
  for (size_t i = 0; i + 2 < in->n; i++)
    if (in->bytes[i] == '\\' && in->bytes[i + 1] == 'u' && (in->bytes[i + 2] | 0x20) == 'd')
      return true;
  return false;
}

static void check_growth(const struct fuzz_input *in) {
  struct mm_json_scan *s;
  bool pairs = has_pairs(in);
  FUZZ_CHECK(mm_json_scan_new(SIZE_MAX / 4, &s) == MM_OK);
  for (size_t i = 0; i < in->n; i++) {
    if (mm_json_scan_feed(s, in->bytes + i, 1, NULL) != MM_OK) break;
    check_closed(s, in->bytes, i + 1, pairs);
    FUZZ_CHECK(mm_json_scan_complete(s) == valid_json(in->bytes, i + 1, false));
  }
  mm_json_scan_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct fuzz_input in = fuzz_input(data, n);
  struct mm_buf log[FUZZ_CUTS];
  for (enum fuzz_cut cut = FUZZ_WHOLE; cut < FUZZ_CUTS; cut++) {
    mm_buf_init(&log[cut], SIZE_MAX / 2);
    int rc = scan(&in, cut, &log[cut]);
    if (rc != MM_OK) FUZZ_CHECK(!valid_json(in.bytes, in.n, false));
    FUZZ_CHECK(fuzz_same(&log[FUZZ_WHOLE], &log[cut]));
  }
  for (enum fuzz_cut cut = FUZZ_WHOLE; cut < FUZZ_CUTS; cut++)
    mm_buf_free(&log[cut]);
  if (in.n <= SMALL) check_growth(&in);
  FUZZ_CHECK(mm_live() == 0);
  return 0;
}

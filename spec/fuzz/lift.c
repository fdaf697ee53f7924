/* lift.c - fuzz target: media taken out of JSON. The same in any split; text and media put together
 * again say what the input said; what should be lifted is; memory that fails breaks nothing.
 *                                                           SPDX-License-Identifier: MIT */
#include "json.h"

#include "../../src/core/base64.h"
#include "../../src/core/lift.h"

/* What a text became. */
struct lifted {
  int rc;
  struct mm_buf out;
  struct mm_blob **media; /* owned */
  size_t n;
};

static void lifted_free(struct lifted *l) {
  mm_buf_free(&l->out);
  for (size_t i = 0; i < l->n; i++)
    mm_blob_unref(l->media[i]);
  mm_alloc(l->media, 0);
}

static size_t above_of(const struct fuzz_input *in) {
  return in->choice[1] % 64;
}

static int feed(struct mm_lift *l, const struct fuzz_input *in, enum fuzz_cut cut,
                struct mm_buf *out, struct mm_error *err) {
  struct fuzz_pieces pieces = fuzz_pieces(in, cut);
  const char *bytes;
  size_t n;
  int rc = MM_OK;
  while (rc == MM_OK && fuzz_next(&pieces, &bytes, &n))
    rc = mm_lift_feed(l, bytes, n, out, err);
  fuzz_stop(&pieces);
  return rc;
}

static void lift(const struct fuzz_input *in, enum fuzz_cut cut, struct lifted *result) {
  struct mm_spool *spool = NULL;
  struct mm_lift *l = NULL;
  struct mm_error err = {0};
  uint64_t most = in->choice[2] & 1 ? in->choice[2] : UINT64_MAX;
  *result = (struct lifted){.rc = mm_spool_new(in->choice[2] % 32, most, &spool)};
  mm_buf_init(&result->out, in->choice[3] & 1 ? in->choice[3] * 2u : SIZE_MAX / 2);
  if (result->rc == MM_OK) result->rc = mm_lift_new(spool, above_of(in), &l);
  if (result->rc == MM_OK) result->rc = feed(l, in, cut, &result->out, &err);
  if (result->rc == MM_OK)
    result->rc = mm_lift_end(l, &result->out, &result->media, &result->n, &err);
  FUZZ_CHECK(err.code == MM_OK || err.code == result->rc);
  mm_lift_free(l);
  mm_spool_unref(spool);
}

/* The text that a blob was, appended. */
static void put_blob(struct mm_blob *b, struct mm_buf *out) {
  bool padded = false;
  const char *prefix = mm_blob_prefix(b, &padded);
  size_t n = (size_t)mm_blob_size(b), got = 0;
  FUZZ_CHECK(prefix && (prefix[0] || padded));
  char *bytes = malloc(n), *text = malloc((size_t)mm_base64_length(n));
  FUZZ_CHECK(bytes && text);
  struct mm_blob_reader reader;
  mm_blob_reader_init(&reader, b);
  FUZZ_CHECK(mm_blob_reader_read(&reader, 0, bytes, n, &got, NULL) == MM_OK && got == n);
  mm_blob_reader_free(&reader);
  mm_base64_encode(bytes, n, text);
  size_t length = (size_t)mm_base64_length(n);
  while (!padded && length && text[length - 1] == '=')
    length--;
  FUZZ_CHECK(mm_buf_append(out, prefix, strlen(prefix)) == MM_OK);
  FUZZ_CHECK(mm_buf_append(out, text, length) == MM_OK);
  free(bytes);
  free(text);
}

static void note_lifted(const struct lifted *l, struct mm_buf *log) {
  struct mm_buf text;
  mm_buf_init(&text, SIZE_MAX / 2);
  fuzz_note(log, 'r', &l->rc, sizeof l->rc);
  if (l->rc == MM_OK) fuzz_note(log, 't', l->out.data, l->out.len);
  for (size_t i = 0; i < l->n; i++) {
    const char *mime = mm_blob_mime(l->media[i]);
    text.len = 0;
    put_blob(l->media[i], &text);
    fuzz_note(log, 'b', text.data, text.len);
    fuzz_note(log, 'm', mime ? mime : "", mime ? strlen(mime) : 0);
  }
  mm_buf_free(&text);
}

/* A string with its media written out. */
static void whole_string(const struct mm_json_reader *r, const struct lifted *l, struct mm_buf *out,
                         size_t *next) {
  size_t at = 0;
  out->len = 0;
  for (size_t i = 0; i < r->marks; i++) {
    FUZZ_CHECK(r->mark[i].at >= at && r->mark[i].at <= r->n);
    FUZZ_CHECK(r->mark[i].index == ++*next && *next <= l->n);
    FUZZ_CHECK(mm_buf_append(out, r->bytes + at, r->mark[i].at - at) == MM_OK);
    at = r->mark[i].at;
    put_blob(l->media[r->mark[i].index - 1], out);
  }
  FUZZ_CHECK(mm_buf_append(out, r->bytes + at, r->n - at) == MM_OK);
}

/* Is the string what an encoder wrote? Then it had to be lifted, when it is long. */
static bool is_canonical(const struct mm_buf *text) {
  if (text->len == 0 || text->len % 4 || memchr(text->data, '-', text->len)) return false;
  size_t n = 0;
  char *bytes = malloc(text->len), *again = malloc(text->len);
  FUZZ_CHECK(bytes && again);
  bool ok = mm_base64_decode(text->data, text->len, bytes, &n, NULL) == MM_OK &&
            mm_base64_length(n) == text->len;
  if (ok) mm_base64_encode(bytes, n, again);
  ok = ok && memcmp(again, text->data, text->len) == 0;
  free(bytes);
  free(again);
  return ok;
}

/* Log the tokens of the output with media written out, as those of the input would be. */
static void log_lifted(const struct lifted *l, size_t above, struct mm_buf *log) {
  struct mm_json_reader r;
  struct mm_buf text;
  enum mm_json_token token = MM_JSON_NULL;
  size_t next = 0;
  mm_buf_init(&text, SIZE_MAX / 2);
  mm_json_reader_init(&r, l->out.data, l->out.len);
  r.marks_allowed = true;
  while (token != MM_JSON_END) {
    FUZZ_CHECK(mm_json_next(&r, &token, NULL) == MM_OK);
    FUZZ_CHECK(token != MM_JSON_KEY || r.marks == 0);
    if (token != MM_JSON_STRING) {
      log_token(&r, token, log);
      continue;
    }
    whole_string(&r, l, &text, &next);
    fuzz_note(log, 's', text.data, text.len);
    bool due = text.len > above + 4 && is_canonical(&text);
    FUZZ_CHECK(!due || (r.marks == 1 && r.n == 0));
  }
  FUZZ_CHECK(next == l->n);
  mm_json_reader_free(&r);
  mm_buf_free(&text);
}

static void check_meaning(const struct fuzz_input *in, const struct lifted *l) {
  struct mm_buf input, output;
  mm_buf_init(&input, SIZE_MAX / 2);
  mm_buf_init(&output, SIZE_MAX / 2);
  if (l->rc == MM_OK && log_json(in->bytes, in->n, false, &input) == MM_OK) {
    log_lifted(l, above_of(in), &output);
    FUZZ_CHECK(fuzz_same(&input, &output));
  }
  mm_buf_free(&input);
  mm_buf_free(&output);
}

static void check_memory(const struct fuzz_input *in, int rc) {
  struct lifted l;
  mm_alloc_fail_after(in->choice[0] % 24);
  lift(in, in->choice[3] % FUZZ_CUTS, &l);
  mm_alloc_fail_after(-1);
  FUZZ_CHECK(l.rc == rc || l.rc == MM_ENOMEM);
  lifted_free(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct fuzz_input in = fuzz_input(data, n);
  struct mm_buf log[FUZZ_CUTS];
  int rc = MM_OK;
  for (enum fuzz_cut cut = FUZZ_WHOLE; cut < FUZZ_CUTS; cut++) {
    struct lifted l;
    lift(&in, cut, &l);
    rc = l.rc;
    mm_buf_init(&log[cut], SIZE_MAX / 2);
    note_lifted(&l, &log[cut]);
    FUZZ_CHECK(fuzz_same(&log[FUZZ_WHOLE], &log[cut]));
    check_meaning(&in, &l);
    lifted_free(&l);
  }
  for (enum fuzz_cut cut = FUZZ_WHOLE; cut < FUZZ_CUTS; cut++)
    mm_buf_free(&log[cut]);
  check_memory(&in, rc);
  FUZZ_CHECK(mm_live() == 0);
  return 0;
}

/* lift_test.c - long base64 is lifted out of JSON, and nothing else.   SPDX-License-Identifier: MIT
 */
#include "../../src/core/base64.h"
#include "../../src/core/lift.h"
#include "check.h"

enum { ABOVE = 24, MEMORY = 64 };

/* What a text became: the output and its media. */
struct lifted {
  int rc;
  struct mm_buf out;
  struct mm_blob **media;
  size_t n;
};

static void lifted_free(struct lifted *r) {
  mm_buf_free(&r->out);
  for (size_t i = 0; i < r->n; i++)
    mm_blob_unref(r->media[i]);
  mm_alloc(r->media, 0);
}

/* Feed text in two parts, or byte by byte when cut is SIZE_MAX. */
static int feed(struct mm_lift *l, struct mm_buf *out, const char *text, size_t n, size_t cut) {
  int rc = MM_OK;
  if (cut != SIZE_MAX) {
    rc = mm_lift_feed(l, text, cut, out, NULL);
    return rc == MM_OK ? mm_lift_feed(l, text + cut, n - cut, out, NULL) : rc;
  }
  for (size_t i = 0; i < n && rc == MM_OK; i++)
    rc = mm_lift_feed(l, text + i, 1, out, NULL);
  return rc;
}

static struct lifted lift(const char *text, size_t n, size_t cut, size_t above, size_t memory) {
  struct lifted r = {0};
  struct mm_spool *spool = NULL;
  struct mm_lift *l = NULL;
  struct guard g = guard_copy(text, n);
  mm_buf_init(&r.out, SIZE_MAX / 2);
  r.rc = mm_spool_new(memory, UINT64_MAX, &spool);
  if (r.rc == MM_OK) r.rc = mm_lift_new(spool, above, &l);
  if (r.rc == MM_OK) r.rc = feed(l, &r.out, g.bytes, n, cut);
  if (r.rc == MM_OK) r.rc = mm_lift_end(l, &r.out, &r.media, &r.n, NULL);
  mm_lift_free(l);
  mm_spool_unref(spool);
  guard_free(g);
  return r;
}

static char *blob_base64(struct mm_blob *b, size_t *n) {
  size_t size = (size_t)mm_blob_size(b), got;
  char *bytes = malloc(size + 1), *text = malloc((size_t)mm_base64_length(size) + 1);
  struct mm_blob_reader reader;
  mm_blob_reader_init(&reader, b);
  CHECK(mm_blob_reader_read(&reader, 0, bytes, size, &got, NULL) == MM_OK && got == size);
  mm_blob_reader_free(&reader);
  mm_base64_encode(bytes, size, text);
  *n = (size_t)mm_base64_length(size);
  free(bytes);
  return text;
}

/* The output with its media written out again. */
static struct mm_buf written_out(const struct lifted *r) {
  struct mm_buf text;
  mm_buf_init(&text, SIZE_MAX / 2);
  for (size_t i = 0; i < r->out.len; i++) {
    if (r->out.data[i] != 1 || r->n == 0) {
      CHECK(mm_buf_byte(&text, r->out.data[i]) == MM_OK);
      continue;
    }
    char *end;
    unsigned long index = strtoul(r->out.data + i + 1, &end, 10);
    CHECK(*end == 1 && index >= 1 && index <= r->n);
    i = (size_t)(end - r->out.data);
    bool padded;
    const char *prefix = mm_blob_prefix(r->media[index - 1], &padded);
    CHECK(prefix && mm_buf_append(&text, prefix, strlen(prefix)) == MM_OK);
    size_t n;
    char *base64 = blob_base64(r->media[index - 1], &n);
    while (!padded && n && base64[n - 1] == '=')
      n--;
    CHECK(mm_buf_append(&text, base64, n) == MM_OK);
    free(base64);
  }
  return text;
}

static void same(const struct mm_buf *got, const char *text, size_t n) {
  if (got->len != n || memcmp(got->data, text, n) != 0)
    fprintf(stderr, "got  %.*s\nwant %.*s\n", (int)got->len, got->data, (int)n, text);
  CHECK(got->len == n && memcmp(got->data, text, n) == 0);
}

/* `text` becomes `want` with n media, in whatever split, in memory and in a file; written out again
 * it is `plain` (NULL: text as it was). */
static void lifts(const char *text, const char *want, size_t n, const char *plain) {
  size_t length = strlen(text);
  for (size_t cut = 0; cut <= length + 1; cut++) {
    size_t memory = cut % 2 ? MEMORY : 0;
    struct lifted r = lift(text, length, cut > length ? SIZE_MAX : cut, ABOVE, memory);
    CHECK(r.rc == MM_OK);
    same(&r.out, want, strlen(want));
    CHECK(r.n == n);
    struct mm_buf back = written_out(&r);
    same(&back, plain ? plain : text, strlen(plain ? plain : text));
    mm_buf_free(&back);
    lifted_free(&r);
  }
}

static void keeps(const char *text) {
  lifts(text, text, 0, NULL);
}

#define B24 "QUJDREVGR0hJSktMTU5PUFFS" /* ABCDEFGHIJKLMNOPQR */
#define B48 B24 B24                    /* longer than ABOVE */
#define URL "data:image/png;base64,"

static void test_bare(void) {
  lifts("{\"a\":\"" B48 "\",\"b\":\"x\"}",
        "{\"a\":\"\1"
        "1\1\",\"b\":\"x\"}",
        1, NULL);
  lifts("\"" B48 "QUI=\"",
        "\"\1"
        "1\1\"",
        1, NULL);
  lifts("\"" B48 "QQ==\"",
        "\"\1"
        "1\1\"",
        1, NULL);
  lifts("[\"" B48 "\" , \"" B48 "\"]",
        "[\"\1"
        "1\1\" , \"\1"
        "2\1\"]",
        2, NULL);
  keeps("\"" B24 "\"");
  lifts("\"" B24 "QUJD\"",
        "\"\1"
        "1\1\"",
        1, NULL);
}

static void test_bare_kept(void) {
  keeps("\"" B48 "Q\"");    /* a lone character */
  keeps("\"" B48 "QQ\"");   /* unpadded: encoding again would pad */
  keeps("\"" B48 "QQ=\"");  /* half padded */
  keeps("\"" B48 "QR==\""); /* bits that are not zero */
  keeps("\"" B48 "QUJ=\"");
  keeps("\"" B48 "QQ===\"");
  keeps("\"" B48 "QQ==QQ==\""); /* two in a row */
  keeps("\"" B48 " \"");
  keeps("\"" B48 "-_\"");
  keeps("\" " B48 "\"");
  keeps("\"" B48 "\\n\"");
  keeps("\"" B48 "\\u00e9" B48 "\"");
  keeps("\"" B48 "\xC3\xA9\"");
  keeps("\"" B48); /* the text ends */
  keeps("\"" B48 "QQ=");
  keeps("\"" B48 "\\u00");
  keeps("\"" B48 "\\uzz" B48 "\"");
  keeps(B48 B48); /* no string */
  keeps("{\"" B48 "\":1,\"" B48 "\":{\"" B48 "\":[]}}");
}

static void test_data_url(void) {
  lifts("\"" URL B48 "\"",
        "\"\1"
        "1\1\"",
        1, NULL);
  lifts("\"" URL B48 "QQ\"",
        "\"\1"
        "1\1\"",
        1, NULL);
  lifts("\"" URL B48 "QQ==\"",
        "\"\1"
        "1\1\"",
        1, NULL);
  lifts("\"DATA:Image/PNG;x=1;Base64," B48 "\"",
        "\"\1"
        "1\1\"",
        1, NULL);
  lifts("\"see ![a](" URL B48 ") and " URL B48 "QUI=.\"",
        "\"see ![a](\1"
        "1\1) and \1"
        "2\1.\"",
        2, NULL);
  lifts("\"" URL B48 "\\n" URL B48 "\"",
        "\"\1"
        "1\1\\n\1"
        "2\1\"",
        2, NULL);
  lifts("{\"url\":\"" URL B48 "\"}",
        "{\"url\":\"\1"
        "1\1\"}",
        1, NULL);
  lifts("\"data:text/plain;base64,data:text/plain;base64," B48 "\"",
        "\"data:text/plain;base64,\1"
        "1\1\"",
        1, NULL);
}

static void test_data_url_kept(void) {
  keeps("\"" URL B24 "\"");
  keeps("\"" URL B48 "Q\"");
  keeps("\"" URL B48 "QR==\"");
  keeps("\"" URL B48 "-" B48 "\"");
  keeps("\"" URL B48 "%3D\"");
  keeps("\"" URL B48 "QQ==QQ==\"");
  keeps("\"image/png;base64," B48 "\"");
  keeps("\"data:image/png," B48 "\"");
  keeps("\"data:image/p g;base64," B48 "\"");
  keeps("\"" URL " " B48 "\"");
  keeps("{\"" URL B48 "\":1}");
  keeps("\"\\u00" URL B48 "\""); /* the d belongs to an escape */
  lifts("\"\\\\" URL B48 "\"",
        "\"\\\\\1"
        "1\1\"",
        1, NULL);
  lifts("\"\\\\u00" URL B48 "\"",
        "\"\\\\u00\1"
        "1\1\"",
        1, NULL);
}

static void test_escapes(void) {
  /* An escape takes the run over the bound; the colon ends it. */
  lifts("[\"QUJDREVGR0hJSktMTU5PUF\\u002fx:\"]", "[\"QUJDREVGR0hJSktMTU5PUF/x:\"]", 0,
        "[\"QUJDREVGR0hJSktMTU5PUF/x:\"]");
  lifts("\"" B24 "\\/\\/\\u002b\\u002F" B24 "\"",
        "\"\1"
        "1\1\"",
        1, "\"" B24 "//+/" B24 "\"");
  lifts("\"" B48 "QQ\\u003d=\"",
        "\"\1"
        "1\1\"",
        1, "\"" B48 "QQ==\"");
  lifts("\"data:image\\/png;base64," B48 "\\/\\/\\/\\/\"",
        "\"\1"
        "1\1\"",
        1, "\"" URL B48 "////\"");
  lifts("\"" B48 "\\/\\/\\/\\/ no\"", "\"" B48 "//// no\"", 0, "\"" B48 "//// no\"");
  lifts("\"" URL B48 "\\/\\\"\"", "\"" URL B48 "/\\\"\"", 0, "\"" URL B48 "/\\\"\"");
  lifts("\"\\u0051" B48 "UJD\"",
        "\"\1"
        "1\1\"",
        1, "\"Q" B48 "UJD\"");
}

static void test_marks_cannot_be_forged(void) {
  lifts("{\"a\":\"\1"
        "1\1\",\"b\":\"" B48 "\"}",
        "{\"a\":\"\\u00011\\u0001\",\"b\":\"\1"
        "1\1\"}",
        1, "{\"a\":\"\\u00011\\u0001\",\"b\":\"" B48 "\"}");
  lifts("\"" B48 "\1\"", "\"" B48 "\\u0001\"", 0, "\"" B48 "\\u0001\"");
  lifts("\"" URL B48 "\1\"",
        "\"\1"
        "1\1\\u0001\"",
        1, "\"" URL B48 "\\u0001\"");
  keeps("no string \1"
        "1\1");
  keeps("\"open\n\1\n\"x\"");
}

static void test_mime(void) {
  const char *jpg = "\"DATA:Image/JPG;base64," B48 "\"";
  struct lifted r = lift(jpg, strlen(jpg), 0, ABOVE, MEMORY);
  CHECK(r.n == 1 && strcmp(mm_blob_mime(r.media[0]), "image/jpeg") == 0);
  lifted_free(&r);
  const char *png = "\"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAAAAAAAA\"";
  r = lift(png, strlen(png), 0, ABOVE, MEMORY);
  CHECK(r.n == 1 && strcmp(mm_blob_mime(r.media[0]), "image/png") == 0);
  lifted_free(&r);
}

/* A run that stops being base64 after 20 MB, and "data:" without end, take linear time: the test
 * would not end otherwise. */
static void test_adversarial(void) {
  size_t n = 20 << 20;
  char *text = malloc(n + 16);
  CHECK(text);
  memset(text, 'A', n);
  text[0] = '"';
  memcpy(text + n, " \"", 2);
  struct lifted r = lift(text, n + 2, 4097, 16384, 1 << 20);
  CHECK(r.rc == MM_OK && r.n == 0);
  same(&r.out, text, n + 2);
  lifted_free(&r);
  for (size_t i = 1; i + 5 <= n; i += 5)
    memcpy(text + i, "data:", 5);
  r = lift(text, n + 2, 100, 16384, 1 << 20);
  CHECK(r.rc == MM_OK && r.n == 0);
  same(&r.out, text, n + 2);
  lifted_free(&r);
  for (size_t i = 1; i + 20 <= n; i++)
    text[i] = i % 17000 == 16999 ? ' ' : 'Q';
  r = lift(text, n + 2, 100, 16384, 1 << 20);
  CHECK(r.rc == MM_OK && r.n == 0);
  same(&r.out, text, n + 2);
  lifted_free(&r);
  free(text);
}

static void test_ceiling(void) {
  struct mm_spool *spool;
  struct mm_lift *l;
  struct mm_buf out;
  mm_buf_init(&out, 60);
  CHECK(mm_spool_new(0, 100, &spool) == MM_OK && mm_lift_new(spool, ABOVE, &l) == MM_OK);
  CHECK(mm_lift_feed(l, "\"" B48, 49, &out, NULL) == MM_OK);
  CHECK(out.len == 1);
  CHECK(mm_lift_feed(l, B24 "-", 25, &out, NULL) == MM_ETOOBIG);
  mm_lift_reset(l);
  out.len = 0;
  struct mm_error err = {0};
  CHECK(mm_lift_feed(l, "\"" B48 B48 B48, 145, &out, &err) == MM_ETOOBIG);
  CHECK(strstr(err.text, "100 bytes"));
  mm_lift_free(l);
  mm_spool_unref(spool);
  mm_buf_free(&out);
}

static void test_allocation(void) {
  const char *text = "{\"a\":\"" B48 "\",\"b\":\"" URL B48 " x\",\"c\":\"" B48 "-\"}";
  int rc;
  SWEEP_ALLOC(rc, {
    struct lifted r = lift(text, strlen(text), 31, ABOVE, 40);
    rc = r.rc;
    CHECK(rc == MM_ENOMEM || r.n == 2);
    lifted_free(&r);
  });
  CHECK(rc == MM_OK);
}

int main(void) {
  test_bare();
  test_bare_kept();
  test_data_url();
  test_data_url_kept();
  test_escapes();
  test_marks_cannot_be_forged();
  test_mime();
  test_adversarial();
  test_ceiling();
  test_allocation();
  CHECK(mm_live() == 0);
  return 0;
}

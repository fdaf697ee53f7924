/* dataurl_test.c - data URLs: the forms that are accepted, the ones that are not, every cut.
 * SPDX-License-Identifier: MIT */
#include "../../src/core/dataurl.h"
#include "check.h"

static int head_of(const char *text, size_t n, struct mm_dataurl *out) {
  struct guard in = guard_copy(text, n);
  int rc = mm_dataurl_head(in.bytes, n, out);
  guard_free(in);
  return rc;
}

/* Whole, and at every cut before the comma. */
static void splits(const char *text, const char *mime, bool base64) {
  struct mm_dataurl url;
  size_t n = strlen(text), comma = strcspn(text, ",");
  for (size_t cut = 0; cut <= comma; cut++)
    CHECK(head_of(text, cut, &url) == MM_MORE);
  for (size_t cut = comma + 1; cut <= n; cut++) {
    CHECK(head_of(text, cut, &url) == MM_OK);
    CHECK(strcmp(url.mime, mime) == 0);
    CHECK(url.base64 == base64 && url.payload == comma + 1);
  }
}

static void heads(void) {
  splits("data:image/png;base64,AAAA", "image/png", true);
  splits("DATA:Image/JPG;Base64,AAAA", "image/jpeg", true);
  splits("data:,hello", "text/plain", false);
  splits("data:;base64,AAAA", "text/plain", true);
  splits("data:;charset=utf-8,x,y", "text/plain", false);
  splits("data:text/html;charset=\"utf-8\";x=1,<p>", "text/html", false);
  splits("data:audio/wav;rate=24000;base64,AA", "audio/wav", true);
  splits("data:image/png;base64;name=a.png,AA", "image/png", true);
  splits("data:image/png; base64 ,AA", "image/png", true);
  splits("data:image/png;base64x,AA", "image/png", false);
  splits("data:image/png;xbase64,AA", "image/png", false);
  splits("data:image/png;x=base64,AA", "image/png", false);
  splits("data:image/svg+xml;;,<svg>", "image/svg+xml", false);
}

static void no_heads(void) {
  static const char *const texts[] = {
      "x",
      "dato:",
      "date:image/png,",
      "http://a,b",
      "data:png,AA",
      "data:image/,AA",
      "data:/png,AA",
      "data:a b/c,AA",
      "data:a/b/c,",
      "data:some text,",
      "data:image/png\n;base64,",
      "data:\xc3\xa9/x,",
  };
  struct mm_dataurl url;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    CHECK(head_of(texts[i], strlen(texts[i]), &url) == MM_ESYNTAX);
}

static void long_heads(void) {
  char text[400] = "data:a/b;";
  struct mm_dataurl url;
  memset(text + 9, 'x', sizeof text - 9);
  CHECK(head_of(text, MM_DATAURL_HEAD - 1, &url) == MM_MORE);
  CHECK(head_of(text, MM_DATAURL_HEAD, &url) == MM_ESYNTAX);
  text[MM_DATAURL_HEAD] = ',';
  CHECK(head_of(text, sizeof text, &url) == MM_ESYNTAX);
  text[MM_DATAURL_HEAD - 1] = ',';
  CHECK(head_of(text, sizeof text, &url) == MM_OK && url.payload == MM_DATAURL_HEAD);
  memset(text + 5, 'x', 200);
  text[7] = '/';
  CHECK(head_of(text, sizeof text, &url) == MM_ESYNTAX);
}

static int decode(const char *text, struct mm_buf *out, struct mm_error *err) {
  struct mm_dataurl url;
  size_t n = strlen(text);
  struct guard in = guard_copy(text, n);
  CHECK(mm_dataurl_head(in.bytes, n, &url) == MM_OK);
  int rc = mm_dataurl_decode(in.bytes, n, &url, out, err);
  guard_free(in);
  return rc;
}

static void decodes(const char *text, const char *expected, size_t n) {
  struct mm_buf out;
  struct mm_error err = {0};
  mm_buf_init(&out, 1000);
  int rc;
  SWEEP_ALLOC(rc, {
    mm_buf_free(&out);
    rc = decode(text, &out, &err);
    CHECK(rc == MM_OK || (rc == err.code && out.len == 0));
  });
  CHECK(rc == MM_OK && out.len == n && memcmp(out.data, expected, n) == 0);
  CHECK(decode(text, &out, NULL) == MM_OK);
  CHECK(out.len == 2 * n && memcmp(out.data + n, expected, n) == 0);
  mm_buf_free(&out);
}

static void payloads(void) {
  decodes("data:image/png;base64,Zm9vYg==", "foob", 4);
  decodes("data:image/png;base64,Zm9vYg", "foob", 4);
  decodes("data:image/png;base64,Zm9v Yg=\n=", "foob", 4);
  decodes("data:image/png;base64,-_-_", "\xfb\xff\xbf", 3);
  decodes("data:image/png;base64,%2B/%2b%2FZg%3D%3D",
          "\xfb\xff\xbf"
          "f",
          4);
  decodes("data:image/png;base64,", "", 0);
  decodes("data:,", "", 0);
  decodes("data:,a,b#c", "a,b#c", 5);
  decodes("data:,%48%69%00%ff", "Hi\0\xff", 4);
  decodes("data:,100%, %4, %zz %4g%", "100%, %4, %zz %4g%", 18);
}

static void refuses(const char *text, uint64_t at) {
  struct mm_buf out;
  struct mm_error err = {0};
  mm_buf_init(&out, 1000);
  CHECK(mm_buf_append(&out, "ab", 2) == MM_OK);
  CHECK(decode(text, &out, &err) == MM_ESYNTAX);
  CHECK(decode(text, &out, NULL) == MM_ESYNTAX);
  CHECK(err.code == MM_ESYNTAX && err.at == at && out.len == 2);
  mm_buf_free(&out);
}

static void broken_payloads(void) {
  refuses("data:a/b;base64,Zm9v*", 20);
  refuses("data:a/b;base64,Zm9vY", 21);
  refuses("data:a/b;base64,Zg=", 19);
  refuses("data:a/b;base64,Zm9v%00", 16);
}

static void ceiling(void) {
  struct mm_buf out;
  struct mm_error err = {0};
  mm_buf_init(&out, 8);
  CHECK(decode("data:,123456789", &out, &err) == MM_ETOOBIG);
  CHECK(err.code == MM_ETOOBIG && out.len == 0);
  CHECK(decode("data:,12345", &out, &err) == MM_OK && out.len == 5);
  mm_buf_free(&out);
}

int main(void) {
  heads();
  no_heads();
  long_heads();
  payloads();
  broken_payloads();
  ceiling();
  return 0;
}

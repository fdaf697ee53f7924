/* decoder_test.c - bodies become events, whole, byte by byte and at every split.
 * SPDX-License-Identifier: MIT */
#include "../../src/core/base64.h"
#include "../../src/core/decoder.h"
#include "check.h"

#define B48 "QUJDREVGR0hJSktMTU5PUFFSQUJDREVGR0hJSktMTU5PUFFS"

struct body {
  struct mm_decoder_options options;
  int status;
  const char *type;
  const char *bytes;
  size_t n;
};

static struct body sse(const char *text) {
  struct body b = {.status = 200, .type = "text/event-stream", .bytes = text, .n = strlen(text)};
  mm_decoder_defaults(&b.options);
  b.options.lenient = true;
  b.options.lift_above = 24;
  b.options.memory = 20;
  return b;
}

static struct body other(const char *type, const char *text) {
  struct body b = sse(text);
  b.type = type;
  return b;
}

/* One line an event: "type #id: data {media sizes}", LF in data as "|". */
static int describe(struct mm_decoder *d, struct mm_buf *log) {
  struct mm_event e;
  int rc = mm_decoder_next(d, &e);
  for (; rc == MM_OK; rc = mm_decoder_next(d, &e)) {
    int bad = mm_buf_append(log, e.type, e.type_n);
    if (e.id_n) bad |= mm_buf_append(log, " #", 2) | mm_buf_append(log, e.id, e.id_n);
    bad |= mm_buf_append(log, ": ", 2);
    for (size_t i = 0; i < e.data_n; i++)
      bad |= mm_buf_byte(log, e.data[i] == '\n' ? '|' : e.data[i] == 1 ? '^' : e.data[i]);
    for (size_t i = 0; i < e.media_n; i++) {
      char text[64];
      const char *mime = mm_blob_mime(e.media[i]);
      int n =
          snprintf(text, sizeof text, " {%s %d}", mime ? mime : "?", (int)mm_blob_size(e.media[i]));
      bad |= mm_buf_append(log, text, (size_t)n);
    }
    bad |= mm_buf_byte(log, '\n');
    if (bad) return MM_ENOMEM;
    mm_decoder_pop(d);
  }
  if (rc == MM_MORE || rc == MM_ENOMEM) return rc;
  char text[256];
  int n = snprintf(text, sizeof text, "! %s\n", mm_decoder_error(d)->text);
  return mm_buf_append(log, text, (size_t)n) == MM_OK ? MM_MORE : MM_ENOMEM;
}

static int feed(struct mm_decoder *d, const char *bytes, size_t n, size_t cut) {
  int rc = MM_OK;
  if (cut <= n) {
    rc = mm_decoder_feed(d, bytes, cut);
    return rc == MM_OK ? mm_decoder_feed(d, bytes + cut, n - cut) : rc;
  }
  for (size_t i = 0; i < n && rc == MM_OK; i++)
    rc = mm_decoder_feed(d, bytes + i, 1);
  return rc;
}

/* What a body becomes when it is fed in two parts, or byte by byte where cut > n. */
static int run(const struct body *b, size_t cut, struct mm_buf *log, enum mm_format *format) {
  struct guard g = guard_copy(b->bytes, b->n);
  struct mm_decoder *d;
  mm_buf_init(log, SIZE_MAX / 2);
  int rc = mm_decoder_new(&b->options, &d);
  if (rc == MM_OK) {
    mm_decoder_head(d, b->status, b->type);
    rc = feed(d, g.bytes, b->n, cut);
    if (rc == MM_OK) rc = mm_decoder_finish(d);
    *format = mm_decoder_format(d);
    if (rc != MM_ENOMEM) rc = describe(d, log);
    mm_decoder_unref(d);
  }
  guard_free(g);
  return rc == MM_MORE ? MM_OK : rc;
}

static void becomes(struct body b, const char *want) {
  enum mm_format format;
  struct mm_buf log;
  for (size_t cut = 0; cut <= b.n + 1; cut++) {
    CHECK(run(&b, cut, &log, &format) == MM_OK);
    if (log.len != strlen(want) || memcmp(log.data ? log.data : "", want, log.len) != 0)
      fprintf(stderr, "cut %zu\ngot\n%.*swant\n%s", cut, (int)log.len, log.data, want);
    CHECK(log.len == strlen(want) && memcmp(log.data ? log.data : "", want, log.len) == 0);
    mm_buf_free(&log);
  }
  int rc;
  SWEEP_ALLOC(rc, {
    rc = run(&b, b.n / 2, &log, &format);
    mm_buf_free(&log);
  });
  CHECK(rc == MM_OK);
}

static struct body strictly(struct body b) {
  b.options.lenient = false;
  return b;
}

static void test_sse(void) {
  becomes(sse(""), "");
  becomes(sse("data: {\"a\":1}\n\ndata: [DONE]\n\n"), "message: {\"a\":1}\nmessage: [DONE]\n");
  becomes(sse("event: x\r\nid: 7\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n"), "x #7: 1\nmessage #7: 2\n");
  becomes(sse("event: x\n\ndata: 1\n\n"), "message: 1\n");
  becomes(sse("\xEF\xBB\xBF: c\n\ndata:\n\n"), "message: \n");
  becomes(sse("data: \xFFx\xE2\x82\n\n"), "message: \xEF\xBF\xBDx\xEF\xBF\xBD\n");
  becomes(sse("data: a\ndata: b\n\n"), "message: a|b\n");
  becomes(sse("data: [1,\ndata: 2]\n\n"), "message: [1,|2]\n");
}

static void test_lenient(void) {
  becomes(sse("data: {\"a\":1}"), "message: {\"a\":1}\n"); /* V1 */
  becomes(sse("event: e\ndata: {\"a\":1}\n"), "e: {\"a\":1}\n");
  becomes(sse("data: {\"a\":1}\n\ndata: {\"a\":"), "message: {\"a\":1}\n");
  becomes(sse("data: {\"a\":1}\n\ndata: [DONE]"), "message: {\"a\":1}\nmessage: [DONE]\n");
  becomes(sse("data: {\"a\":1}\ndata: {\"a\":2}\n\n"), "message: {\"a\":1}\nmessage: {\"a\":2}\n");
  becomes(sse("data: {\"a\":1}\ndata: {\"a\":2}\ndata: [DONE]\n"),
          "message: {\"a\":1}\nmessage: {\"a\":2}\nmessage: [DONE]\n");               /* V5 */
  becomes(sse("{\"a\":1}\n{\"a\":2}\n"), "message: {\"a\":1}\nmessage: {\"a\":2}\n"); /* V7 */
  becomes(sse("{\"a\":1}\n{\"a\":2}"), "message: {\"a\":1}\nmessage: {\"a\":2}\n");
  becomes(sse("data: 1\n\n{\"error\":{\"message\":\"bad\"}}\n"),
          "message: 1\nerror: {\"error\":{\"message\":\"bad\"}}\n"); /* V8 */
  becomes(sse("data: 1\n\n<html>\n<title>x</title>"),
          "message: 1\nerror: <html>|<title>x</title>\n");
  becomes(sse("data: [DONE]  \r\n\r\n[DONE]\n"), "message: [DONE]\nmessage: [DONE]\n"); /* V13 */
  becomes(sse("data: {\"a\":\"}{\"} {\"a\":2}{\"b\":[]}\n\n"),
          "message: {\"a\":\"}{\"}\nmessage: {\"a\":2}\nmessage: {\"b\":[]}\n"); /* V20 */
  becomes(sse("data: {\"a\":\"}{\"}\n\n"), "message: {\"a\":\"}{\"}\n");
  becomes(sse("data: {\"a\":1}{\"a\"\n\n"), "message: {\"a\":1}{\"a\"\n");
  becomes(sse("data: {\"a\":1}\ndata: x\n\n"), "message: {\"a\":1}\nmessage: x\n");
}

static void test_strict(void) {
  becomes(strictly(sse("data: {\"a\":1}")), "");
  becomes(strictly(sse("data: {\"a\":1}\ndata: {\"a\":2}\n\n")), "message: {\"a\":1}|{\"a\":2}\n");
  becomes(strictly(sse("data: {}{}\n\n<p>\n\ndata: [DONE] \n\n")),
          "message: {}{}\nmessage: [DONE] \n");
  becomes(strictly(sse("{\"error\":1}\n")), "message: {\"error\":1}\n");
}

static void test_raw_error(void) {
  const char *pretty = "data: {\"a\":1}\r\n\r\n{\n  \"error\": {\n    \"code\": 503\n  }\n}\n";
  const char *want = "message: {\"a\":1}\nerror: {|  \"error\": {|    \"code\": 503|  }|}|\n";
  becomes(sse(pretty), want);
  becomes(strictly(sse(pretty)), want);
  becomes(sse("[{\n\"error\":1}\n]"), "error: [{|\"error\":1}|]\n");
  becomes(sse("data: {\"a\":1}\n\n{\n \"error\": {"), "message: {\"a\":1}\n");
  becomes(sse("data: x\n{\n}\n\n"), "message: x\n"); /* inside a block it is lost, as SSE says */
}

static void test_not_ok(void) {
  struct body b = other("text/html", "<html><title>502</title>");
  b.status = 502;
  becomes(b, "error: <html><title>502</title>\n");
  b = sse("event:error\ndata:{\"code\":\"x\",\"message\":\"m\"}\n\n");
  b.status = 400;
  becomes(b, "error: {\"code\":\"x\",\"message\":\"m\"}\n");
  b = other("application/json", "{\"error\":\n\"data: x\"}");
  b.status = 429;
  becomes(b, "error: {\"error\":|\"data: x\"}\n");
  b = other(NULL, "");
  b.status = 500;
  becomes(b, "error: \n");
}

static void test_formats(void) {
  becomes(other("application/json", " {\"a\":\n1} "), "message: {\"a\":|1} \n");
  becomes(other("application/json; charset=utf-8", "[{\"a\":\"]\"}\n,\r\n{\"b\":[1]}\n]"),
          "message: {\"a\":\"]\"}\nmessage: {\"b\":[1]}\n");
  becomes(other("application/json", "[1, \"x\\\"]\",null,[[2]]]"),
          "message: 1\nmessage: \"x\\\"]\"\nmessage: null\nmessage: [[2]]\n");
  becomes(other("application/json", "[{\"a\":1},{\"b\":"), "message: {\"a\":1}\n");
  becomes(other("application/json", "data: 1\n\n"), "message: 1\n"); /* V19 */
  becomes(other("application/json", ""), "");
  becomes(other("application/json", "{\"a\":"), "message: {\"a\":\n");
  becomes(other("text/plain", "data: 1\n\n"), "message: 1\n");
  becomes(other(NULL, ": x\n\ndata: 1\n\n"), "message: 1\n");
  becomes(other(NULL, "\xEF\xBB\xBF\n {\"a\":1}"), "message: {\"a\":1}\n");
  becomes(other("text/plain", "{\"a\":\n1}\n{\"b\":2}\n"),
          "message: {\"a\":|1}\nmessage: {\"b\":2}\n");
  becomes(other("application/x-ndjson", "{\"a\":1}\r\n\r\n{\"b\":2}\n{\"c\":"),
          "message: {\"a\":1}\nmessage: {\"b\":2}\n");
  becomes(other("text/plain", " <html>"), "error: <html>\n");
  becomes(other("image/png", "abc"), "message:  {image/png 3}\n");
  becomes(other("application/octet-stream", " \x89PNG\r\n\x1a\nabcdefghijklmnopqrs"),
          "message:  {? 28}\n");
}

static void test_media(void) {
  becomes(sse("data: {\"a\":\"" B48 "\"}\n\ndata: {\"b\":\"" B48
              "\",\"c\":\"data:image/jpg;base64," B48 "\"}\n\n"),
          "message: {\"a\":\"^1^\"} {? 36}\nmessage: {\"b\":\"^1^\",\"c\":\"^2^\"} {? 36} "
          "{image/jpeg 36}\n");
  becomes(sse("data: {\"a\":\"" B48 "\"}{\"b\":\"\",\"c\":\"" B48 "\"}\n\n"),
          "message: {\"a\":\"^1^\"} {? 36}\nmessage: {\"b\":\"\",\"c\":\"^1^\"} {? 36}\n");
  becomes(sse("data: {\"a\":\"" B48 "\"}\ndata: {\"b\":\"" B48 "\"}\n\n"),
          "message: {\"a\":\"^1^\"} {? 36}\nmessage: {\"b\":\"^1^\"} {? 36}\n");
  becomes(sse("{\"a\":\"" B48 "\"}\n"), "message: {\"a\":\"^1^\"} {? 36}\n");
  becomes(other("application/json", "{\"a\":\"" B48 "\"}"), "message: {\"a\":\"^1^\"} {? 36}\n");
  becomes(other("application/json", "[{\"a\":\"" B48 "\"},{\"a\":\"" B48 "\"}]"),
          "message: {\"a\":\"^1^\"} {? 36}\nmessage: {\"a\":\"^1^\"} {? 36}\n");
  becomes(sse("data: {\"a\":\"" B48), "");
  becomes(sse("data: {\"a\":\"\x01\x31\x01\"}\n\n"), "message: {\"a\":\"\\u00011\\u0001\"}\n");
}

static void test_ceilings(void) {
  struct body b = sse("data: {\"a\":1}\n\ndata: 0123456789012345678901234567890\n\ndata: 2\n\n");
  b.options.max_event = 30;
  becomes(b, "message: {\"a\":1}\n! an event is larger than 30 bytes\n");
  b.options.lift_above = 1000;
  becomes(b, "message: {\"a\":1}\n! an event is larger than 30 bytes\n");
  b = sse("data: 1\n\ndata: {\"a\":\"" B48 "\"}\n\n");
  b.options.max_media = 35;
  becomes(b, "message: 1\n! media are larger than 35 bytes together\n");
  char *text = malloc(1100000);
  memset(text, 'x', 1100000);
  b = other("text/plain", "");
  b.bytes = text;
  b.n = 1100000;
  b.status = 500;
  struct mm_buf log;
  enum mm_format format;
  CHECK(run(&b, 5, &log, &format) == MM_OK && log.len == (1 << 20) + 8);
  CHECK(format == MM_FORMAT_ERROR);
  mm_buf_free(&log);
  free(text);
}

/* White space before the byte that tells the format is of no event, in any split. */
static void test_lead(void) {
  struct body b = other("application/json", "\r\n \r\n [1]");
  b.options.max_event = 2;
  becomes(b, "message: 1\n");
  b = other(NULL, " \n <p>");
  b.options.max_event = 3;
  becomes(b, "error: <p>\n");
}

/* A mark can only come from the lift, whatever fragment a 0x01 arrives in. */
static void test_forged_mark(void) {
  struct body b = sse("id: 1\ndata\n\ndata: {\"a\":\"\1"
                      "1\1\"}\n\n");
  b.options.lift_above = 16384;
  becomes(b, "message #1: \nmessage #1: {\"a\":\"\\u00011\\u0001\"}\n");
}

static const char *const path[] = {"choices", "0", "delta", "content"};
static const char *const ignore[] = {"obfuscation"};
static const char *const same_keys[] = {"id", "model"};

static struct mm_decoder *text_decoder(void) {
  struct mm_decoder_options o;
  struct mm_decoder *d;
  mm_decoder_defaults(&o);
  o.lenient = true;
  o.text = (struct mm_text_path){path, 4, ignore, 1, same_keys, 2};
  CHECK(mm_decoder_new(&o, &d) == MM_OK);
  mm_decoder_head(d, 200, "text/event-stream");
  return d;
}

/* The event is text alone, or (text NULL) is not and is taken whole. */
static void text_is(struct mm_decoder *d, const char *json, const char *text) {
  struct mm_buf block;
  mm_buf_init(&block, SIZE_MAX / 2);
  CHECK(mm_buf_append(&block, "data: ", 6) == MM_OK);
  CHECK(mm_buf_append(&block, json, strlen(json)) == MM_OK);
  CHECK(mm_buf_append(&block, "\n\n", 2) == MM_OK);
  CHECK(mm_decoder_feed(d, block.data, block.len) == MM_OK);
  mm_buf_free(&block);
  const char *got;
  size_t n;
  int rc = mm_decoder_text(d, &got, &n);
  CHECK(rc == (text ? MM_OK : MM_EINVAL));
  if (text) CHECK(n == strlen(text) && memcmp(got, text, n) == 0);
  mm_decoder_pop(d);
  CHECK(mm_decoder_text(d, &got, &n) == MM_MORE);
}

#define DELTA(inner) "{\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{" inner "}}]}"

static void test_text(void) {
  struct mm_decoder *d = text_decoder();
  text_is(d, DELTA("\"content\":\"A\""), NULL); /* the id is new */
  for (int i = 0; i < 3; i++) {
    text_is(d, DELTA("\"content\":\"A\""), "A");
    text_is(d, DELTA("\"content\":\"\""), "");
    text_is(d, DELTA("\"content\":\"a\\\"\\n\\u00e9\\ud83d\\ude00\\/\""),
            "a\"\n\xC3\xA9\xF0\x9F\x98\x80/");
    text_is(d, DELTA("\"role\":\"assistant\",\"content\":\"B\",\"refusal\":null"), "B");
    text_is(d, DELTA("\"role\":\"\",\"content\":\"\xC3\xA9\""), "\xC3\xA9");
    text_is(d,
            " { \"obfuscation\" : [1,{\"a\":-1.5e3}] ,\"choices\" : [ "
            "{\"delta\":{\"content\":\"C\"}} ] } ",
            "C");
    text_is(d, DELTA("\"content\":\"A\",\"content\":null"), NULL);
    text_is(d, DELTA("\"content\":\"\\ud83d\""), NULL);
    text_is(d, DELTA("\"role\":\"user\",\"content\":\"A\""), NULL);
    text_is(d, DELTA("\"content\":\"A\",\"x\":1"), NULL);
    text_is(d, DELTA("\"content\":[\"A\"]"), NULL);
    text_is(d, DELTA(""), NULL);
    text_is(d, DELTA("\"content\":\"A\"") " x", NULL);
    text_is(d, "{\"id\":\"x\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"A\"}}]}", NULL);
    text_is(d, "{\"id\":\"x\",\"choices\":[{\"delta\":{\"content\":\"A\"}},{}]}", NULL);
    text_is(d, "{\"id\":\"y\",\"choices\":[{\"delta\":{\"content\":\"A\"}}]}", NULL);
    text_is(d, "{\"id\":\"y\",\"choices\":[{\"delta\":{\"content\":\"A\"}}]}", "A");
    text_is(d, "{\"id\":\"y\",\"obfuscation\":01,\"choices\":[{\"delta\":{\"content\":\"A\"}}]}",
            NULL);
    text_is(d, "[DONE]", NULL);
    text_is(d, DELTA("\"content\":\"A\""), NULL); /* the id is new again */
  }
  CHECK(mm_decoder_feed(d, "event: error\ndata: " DELTA("\"content\":\"A\"") "\n\n", 79) == MM_OK);
  mm_decoder_unref(d);
}

static void test_large(void) {
  size_t n = 300000;
  char *text = malloc(n + 20);
  CHECK(text);
  memcpy(text, "data: \"", 7);
  for (size_t i = 7; i < n; i++)
    text[i] = i % 50 ? 'x' : ' ';
  memcpy(text + n, "\"\n\n", 3);
  struct body b = sse("");
  struct mm_decoder *d;
  CHECK(mm_decoder_new(&b.options, &d) == MM_OK);
  mm_decoder_head(d, 200, "text/event-stream");
  for (int i = 0; i < 3; i++)
    CHECK(mm_decoder_feed(d, text, n + 3) == MM_OK);
  CHECK(mm_decoder_ready(d) >= 3 * (n - 5) && mm_decoder_ready(d) < 3 * n + 1000);
  CHECK(mm_decoder_seen(d) == 3);
  struct mm_event e;
  for (int i = 0; i < 3; i++) {
    CHECK(mm_decoder_next(d, &e) == MM_OK && e.data_n == n - 5);
    CHECK(memcmp(e.data, text + 6, n - 5) == 0);
    mm_decoder_pop(d);
  }
  CHECK(mm_decoder_next(d, &e) == MM_MORE && mm_decoder_ready(d) == 0);
  mm_decoder_unref(d);
  free(text);
}

/* What waits is counted, or nobody would hold a server back that sends no text. */
static void test_empty(void) {
  enum { ID = 4000, EVENTS = 100 };
  char id[ID + 8];
  struct body b = sse("");
  struct mm_decoder *d;
  struct mm_event e;
  CHECK(mm_decoder_new(&b.options, &d) == MM_OK);
  mm_decoder_head(d, 200, "text/event-stream");
  memcpy(id, "id: ", 4);
  memset(id + 4, 'x', ID);
  id[ID + 4] = '\n';
  CHECK(mm_decoder_feed(d, id, ID + 5) == MM_OK);
  for (int i = 0; i < EVENTS; i++)
    CHECK(mm_decoder_feed(d, "data:\n\n", 7) == MM_OK);
  CHECK(mm_decoder_seen(d) == EVENTS && mm_decoder_ready(d) >= EVENTS * ID);
  while (mm_decoder_next(d, &e) == MM_OK)
    mm_decoder_pop(d);
  CHECK(mm_decoder_ready(d) == 0);
  mm_decoder_unref(d);
}

static bool begins(const char *type, const char *text) {
  struct body b = other(type, text);
  struct mm_decoder *d;
  CHECK(mm_decoder_new(&b.options, &d) == MM_OK);
  mm_decoder_head(d, 200, type);
  CHECK(!mm_decoder_begun(d));
  CHECK(mm_decoder_feed(d, text, strlen(text)) == MM_OK);
  bool begun = mm_decoder_begun(d);
  mm_decoder_unref(d);
  return begun;
}

/* Signs of life are no content. */
static void test_begun(void) {
  static const char events[] = "text/event-stream";
  CHECK(!begins(events, ": OPENROUTER PROCESSING\n\n: OPENROUTER"));
  CHECK(!begins(events, "\n\nretry: 3000\nid: 7\nevent: x\n"));
  CHECK(!begins(events, "garbage\n"));
  CHECK(begins(events, ": OPENROUTER PROCESSING\n\ndata: a"));
  CHECK(begins(events, "data: a\n\n"));
  CHECK(!begins("application/json", " \n\t \n"));
  CHECK(begins("application/json", " \n{"));
  CHECK(!begins(NULL, " \n"));
  CHECK(begins(NULL, "{"));
  CHECK(!begins("application/json", "[ "));
  CHECK(begins("application/json", "[ {"));
  CHECK(begins("image/png", "\n"));
}

int main(void) {
  test_begun();
  test_sse();
  test_lenient();
  test_strict();
  test_raw_error();
  test_not_ok();
  test_formats();
  test_media();
  test_ceilings();
  test_lead();
  test_forged_mark();
  test_text();
  test_large();
  test_empty();
  CHECK(mm_live() == 0);
  return 0;
}

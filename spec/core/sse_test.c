/* sse_test.c - server-sent events: the tokenizer and whole events.   SPDX-License-Identifier: MIT
 */
#include "../../src/core/sse_events.h"
#include "check.h"

#include <stdio.h>

#define TEXT(literal) (literal), sizeof(literal) - 1

/* Events as text: type=data#id, one after another, each ended by `;`. */
static const struct {
  const char *in;
  size_t in_n;
  const char *out;
  size_t out_n;
} vectors[] = {
    {TEXT(""), TEXT("")},
    {TEXT("\n"), TEXT("")},
    {TEXT("data:a\n\n"), TEXT("message=a#;")},
    {TEXT("data:  a\n\n"), TEXT("message= a#;")},
    {TEXT("data:\ta\n\n"), TEXT("message=\ta#;")},
    {TEXT("data\n\n"), TEXT("message=#;")},
    {TEXT("data:\n\n"), TEXT("message=#;")},
    {TEXT("data: \n\n"), TEXT("message=#;")},
    {TEXT("data\ndata\n\n"), TEXT("message=\n#;")},
    {TEXT("data: a\ndata\ndata: b\n\n"), TEXT("message=a\n\nb#;")},
    {TEXT("data: a\r\n\r\n"), TEXT("message=a#;")},
    {TEXT("data: a\r\r"), TEXT("message=a#;")},
    {TEXT("data: a\n\r\n"), TEXT("message=a#;")},
    {TEXT("data: a\n\rdata: b\n\n"), TEXT("message=a#;message=b#;")},
    {TEXT("data: a\r\rdata: b\r\r"), TEXT("message=a#;message=b#;")},
    {TEXT("data: a\r\n\n"), TEXT("message=a#;")},
    {TEXT("event: x\r\ndata: a\r\ndata: b\r\n\r\n"), TEXT("x=a\nb#;")},
    {TEXT("data\r\n:\r\ndata: b\r\r\ndata: c\r\n\n"), TEXT("message=\nb#;message=c#;")},
    {TEXT("\xEF\xBB\xBF"), TEXT("")},
    {TEXT("\xEF\xBB\xBF"
          "data: a\n\n"),
     TEXT("message=a#;")},
    {TEXT("\xEF\xBB\xBF\xEF\xBB\xBF"
          "data: a\n\ndata: b\n\n"),
     TEXT("message=b#;")},
    {TEXT("\xEF\xBB"
          "data: a\n\ndata: b\n\n"),
     TEXT("message=b#;")},
    {TEXT("\n\xEF\xBB\xBF"
          "data: a\n\n"),
     TEXT("")},
    {TEXT("data: a\n\n\xEF\xBB\xBF"
          "data: b\n\n"),
     TEXT("message=a#;")},
    {TEXT(":\ndata: a\n:mid\ndata: b\n\n"), TEXT("message=a\nb#;")},
    {TEXT(":data: a\n\n"), TEXT("")},
    {TEXT("Data: a\nDATA: b\n\n"), TEXT("")},
    {TEXT("data : a\n\n"), TEXT("")},
    {TEXT("datax: a\ndat: b\nd\n:\ndata: a:b: c\n\n"), TEXT("message=a:b: c#;")},
    {TEXT("data: a\nevent: x\n\n"), TEXT("x=a#;")},
    {TEXT("event: x\ndata: a\n\ndata: b\n\n"), TEXT("x=a#;message=b#;")},
    {TEXT("event: x\n\ndata: b\n\n"), TEXT("message=b#;")},
    {TEXT("event: x\nevent: y\ndata: a\n\n"), TEXT("y=a#;")},
    {TEXT("event: x\nevent:\ndata: a\n\n"), TEXT("message=a#;")},
    {TEXT("id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n"),
     TEXT("message=a#1;message=b#1;message=c#;")},
    {TEXT("id: 1\n\ndata: a\n\n"), TEXT("message=a#1;")},
    {TEXT("id: 1\nid: 2\0x\ndata: a\n\n"), TEXT("message=a#1;")},
    {TEXT("data: a\n\nid: 9\n"), TEXT("message=a#;")},
    {TEXT("data: a"), TEXT("")},
    {TEXT("data: a\n"), TEXT("")},
    {TEXT("data: a\n\r"), TEXT("message=a#;")},
    {TEXT("data: \xFFx\n\n"), TEXT("message=\xEF\xBF\xBDx#;")},
    {TEXT("event: \xFF\nid: \xE2\x82\ndata: \xE2\x82\ndata: \xAC\n\n"),
     TEXT("\xEF\xBF\xBD=\xEF\xBF\xBD\n\xEF\xBF\xBD#\xEF\xBF\xBD;")},
    {TEXT("data: a\0b\n\n"), TEXT("message=a\0b#;")},
    {TEXT("data: a\vb\fc\n\n"), TEXT("message=a\vb\fc#;")},
    {TEXT("data: a\n\n\n\n\ndata: b\n\n"), TEXT("message=a#;message=b#;")},
    {TEXT("data: {\"a\":\n1}\n\n"), TEXT("message={\"a\":#;")},
    {TEXT("\r\n\r\n: hi\r\ndata: a\r\n\r\n"), TEXT("message=a#;")},
    {TEXT("d\na\n:\ndata\n\n"), TEXT("message=#;")},
};

static void drain(struct mm_sse_events *p, struct mm_buf *out) {
  struct mm_sse_event e;
  while (mm_sse_events_next(p, &e)) {
    CHECK(mm_buf_append(out, e.type, e.type_n) == MM_OK && mm_buf_byte(out, '=') == MM_OK);
    CHECK(mm_buf_append(out, e.data, e.data_n) == MM_OK && mm_buf_byte(out, '#') == MM_OK);
    CHECK(mm_buf_append(out, e.id, e.id_n) == MM_OK && mm_buf_byte(out, ';') == MM_OK);
  }
}

static void feed_copy(struct mm_sse_events *p, const char *bytes, size_t n) {
  struct guard g = guard_copy(bytes, n);
  CHECK(mm_sse_events_feed(p, g.bytes, n) == MM_OK);
  guard_free(g);
}

static bool same(const struct mm_buf *got, const char *want, size_t n) {
  return got->len == n && (n == 0 || memcmp(got->data, want, n) == 0);
}

static struct mm_sse_events *new_events(size_t max_event) {
  struct mm_sse_events *p;
  CHECK(mm_sse_events_new(max_event, &p) == MM_OK);
  return p;
}

static void agrees_at_every_split(void) {
  for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
    size_t n = vectors[i].in_n;
    for (size_t split = 0; split <= n + 1; split++) { /* n + 1: byte by byte */
      struct mm_sse_events *p = new_events(1 << 20);
      struct mm_buf out;
      mm_buf_init(&out, SIZE_MAX);
      size_t piece = split <= n ? split : 1;
      if (split <= n) feed_copy(p, vectors[i].in, piece);
      for (size_t at = split <= n ? piece : 0; at < n; at += split <= n ? n - piece : 1) {
        feed_copy(p, vectors[i].in + at, split <= n ? n - piece : 1);
        drain(p, &out);
      }
      drain(p, &out);
      mm_sse_events_finish(p);
      drain(p, &out);
      CHECK(same(&out, vectors[i].out, vectors[i].out_n));
      mm_buf_free(&out);
      mm_sse_events_free(p);
    }
  }
}

static void reads_retry(void) {
  static const struct {
    const char *text;
    bool known;
    uint64_t ms;
  } cases[] = {
      {"retry: 10\n\n", true, 10},
      {"retry:007\n", true, 7},
      {"retry: 30x\nretry: -1\nretry: 1.5\nretry: +5\nretry:\nretry:  7\nretry\n\n", false, 0},
      {"retry: 5\nretry: x\n\n", true, 5},
      {"retry: 5", false, 0},
      {"retry: 99999999999999999999999\n", true, UINT64_MAX},
      {"retry: 18446744073709551615\n", true, UINT64_MAX},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (size_t split = 0; split <= strlen(cases[i].text); split++) {
      struct mm_sse_events *p = new_events(100);
      feed_copy(p, cases[i].text, split);
      feed_copy(p, cases[i].text + split, strlen(cases[i].text) - split);
      uint64_t ms;
      CHECK(mm_sse_events_retry(p, &ms) == cases[i].known && ms == cases[i].ms);
      mm_sse_events_free(p);
    }
  }
}

static void bounds_an_event(void) {
  struct mm_sse_events *p = new_events(4);
  struct mm_buf out;
  mm_buf_init(&out, 100);
  feed_copy(p, TEXT("data: abcd\n\ndata: ab\ndata: c\n\n"));
  CHECK(mm_sse_events_feed(p, TEXT("data: x\n\ndata: abcde\n\ndata: y\n\n")) == MM_ETOOBIG);
  CHECK(mm_sse_events_feed(p, TEXT("data: z\n\n")) == MM_ETOOBIG);
  CHECK(strcmp(mm_sse_events_error(p)->text, "event over 4 bytes") == 0);
  drain(p, &out);
  CHECK(same(&out, TEXT("message=abcd#;message=ab\nc#;message=x#;")));
  mm_buf_free(&out);
  mm_sse_events_free(p);

  p = new_events(4); /* two malformed bytes are six after mending */
  CHECK(mm_sse_events_feed(p, TEXT("data: \xFF\xFF\n\n")) == MM_ETOOBIG);
  struct mm_sse_event e;
  CHECK(!mm_sse_events_next(p, &e));
  mm_sse_events_free(p);
}

static void refuses_bytes_after_the_end(void) {
  struct mm_sse_events *p = new_events(100);
  feed_copy(p, TEXT("data: a"));
  mm_sse_events_finish(p);
  mm_sse_events_finish(p);
  CHECK(mm_sse_events_feed(p, TEXT("\n\n")) == MM_EINVAL);
  struct mm_sse_event e;
  CHECK(!mm_sse_events_next(p, &e));
  mm_sse_events_free(p);
}

/* Pieces as text: a letter for each kind, and the bytes. */
static int render(struct mm_sse *s, const char *bytes, size_t n, struct mm_buf *out) {
  static const char letters[] = "DEIRCSdr";
  struct mm_sse_piece piece;
  int rc = MM_MORE;
  while (n && (rc = mm_sse_next(s, &bytes, &n, &piece)) == MM_OK) {
    bool text = piece.what == MM_SSE_STRAY || piece.what <= MM_SSE_ID;
    if (mm_buf_byte(out, letters[piece.what]) != MM_OK) return MM_ENOMEM;
    if (text && mm_buf_append(out, piece.bytes, piece.n) != MM_OK) return MM_ENOMEM;
    if (mm_buf_byte(out, '|') != MM_OK) return MM_ENOMEM;
  }
  return rc == MM_MORE ? MM_OK : rc;
}

static void hands_out_strays(void) {
  static const struct {
    const char *in, *out;
  } cases[] = {
      {"{\"a\":1}\n\n", "S{\"a\":1}|S\n|"},
      {"[DONE]\r\n\r\n", "S[DONE]|S\n|"},
      {"datum\rdata : x\ne", "Sdat|Sum|S\n|Sdata|S : x|S\n|"},
      {"da\nx", "Sda|S\n|Sx|"},
      {"\xEF\xBBx\n", "S\xEF\xBB|Sx|S\n|"},
      {":c\nid: 1\n\nevent:x\ndata: a\n}\n\n", "C|I1|r|Ex|Da|S}|S\n|d|"},
      {"data: a\ndata: b\n\n", "Da|D\n|Db|d|"},
      {"data:\ndata\nretry: 5\n\n", "D|D\n|R|d|"},
      {"id: a\n : x\n", "Ia|S : x|S\n|"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct mm_sse s;
    struct mm_buf out;
    mm_sse_init(&s);
    mm_buf_init(&out, SIZE_MAX);
    s.strays = true;
    struct guard g = guard_copy(cases[i].in, strlen(cases[i].in));
    CHECK(render(&s, g.bytes, strlen(cases[i].in), &out) == MM_OK);
    CHECK(same(&out, cases[i].out, strlen(cases[i].out)));
    guard_free(g);
    mm_buf_free(&out);
    mm_sse_free(&s);
  }
}

static void keeps_stray_bytes_at_any_split(void) {
  static const char in[] = "\xEF\xBB{\n\n\"data\": 1,\r\n dat\nevens\rretry\niD: 4\n}\n";
  static const char want[] = "\xEF\xBB{\n\"data\": 1,\n dat\nevens\niD: 4\n}\n";
  for (size_t split = 0; split < sizeof in - 1; split++) {
    struct mm_sse s;
    struct mm_buf out;
    mm_sse_init(&s);
    mm_buf_init(&out, SIZE_MAX);
    s.strays = true;
    const char *at = in;
    size_t left = split;
    for (int half = 0; half < 2; half++, left = sizeof in - 1 - split) {
      struct mm_sse_piece piece;
      while (mm_sse_next(&s, &at, &left, &piece) == MM_OK) {
        CHECK(piece.what == MM_SSE_STRAY);
        CHECK(mm_buf_append(&out, piece.bytes, piece.n) == MM_OK);
      }
      CHECK(left == 0);
    }
    CHECK(same(&out, want, sizeof want - 1));
    mm_buf_free(&out);
    mm_sse_free(&s);
  }
}

static void knows_when_it_is_open(void) {
  static const struct {
    const char *in;
    bool open;
  } cases[] = {{"", false},          {"data: a\n\n", false}, {"data: a\r\r", false},
               {"data: a\n", true},  {"data", true},         {":c\n", false},
               {": c", true},        {"id: 1\n", true},      {"id: 1\n\n", false},
               {"event: x\r", true}, {"nonsense\n", false},  {"nonsense", true}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct mm_sse s;
    struct mm_buf out;
    mm_sse_init(&s);
    mm_buf_init(&out, SIZE_MAX);
    CHECK(render(&s, cases[i].in, strlen(cases[i].in), &out) == MM_OK);
    CHECK(mm_sse_open(&s) == cases[i].open);
    mm_buf_free(&out);
    mm_sse_free(&s);
  }
}

static void bounds_names_and_ids(void) {
  static char line[4200];
  for (int split = 0; split < 2; split++) {
    for (int over = 0; over < 2; over++) {
      struct mm_sse s;
      struct mm_sse_piece piece;
      mm_sse_init(&s);
      size_t n = (size_t)(3 + 4096 + over + 1);
      memset(line, 'x', n);
      memcpy(line, "id:", 3);
      line[n - 1] = '\n';
      const char *at = line;
      size_t left = split ? 100 : n;
      int rc = mm_sse_next(&s, &at, &left, &piece);
      if (split) {
        CHECK(rc == MM_MORE);
        left = n - 100;
        rc = mm_sse_next(&s, &at, &left, &piece);
      }
      CHECK(rc == (over ? MM_ETOOBIG : MM_OK));
      CHECK(over || (piece.what == MM_SSE_ID && piece.n == 4096));
      left = 0;
      CHECK(mm_sse_next(&s, &at, &left, &piece) == (over ? MM_ETOOBIG : MM_MORE));
      mm_sse_free(&s);
    }
  }
}

/* The longest line passes through without a byte being kept. */
static void keeps_no_line(void) {
  struct mm_sse s;
  struct mm_sse_piece piece;
  mm_sse_init(&s);
  static char block[65536];
  memset(block, 'x', sizeof block);
  const char *at = "data: ";
  size_t n = 6;
  mm_alloc_fail_after(0);
  CHECK(mm_sse_next(&s, &at, &n, &piece) == MM_MORE);
  for (int i = 0; i < 320; i++) {
    at = block;
    n = sizeof block;
    CHECK(mm_sse_next(&s, &at, &n, &piece) == MM_OK);
    CHECK(n == 0 && piece.what == MM_SSE_DATA && piece.bytes == block && piece.n == sizeof block);
  }
  at = "\n\n";
  n = 2;
  CHECK(mm_sse_next(&s, &at, &n, &piece) == MM_OK && piece.what == MM_SSE_DISPATCH && n == 0);
  CHECK(mm_alloc_count() == 0);
  mm_alloc_fail_after(-1);
  mm_sse_free(&s);
}

/* Lines of every length whose bytes are nearly line ends, by every kernel. */
static void finds_line_ends_only(void) {
  static const char near[] = "\x1a\x2a\x8a\x8d\x0b\x0c\x00\x0e\x09\x1d\x4a\xfa\xfd\x01";
  for (size_t n = 1; n < 420; n++) {
    for (int kind = 0; kind < 6; kind++) { /* LF, CR or none; wide or not */
      char line[6 + 420 + 1] = "data: ";
      for (size_t i = 0; i < n; i++)
        line[6 + i] = near[(i + n) % (sizeof near - 1)];
      line[6 + n] = kind / 2 == 0 ? '\n' : '\r';
      size_t left = 6 + n + (kind / 2 < 2);
      struct guard g = guard_copy(line, left);
      const char *at = g.bytes;
      struct mm_sse s;
      struct mm_sse_piece piece;
      mm_sse_init(&s);
      if (kind % 2) s.wide = false;
      CHECK(mm_sse_next(&s, &at, &left, &piece) == MM_OK && left == 0);
      CHECK(piece.what == MM_SSE_DATA && piece.n == n && piece.bytes == g.bytes + 6);
      CHECK(memcmp(piece.bytes, line + 6, n) == 0);
      mm_sse_free(&s);
      guard_free(g);
    }
  }
}

/* Feed a line in pieces of `size` bytes: the status at which it ends. */
static int status_of(const char *line, size_t n, size_t size) {
  struct mm_sse s;
  struct mm_sse_piece piece;
  mm_sse_init(&s);
  int rc = MM_MORE;
  for (size_t i = 0; i < n && rc == MM_MORE; i += size) {
    const char *at = line + i;
    size_t left = n - i < size ? n - i : size;
    rc = mm_sse_next(&s, &at, &left, &piece);
  }
  mm_sse_free(&s);
  return rc;
}

/* An id that a NUL spoils is skipped, however long; not when the bound was reached before it. */
static void spoils_long_ids_alike_in_any_split(void) {
  for (size_t at = 4095; at <= 4098; at++) {
    char line[3 + 5000 + 1];
    memset(line, 'n', sizeof line);
    memcpy(line, "id:", 3);
    line[3 + at] = 0;
    line[sizeof line - 1] = '\n';
    int want = at <= 4096 ? MM_MORE : MM_ETOOBIG;
    CHECK(status_of(line, sizeof line, sizeof line) == want);
    CHECK(status_of(line, sizeof line, 1000) == want);
    CHECK(status_of(line, sizeof line, 1) == want);
  }
}

static int feed_bytewise(const char *bytes, size_t n, struct mm_buf *out) {
  struct mm_sse_events *p;
  int rc = mm_sse_events_new(1 << 20, &p);
  if (rc != MM_OK) return rc;
  for (size_t i = 0; i < n && rc == MM_OK; i++)
    rc = mm_sse_events_feed(p, bytes + i, 1);
  CHECK(mm_sse_events_error(p)->code == rc);
  mm_alloc_fail_after(-1);
  drain(p, out);
  mm_sse_events_free(p);
  return rc;
}

/* Whichever allocation fails: what was complete before it is whole, nothing else comes. */
static void survives_failing_memory(void) {
  static const char in[] = "event: x\nid: 1\ndata: a\ndata: b\n\nid: 2\ndata: \xFF\n\n";
  static const char want[] = "x=a\nb#1;message=\xEF\xBF\xBD#2;";
  struct mm_buf out;
  mm_buf_init(&out, SIZE_MAX);
  int rc = MM_OK;
  SWEEP_ALLOC(rc, {
    out.len = 0;
    rc = feed_bytewise(in, sizeof in - 1, &out);
    CHECK(out.len == 0 || memcmp(out.data, want, out.len) == 0);
    CHECK(out.len == 0 || out.data[out.len - 1] == ';');
  });
  CHECK(rc == MM_OK && same(&out, want, sizeof want - 1));
  mm_buf_free(&out);
}

int main(void) {
  agrees_at_every_split();
  reads_retry();
  bounds_an_event();
  refuses_bytes_after_the_end();
  hands_out_strays();
  keeps_stray_bytes_at_any_split();
  knows_when_it_is_open();
  bounds_names_and_ids();
  spoils_long_ids_alike_in_any_split();
  keeps_no_line();
  finds_line_ends_only();
  survives_failing_memory();
  return 0;
}

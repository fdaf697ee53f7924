/* sse.c - server-sent events (WHATWG), sans-IO.   SPDX-License-Identifier: MIT */
#include "sse.h"
#include "cpu.h"

#include <string.h>

#ifdef MM_X86
#include <immintrin.h>
#endif

#if defined(__GNUC__)
#define MM_NOINLINE __attribute__((noinline))
#else
#define MM_NOINLINE
#endif

enum { FIELD_MAX = 4096 }; /* bytes of an event name or id */

enum state {
  START,  /* before the first byte of a line */
  NAME,   /* in what may still become a known field name, or the BOM */
  VALUE,  /* after the colon: one space is dropped */
  DATA,   /* in the value of data */
  KEEP,   /* in the value of event or id */
  DIGITS, /* in the value of retry */
  SKIP,   /* in a comment, or a line that nobody wants */
  STRAY,  /* in a line to be reported as it is */
  FAILED  /* MM_ETOOBIG was returned */
};

enum flag {
  CR = 1,       /* the last line ended with CR: a LF that follows belongs to it */
  HAS_DATA = 2, /* the block had a data line */
  BLOCK = 4,    /* the block had a piece */
  EMPTY = 8,    /* the first data line, no piece handed out yet */
  IGNORED = 16, /* the value is malformed */
  COMMENT = 32, /* SKIP is in a comment */
  NUMBER = 64   /* a digit of retry was seen */
};

enum name { NAME_DATA, NAME_EVENT, NAME_ID, NAME_RETRY, NAME_BOM };

static const struct {
  const char *text;
  size_t n;
} names[] = {{"data", 4}, {"event", 5}, {"id", 2}, {"retry", 5}, {"\xEF\xBB\xBF", 3}};

/* What is left of the fed bytes. */
struct cursor {
  const char *at;
  const char *end;
};

/* AVX2, unless the environment asks for a narrower kernel. */
static bool may_be_wide(void) {
  const char *wanted = mm_cpu_wanted();
  if (wanted && (strcmp(wanted, "scalar") == 0 || strcmp(wanted, "ssse3") == 0)) return false;
  return mm_cpu_has(MM_CPU_AVX2);
}

void mm_sse_init(struct mm_sse *s) {
  *s = (struct mm_sse){.state = START, .wide = may_be_wide()};
  mm_buf_init(&s->field, FIELD_MAX);
}

void mm_sse_free(struct mm_sse *s) {
  mm_buf_free(&s->field);
}

static inline bool is_end(char c) {
  return c == '\n' || c == '\r';
}

/* The first CR or LF, or `end`: in one pass, where a memchr for each would read everything twice.
 */
#ifdef MM_X86
static inline unsigned ends_in_16(__m128i v) {
  __m128i lf = _mm_cmpeq_epi8(v, _mm_set1_epi8('\n'));
  __m128i cr = _mm_cmpeq_epi8(v, _mm_set1_epi8('\r'));
  return (unsigned)_mm_movemask_epi8(_mm_or_si128(lf, cr));
}

static inline __m128i load_16(const char *p) {
  return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* Up to 15 bytes, in two loads that overlap, so that nothing past `end` is read. */
static inline const char *line_end_short(const char *p, const char *end) {
  size_t n = (size_t)(end - p);
  if (n < 4) {
    while (p < end && !is_end(*p))
      p++;
    return p;
  }
  size_t half = n < 8 ? 4 : 8;
  uint64_t first = 0, last = 0;
  if (half == 4) {
    memcpy(&first, p, 4);
    memcpy(&last, end - 4, 4);
  } else {
    memcpy(&first, p, 8);
    memcpy(&last, end - 8, 8);
  }
  unsigned found = ends_in_16(_mm_set_epi64x((long long)last, (long long)first));
  if (!found) return end;
  unsigned at = (unsigned)__builtin_ctz(found);
  return at < 8 ? p + at : end - half + (at - 8);
}

/* At least 16 bytes. */
static inline const char *line_end_16(const char *p, const char *end) {
  for (; end - p > 16; p += 16) {
    unsigned found = ends_in_16(load_16(p));
    if (found) return p + __builtin_ctz(found);
  }
  unsigned found = ends_in_16(load_16(end - 16));
  return found ? end - 16 + __builtin_ctz(found) : end;
}

/* A byte is an end when the table, looked up by its low half, gives the byte itself. */
MM_TARGET("avx2") static inline __m256i ends_in_32(const char *p, __m256i table) {
  __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
  return _mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, v), v);
}

/* At least 64 bytes; the last load overlaps what was seen, where there is no end. */
MM_TARGET("avx2") static const char *line_end_avx2(const char *p, const char *end) {
  const __m256i table = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, '\n', 0, 0, '\r', 0, 0));
  for (; end - p >= 128; p += 128) {
    __m256i a = ends_in_32(p, table), b = ends_in_32(p + 32, table);
    __m256i c = ends_in_32(p + 64, table), d = ends_in_32(p + 96, table);
    __m256i any = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
    if (_mm256_testz_si256(any, any)) continue;
    uint64_t first = (unsigned)_mm256_movemask_epi8(a);
    first |= (uint64_t)(unsigned)_mm256_movemask_epi8(b) << 32;
    if (first) return p + __builtin_ctzll(first);
    uint64_t last = (unsigned)_mm256_movemask_epi8(c);
    last |= (uint64_t)(unsigned)_mm256_movemask_epi8(d) << 32;
    return p + 64 + __builtin_ctzll(last);
  }
  for (; end - p >= 32; p += 32) {
    unsigned found = (unsigned)_mm256_movemask_epi8(ends_in_32(p, table));
    if (found) return p + __builtin_ctz(found);
  }
  if (p == end) return end;
  unsigned found = (unsigned)_mm256_movemask_epi8(ends_in_32(end - 32, table));
  return found ? end - 32 + __builtin_ctz(found) : end;
}

static inline const char *line_end(const struct mm_sse *s, const char *p, const char *end) {
  if (end - p < 16) return line_end_short(p, end);
  if (end - p >= 64 && s->wide) return line_end_avx2(p, end);
  return line_end_16(p, end);
}
#else
static const char *line_end(const struct mm_sse *s, const char *p, const char *end) {
  (void)s;
  while (p < end) {
    size_t n = end - p > 4096 ? 4096 : (size_t)(end - p);
    const char *lf = memchr(p, '\n', n);
    const char *cr = memchr(p, '\r', lf ? (size_t)(lf - p) : n);
    if (cr || lf) return cr ? cr : lf;
    p += n;
  }
  return end;
}
#endif

/* Take the CR or LF at c->at. */
static inline void end_line(struct mm_sse *s, struct cursor *c) {
  if (*c->at == '\r') s->flags |= CR;
  c->at++;
  s->state = START;
}

static inline int hand_out(struct mm_sse_piece *piece, enum mm_sse_what what, const char *bytes,
                           size_t n) {
  piece->what = what;
  piece->bytes = bytes;
  piece->n = n;
  return MM_OK;
}

static int in_data(struct mm_sse *s, struct cursor *c, struct mm_sse_piece *piece) {
  const char *begin = c->at;
  c->at = line_end(s, begin, c->end);
  size_t n = (size_t)(c->at - begin);
  bool wanted = n || s->flags & EMPTY;
  if (c->at < c->end) end_line(s, c);
  if (!wanted) return MM_MORE;
  s->flags &= (unsigned char)~EMPTY;
  return hand_out(piece, MM_SSE_DATA, begin, n);
}

/* A data line begins; c->at is behind its name and colon. */
static int begin_data(struct mm_sse *s, struct mm_sse_piece *piece) {
  if (s->flags & HAS_DATA) return hand_out(piece, MM_SSE_DATA, "\n", 1);
  s->flags |= HAS_DATA | BLOCK | EMPTY;
  return MM_MORE;
}

static int blank_line(struct mm_sse *s, struct cursor *c, struct mm_sse_piece *piece) {
  unsigned flags = s->flags;
  s->flags = 0;
  end_line(s, c);
  if (!(flags & BLOCK)) return MM_MORE;
  return hand_out(piece, flags & HAS_DATA ? MM_SSE_DISPATCH : MM_SSE_RESET, NULL, 0);
}

/* The line is no field of ours; its first n bytes are taken already. */
static int begin_stray(struct mm_sse *s, const char *seen, size_t n, struct mm_sse_piece *piece) {
  s->state = s->strays ? STRAY : SKIP;
  return s->strays && n ? hand_out(piece, MM_SSE_STRAY, seen, n) : MM_MORE;
}

static int begin_name(struct mm_sse *s, struct cursor *c, enum name name) {
  s->name = (unsigned char)name;
  s->matched = 1;
  s->state = NAME;
  c->at++;
  return MM_MORE;
}

static int at_start(struct mm_sse *s, struct cursor *c, struct mm_sse_piece *piece) {
  bool after_cr = s->flags & CR;
  s->flags &= (unsigned char)~CR;
  if (after_cr && *c->at == '\n') {
    c->at++;
    return MM_MORE;
  }
  bool first = !s->bom;
  s->bom = 1;
  switch (*c->at) {
    case '\n':
    case '\r': return blank_line(s, c, piece);
    case 'd': return begin_name(s, c, NAME_DATA);
    case 'e': return begin_name(s, c, NAME_EVENT);
    case 'i': return begin_name(s, c, NAME_ID);
    case 'r': return begin_name(s, c, NAME_RETRY);
    case ':':
      s->flags |= COMMENT;
      s->state = SKIP;
      return MM_MORE;
    case '\xEF':
      if (first) return begin_name(s, c, NAME_BOM);
      break;
    default: break;
  }
  return begin_stray(s, NULL, 0, piece);
}

/* The name of the field is whole; c->at is behind its colon, or at the end of a line without one.
 */
static int begin_value(struct mm_sse *s, struct mm_sse_piece *piece) {
  s->state = VALUE;
  if (s->name == NAME_DATA) return begin_data(s, piece);
  s->flags &= (unsigned char)~(IGNORED | NUMBER);
  s->field.len = 0;
  s->number = 0;
  return MM_MORE;
}

static int in_name(struct mm_sse *s, struct cursor *c, struct mm_sse_piece *piece) {
  const char *text = names[s->name].text;
  size_t n = names[s->name].n;
  while (c->at < c->end && s->matched < n && *c->at == text[s->matched]) {
    c->at++;
    s->matched++;
  }
  if (s->name == NAME_BOM && s->matched == n) {
    s->state = START;
    return MM_MORE;
  }
  if (c->at == c->end) return MM_MORE;
  if (s->matched < n || !(*c->at == ':' || is_end(*c->at)))
    return begin_stray(s, text, s->matched, piece);
  if (*c->at == ':') c->at++;
  return begin_value(s, piece);
}

static int in_value(struct mm_sse *s, struct cursor *c) {
  if (*c->at == ' ') c->at++;
  s->state = s->name == NAME_DATA ? DATA : s->name == NAME_RETRY ? DIGITS : KEEP;
  return MM_MORE;
}

static int too_big(struct mm_sse *s) {
  s->state = FAILED;
  return MM_ETOOBIG;
}

/* A NUL takes an id out of the stream; one far behind the bound comes too late, in any split. */
static bool spoils(const struct mm_sse *s, const char *value, size_t n) {
  size_t bound = FIELD_MAX + 1 - s->field.len;
  return s->name == NAME_ID && memchr(value, 0, n < bound ? n : bound);
}

static int in_kept(struct mm_sse *s, struct cursor *c, struct mm_sse_piece *piece) {
  const char *begin = c->at;
  const char *end = line_end(s, begin, c->end);
  size_t n = (size_t)(end - begin);
  if (spoils(s, begin, n)) s->flags |= IGNORED;
  bool ignored = s->flags & IGNORED;
  bool whole = end < c->end && s->field.len == 0;
  if (!ignored && n > FIELD_MAX - s->field.len) return too_big(s);
  if (!ignored && !whole && mm_buf_append(&s->field, begin, n) != MM_OK) return MM_ENOMEM;
  c->at = end;
  if (end == c->end) return MM_MORE;
  end_line(s, c);
  if (ignored) return MM_MORE;
  s->flags |= BLOCK;
  return hand_out(piece, s->name == NAME_ID ? MM_SSE_ID : MM_SSE_EVENT,
                  whole ? begin : s->field.data, whole ? n : s->field.len);
}

static void add_digit(struct mm_sse *s, char c) {
  if (c < '0' || c > '9') {
    s->flags |= IGNORED;
    return;
  }
  uint64_t digit = (uint64_t)(c - '0');
  s->number = s->number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : s->number * 10 + digit;
  s->flags |= NUMBER;
}

static int in_digits(struct mm_sse *s, struct cursor *c, struct mm_sse_piece *piece) {
  for (; c->at < c->end && !is_end(*c->at); c->at++)
    add_digit(s, *c->at);
  if (c->at == c->end) return MM_MORE;
  end_line(s, c);
  if ((s->flags & (IGNORED | NUMBER)) != NUMBER) return MM_MORE;
  s->flags |= BLOCK;
  piece->retry_ms = s->number;
  return hand_out(piece, MM_SSE_RETRY, NULL, 0);
}

static int in_skipped(struct mm_sse *s, struct cursor *c, struct mm_sse_piece *piece) {
  c->at = line_end(s, c->at, c->end);
  if (c->at == c->end) return MM_MORE;
  end_line(s, c);
  if (!(s->flags & COMMENT)) return MM_MORE;
  s->flags &= (unsigned char)~COMMENT;
  return hand_out(piece, MM_SSE_COMMENT, NULL, 0);
}

static int in_stray(struct mm_sse *s, struct cursor *c, struct mm_sse_piece *piece) {
  const char *begin = c->at;
  c->at = line_end(s, begin, c->end);
  if (c->at > begin) return hand_out(piece, MM_SSE_STRAY, begin, (size_t)(c->at - begin));
  end_line(s, c);
  return hand_out(piece, MM_SSE_STRAY, "\n", 1);
}

/* One step: takes a byte or changes the state. Returns MM_MORE to go on. */
static int step(struct mm_sse *s, struct cursor *c, struct mm_sse_piece *piece) {
  switch ((enum state)s->state) {
    case START: return at_start(s, c, piece);
    case NAME: return in_name(s, c, piece);
    case VALUE: return in_value(s, c);
    case DATA: return in_data(s, c, piece);
    case KEEP: return in_kept(s, c, piece);
    case DIGITS: return in_digits(s, c, piece);
    case SKIP: return in_skipped(s, c, piece);
    case STRAY: return in_stray(s, c, piece);
    case FAILED: break;
  }
  return MM_ETOOBIG;
}

/* The general machine. */
static MM_NOINLINE int any_next(struct mm_sse *s, const char **bytes, size_t *n,
                                struct mm_sse_piece *piece) {
  struct cursor c = {*bytes, *bytes + *n};
  int rc = s->state == FAILED ? MM_ETOOBIG : MM_MORE;
  while (rc == MM_MORE && c.at < c.end)
    rc = step(s, &c, piece);
  *bytes = c.at;
  *n = (size_t)(c.end - c.at);
  return rc;
}

/* In data, before a byte that does not end the line. */
static inline int rest_of_data(struct mm_sse *s, const char **bytes, size_t *n,
                               struct mm_sse_piece *piece) {
  const char *begin = *bytes;
  struct cursor c = {*n == 1 ? begin + 1 : line_end(s, begin, begin + *n), begin + *n};
  s->flags &= (unsigned char)~EMPTY;
  hand_out(piece, MM_SSE_DATA, begin, (size_t)(c.at - begin));
  if (c.at < c.end) end_line(s, &c);
  *bytes = c.at;
  *n = (size_t)(c.end - c.at);
  return MM_OK;
}

/* What nearly every byte of a stream is goes by the side of the general machine: the only data line
 * of a block, in whatever fragments, and the blank line after it. */
int mm_sse_next(struct mm_sse *s, const char **bytes, size_t *n, struct mm_sse_piece *piece) {
  const char *p = *bytes;
  if (s->state == DATA && *n && !is_end(*p)) return rest_of_data(s, bytes, n, piece);
  if (s->state != START || *n == 0 || s->flags & CR) return any_next(s, bytes, n, piece);
  if (*p == '\n' && s->flags & HAS_DATA) {
    s->flags = 0;
    *bytes = p + 1;
    *n -= 1;
    return hand_out(piece, MM_SSE_DISPATCH, p, 0);
  }
  if (*n > 6 && !(s->flags & HAS_DATA) && memcmp(p, "data: ", 6) == 0 && !is_end(p[6])) {
    s->state = DATA;
    s->bom = 1;
    s->flags = HAS_DATA | BLOCK;
    *bytes = p + 6;
    *n -= 6;
    return rest_of_data(s, bytes, n, piece);
  }
  return any_next(s, bytes, n, piece);
}

bool mm_sse_open(const struct mm_sse *s) {
  return s->state != START || s->flags & BLOCK;
}

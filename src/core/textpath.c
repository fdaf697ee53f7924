/* textpath.c - tells events that hold nothing but text from all others.
 * Two ways: the events of a stream mostly differ in their text alone, so one that has the same
 * bytes before and behind its text as the last one is recognised by comparing them; any other is
 * parsed. Both accept strict JSON only, so that what is odd goes the long way and fails there.
 * SPDX-License-Identifier: MIT */
#include "textpath.h"
#include "json_escape.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
  DEPTH = 32,      /* nesting that is followed in ignored values */
  KEPT = 16 * 1024 /* longest event that is remembered for comparing */
};

struct name {
  const char *text;
  size_t n;
  size_t position; /* of a step: the array index it names, SIZE_MAX when it is a key */
};

struct mm_textpath {
  struct name *path; /* these three in one block with their characters */
  struct name *ignore;
  struct name *same;
  size_t path_n, ignore_n, same_n;
  struct mm_buf whole;  /* type of the last whole event */
  struct mm_buf values; /* records of its `same` keys */
  struct mm_buf text;   /* an unescaped text */
  struct mm_buf frame;  /* the bytes around the last text, and around an ignored string after it */
  size_t before;        /* bytes of it that come before the text; 0: there is no frame */
  size_t between;       /* bytes from the text to the ignored string, or to the end */
  bool hole;            /* there is an ignored string */
};

/* A `same` value of the last whole event, followed by its bytes in `values`. */
struct record {
  size_t step;  /* objects along the path above it */
  size_t which; /* index in `same` */
  size_t n;     /* bytes of the value */
};

struct cursor {
  const char *at;
  const char *end;
};

struct slice {
  const char *at;
  size_t n;
};

/* What a walk along the path does with what it finds. */
struct walk {
  struct mm_textpath *t;
  struct cursor c;
  bool recording;    /* note `same` values; anything else is fine */
  bool found;        /* the text */
  bool escaped;      /* it has escapes */
  struct slice text; /* between its quotes */
  struct slice hole; /* an ignored string behind it, likewise; at is NULL where there is none */
  int rc;            /* of recording */
};

static size_t position_of(const char *step) {
  size_t value = 0;
  for (const char *c = step; *c; c++) {
    if (*c < '0' || *c > '9' || value > 1000) return SIZE_MAX;
    value = value * 10 + (size_t)(*c - '0');
  }
  return *step ? value : SIZE_MAX;
}

static size_t names_size(const char *const *list, size_t n) {
  size_t size = n * sizeof(struct name);
  for (size_t i = 0; i < n; i++)
    size += strlen(list[i]);
  return size;
}

static struct name *keep_names(struct name *to, char **text, const char *const *list, size_t n) {
  for (size_t i = 0; i < n; i++) {
    size_t length = strlen(list[i]);
    to[i] = (struct name){*text, length, position_of(list[i])};
    memcpy(*text, list[i], length);
    *text += length;
  }
  return to + n;
}

int mm_textpath_new(const struct mm_text_path *rules, struct mm_textpath **out) {
  size_t size = names_size(rules->path, rules->path_n) +
                names_size(rules->ignore, rules->ignore_n) + names_size(rules->same, rules->same_n);
  struct mm_textpath *t = mm_alloc(NULL, sizeof *t + size);
  if (!t) return MM_ENOMEM;
  *t = (struct mm_textpath){
      .path_n = rules->path_n, .ignore_n = rules->ignore_n, .same_n = rules->same_n};
  struct name *names = (struct name *)(t + 1);
  char *text = (char *)(names + rules->path_n + rules->ignore_n + rules->same_n);
  t->path = names;
  t->ignore = keep_names(t->path, &text, rules->path, rules->path_n);
  t->same = keep_names(t->ignore, &text, rules->ignore, rules->ignore_n);
  keep_names(t->same, &text, rules->same, rules->same_n);
  mm_buf_init(&t->whole, 4096);
  mm_buf_init(&t->values, KEPT);
  mm_buf_init(&t->text, SIZE_MAX / 2);
  mm_buf_init(&t->frame, KEPT);
  *out = t;
  return MM_OK;
}

void mm_textpath_free(struct mm_textpath *t) {
  if (!t) return;
  mm_buf_free(&t->whole);
  mm_buf_free(&t->values);
  mm_buf_free(&t->text);
  mm_buf_free(&t->frame);
  mm_alloc(t, 0);
}

static void skip_space(struct cursor *c) {
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r'))
    c->at++;
}

/* Take one byte, and white space before it. */
static bool take(struct cursor *c, char byte) {
  skip_space(c);
  if (c->at == c->end || *c->at != byte) return false;
  c->at++;
  return true;
}

static bool is_hex(char c) {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* The escape at p, a backslash: behind it, or NULL when it is malformed. */
static const char *escape_end(const char *p, const char *end) {
  if (end - p < 2) return NULL;
  if (p[1] != 'u') return memchr("\"\\/bfnrt", p[1], 8) ? p + 2 : NULL;
  if (end - p < 6) return NULL;
  for (int i = 2; i < 6; i++)
    if (!is_hex(p[i])) return NULL;
  return p + 6;
}

/* The first quote, backslash or control character, or `end`. */
static const char *plain_end(const char *p, const char *end) {
#ifdef __SSE2__
  const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
  const __m128i control = _mm_set1_epi8(0x1f);
  for (; end - p >= 16; p += 16) {
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i found = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
    unsigned bits = (unsigned)_mm_movemask_epi8(found);
    if (bits) return p + __builtin_ctz(bits);
  }
#endif
  while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
    p++;
  return p;
}

/* Behind the opening quote: take the string and its closing quote. */
static bool string_rest(struct cursor *c, struct slice *out, bool *escaped) {
  const char *begin = c->at;
  const char *p = plain_end(begin, c->end);
  *escaped = p < c->end && *p == '\\';
  while (p < c->end && *p == '\\') {
    p = escape_end(p, c->end);
    if (!p) return false;
    p = plain_end(p, c->end);
  }
  if (p == c->end || *p != '"') return false;
  *out = (struct slice){begin, (size_t)(p - begin)};
  c->at = p + 1;
  return true;
}

static bool skip_string(struct cursor *c) {
  struct slice ignored;
  bool escaped;
  return string_rest(c, &ignored, &escaped);
}

static bool skip_digits(struct cursor *c) {
  const char *begin = c->at;
  while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
    c->at++;
  return c->at > begin;
}

static bool skip_number(struct cursor *c) {
  if (*c->at == '-') c->at++;
  const char *first = c->at;
  if (!skip_digits(c) || (*first == '0' && c->at - first > 1)) return false;
  if (c->at < c->end && *c->at == '.') {
    c->at++;
    if (!skip_digits(c)) return false;
  }
  if (c->at < c->end && (*c->at | 0x20) == 'e') {
    c->at++;
    if (c->at < c->end && (*c->at == '+' || *c->at == '-')) c->at++;
    return skip_digits(c);
  }
  return true;
}

static bool skip_word(struct cursor *c, const char *word, size_t n) {
  if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0) return false;
  c->at += n;
  return true;
}

static bool skip_value(struct cursor *c, unsigned depth);

static bool skip_object(struct cursor *c, unsigned depth) {
  if (take(c, '}')) return true;
  do {
    if (!take(c, '"') || !skip_string(c) || !take(c, ':') || !skip_value(c, depth)) return false;
  } while (take(c, ','));
  return take(c, '}');
}

static bool skip_array(struct cursor *c, unsigned depth) {
  if (take(c, ']')) return true;
  do {
    if (!skip_value(c, depth)) return false;
  } while (take(c, ','));
  return take(c, ']');
}

static bool skip_value(struct cursor *c, unsigned depth) {
  skip_space(c);
  if (c->at == c->end || depth == 0) return false;
  switch (*c->at) {
    case '"': c->at++; return skip_string(c);
    case '{': c->at++; return skip_object(c, depth - 1);
    case '[': c->at++; return skip_array(c, depth - 1);
    case 't': return skip_word(c, "true", 4);
    case 'f': return skip_word(c, "false", 5);
    case 'n': return skip_word(c, "null", 4);
    default: return skip_number(c);
  }
}

static bool equals(const char *a, size_t n, const char *b, size_t m) {
  return n == m && memcmp(a, b, n) == 0;
}

static size_t find(const struct name *list, size_t n, struct slice key) {
  for (size_t i = 0; i < n; i++)
    if (equals(list[i].text, list[i].n, key.at, key.n)) return i;
  return n;
}

static bool is(struct slice s, const char *word) {
  return equals(s.at, s.n, word, strlen(word));
}

/* What the last whole event had at a key; at is NULL where it had none. */
static struct slice recorded(const struct mm_textpath *t, size_t step, size_t which) {
  for (size_t at = 0; at < t->values.len;) {
    struct record r;
    memcpy(&r, t->values.data + at, sizeof r);
    at += sizeof r;
    if (r.step == step && r.which == which) return (struct slice){t->values.data + at, r.n};
    at += r.n;
  }
  return (struct slice){NULL, 0};
}

/* An event that repeats a key is odd: of it nothing is recorded, so that there are always few. */
static void record(struct walk *w, size_t step, size_t which, struct slice value) {
  struct record r = {step, which, value.n};
  int rc = recorded(w->t, step, which).at ? MM_ESYNTAX : MM_OK;
  if (rc == MM_OK) rc = mm_buf_append(&w->t->values, &r, sizeof r);
  if (rc == MM_OK) rc = mm_buf_append(&w->t->values, value.at, value.n);
  if (rc != MM_OK) w->rc = rc;
}

/* A key off the path: does its value say nothing new? */
static bool says_nothing(struct walk *w, size_t step, struct slice key) {
  struct mm_textpath *t = w->t;
  skip_space(&w->c);
  struct slice value = {w->c.at, 0};
  if (!skip_value(&w->c, DEPTH)) return false;
  value.n = (size_t)(w->c.at - value.at);
  size_t which = find(t->same, t->same_n, key);
  if (w->recording) {
    if (which < t->same_n) record(w, step, which, value);
    return true;
  }
  if (find(t->ignore, t->ignore_n, key) < t->ignore_n) {
    if (w->found && *value.at == '"') w->hole = (struct slice){value.at + 1, value.n - 2};
    return true;
  }
  if (is(value, "null")) return true;
  if (which < t->same_n) {
    struct slice before = recorded(t, step, which);
    return before.at && equals(before.at, before.n, value.at, value.n);
  }
  if (is(key, "index")) return is(value, "0");
  return is(key, "role") && (is(value, "\"assistant\"") || is(value, "\"\""));
}

static bool walk_value(struct walk *w, size_t step);

static bool walk_member(struct walk *w, size_t step) {
  struct slice key;
  bool escaped;
  if (!take(&w->c, '"') || !string_rest(&w->c, &key, &escaped) || !take(&w->c, ':')) return false;
  if (escaped) return w->recording && skip_value(&w->c, DEPTH);
  const struct name *next = &w->t->path[step];
  if (!equals(next->text, next->n, key.at, key.n)) return says_nothing(w, step, key);
  /* A repeated key on the path would make what was found void. */
  return !w->found && walk_value(w, step + 1);
}

static bool walk_object(struct walk *w, size_t step) {
  w->c.at++;
  if (take(&w->c, '}')) return true;
  do {
    if (!walk_member(w, step)) return false;
  } while (take(&w->c, ','));
  return take(&w->c, '}');
}

static bool walk_array(struct walk *w, size_t step) {
  w->c.at++;
  if (take(&w->c, ']')) return true;
  size_t i = 0;
  do {
    bool mine = i == w->t->path[step].position;
    if (!mine && !w->recording) return false;
    if (mine ? !walk_value(w, step + 1) : !skip_value(&w->c, DEPTH)) return false;
    i++;
  } while (take(&w->c, ','));
  return take(&w->c, ']');
}

/* The value after `step` steps of the path. */
static bool walk_value(struct walk *w, size_t step) {
  skip_space(&w->c);
  if (w->c.at == w->c.end) return false;
  char first = *w->c.at;
  if (step < w->t->path_n && first == '{') return walk_object(w, step);
  if (step < w->t->path_n && first == '[') return walk_array(w, step);
  if (step == w->t->path_n && first == '"') {
    w->c.at++;
    w->found = true;
    return string_rest(&w->c, &w->text, &w->escaped);
  }
  return (w->recording || first == 'n') && skip_value(&w->c, DEPTH);
}

static bool walk(struct walk *w, struct mm_textpath *t, const char *json, size_t n) {
  w->t = t;
  w->c = (struct cursor){json, json + n};
  if (!walk_value(w, 0)) return false;
  skip_space(&w->c);
  return w->c.at == w->c.end;
}

void mm_textpath_whole(struct mm_textpath *t, const char *type, size_t type_n, const char *json,
                       size_t n) {
  t->before = 0;
  t->values.len = t->whole.len = 0;
  struct walk w = {.recording = true};
  int rc = mm_buf_append(&t->whole, type, type_n);
  if (rc == MM_OK && !walk(&w, t, json, n)) rc = MM_ESYNTAX;
  if (rc != MM_OK || w.rc != MM_OK) t->values.len = 0;
}

/* Undo the escapes of a checked string. A lone surrogate may go on in the next event, so it goes
 * the long way: MM_EINVAL. */
static int unescape(struct mm_textpath *t, struct slice in, const char **text, size_t *text_n) {
  t->text.len = 0;
  int rc = mm_buf_reserve(&t->text, in.n);
  if (rc != MM_OK) return rc;
  char *to = t->text.data;
  for (const char *s = in.at, *end = in.at + in.n; s < end;) {
    if (*s != '\\') {
      *to++ = *s++;
      continue;
    }
    to = mm_json_unescape(&s, to, MM_HALVES_REFUSED);
    if (!to) return MM_EINVAL;
  }
  *text = t->text.data;
  *text_n = (size_t)(to - t->text.data);
  return MM_OK;
}

/* Remember the bytes around the text; without memory the next event is parsed again. */
static void keep_frame(struct mm_textpath *t, const char *json, size_t n, const struct walk *w) {
  const char *behind = w->text.at + w->text.n, *end = json + n;
  const char *hole = w->hole.at ? w->hole.at : end;
  size_t before = (size_t)(w->text.at - json);
  t->frame.len = t->before = 0;
  if (mm_buf_append(&t->frame, json, before) != MM_OK) return;
  if (mm_buf_append(&t->frame, behind, (size_t)(hole - behind)) != MM_OK) return;
  hole += w->hole.n;
  if (mm_buf_append(&t->frame, hole, (size_t)(end - hole)) != MM_OK) return;
  t->hole = w->hole.at != NULL;
  t->between = (size_t)((t->hole ? w->hole.at : end) - behind);
  t->before = before;
}

/* Take n bytes that are equal. */
static bool take_equal(struct cursor *c, const char *bytes, size_t n) {
  if ((size_t)(c->end - c->at) < n || memcmp(c->at, bytes, n) != 0) return false;
  c->at += n;
  return true;
}

/* Compare with the bytes around the last text. */
static bool in_frame(const struct mm_textpath *t, const char *json, size_t n, struct slice *text,
                     bool *escaped) {
  struct cursor c = {json, json + n};
  const char *frame = t->frame.data;
  if (t->before == 0 || !take_equal(&c, frame, t->before)) return false;
  if (!string_rest(&c, text, escaped)) return false;
  c.at--;
  frame += t->before;
  if (!take_equal(&c, frame, t->between)) return false;
  if (t->hole) {
    if (!skip_string(&c)) return false;
    c.at--;
    frame += t->between;
    if (!take_equal(&c, frame, t->frame.len - t->before - t->between)) return false;
  }
  return c.at == c.end;
}

int mm_textpath_read(struct mm_textpath *t, const char *type, size_t type_n, const char *json,
                     size_t n, const char **text, size_t *text_n) {
  bool plain = equals(type, type_n, "message", 7);
  if (equals(type, type_n, "error", 5)) return MM_EINVAL;
  if (!plain && !(type_n && equals(type, type_n, t->whole.data, t->whole.len))) return MM_EINVAL;
  struct walk w = {.recording = false};
  if (!in_frame(t, json, n, &w.text, &w.escaped)) {
    if (!walk(&w, t, json, n) || !w.found) return MM_EINVAL;
    keep_frame(t, json, n, &w);
  }
  if (w.escaped) return unescape(t, w.text, text, text_n);
  *text = w.text.at;
  *text_n = w.text.n;
  return MM_OK;
}

/* server.c - plays canned replies as fast as a socket takes them, one thread a connection.
 * In: an HTTP/1.1 request; the last numbers of its path are what it asks for, before whatever
 * follows. Out: the port, on stdout; then, until stdin ends, for
 * - /reply: a chat completion with a short text, once the body is read;
 * - /json/BYTES: one with a picture of BYTES; /sse/BYTES: the same in one event of a stream;
 * - /events/N/CHUNK: N events with 20 bytes of text each, in HTTP chunks of CHUNK bytes (0: one
 *   an event);
 * - /together/N/E: E events, once N such requests wait;
 * - /idle: one event, and then nothing.
 * Not here: bad input.
 * SPDX-License-Identifier: MIT */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PICTURE_HEAD                                                                               \
  "\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,"
#define PICTURE_TAIL "\"}}]"
#define CHUNK_HEAD                                                                                 \
  "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","        \
  "\"choices\":[{\"index\":0,\"delta\":{"
#define CHUNK_TAIL "},\"finish_reason\":null}]}\n\n"
#define STREAM_END                                                                                 \
  "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","        \
  "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
#define TEXT_EVENT CHUNK_HEAD "\"content\":\"twenty bytes of text\"" CHUNK_TAIL
#define REPLY_HEAD                                                                                 \
  "{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{"      \
  "\"index\":0,\"message\":{\"role\":\"assistant\","
#define REPLY_TAIL                                                                                 \
  "},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,"         \
  "\"total_tokens\":3}}"
#define REPLY REPLY_HEAD "\"content\":\"a short answer\"" REPLY_TAIL
#define STREAM_HEAD                                                                                \
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

enum { BLOCK = 48 << 10, BLOCK_TEXT = BLOCK / 3 * 4, HEAD_MAX = 16 << 10 };

static char block_text[BLOCK_TEXT]; /* base64 of BLOCK bytes */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static unsigned long waiting, round_now; /* of /together */

struct text {
  char *at;
  size_t n, room;
};

static void add(struct text *t, const void *bytes, size_t n) {
  if (t->n + n > t->room) {
    t->room = (t->n + n) * 2;
    t->at = realloc(t->at, t->room);
    if (!t->at) abort();
  }
  memcpy(t->at + t->n, bytes, n);
  t->n += n;
}

static void add_chunk(struct text *t, const char *bytes, size_t n) {
  char size[24];
  add(t, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", n));
  add(t, bytes, n);
  add(t, "\r\n", 2);
}

/* Whether the peer took all of it. */
static int put(int fd, const char *bytes, size_t n) {
  while (n) {
    ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
    if (sent <= 0) return 0;
    bytes += sent;
    n -= (size_t)sent;
  }
  return 1;
}

static int put_text(int fd, struct text *t) {
  int ok = put(fd, t->at, t->n);
  free(t->at);
  return ok;
}

static int put_reply(int fd) {
  char head[128];
  int n =
      snprintf(head, sizeof head,
               "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
               strlen(REPLY));
  struct text t = {0};
  add(&t, head, (size_t)n);
  add(&t, REPLY, strlen(REPLY));
  return put_text(fd, &t);
}

/* base64 of `bytes` bytes, whole blocks over and over; in chunks, if asked. */
static int put_picture(int fd, unsigned long bytes, int chunks) {
  unsigned long left = bytes / 3 * 4;
  int ok = 1;
  while (ok && left) {
    size_t n = left < BLOCK_TEXT ? left : BLOCK_TEXT;
    struct text t = {0};
    if (chunks) add_chunk(&t, block_text, n);
    ok = chunks ? put_text(fd, &t) : put(fd, block_text, n);
    left -= n;
  }
  return ok;
}

static int put_json(int fd, unsigned long bytes) {
  static const char before[] = REPLY_HEAD "\"content\":\"\"," PICTURE_HEAD;
  static const char after[] = PICTURE_TAIL REPLY_TAIL;
  char head[128];
  int n =
      snprintf(head, sizeof head,
               "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %lu\r\n\r\n",
               (unsigned long)(sizeof before + sizeof after - 2) + bytes / 3 * 4);
  return put(fd, head, (size_t)n) && put(fd, before, sizeof before - 1) &&
         put_picture(fd, bytes, 0) && put(fd, after, sizeof after - 1);
}

static int put_sse(int fd, unsigned long bytes) {
  static const char before[] = CHUNK_HEAD PICTURE_HEAD;
  static const char after[] = PICTURE_TAIL CHUNK_TAIL STREAM_END;
  struct text head = {0}, tail = {0};
  add(&head, STREAM_HEAD, strlen(STREAM_HEAD));
  add_chunk(&head, before, sizeof before - 1);
  add_chunk(&tail, after, sizeof after - 1);
  add_chunk(&tail, "", 0);
  if (put_text(fd, &head) && put_picture(fd, bytes, 1)) return put_text(fd, &tail);
  free(tail.at);
  return 0;
}

static int put_events(int fd, unsigned long events, unsigned long chunk) {
  struct text plain = {0}, t = {0};
  size_t one = strlen(TEXT_EVENT);
  for (unsigned long i = 0; i < events; i++)
    add(&plain, TEXT_EVENT, one);
  add(&plain, STREAM_END, strlen(STREAM_END));
  add(&t, STREAM_HEAD, strlen(STREAM_HEAD));
  if (!chunk) chunk = one;
  for (size_t at = 0; at < plain.n; at += chunk)
    add_chunk(&t, plain.at + at, plain.n - at < chunk ? plain.n - at : chunk);
  add_chunk(&t, "", 0);
  free(plain.at);
  return put_text(fd, &t);
}

static int put_together(int fd, unsigned long streams, unsigned long events) {
  pthread_mutex_lock(&lock);
  unsigned long mine = round_now;
  if (++waiting == streams) {
    waiting = 0;
    round_now++;
    pthread_cond_broadcast(&arrived);
  }
  while (mine == round_now)
    pthread_cond_wait(&arrived, &lock);
  pthread_mutex_unlock(&lock);
  return put_events(fd, events, 0);
}

static int put_idle(int fd) {
  struct text t = {0};
  char byte;
  add(&t, STREAM_HEAD, strlen(STREAM_HEAD));
  add_chunk(&t, TEXT_EVENT, strlen(TEXT_EVENT));
  return put_text(fd, &t) && recv(fd, &byte, 1, 0) > 0;
}

static int answer(int fd, const char *path) {
  unsigned long a = 0, b = 0;
  if (sscanf(path, "/json/%lu", &a) == 1) return put_json(fd, a);
  if (sscanf(path, "/sse/%lu", &a) == 1) return put_sse(fd, a);
  if (sscanf(path, "/events/%lu/%lu", &a, &b) == 2) return put_events(fd, a, b);
  if (sscanf(path, "/together/%lu/%lu", &a, &b) == 2) return put_together(fd, a, b);
  if (!strncmp(path, "/idle", 5)) return put_idle(fd);
  return put_reply(fd);
}

/* Read a head into `head`, its zero included, and a body to nowhere. */
static int take_request(int fd, char *head) {
  char bytes[64 << 10];
  size_t n = 0;
  char *end = NULL;
  while (!end) {
    ssize_t got = n < HEAD_MAX - 1 ? recv(fd, head + n, HEAD_MAX - 1 - n, 0) : 0;
    if (got <= 0) return 0;
    n += (size_t)got;
    head[n] = 0;
    end = strstr(head, "\r\n\r\n");
  }
  const char *length = strcasestr(head, "\r\ncontent-length:");
  unsigned long long body = length && length < end ? strtoull(length + 17, NULL, 10) : 0;
  body -= n - (size_t)(end + 4 - head);
  while (body) {
    ssize_t got = recv(fd, bytes, body < sizeof bytes ? (size_t)body : sizeof bytes, 0);
    if (got <= 0) return 0;
    body -= (unsigned long long)got;
  }
  return 1;
}

static void *serve(void *of) {
  int fd = (int)(intptr_t)of;
  char head[HEAD_MAX];
  while (take_request(fd, head)) {
    const char *path = strchr(head, ' ');
    if (!path || !answer(fd, path + 1)) break;
  }
  close(fd);
  return NULL;
}

static void *accept_all(void *of) {
  int listener = (int)(intptr_t)of;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 256 << 10);
  pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
  for (;;) {
    pthread_t thread;
    int on = 1, fd = accept(listener, NULL, NULL);
    if (fd < 0) continue;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (pthread_create(&thread, &small, serve, (void *)(intptr_t)fd)) close(fd);
  }
  return NULL;
}

static void make_block(void) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  unsigned x = 1;
  for (size_t i = 0; i < BLOCK_TEXT; i++) {
    x = x * 1664525u + 1013904223u;
    block_text[i] = digits[x >> 26];
  }
}

int main(void) {
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof where;
  pthread_t thread;
  char byte;
  make_block();
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&where, n) || listen(listener, 4096)) return 1;
  if (getsockname(listener, (struct sockaddr *)&where, &n)) return 1;
  printf("%d\n", ntohs(where.sin_port));
  fflush(stdout);
  if (pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener)) return 1;
  while (read(0, &byte, 1) > 0)
    ;
  return 0;
}

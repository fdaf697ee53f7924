/* easy.c - a request as options of libcurl.
 * In: struct mm_request. Out: an easy handle ready to be added.
 * Not here: the callbacks (transfer.c), when it starts (queue.c).   SPDX-License-Identifier: MIT */
#include "engine.h"

#include <string.h>

enum {
  BUFFER_SMALL = 16 * 1024,  /* the least libcurl accepts for sending */
  BUFFER_LARGE = 512 * 1024, /* for bodies of more than LARGE_BODY */
  LARGE_BODY = 1024 * 1024,
  SMALL_BODY = 16 * 1024,    /* goes out with the head, from memory */
  HTTP2_BODY_MAX = 64 * 1024 /* over HTTP/2 with a libcurl whose large uploads may spin */
};

/* Options of one handle; the first that is refused is remembered. */
struct setup {
  CURL *easy;
  CURLcode result;
};

static void keep(struct setup *s, CURLcode rc) {
  if (s->result == CURLE_OK) s->result = rc;
}

static void set_long(struct setup *s, CURLoption option, long value) {
  keep(s, curl_easy_setopt(s->easy, option, value));
}

static void set_offset(struct setup *s, CURLoption option, uint64_t value) {
  keep(s, curl_easy_setopt(s->easy, option, (curl_off_t)value));
}

static void set_text(struct setup *s, CURLoption option, const char *text) {
  if (text) keep(s, curl_easy_setopt(s->easy, option, text));
}

static int status_of(CURLcode result) {
  if (result == CURLE_OK) return MM_OK;
  return result == CURLE_OUT_OF_MEMORY ? MM_ENOMEM : MM_EINVAL;
}

static void set_always(struct setup *s, const struct mm_engine *e) {
  /* CURLOPT_PROTOCOLS_STR, which is newer, would be parsed for each request. */
  set_long(s, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
  set_long(s, CURLOPT_NOSIGNAL, 1);
  set_long(s, CURLOPT_FOLLOWLOCATION, 0);
  set_long(s, CURLOPT_PATH_AS_IS, 1); /* a signed URL is not ours to tidy */
  set_long(s, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
  set_long(s, CURLOPT_TCP_KEEPALIVE, 1); /* models think longer than some routers remember */
  set_text(s, CURLOPT_USERAGENT, e->user_agent);
  keep(s, curl_easy_setopt(s->easy, CURLOPT_SHARE, e->share));
#if LIBCURL_VERSION_NUM >= 0x075700
  curl_easy_setopt(s->easy, CURLOPT_QUICK_EXIT, 1L); /* older ones do not know it: multi.c parks */
#endif
}

/* Without the question before sending, a body in memory would be sent twice without our knowing. */
static bool is_small(const struct mm_exchange *x) {
  return x->length <= SMALL_BODY && mm_process_prereq();
}

static void set_body(struct setup *s, const struct mm_exchange *x) {
  set_long(s, CURLOPT_POST, 1);
  if (is_small(x)) return;
  set_offset(s, CURLOPT_POSTFIELDSIZE_LARGE, x->length);
  set_long(s, CURLOPT_UPLOAD_BUFFERSIZE, x->length > LARGE_BODY ? BUFFER_LARGE : BUFFER_SMALL);
}

static void set_method(struct setup *s, const struct mm_exchange *x, const char *method) {
  bool post = strcmp(method, "POST") == 0;
  bool bare = post || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
  /* Nothing to rewind and nobody who asks: only a new connection is sure not to send it twice. */
  if (!x->body && !x->resend && !mm_process_prereq()) set_long(s, CURLOPT_FRESH_CONNECT, 1);
  if (x->body) {
    set_body(s, x);
  } else if (bare) {
    set_long(s, CURLOPT_POST, 1);
    set_text(s, CURLOPT_POSTFIELDS, "");
    set_long(s, CURLOPT_POSTFIELDSIZE, 0);
  } else if (strcmp(method, "HEAD") == 0) {
    set_long(s, CURLOPT_NOBODY, 1);
    return;
  } else if (strcmp(method, "GET") == 0) {
    return;
  }
  if (!post) set_text(s, CURLOPT_CUSTOMREQUEST, method);
}

/* What libcurl takes of older servers depends on how it was built; older than this is broken. */
static void set_tls(struct setup *s, const struct mm_request *r) {
  set_long(s, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  set_text(s, CURLOPT_CAINFO, r->ca_file);
  set_text(s, CURLOPT_CAPATH, r->ca_path);
  set_text(s, CURLOPT_SSLCERT, r->client_cert);
  set_text(s, CURLOPT_SSLKEY, r->client_key);
  if (r->client_cert) set_text(s, CURLOPT_KEYPASSWD, ""); /* else a terminal is asked for it */
#if defined(_WIN32) && LIBCURL_VERSION_NUM >= 0x074700
  if (!r->ca_file && !r->ca_path) set_long(s, CURLOPT_SSL_OPTIONS, CURLSSLOPT_NATIVE_CA);
#endif
  if (!r->insecure) return;
  set_long(s, CURLOPT_SSL_VERIFYPEER, 0);
  set_long(s, CURLOPT_SSL_VERIFYHOST, 0);
}

/* Whose no_proxy holds was settled with the proxy. One that is reached over TLS is trusted as
 * servers are. */
static void set_proxy(struct setup *s, const struct mm_request *r, const char *proxy) {
  set_text(s, CURLOPT_PROXY, proxy);
  if (!proxy[0]) return;
  set_text(s, CURLOPT_NOPROXY, "");
  if (strncmp(proxy, "https:", 6) != 0) return; /* not every libcurl knows the rest */
  set_long(s, CURLOPT_PROXY_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  set_text(s, CURLOPT_PROXY_CAINFO, r->ca_file);
  set_text(s, CURLOPT_PROXY_CAPATH, r->ca_path);
  if (!r->insecure) return;
  set_long(s, CURLOPT_PROXY_SSL_VERIFYPEER, 0);
  set_long(s, CURLOPT_PROXY_SSL_VERIFYHOST, 0);
}

static bool use_http2(const struct mm_exchange *x, const struct mm_request *r) {
  return r->http2 && (x->length < HTTP2_BODY_MAX || mm_process_http2_uploads());
}

static int set_version(struct setup *s, struct mm_exchange *x, const struct mm_request *r) {
  x->multi = &x->engine->http1;
  if (use_http2(x, r) &&
      curl_easy_setopt(s->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) == CURLE_OK) {
    set_long(s, CURLOPT_PIPEWAIT, 1);
    x->multi = &x->engine->http2;
    return mm_engine_http2(x->engine);
  }
  set_long(s, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  return MM_OK;
}

/* libcurl adds these by itself unless told not to. */
static int silence_defaults(struct mm_exchange *x) {
  struct curl_slist *list = curl_slist_append(x->headers, "Expect:");
  if (!list) return MM_ENOMEM;
  x->headers = list;
  if (x->has_type) return MM_OK;
  list = curl_slist_append(x->headers, "Content-Type:");
  if (!list) return MM_ENOMEM;
  x->headers = list;
  return MM_OK;
}

/* libcurl shares this time out among the addresses of a host, so it has to know it. */
static void set_connect_clock(struct setup *s, double seconds) {
  if (seconds <= 0 || seconds > 1e6) return;
  long ms = (long)(seconds * 1000);
  set_long(s, CURLOPT_CONNECTTIMEOUT_MS, ms ? ms : 1);
}

int mm_easy_body(struct mm_exchange *x) {
  if (!x->body) return MM_OK;
  int rc = x->core->body_open(x->body, &x->reader);
  if (rc != MM_OK) return mm_fail(&x->failure.core, rc, "%s", x->core->status_text(rc));
  if (!is_small(x)) return MM_OK;
  x->small = x->core->alloc(NULL, (size_t)x->length + 1);
  if (!x->small) return mm_fail(&x->failure.core, MM_ENOMEM, "out of memory");
  size_t got;
  rc = x->core->body_read(x->reader, 0, x->small, (size_t)x->length, &got, &x->failure.core);
  if (rc != MM_OK) return rc;
  struct setup s = {.easy = x->easy, .result = CURLE_OK};
  set_offset(&s, CURLOPT_POSTFIELDSIZE_LARGE, x->length);
  keep(&s, curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, x->small));
  x->offset = x->length;
  if (s.result != CURLE_OK) return mm_fail(&x->failure.core, MM_ENOMEM, "out of memory");
  return MM_OK;
}

/* A handle costs as much to make as a fifth of a small request. */
bool mm_easy_keep(struct mm_exchange *x) {
  struct mm_engine *e = x->engine;
  bool well = x->ended && !x->failure.kind && x->length <= LARGE_BODY;
  if (!well || e->spare_n == MM_SPARE_MAX) return false;
  curl_easy_reset(x->easy);
  e->spare[e->spare_n++] = x->easy;
  return true;
}

void mm_easy_free_spare(struct mm_engine *e) {
  while (e->spare_n)
    curl_easy_cleanup(e->spare[--e->spare_n]);
}

static CURL *take_handle(struct mm_engine *e) {
  return e->spare_n ? e->spare[--e->spare_n] : curl_easy_init();
}

int mm_easy_setup(struct mm_exchange *x, const struct mm_request *r, const char *proxy) {
  x->easy = take_handle(x->engine);
  if (!x->easy) return MM_ENOMEM;
  struct setup s = {.easy = x->easy, .result = CURLE_OK};
  set_always(&s, x->engine);
  set_text(&s, CURLOPT_URL, r->url);
  set_method(&s, x, r->method);
  if (x->tls) set_tls(&s, r);
  set_proxy(&s, r, proxy);
  set_connect_clock(&s, r->connect_timeout);
  mm_transfer_hook(x);
  int rc = set_version(&s, x, r);
  if (rc == MM_OK) rc = silence_defaults(x);
  if (rc == MM_OK) keep(&s, curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers));
  return rc == MM_OK ? status_of(s.result) : rc;
}

/* fail.c - what went wrong, in kind, code and one sentence.
 * In: libcurl's result and what our callbacks noted. Out: struct mm_failure.
 * Not here: whether to try again.                          SPDX-License-Identifier: MIT
 *
 * Sentences name the host and what to do. They hold no path, query or header; libcurl's own words
 * are used for TLS alone, where they speak of certificates. */
#include "engine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct cause {
  CURLcode result;
  const char *kind;
  const char *code;
  const char *text; /* %s is the host */
};

static const struct cause causes[] = {
    {CURLE_URL_MALFORMAT, "protocol", "url", "the URL is malformed%.0s"},
    {CURLE_UNSUPPORTED_PROTOCOL, "protocol", "scheme", "only http and https URLs are spoken%.0s"},
    {CURLE_COULDNT_RESOLVE_HOST, "network", "resolve",
     "could not resolve \"%s\": check the name and the network"},
    {CURLE_WEIRD_SERVER_REPLY, "protocol", "http", "%s did not answer in HTTP"},
    {CURLE_GOT_NOTHING, "network", "closed", "%s closed the connection without an answer"},
    {CURLE_SEND_ERROR, "network", "reset", "%s closed the connection while the request was sent"},
    {CURLE_RECV_ERROR, "network", "reset", "%s broke off the connection before its answer"},
    {CURLE_PARTIAL_FILE, "network", "cut", "%s closed the connection before the end of its answer"},
    {CURLE_HTTP2, "protocol", "http2", "%s broke the rules of HTTP/2"},
    {CURLE_HTTP2_STREAM, "network", "http2", "%s ended the HTTP/2 stream early"},
    {CURLE_SSL_INVALIDCERTSTATUS, "tls", "verify", "the certificate of %s has an invalid status"},
    {CURLE_SSL_ISSUER_ERROR, "tls", "verify", "the certificate of %s has another issuer"},
    {CURLE_SSL_SHUTDOWN_FAILED, "tls", "shutdown", "TLS with %s did not end well"},
    {CURLE_SSL_ENGINE_NOTFOUND, "tls", "setup", "TLS could not be set up for %s"},
    {CURLE_SSL_ENGINE_SETFAILED, "tls", "setup", "TLS could not be set up for %s"},
    {CURLE_SSL_ENGINE_INITFAILED, "tls", "setup", "TLS could not be set up for %s"},
    {CURLE_BAD_CONTENT_ENCODING, "protocol", "http", "%s sent a content encoding nobody asked for"},
    {CURLE_TOO_MANY_REDIRECTS, "protocol", "http", "%s redirects without end"},
};

/* "host" or "host:port" of the URL; userinfo, path and query are not in it. */
static void host_of(const struct mm_exchange *x, char *out, size_t size) {
  char *host = NULL, *port = NULL;
  snprintf(out, size, "the server");
  CURLU *parts = curl_url();
  if (!parts) return;
  if (curl_url_set(parts, CURLUPART_URL, x->url, 0) == CURLUE_OK &&
      curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
    curl_url_get(parts, CURLUPART_PORT, &port, 0);
    snprintf(out, size, "%.120s%s%.8s", host, port ? ":" : "", port ? port : "");
  }
  curl_free(port);
  curl_free(host);
  curl_url_cleanup(parts);
}

static bool was_sent(const struct mm_exchange *x) {
  long bytes = 0;
  curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &bytes);
  return bytes > 0 && mm_exchange_info(x, CURLINFO_PRETRANSFER_TIME_T) > 0;
}

static void say(struct mm_exchange *x, const char *kind, const char *code) {
  x->failure.kind = kind;
  x->failure.code = code;
  x->failure.core.code = MM_OK;
}

void mm_fail_say(struct mm_exchange *x, const char *kind, const char *code, const char *fmt, ...) {
  va_list args;
  say(x, kind, code);
  va_start(args, fmt);
  vsnprintf(x->failure.message, sizeof x->failure.message, fmt, args);
  va_end(args);
}

static const struct cause *find(CURLcode result) {
  for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++)
    if (causes[i].result == result) return &causes[i];
  return NULL;
}

static void say_connect(struct mm_exchange *x, const char *host) {
  long os = 0;
  char *text = x->failure.message;
  size_t size = sizeof x->failure.message;
  curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os);
  if (os == ECONNREFUSED) {
    say(x, "network", "refused");
    snprintf(text, size, "connection refused by %s: is it running?", host);
  } else if (os == ENETUNREACH || os == EHOSTUNREACH) {
    say(x, "network", "unreachable");
    snprintf(text, size, "%s cannot be reached: check the network", host);
  } else {
    say(x, "network", "connect");
    snprintf(text, size, "could not connect to %s%s%s", host, os ? ": " : "",
             os ? strerror((int)os) : "");
  }
}

/* libcurl's words for TLS errors speak of certificates and alerts, never of the request. */
static void add_detail(struct mm_exchange *x) {
  if (!x->detail || !x->detail[0] || strcmp(x->failure.kind, "tls") != 0) return;
  size_t used = strlen(x->failure.message);
  snprintf(x->failure.message + used, sizeof x->failure.message - used, " (%s)", x->detail);
}

/* Many a TLS server hangs up on plain HTTP; a kept connection spoke it before. */
static void add_https(struct mm_exchange *x) {
  long made = 0;
  curl_easy_getinfo(x->easy, CURLINFO_NUM_CONNECTS, &made);
  if (x->tls || made == 0) return;
  size_t used = strlen(x->failure.message);
  snprintf(x->failure.message + used, sizeof x->failure.message - used,
           "; if it speaks TLS, write https://");
}

static void say_cause(struct mm_exchange *x, CURLcode result, const char *host) {
  const struct cause *cause = find(result);
  char *text = x->failure.message;
  size_t size = sizeof x->failure.message;
  if (x->head.complete && (result == CURLE_RECV_ERROR || result == CURLE_SEND_ERROR ||
                           result == CURLE_HTTP2 || result == CURLE_HTTP2_STREAM))
    cause = find(CURLE_PARTIAL_FILE);
  if (result == CURLE_UNSUPPORTED_PROTOCOL && x->failure.sent) /* HTTP/0.9, or no HTTP at all */
    cause = find(CURLE_WEIRD_SERVER_REPLY);
  if (cause) {
    say(x, cause->kind, cause->code);
    snprintf(text, size, cause->text, host);
    add_detail(x);
    if (result == CURLE_GOT_NOTHING) add_https(x);
    return;
  }
  say(x, "network", "other");
  snprintf(text, size, "the exchange with %s failed: %s", host, curl_easy_strerror(result));
}

static void say_memory(struct mm_exchange *x) {
  say(x, "network", "memory");
  mm_fail(&x->failure.core, MM_ENOMEM, "out of memory");
}

/* True when one of our own callbacks knows better than libcurl. */
static bool say_fault(struct mm_exchange *x, const char *host) {
  switch (x->fault) {
    case MM_FAULT_CORE:
      if (!x->failure.kind) x->failure.kind = "file";
      return true;
    case MM_FAULT_DECODER: return true;
    case MM_FAULT_MEMORY: say_memory(x); return true;
    case MM_FAULT_PROXY_URL: mm_fail_proxy_url(x); return true;
    case MM_FAULT_PROXY_AUTH: mm_fail_proxy_auth(x); return true;
    case MM_FAULT_SOCKET:
      say(x, "network", "socket");
      snprintf(x->failure.message, sizeof x->failure.message,
               "the connection to %s cannot be watched", host);
      return true;
    case MM_FAULT_RESEND:
      say(x, "network", "closed");
      snprintf(x->failure.message, sizeof x->failure.message,
               "%s closed a kept connection without an answer", host);
      return true;
    default: return false;
  }
}

void mm_fail_result(struct mm_exchange *x, CURLcode result) {
  char host[140];
  host_of(x, host, sizeof host);
  x->failure.sent = was_sent(x);
  if (say_fault(x, host)) return;
  if (result == CURLE_OUT_OF_MEMORY)
    say_memory(x);
  else if (mm_fail_proxy(x, result, host) || mm_fail_tls(x, result, host))
    return;
  else if (result == CURLE_OPERATION_TIMEDOUT)
    mm_fail_clock(x, "connect");
  else if (result == CURLE_COULDNT_CONNECT)
    say_connect(x, host);
  else
    say_cause(x, result, host);
}

void mm_fail_clock(struct mm_exchange *x, const char *code) {
  static const struct {
    const char *code;
    const char *text;
  } clocks[] = {
      {"connect", "no connection to %s within connect_timeout"},
      {"first_byte", "%s sent nothing of an answer within first_byte_timeout"},
      {"idle", "nothing moved between here and %s for idle_timeout"},
      {"total", "the exchange with %s took longer than timeout"},
  };
  char host[140];
  host_of(x, host, sizeof host);
  x->failure.sent = x->state == MM_RUNNING && was_sent(x);
  for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
    if (strcmp(clocks[i].code, code) != 0) continue;
    say(x, "timeout", clocks[i].code);
    snprintf(x->failure.message, sizeof x->failure.message, clocks[i].text, host);
  }
}

void mm_fail_cancelled(struct mm_exchange *x, const char *why) {
  x->failure.sent = x->state == MM_RUNNING && was_sent(x);
  say(x, "cancelled", "cancelled");
  snprintf(x->failure.message, sizeof x->failure.message, "%s", why);
}

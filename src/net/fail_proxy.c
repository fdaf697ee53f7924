/* fail_proxy.c - what went wrong between here and a proxy, or between a proxy and the server.
 * In: libcurl's result, a proxy's status. Out: kind, code and a sentence that names the proxy.
 * Not here: which proxy it is (proxy.c).                   SPDX-License-Identifier: MIT */
#include "engine.h"

#include <errno.h>

static const char check[] = "check the option proxy and the variables http_proxy and https_proxy";

static void say_auth(struct mm_exchange *x) {
  mm_fail_say(x, "auth", "proxy",
              x->proxy_user ? "the proxy %s does not accept the user and the password in its URL: "
                              "check the option proxy and the variables http_proxy and https_proxy"
                            : "the proxy %s wants a user and a password: write proxy = "
                              "\"http://user:password@host:port\"",
              x->proxy);
}

static void say_status(struct mm_exchange *x, const char *host, long status) {
  const char *what = status == 502 || status == 503 || status == 504
                         ? "could not reach %s: it answered %ld"
                         : "lets nobody through to %s: it answered %ld";
  char text[200];
  snprintf(text, sizeof text, what, host, status);
  mm_fail_say(x, "network", "proxy", "the proxy %s %s", x->proxy, text);
}

static const char *why_no_connection(long os) {
  if (os == ECONNREFUSED) return "refused the connection";
  return "cannot be reached";
}

/* libcurl names no stage; nothing of the request itself had gone out. */
static bool broke_off(const struct mm_exchange *x, CURLcode result) {
  return !x->failure.sent && (result == CURLE_RECV_ERROR || result == CURLE_SEND_ERROR ||
                              result == CURLE_GOT_NOTHING || result == CURLE_WEIRD_SERVER_REPLY);
}

void mm_fail_proxy_auth(struct mm_exchange *x) {
  x->failure.sent = false; /* the proxy kept it */
  say_auth(x);
}

void mm_fail_proxy_url(struct mm_exchange *x) {
  mm_fail_say(x, "protocol", "proxy",
              "the option proxy, or the variable in its place, is no URL of a proxy: write "
              "\"http://host:port\", a user and a password with %% for special characters");
}

bool mm_fail_proxy(struct mm_exchange *x, CURLcode result, const char *host) {
  long status = 0, os = 0;
  if (!x->proxy) return false;
  curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &status);
  curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os);
  if (status == 407)
    say_auth(x);
  else if (status >= 300)
    say_status(x, host, status);
  else if (result == CURLE_COULDNT_RESOLVE_PROXY)
    mm_fail_say(x, "network", "proxy", "could not resolve the proxy %s: %s", x->proxy, check);
  else if (result == CURLE_COULDNT_CONNECT)
    mm_fail_say(x, "network", "proxy", "the proxy %s %s: %s", x->proxy, why_no_connection(os),
                check);
  else if (result == CURLE_OPERATION_TIMEDOUT)
    mm_fail_say(x, "timeout", "connect",
                "no connection to %s by way of the proxy %s within connect_timeout", host,
                x->proxy);
#if LIBCURL_VERSION_NUM >= 0x074900
  else if (result == CURLE_PROXY)
    mm_fail_say(x, "network", "proxy", "the proxy %s refused the way to %s", x->proxy, host);
#endif
  else if (status == 0 && broke_off(x, result))
    mm_fail_say(x, "network", "proxy", "the proxy %s broke off instead of opening the way to %s",
                x->proxy, host);
  else
    return false;
  return true;
}

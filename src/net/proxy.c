/* proxy.c - which proxy a request takes, and what to call it.
 * In: the options proxy and no_proxy, and the environment as curl reads it. Out: the proxy's URL
 * for libcurl; its host and port, without user and password, for messages. Not here: what a proxy's
 * failure means (fail_proxy.c).   SPDX-License-Identifier: MIT
 *
 * libcurl would find all this itself, but does not tell which way it went. */
#include "engine.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 128 };

static const char *of_environment(const char *a, const char *b) {
  const char *value = getenv(a);
  if ((!value || !value[0]) && b) value = getenv(b);
  return value && value[0] ? value : NULL;
}

/* HTTP_PROXY is left out: to a CGI script it is a header of the request. */
static const char *proxy_of_environment(bool tls) {
  const char *value =
      tls ? of_environment("https_proxy", "HTTPS_PROXY") : of_environment("http_proxy", NULL);
  return value ? value : of_environment("all_proxy", "ALL_PROXY");
}

static bool same_letters(const char *a, const char *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (tolower((unsigned char)a[i]) != tolower((unsigned char)b[i])) return false;
  return true;
}

/* An entry is a name, whose subdomains are meant too. */
static bool is_within(const char *host, const char *entry, size_t n) {
  size_t host_n = strlen(host);
  if (host_n && host[host_n - 1] == '.') host_n--;
  if (n && entry[n - 1] == '.') n--;
  if (n && entry[0] == '.') entry++, n--;
  if (!n || n > host_n || !same_letters(host + host_n - n, entry, n)) return false;
  return n == host_n || host[host_n - n - 1] == '.';
}

/* The address in binary; its length in bytes, 0 where it is none. */
static size_t read_address(const char *text, unsigned char out[16]) {
  if (uv_inet_pton(AF_INET, text, out) == 0) return 4;
  return uv_inet_pton(AF_INET6, text, out) == 0 ? 16 : 0;
}

static bool same_bits(const unsigned char *a, const unsigned char *b, size_t bits) {
  size_t whole = bits / 8, rest = bits % 8;
  if (memcmp(a, b, whole) != 0) return false;
  return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

/* An entry is an address, or a net such as 10.0.0.0/8. */
static bool is_in_net(const char *host, const char *entry, size_t n) {
  unsigned char address[16], net[16];
  char text[64];
  size_t length = read_address(host, address), bits = length * 8;
  if (n > 1 && entry[0] == '[' && entry[n - 1] == ']') entry++, n -= 2;
  if (!length || n >= sizeof text) return false;
  memcpy(text, entry, n);
  text[n] = '\0';
  char *slash = strchr(text, '/');
  if (slash) {
    *slash = '\0';
    bits = strtoul(slash + 1, NULL, 10);
  }
  if (bits > length * 8 || (slash && !bits)) return false;
  return read_address(text, net) == length && same_bits(address, net, bits);
}

static bool is_excepted(const char *host, const char *list) {
  static const char between[] = ", \t";
  unsigned char address[16];
  bool numeric = read_address(host, address) > 0;
  while (list && *list) {
    list += strspn(list, between);
    size_t n = strcspn(list, between);
    if (n == 1 && *list == '*') return true;
    if (n && (numeric ? is_in_net(host, list, n) : is_within(host, list, n))) return true;
    list += n;
  }
  return false;
}

/* The host of a URL in out, an IPv6 address without its brackets. */
static bool read_host(const char *url, unsigned flags, char *out, size_t size, char *port,
                      size_t port_size) {
  char *host = NULL, *number = NULL;
  CURLU *parts = curl_url();
  bool ok = parts && curl_url_set(parts, CURLUPART_URL, url, flags) == CURLUE_OK &&
            curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK && host[0];
  if (ok) {
    size_t n = strlen(host);
    bool bracketed = host[0] == '[' && host[n - 1] == ']';
    snprintf(out, size, "%.*s", (int)(bracketed ? n - 2 : n), bracketed ? host + 1 : host);
    curl_url_get(parts, CURLUPART_PORT, &number, 0);
    if (port) snprintf(port, port_size, "%s", number ? number : "1080");
  }
  curl_free(number);
  curl_free(host);
  curl_url_cleanup(parts);
  return ok;
}

/* A password with a bare "/", "?" or "#" in it ends the host before the "@": what libcurl would
 * take for the host is then a piece of it. */
static bool is_torn(const char *url) {
  const char *at = strrchr(url, '@'), *scheme = strstr(url, "://");
  const char *authority = scheme ? scheme + 3 : url;
  return at && authority + strcspn(authority, "/?#") < at;
}

/* "host:port" of a proxy; NULL and a fault where its URL is none. */
static int name_proxy(struct mm_exchange *x, const char *url) {
  char host[NAME_MAX_BYTES], port[8];
  unsigned flags = CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME;
  if (is_torn(url) || !read_host(url, flags, host, sizeof host, port, sizeof port)) {
    x->fault = MM_FAULT_PROXY_URL;
    return MM_OK;
  }
  size_t size = strlen(host) + sizeof port + 4;
  x->proxy = x->core->alloc(NULL, size);
  if (!x->proxy) return MM_ENOMEM;
  bool v6 = strchr(host, ':') != NULL;
  snprintf(x->proxy, size, "%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
  x->proxy_user = strchr(url, '@') != NULL;
  return MM_OK;
}

int mm_proxy_choose(struct mm_exchange *x, const struct mm_request *r, const char **url) {
  char host[256];
  *url = r->proxy ? r->proxy : proxy_of_environment(x->tls);
  if (!*url || !(*url)[0]) {
    *url = "";
    return MM_OK;
  }
  const char *except = r->no_proxy ? r->no_proxy : of_environment("no_proxy", "NO_PROXY");
  if (except && read_host(r->url, 0, host, sizeof host, NULL, 0) && is_excepted(host, except)) {
    *url = "";
    return MM_OK;
  }
  return name_proxy(x, *url);
}

/* fail_tls.c - which of the many faults of TLS it was, and what to do.
 * In: libcurl's result and its words, which are those of the TLS library. Out: a code and a
 * sentence. Not here: files that cannot be read (files.c).           SPDX-License-Identifier: MIT
 *
 * Certificates are told apart by words, since libcurl has one number for all of them and the number
 * of the TLS library differs from one to the other. The words of OpenSSL have been stable
 * since 1.0; an unknown one leaves the general code, with the words beside it. */
#include "engine.h"

#include <ctype.h>
#include <string.h>

struct fault {
  const char *words; /* in lower case, in what libcurl says */
  const char *code;
  const char *text; /* %s is who */
};

/* The server's certificate, as judged here. The first that fits. */
static const struct fault of_server[] = {
    {"has expired", "expired",
     "the certificate of %s has expired: its owner must renew it, unless the clock of this machine "
     "is wrong"},
    {"expiration date has passed", "expired",
     "the certificate of %s has expired: its owner must renew it, unless the clock of this machine "
     "is wrong"},
    {"not yet valid", "not_yet_valid",
     "the certificate of %s is not valid yet: check the clock of this machine"},
    {"not activated yet", "not_yet_valid",
     "the certificate of %s is not valid yet: check the clock of this machine"},
    {"does not match", "wrong_host",
     "the certificate of %s is made out to another name: use that name in the URL"},
    {"no alternative certificate subject name", "wrong_host",
     "the certificate of %s is made out to another name: use that name in the URL"},
    {"certificate chain", "unknown_ca",
     "the certificate of %s is from an issuer unknown here: if you trust that issuer, name its "
     "certificate with ca_file"},
    {"self-signed", "self_signed",
     "the certificate of %s is signed by itself: if you trust it, name it with ca_file; insecure = "
     "true is for tests"},
    {"self signed", "self_signed",
     "the certificate of %s is signed by itself: if you trust it, name it with ca_file; insecure = "
     "true is for tests"},
    {"issuer certificate", "unknown_ca",
     "the certificate of %s is from an issuer unknown here: if you trust that issuer, name its "
     "certificate with ca_file"},
    {"revoked", "revoked", "the certificate of %s was revoked: do not trust it"},
};

/* What the other side sends when it gives up. */
static const struct fault of_alert[] = {
    {"alert certificate required", "client_cert", NULL},
    {"alert bad certificate", "client_cert", NULL},
    {"alert unsupported certificate", "client_cert", NULL},
    {"alert certificate revoked", "client_cert", NULL},
    {"alert certificate expired", "client_cert", NULL},
    {"alert certificate unknown", "client_cert", NULL},
    {"alert unknown ca", "client_cert", NULL},
    {"alert access denied", "client_cert", NULL},
    {"alert decrypt error", "client_cert", NULL},
};

/* A handshake that led nowhere, and never will. */
static const struct fault of_handshake[] = {
    {"unrecognized name", "wrong_host",
     "%s has no certificate for this name: check the host of the URL"},
    {"protocol version", "version",
     "%s speaks no TLS newer than 1.1, which is not safe: its owner must update it"},
    {"unsupported protocol", "version",
     "%s speaks no TLS newer than 1.1, which is not safe: its owner must update it"},
    {"version too low", "version",
     "%s speaks no TLS newer than 1.1, which is not safe: its owner must update it"},
    {"wrong version number", "no_tls",
     "%s answered, but not in TLS: if it speaks plain HTTP, write http://"},
    {"unknown protocol", "no_tls",
     "%s answered, but not in TLS: if it speaks plain HTTP, write http://"},
    {"packet length too long", "no_tls",
     "%s answered, but not in TLS: if it speaks plain HTTP, write http://"},
    {"unexpected tls packet", "no_tls",
     "%s answered, but not in TLS: if it speaks plain HTTP, write http://"},
};

/* Whether `words`, in lower case, stand in `text`. */
static bool says(const char *text, const char *words) {
  size_t n = strlen(words);
  for (; *text; text++) {
    size_t i = 0;
    while (i < n && tolower((unsigned char)text[i]) == words[i])
      i++;
    if (i == n) return true;
  }
  return false;
}

static const struct fault *find(const struct fault *faults, size_t n, const char *text) {
  for (size_t i = 0; i < n; i++)
    if (says(text, faults[i].words)) return &faults[i];
  return NULL;
}

#define FIND(faults, text) find(faults, sizeof faults / sizeof faults[0], text)

static bool say_fault(struct mm_exchange *x, const struct fault *fault, const char *who) {
  if (!fault) return false;
  mm_fail_say(x, "tls", fault->code, fault->text, who);
  return true;
}

static void say_server(struct mm_exchange *x, const char *words, const char *who) {
  if (say_fault(x, FIND(of_server, words), who)) return;
  mm_fail_say(x, "tls", "verify",
              "the certificate of %s was not accepted; if you trust it, name its issuer with "
              "ca_file (%.100s)",
              who, words);
}

/* The server turned away the certificate, or the lack of one; so it acted on no request. */
static bool say_alert(struct mm_exchange *x, const char *words, const char *who) {
  const struct fault *fault = FIND(of_alert, words);
  if (!fault) return false;
  x->failure.sent = false;
  if (x->client_cert)
    mm_fail_say(x, "tls", fault->code, "%s does not accept client_cert (%s)", who, fault->words);
  else
    mm_fail_say(x, "tls", fault->code,
                "%s wants a client certificate: name a PEM file with the certificate and its key "
                "with client_cert",
                who);
  return true;
}

static void say_handshake(struct mm_exchange *x, const char *words, const char *who) {
  if (say_alert(x, words, who) || say_fault(x, FIND(of_handshake, words), who)) return;
  if (says(words, "alert handshake failure"))
    mm_fail_say(x, "tls", "refused", "%s refused TLS: %s, or shares no cipher with this machine",
                who,
                x->client_cert ? "it does not accept client_cert"
                               : "it wants a client certificate, which client_cert names");
  else
    mm_fail_say(x, "tls", "handshake", "TLS with %s failed (%.140s)", who, words);
}

bool mm_fail_tls(struct mm_exchange *x, CURLcode result, const char *host) {
  long status = 0;
  char who[160];
  const char *words = x->detail && x->detail[0] ? x->detail : curl_easy_strerror(result);
  if (!x->detail) return false;
  /* A proxy that has not opened the way yet is the one that was talked to. */
  if (x->proxy) curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &status);
  bool to_proxy = x->proxy && (!x->tls || status == 0);
  snprintf(who, sizeof who, "%s%s", to_proxy ? "the proxy " : "", to_proxy ? x->proxy : host);
  switch (result) {
    case CURLE_PEER_FAILED_VERIFICATION: say_server(x, words, who); return true;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER: say_handshake(x, words, who); return true;
    case CURLE_SSL_CERTPROBLEM: mm_fail_client_cert(x); return true;
    case CURLE_SSL_CACERT_BADFILE: mm_fail_ca_file(x); return true;
    case CURLE_RECV_ERROR: /* TLS 1.3: the handshake is over here before it is there */
    case CURLE_SEND_ERROR: return !x->head.complete && say_alert(x, words, who);
    default: return false;
  }
}

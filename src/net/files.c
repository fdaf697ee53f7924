/* files.c - the files that TLS needs: are they there, and is in them what must be?
 * In: paths of a request. Out: an error that names the file.
 * Not here: certificates of servers.                       SPDX-License-Identifier: MIT
 *
 * libcurl overlooks a missing folder, and says of a file only that it cannot be used. */
#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
  SHOWN = 100,      /* bytes of a path in a message: its end */
  LOOKED_AT = 65536 /* bytes of a file */
};

static const char *shown(const char *path) {
  size_t n = strlen(path);
  return n > SHOWN ? path + n - SHOWN : path;
}

static int refuse(struct mm_exchange *x, const char *option, const char *path, int os) {
  return mm_fail_os(&x->failure.core, os, "cannot read %s \"%s\"", option, shown(path));
}

/* A folder can be opened, and not read. */
static int check_file(struct mm_exchange *x, const char *option, const char *path) {
  if (!path) return MM_OK;
  errno = 0;
  FILE *file = fopen(path, "rb");
  if (!file) return refuse(x, option, path, errno);
  int os = fgetc(file) == EOF && ferror(file) ? errno : 0;
  fclose(file);
  return os ? refuse(x, option, path, os) : MM_OK;
}

static int check_folder(struct mm_exchange *x, const char *option, const char *path) {
  if (!path) return MM_OK;
  uv_fs_t stat;
  int rc = uv_fs_stat(NULL, &stat, path, NULL);
  bool folder = rc == 0 && (stat.statbuf.st_mode & 0170000) == 0040000;
  uv_fs_req_cleanup(&stat);
  if (rc < 0) return refuse(x, option, path, -rc);
  return folder ? MM_OK : refuse(x, option, path, ENOTDIR);
}

static int copy(const struct mm_exchange *x, const char *text, char **out) {
  if (!text) return MM_OK;
  size_t n = strlen(text) + 1;
  *out = x->core->alloc(NULL, n);
  if (!*out) return MM_ENOMEM;
  memcpy(*out, text, n);
  return MM_OK;
}

int mm_files_keep(struct mm_exchange *x, const struct mm_request *r) {
  if (!x->tls) return MM_OK;
  int rc = copy(x, r->ca_file, &x->ca_file);
  if (rc == MM_OK) rc = copy(x, r->ca_path, &x->ca_path);
  if (rc == MM_OK) rc = copy(x, r->client_cert, &x->client_cert);
  return rc;
}

void mm_files_drop(struct mm_exchange *x) {
  x->core->alloc(x->ca_file, 0);
  x->core->alloc(x->ca_path, 0);
  x->core->alloc(x->client_cert, 0);
}

int mm_files_check(struct mm_exchange *x) {
  int rc = check_file(x, "ca_file", x->ca_file);
  if (rc == MM_OK) rc = check_folder(x, "ca_path", x->ca_path);
#ifndef _WIN32 /* there it may be a name in the system's store */
  if (rc == MM_OK) rc = check_file(x, "client_cert", x->client_cert);
#endif
  return rc;
}

/* The beginning of a file, as text. */
static void read_text(struct mm_exchange *x, const char *path, char **out) {
  *out = x->core->alloc(NULL, LOOKED_AT + 1);
  if (!*out) return;
  FILE *file = fopen(path, "rb");
  size_t n = file ? fread(*out, 1, LOOKED_AT, file) : 0;
  if (file) fclose(file);
  (*out)[n] = '\0';
}

static const char *fault_of_cert(const char *text) {
  if (!strstr(text, "-----BEGIN CERTIFICATE-----"))
    return "has no certificate in it: it must be a PEM file with the certificate and its key";
  if (!strstr(text, "PRIVATE KEY-----"))
    return "has no private key in it: append the key in PEM form to it";
  if (strstr(text, "ENCRYPTED"))
    return "has a key under a pass phrase: write it without one, with openssl pkey";
  return "has a certificate and a key that do not belong together, or are damaged";
}

void mm_fail_client_cert(struct mm_exchange *x) {
  char *text = NULL;
  if (x->client_cert) read_text(x, x->client_cert, &text);
  mm_fail_say(x, "tls", "client_cert", "client_cert \"%s\" %s",
              x->client_cert ? shown(x->client_cert) : "",
              text ? fault_of_cert(text) : "cannot be used");
  x->core->alloc(text, 0);
}

void mm_fail_ca_file(struct mm_exchange *x) {
  if (x->ca_file)
    mm_fail_say(x, "tls", "ca_file", "ca_file \"%s\" has no certificate in PEM form in it",
                shown(x->ca_file));
  else
    mm_fail_say(x, "tls", "ca_file",
                "the system's certificates cannot be read: name a PEM file with ca_file");
}

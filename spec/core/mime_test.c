/* mime_test.c - media types by signature, by name, by both.   SPDX-License-Identifier: MIT */
#include "../../src/core/mime.h"
#include "check.h"

static bool same(const char *a, const char *b) {
  return a && b ? strcmp(a, b) == 0 : a == b;
}

#define SNIFF(type, bytes) sniffs(type, bytes, sizeof bytes - 1)

static void sniffs(const char *type, const char *bytes, size_t n) {
  struct guard in = guard_copy(bytes, n);
  const char *got = mm_mime_sniff(in.bytes, n);
  if (!same(got, type)) fprintf(stderr, "%s for %s\n", got ? got : "NULL", type ? type : "NULL");
  CHECK(same(got, type));
  for (size_t cut = 0; cut < n; cut++)
    mm_mime_sniff(in.bytes + cut, n - cut);
  guard_free(in);
  char more[200] = {0};
  memcpy(more, bytes, n);
  CHECK(same(mm_mime_sniff(more, n < MM_MIME_SNIFF ? MM_MIME_SNIFF : n), type));
}

static void pictures(void) {
  SNIFF("image/png", "\x89PNG\r\n\x1a\n");
  SNIFF("image/jpeg", "\xff\xd8\xff\xe0");
  SNIFF("image/gif", "GIF89a");
  SNIFF("image/webp", "RIFF\x24\0\0\0WEBPVP8 ");
  SNIFF("image/bmp", "BM\x36\0\0\0\0\0\0\0");
  SNIFF("image/bmp", "BM");
  SNIFF("image/tiff", "II*\0");
  SNIFF("image/tiff", "MM\0*");
  SNIFF("image/heic", "\0\0\0\x18"
                      "ftypheic\0\0\0\0mif1heic");
  SNIFF("image/heic", "\0\0\0\x18"
                      "ftypmif1\0\0\0\0mif1heic");
  SNIFF("image/avif", "\0\0\0\x1c"
                      "ftypavif\0\0\0\0avifmif1miaf");
  SNIFF("image/avif", "\0\0\0\x1c"
                      "ftypmif1\0\0\0\0mif1avifmiaf");
  SNIFF("image/heic", "\0\0\0\x14"
                      "ftypmif1\0\0\0\0mif1avif");
  SNIFF("image/svg+xml", "<svg xmlns=");
  SNIFF("image/svg+xml", "\xef\xbb\xbf \n<svg>");
  SNIFF("image/svg+xml", "<?xml version=\"1.0\"?><svg>");
}

static void sounds(void) {
  SNIFF("audio/wav", "RIFF\x24\0\0\0WAVEfmt ");
  SNIFF("audio/mpeg", "ID3\x03\0\0\0\0\0\0");
  SNIFF("audio/mpeg", "\xff\xfb\x90\x64");
  SNIFF("audio/mpeg", "\xff\xf3\x40\xc0");
  SNIFF("audio/mpeg", "\xff\xe3\x18\xc4");
  SNIFF("audio/aac", "\xff\xf1\x50\x80");
  SNIFF("audio/aac", "\xff\xf9\x4c\x80");
  SNIFF("audio/ogg", "OggS\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x13OpusHead");
  SNIFF("audio/flac", "fLaC\0\0\0\x22");
  SNIFF("audio/m4a", "\0\0\0\x1c"
                     "ftypM4A \0\0\2\0");
  SNIFF("audio/aiff", "FORM\0\0\1\0AIFF");
  SNIFF("audio/aiff", "FORM\0\0\1\0AIFC");
}

static void films(void) {
  SNIFF("video/mp4", "\0\0\0\x20"
                     "ftypisom\0\0\2\0isomiso2avc1mp41");
  SNIFF("video/mp4", "\0\0\0\x18"
                     "ftypmp42");
  SNIFF("video/quicktime", "\0\0\0\x14"
                           "ftypqt  \0\0\2\0qt  ");
  SNIFF("video/3gpp", "\0\0\0\x18"
                      "ftyp3gp4");
  SNIFF("video/webm", "\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\x82\x84webm");
  SNIFF("video/webm", "\x1a\x45\xdf\xa3");
  SNIFF("video/x-matroska", "\x1a\x45\xdf\xa3\xa3\x42\x86\x81\1\x42\x82\x88matroska");
  SNIFF("video/x-msvideo", "RIFF\x24\0\0\0AVI LIST");
  SNIFF("video/mpeg", "\0\0\1\xba\x44");
  SNIFF("video/mpeg", "\0\0\1\xb3\x14");
  SNIFF("video/ogg", "OggS\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x2a\x80theora");
  SNIFF("video/x-flv", "FLV\1\5");
  SNIFF("video/x-ms-wmv", "\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9");
}

#define ENTRY(name) "PK\3\4\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x08\0\0\0" name

static void documents(void) {
  SNIFF("application/pdf", "%PDF-1.7");
  SNIFF("text/rtf", "{\\rtf1");
  SNIFF("application/zip", "PK\3\4");
  SNIFF("application/zip", ENTRY("a.txt"));
  SNIFF("application/epub+zip", ENTRY("mimetypeapplication/epub+zip"));
  SNIFF("application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ENTRY("word/document.xml"));
  SNIFF(NULL, ENTRY("[Content_Types].xml"));
  SNIFF(NULL, ENTRY("mimetypeapplication/vnd.oasis.opend"));
  SNIFF("application/gzip", "\x1f\x8b\x08\0");
}

static void nothing_known(void) {
  SNIFF(NULL, "");
  SNIFF(NULL, "hello");
  SNIFF(NULL, "\xff\xfe"
              "h\0i\0");
  SNIFF(NULL, "\xff\xff\xff\xff");
  SNIFF(NULL, "\xff\xfb\xf0");
  SNIFF(NULL, "\xff\xeb\x90");
  SNIFF(NULL, "BMW and others");
  SNIFF(NULL, "RIFF\x24\0\0\0RMID");
  SNIFF(NULL, "<?xml version=\"1.0\"?><rss>");
  SNIFF(NULL, "\0\0\0\x18"
              "moov");
  CHECK(mm_mime_sniff(NULL, 0) == NULL);
}

static void names(void) {
  static const char *const cases[][2] = {
      {"cat.jpg", "image/jpeg"},
      {"CAT.JPEG", "image/jpeg"},
      {"/a/b.c/x.png", "image/png"},
      {"a.mp3", "audio/mpeg"},
      {"a.wav", "audio/wav"},
      {"a.m4a", "audio/m4a"},
      {"a.Mp4", "video/mp4"},
      {"a.mov", "video/quicktime"},
      {"a.mkv", "video/x-matroska"},
      {"a.pdf", "application/pdf"},
      {"a.txt", "text/plain"},
      {"a.md", "text/markdown"},
      {"a.csv", "text/csv"},
      {"a.html", "text/html"},
      {"a.css", "text/css"},
      {"a.js", "text/javascript"},
      {"a.json", "application/json"},
      {"a.xml", "text/xml"},
      {"a.py", "text/x-python"},
      {"a.rtf", "text/rtf"},
      {"a.tar.gz", "application/gzip"},
      {"C:\\x.y\\a.flac", "audio/flac"},
      {"a.svg", "image/svg+xml"},
      {"..png", "image/png"},
      {"a", NULL},
      {"", NULL},
      {".png", NULL},
      {"a.", NULL},
      {"a.pngx", NULL},
      {"a.pn", NULL},
      {"dir.png/a", NULL},
      {"png", NULL},
      {"a.png.unknown", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    CHECK(same(mm_mime_from_path(cases[i][0]), cases[i][1]));
}

static void both(void) {
  CHECK(same(mm_mime_of_file("a.png", "\xff\xd8\xff", 3), "image/jpeg"));
  CHECK(same(mm_mime_of_file("a.m4a",
                             "\0\0\0\x18"
                             "ftypisom",
                             12),
             "audio/m4a"));
  CHECK(same(mm_mime_of_file("a.mov",
                             "\0\0\0\x18"
                             "ftypisom",
                             12),
             "video/mp4"));
  CHECK(same(mm_mime_of_file("a.weba", "\x1a\x45\xdf\xa3", 4), "audio/webm"));
  CHECK(same(mm_mime_of_file("a.epub", "PK\3\4", 4), "application/epub+zip"));
  CHECK(same(mm_mime_of_file("a.txt", "PK\3\4", 4), "application/zip"));
  CHECK(same(mm_mime_of_file("a.md", "# Title", 7), "text/markdown"));
  CHECK(same(mm_mime_of_file("a", "%PDF-", 5), "application/pdf"));
  CHECK(same(mm_mime_of_file(NULL, "%PDF-", 5), "application/pdf"));
  CHECK(same(mm_mime_of_file("a", "x", 1), NULL));
  CHECK(same(mm_mime_of_file(NULL, "x", 1), NULL));
}

static void normalises(const char *type, const char *usual) {
  struct guard in = guard_copy(type, strlen(type));
  char out[64];
  CHECK(mm_mime_normalise(in.bytes, strlen(type), out, sizeof out) == (usual != NULL));
  CHECK(!usual || strcmp(out, usual) == 0);
  guard_free(in);
}

static void normal_names(void) {
  normalises("image/jpg", "image/jpeg");
  normalises("IMAGE/JPG", "image/jpeg");
  normalises(" image/png ; q=1", "image/png");
  normalises("text/plain;charset=\"a/b\"", "text/plain");
  normalises("audio/x-wav", "audio/wav");
  normalises("audio/mp3", "audio/mpeg");
  normalises("application/vnd.x+json", "application/vnd.x+json");
  normalises("video/*", "video/*");
  normalises("", NULL);
  normalises("png", NULL);
  normalises("/png", NULL);
  normalises("image/", NULL);
  normalises("image/png/x", NULL);
  normalises("image/p ng", NULL);
  normalises("image/p\"ng", NULL);
  normalises("im\xc3\xa9/png", NULL);
  normalises("; charset=utf-8", NULL);
  char tight[11];
  CHECK(mm_mime_normalise("image/jpeg", 10, tight, 11) && strcmp(tight, "image/jpeg") == 0);
  CHECK(!mm_mime_normalise("image/jpeg", 10, tight, 10));
  CHECK(!mm_mime_normalise("image/jpg", 9, tight, 10));
  CHECK(!mm_mime_normalise("a/\0", 3, tight, sizeof tight));
  CHECK(!mm_mime_normalise(NULL, 0, tight, sizeof tight));
}

int main(void) {
  pictures();
  sounds();
  films();
  documents();
  nothing_known();
  names();
  both();
  normal_names();
  return 0;
}

/* mime.c - media types from magic bytes and from file names.   SPDX-License-Identifier: MIT */
#include "mime.h"

#include <string.h>

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool same_word(const char *a, const char *b) {
  while (*a && lower(*a) == *b)
    a++, b++;
  return !*a && !*b;
}

/* Signatures of one piece, or of two: `bytes` at `at`, and a form type of 4 bytes at 8. */
static const struct {
  const char *type;
  const char *bytes;
  const char *form; /* NULL: none */
  unsigned char at, n;
} signatures[] = {
    {"image/png", "\x89PNG\r\n\x1a\n", NULL, 0, 8},
    {"image/jpeg", "\xff\xd8\xff", NULL, 0, 3},
    {"image/gif", "GIF8", NULL, 0, 4},
    {"image/webp", "RIFF", "WEBP", 0, 4},
    {"audio/wav", "RIFF", "WAVE", 0, 4},
    {"audio/wav", "RF64", "WAVE", 0, 4},
    {"video/x-msvideo", "RIFF", "AVI ", 0, 4},
    {"audio/aiff", "FORM", "AIFF", 0, 4},
    {"audio/aiff", "FORM", "AIFC", 0, 4},
    {"application/pdf", "%PDF-", NULL, 0, 5},
    {"audio/mpeg", "ID3", NULL, 0, 3},
    {"audio/flac", "fLaC", NULL, 0, 4},
    {"audio/midi", "MThd", NULL, 0, 4},
    {"audio/amr", "#!AMR", NULL, 0, 5},
    {"image/tiff", "II*\0", NULL, 0, 4},
    {"image/tiff", "MM\0*", NULL, 0, 4},
    {"image/x-icon", "\0\0\1\0", NULL, 0, 4},
    {"image/jxl", "\xff\x0a", NULL, 0, 2},
    {"image/jxl", "\0\0\0\x0cJXL \r\n\x87\n", NULL, 0, 12},
    {"image/vnd.adobe.photoshop", "8BPS", NULL, 0, 4},
    {"video/mpeg", "\0\0\1\xba", NULL, 0, 4},
    {"video/mpeg", "\0\0\1\xb3", NULL, 0, 4},
    {"video/x-flv", "FLV\1", NULL, 0, 4},
    {"video/x-ms-wmv", "\x30\x26\xb2\x75\x8e\x66\xcf\x11", NULL, 0, 8},
    {"application/gzip", "\x1f\x8b\x08", NULL, 0, 3},
    {"application/x-7z-compressed", "7z\xbc\xaf\x27\x1c", NULL, 0, 6},
    {"application/vnd.rar", "Rar!\x1a\x07", NULL, 0, 6},
    {"text/rtf", "{\\rtf", NULL, 0, 5},
};
enum { SIGNATURES = sizeof signatures / sizeof signatures[0] };

static bool has(const unsigned char *b, size_t n, size_t at, const char *piece, size_t size) {
  return n >= at && n - at >= size && memcmp(b + at, piece, size) == 0;
}

static bool contains(const unsigned char *b, size_t n, const char *piece) {
  size_t size = strlen(piece);
  for (size_t at = 0; at + size <= n; at++)
    if (memcmp(b + at, piece, size) == 0) return true;
  return false;
}

static const char *by_signature(const unsigned char *b, size_t n) {
  for (size_t i = 0; i < SIGNATURES; i++) {
    if (!has(b, n, signatures[i].at, signatures[i].bytes, signatures[i].n)) continue;
    if (!signatures[i].form || has(b, n, 8, signatures[i].form, 4)) return signatures[i].type;
  }
  return NULL;
}

/* "BM" alone is a word too: the reserved fields of the header must be zero, as far as they are
 * there. */
static const char *by_bitmap(const unsigned char *b, size_t n) {
  if (!has(b, n, 0, "BM", 2)) return NULL;
  for (size_t i = 6; i < 10 && i < n; i++)
    if (b[i]) return NULL;
  return "image/bmp";
}

/* The brands of ISO base media: the major one decides, but for HEIF's general one, which AVIF files
 * carry too. */
static const struct {
  char brand[5];
  const char *type;
} brands[] = {
    {"avif", "image/avif"},      {"avis", "image/avif"}, {"heic", "image/heic"},
    {"heix", "image/heic"},      {"hevc", "image/heic"}, {"hevx", "image/heic"},
    {"heim", "image/heic"},      {"heis", "image/heic"}, {"mif1", "image/heic"},
    {"msf1", "image/heic"},      {"M4A ", "audio/m4a"},  {"M4B ", "audio/m4a"},
    {"qt  ", "video/quicktime"}, {"3gp", "video/3gpp"},  {"3g2", "video/3gpp2"},
};
enum { BRANDS = sizeof brands / sizeof brands[0] };

static const char *by_brand(const unsigned char *b, size_t n) {
  if (!has(b, n, 4, "ftyp", 4)) return NULL;
  bool general = has(b, n, 8, "mif1", 4) || has(b, n, 8, "msf1", 4);
  size_t box = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
  if (box > n || box < 16) box = n;
  if (general && box > 16 && contains(b + 16, box - 16, "avif")) return "image/avif";
  for (size_t i = 0; i < BRANDS; i++)
    if (has(b, n, 8, brands[i].brand, strlen(brands[i].brand))) return brands[i].type;
  return "video/mp4";
}

static const char *by_ogg_codec(const unsigned char *b, size_t n) {
  if (!has(b, n, 0, "OggS", 4)) return NULL;
  return contains(b, n, "theora") ? "video/ogg" : "audio/ogg";
}

static const char *by_matroska_name(const unsigned char *b, size_t n) {
  if (!has(b, n, 0, "\x1a\x45\xdf\xa3", 4)) return NULL;
  return contains(b, n, "matroska") ? "video/x-matroska" : "video/webm";
}

/* A frame of MPEG audio or ADTS begins with 11 or 12 set bits; so do other things, such as the byte
 * order mark FF FE. The reserved values of the other header fields tell them apart. */
static const char *by_audio_frame(const unsigned char *b, size_t n) {
  if (n < 2 || b[0] != 0xff) return NULL;
  unsigned layer = b[1] >> 1 & 3;
  if ((b[1] & 0xf6) == 0xf0) return n < 3 || (b[2] >> 2 & 15) < 13 ? "audio/aac" : NULL;
  if ((b[1] & 0xe0) != 0xe0 || (b[1] >> 3 & 3) == 1 || layer == 0 || layer == 3) return NULL;
  if (n >= 3 && (b[2] >> 4 == 15 || (b[2] >> 2 & 3) == 3)) return NULL;
  return "audio/mpeg";
}

/* The first entry tells the format, where it is one of these. */
static const char *by_zip_entry(const unsigned char *b, size_t n) {
  if (!has(b, n, 0, "PK\3\4", 4) && !has(b, n, 0, "PK\5\6", 4)) return NULL;
  if (has(b, n, 30, "word/", 5))
    return "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
  if (has(b, n, 30, "xl/", 3))
    return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
  if (has(b, n, 30, "ppt/", 4))
    return "application/vnd.openxmlformats-officedocument.presentationml.presentation";
  if (has(b, n, 30, "mimetypeapplication/epub+zip", 28)) return "application/epub+zip";
  static const char *const many[] = {"mimetype", "[Content_Types]", "_rels/", "docProps/",
                                     "META-INF/"};
  for (size_t i = 0; i < sizeof many / sizeof many[0]; i++)
    if (has(b, n, 30, many[i], strlen(many[i]))) return NULL;
  return "application/zip";
}

static const char *by_svg_tag(const unsigned char *b, size_t n) {
  size_t i = has(b, n, 0, "\xef\xbb\xbf", 3) ? 3 : 0;
  while (i < n && (b[i] == ' ' || (b[i] >= '\t' && b[i] <= '\r')))
    i++;
  if (has(b, n, i, "<svg", 4)) return "image/svg+xml";
  return has(b, n, i, "<?xml", 5) && contains(b + i, n - i, "<svg") ? "image/svg+xml" : NULL;
}

const char *mm_mime_sniff(const void *bytes, size_t n) {
  static const char *(*const tests[])(const unsigned char *, size_t) = {
      by_signature,   by_brand,     by_ogg_codec, by_matroska_name,
      by_audio_frame, by_zip_entry, by_bitmap,    by_svg_tag,
  };
  if (n > MM_MIME_SNIFF) n = MM_MIME_SNIFF;
  for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
    const char *type = tests[i](bytes, n);
    if (type) return type;
  }
  return NULL;
}

/* Source code without a type that models' hosts know is plain text to them. */
static const struct {
  char extension[12];
  const char *type;
} extensions[] = {
    {"png", "image/png"},
    {"apng", "image/apng"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"jpe", "image/jpeg"},
    {"jfif", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"bmp", "image/bmp"},
    {"dib", "image/bmp"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"heic", "image/heic"},
    {"heif", "image/heif"},
    {"avif", "image/avif"},
    {"jxl", "image/jxl"},
    {"ico", "image/x-icon"},
    {"svg", "image/svg+xml"},
    {"psd", "image/vnd.adobe.photoshop"},
    {"mp3", "audio/mpeg"},
    {"mp2", "audio/mpeg"},
    {"mpga", "audio/mpeg"},
    {"wav", "audio/wav"},
    {"ogg", "audio/ogg"},
    {"oga", "audio/ogg"},
    {"opus", "audio/opus"},
    {"flac", "audio/flac"},
    {"m4a", "audio/m4a"},
    {"m4b", "audio/m4a"},
    {"aac", "audio/aac"},
    {"aif", "audio/aiff"},
    {"aiff", "audio/aiff"},
    {"aifc", "audio/aiff"},
    {"weba", "audio/webm"},
    {"mka", "audio/x-matroska"},
    {"wma", "audio/x-ms-wma"},
    {"amr", "audio/amr"},
    {"mid", "audio/midi"},
    {"midi", "audio/midi"},
    {"mp4", "video/mp4"},
    {"m4v", "video/mp4"},
    {"mov", "video/quicktime"},
    {"qt", "video/quicktime"},
    {"webm", "video/webm"},
    {"mkv", "video/x-matroska"},
    {"avi", "video/x-msvideo"},
    {"mpeg", "video/mpeg"},
    {"mpg", "video/mpeg"},
    {"mpe", "video/mpeg"},
    {"ogv", "video/ogg"},
    {"flv", "video/x-flv"},
    {"wmv", "video/x-ms-wmv"},
    {"3gp", "video/3gpp"},
    {"3g2", "video/3gpp2"},
    {"pdf", "application/pdf"},
    {"txt", "text/plain"},
    {"text", "text/plain"},
    {"log", "text/plain"},
    {"ini", "text/plain"},
    {"cfg", "text/plain"},
    {"conf", "text/plain"},
    {"toml", "text/plain"},
    {"yaml", "text/plain"},
    {"yml", "text/plain"},
    {"md", "text/markdown"},
    {"markdown", "text/markdown"},
    {"csv", "text/csv"},
    {"tsv", "text/tab-separated-values"},
    {"html", "text/html"},
    {"htm", "text/html"},
    {"css", "text/css"},
    {"js", "text/javascript"},
    {"mjs", "text/javascript"},
    {"json", "application/json"},
    {"jsonl", "application/jsonl"},
    {"ndjson", "application/jsonl"},
    {"xml", "text/xml"},
    {"rtf", "text/rtf"},
    {"py", "text/x-python"},
    {"lua", "text/plain"},
    {"c", "text/plain"},
    {"h", "text/plain"},
    {"cc", "text/plain"},
    {"cpp", "text/plain"},
    {"hpp", "text/plain"},
    {"cs", "text/plain"},
    {"go", "text/plain"},
    {"rs", "text/plain"},
    {"java", "text/plain"},
    {"kt", "text/plain"},
    {"swift", "text/plain"},
    {"rb", "text/plain"},
    {"php", "text/plain"},
    {"sh", "text/plain"},
    {"sql", "text/plain"},
    {"tex", "text/plain"},
    {"srt", "text/plain"},
    {"vtt", "text/vtt"},
    {"ics", "text/calendar"},
    {"eml", "message/rfc822"},
    {"zip", "application/zip"},
    {"gz", "application/gzip"},
    {"tgz", "application/gzip"},
    {"tar", "application/x-tar"},
    {"7z", "application/x-7z-compressed"},
    {"rar", "application/vnd.rar"},
    {"doc", "application/msword"},
    {"xls", "application/vnd.ms-excel"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"odt", "application/vnd.oasis.opendocument.text"},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet"},
    {"odp", "application/vnd.oasis.opendocument.presentation"},
    {"epub", "application/epub+zip"},
    {"jar", "application/java-archive"},
};

const char *mm_mime_from_path(const char *path) {
  const char *name = path;
  for (const char *p = path; *p; p++)
    if (*p == '/' || *p == '\\') name = p + 1;
  const char *dot = strrchr(name, '.');
  if (!dot || dot == name) return NULL;
  for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++)
    if (same_word(dot + 1, extensions[i].extension)) return extensions[i].type;
  return NULL;
}

/* What a container may be when its name says so; the first bytes cannot. */
static const struct {
  const char *container;
  const char *named;
} refinements[] = {
    {"video/mp4", "audio/m4a"},
    {"video/webm", "audio/webm"},
    {"video/x-matroska", "audio/x-matroska"},
    {"video/x-ms-wmv", "audio/x-ms-wma"},
    {"audio/ogg", "audio/opus"},
    {"audio/ogg", "video/ogg"},
    {"image/heic", "image/heif"},
    {"image/png", "image/apng"},
    {"application/zip", "application/java-archive"},
    {"application/zip", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"application/zip", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"application/zip",
     "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"application/zip", "application/vnd.oasis.opendocument.text"},
    {"application/zip", "application/vnd.oasis.opendocument.spreadsheet"},
    {"application/zip", "application/vnd.oasis.opendocument.presentation"},
    {"application/zip", "application/epub+zip"},
};

const char *mm_mime_of_file(const char *path, const void *bytes, size_t n) {
  const char *sniffed = mm_mime_sniff(bytes, n);
  const char *named = path ? mm_mime_from_path(path) : NULL;
  if (!sniffed || !named) return sniffed ? sniffed : named;
  for (size_t i = 0; i < sizeof refinements / sizeof refinements[0]; i++)
    if (strcmp(sniffed, refinements[i].container) == 0 && strcmp(named, refinements[i].named) == 0)
      return named;
  return sniffed;
}

static const struct {
  const char *other;
  const char *usual;
} synonyms[] = {
    {"image/jpg", "image/jpeg"},
    {"image/pjpeg", "image/jpeg"},
    {"image/x-png", "image/png"},
    {"image/x-bmp", "image/bmp"},
    {"image/x-ms-bmp", "image/bmp"},
    {"image/tif", "image/tiff"},
    {"image/svg", "image/svg+xml"},
    {"image/vnd.microsoft.icon", "image/x-icon"},
    {"audio/mp3", "audio/mpeg"},
    {"audio/x-mp3", "audio/mpeg"},
    {"audio/x-mpeg", "audio/mpeg"},
    {"audio/wave", "audio/wav"},
    {"audio/x-wav", "audio/wav"},
    {"audio/x-pn-wav", "audio/wav"},
    {"audio/vnd.wave", "audio/wav"},
    {"audio/x-flac", "audio/flac"},
    {"audio/x-aiff", "audio/aiff"},
    {"audio/x-aac", "audio/aac"},
    {"audio/aacp", "audio/aac"},
    {"audio/x-m4a", "audio/m4a"},
    {"audio/vorbis", "audio/ogg"},
    {"audio/x-ogg", "audio/ogg"},
    {"application/ogg", "audio/ogg"},
    {"video/mov", "video/quicktime"},
    {"video/avi", "video/x-msvideo"},
    {"video/msvideo", "video/x-msvideo"},
    {"video/mpg", "video/mpeg"},
    {"video/x-mpeg", "video/mpeg"},
    {"video/x-m4v", "video/mp4"},
    {"video/mkv", "video/x-matroska"},
    {"video/matroska", "video/x-matroska"},
    {"video/flv", "video/x-flv"},
    {"video/wmv", "video/x-ms-wmv"},
    {"application/x-pdf", "application/pdf"},
    {"text/md", "text/markdown"},
    {"text/x-markdown", "text/markdown"},
    {"text/json", "application/json"},
    {"application/xml", "text/xml"},
    {"application/rtf", "text/rtf"},
    {"application/javascript", "text/javascript"},
    {"application/x-javascript", "text/javascript"},
    {"application/x-python", "text/x-python"},
    {"application/x-zip-compressed", "application/zip"},
    {"application/x-gzip", "application/gzip"},
};

/* Letters, digits and the marks of RFC 7230's token. */
static bool in_token(char c) {
  c = lower(c);
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_type(const char *type, size_t n) {
  const char *slash = memchr(type, '/', n);
  if (!slash || slash == type || slash == type + n - 1) return false;
  for (const char *p = type; p < type + n; p++)
    if (p != slash && !in_token(*p)) return false;
  return true;
}

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool mm_mime_normalise(const char *type, size_t n, char *out, size_t size) {
  const char *end = n ? memchr(type, ';', n) : NULL;
  if (end) n = (size_t)(end - type);
  while (n && is_space(*type))
    type++, n--;
  while (n && is_space(type[n - 1]))
    n--;
  if (n == 0 || n >= size || !is_type(type, n)) return false;
  for (size_t i = 0; i < n; i++)
    out[i] = lower(type[i]);
  out[n] = 0;
  for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++) {
    if (*out != *synonyms[i].other || strcmp(out, synonyms[i].other) != 0) continue;
    size_t length = strlen(synonyms[i].usual);
    if (length >= size) return false;
    memcpy(out, synonyms[i].usual, length + 1);
    break;
  }
  return true;
}

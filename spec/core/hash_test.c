/* hash_test.c - SHA-256 against the vectors of FIPS 180-4 and NIST, with every kernel.
 * SPDX-License-Identifier: MIT */
#include "../../src/core/hash.h"
#include "check.h"

static void hex_of(struct mm_sha256 *h, char out[65]) {
  unsigned char digest[32];
  mm_sha256_final(h, digest);
  mm_hex(digest, 32, out);
  out[64] = 0;
}

static void is(const void *bytes, size_t n, const char *expected) {
  struct guard in = guard_copy(bytes, n);
  struct mm_sha256 h;
  char hex[65];
  mm_sha256_init(&h);
  mm_sha256_update(&h, in.bytes, n);
  hex_of(&h, hex);
  CHECK(strcmp(hex, expected) == 0);
  guard_free(in);
}

static void vectors(void) {
  is("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  is("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  is(two, 56, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  const char *four =
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopq"
      "klmnopqrlmnopqrsmnopqrstnopqrstu";
  is(four, 112, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  is("\xbd", 1, "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b");
  is("\xc9\x8c\x8e\x55", 4, "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504");
}

/* Lengths around the ends of blocks; expected values by `sha256sum` of that many zeros. */
static void zeros(void) {
  static const char blank[1000];
  is(blank, 55, "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7");
  is(blank, 56, "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb");
  is(blank, 57, "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785");
  is(blank, 64, "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
  is(blank, 1000, "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53");
}

static void million(void) {
  struct mm_sha256 h;
  char piece[1000], hex[65];
  memset(piece, 'a', sizeof piece);
  mm_sha256_init(&h);
  for (int i = 0; i < 1000; i++)
    mm_sha256_update(&h, piece, sizeof piece);
  hex_of(&h, hex);
  CHECK(strcmp(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0") == 0);
}

static void splits(void) {
  char bytes[200], whole[65], hex[65];
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (char)(i * 37 + 11);
  struct mm_sha256 h;
  mm_sha256_init(&h);
  mm_sha256_update(&h, bytes, sizeof bytes);
  hex_of(&h, whole);
  for (size_t a = 0; a <= sizeof bytes; a++)
    for (size_t b = a; b <= sizeof bytes; b++) {
      mm_sha256_init(&h);
      mm_sha256_update(&h, bytes, a);
      mm_sha256_update(&h, bytes + a, b - a);
      mm_sha256_update(&h, bytes + b, sizeof bytes - b);
      hex_of(&h, hex);
      CHECK(strcmp(hex, whole) == 0);
    }
}

static void kernels_agree(void) {
  unsigned char bytes[300], a[32], b[32];
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (unsigned char)(i * i * 13 + i);
  for (size_t n = 0; n <= sizeof bytes; n++) {
    struct mm_sha256 h;
    CHECK(mm_sha256_force("scalar"));
    mm_sha256_init(&h);
    mm_sha256_update(&h, bytes, n);
    mm_sha256_final(&h, a);
    if (!mm_sha256_force("sha_ni")) return;
    mm_sha256_init(&h);
    mm_sha256_update(&h, bytes, n);
    mm_sha256_final(&h, b);
    CHECK(memcmp(a, b, 32) == 0);
  }
}

int main(void) {
  static const char *const names[] = {"scalar", "sha_ni"};
  CHECK(mm_sha256_kernel() != NULL);
  CHECK(!mm_sha256_force("nonsense"));
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (!mm_sha256_force(names[i])) continue;
    CHECK(strcmp(mm_sha256_kernel(), names[i]) == 0);
    printf("sha256: %s\n", names[i]);
    vectors();
    zeros();
    million();
    splits();
  }
  kernels_agree();
  return 0;
}

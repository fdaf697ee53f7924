#!/usr/bin/env bash
# What the library costs beside plain C on libcurl that does the same work, in one run, as a table.
# usage: tools/bench.sh [group]...   groups: upload picture base64 request events sse streams idle
# BENCH=full takes the large sizes; BENCH_LUA names the Lua (lua5.4).
# A count is of instructions (callgrind, the difference of a run and one twice as long); CPU and wall times are the best of
# several runs. valgrind knows no AVX-512, so counts are made with the AVX2 kernels.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."

lua=${BENCH_LUA:-lua5.4}
folder=${lua/lua5./5.}
[ "$folder" != luajit ] || folder=5.1
upload_mib=256
[ "${BENCH:-}" != full ] || upload_mib=1024
picture=$((20 << 20))
picture=$((picture / 3 * 3))

programs=build/bench
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT # the server ends with its stdin

build() {
  make -s --no-print-directory "build/$folder/multimodal/core.so" "build/$folder/multimodal/net.so"
  mkdir -p $programs
  local name
  for name in server upload picture request events streams; do
    ${CC:-cc} -std=gnu11 -O2 -g -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -o $programs/$name bench/$name.c -lcurl -lpthread
  done
  for name in base64 sse; do
    ${CC:-cc} -std=gnu11 -O2 -g -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -o $programs/$name bench/$name.c src/core/*.c -lm -lpthread
  done
}

serve() {
  local port
  coproc server { exec $programs/server; }
  exec {server_in}>&"${server[1]}"
  read -r port <&"${server[0]}"
  base=http://127.0.0.1:$port
}

# The command of one side for a work: ours NAME ARGUMENTS, plain NAME ARGUMENTS.
ours() { "${under[@]}" "$lua" "bench/$1.lua" "$base" "${@:2}"; }
plain() { "${under[@]}" "$programs/$1" "$base" "${@:2}"; }
under=(env)

# value KEY: of a line "key=value ..." on stdin.
value() { sed -nE "s/.*\b$1=([0-9.]+).*/\1/p"; }

# least KEY TIMES COMMAND...: the smallest figure of several runs.
least() {
  local key=$1 times=$2
  for _ in $(seq "$times"); do "${@:3}" | value "$key"; done | sort -g | head -n 1
}

count() {
  local under=(env MULTIMODAL_SIMD=avx2 valgrind -q --tool=callgrind "--callgrind-out-file=$tmp/counted")
  "$@" >/dev/null
  awk '/^(summary|totals):/ { n = $2 } END { print n }' "$tmp/counted"
}

# count_each N SIDE NAME BEFORE AFTER...: instructions for one of N. The argument N stands between BEFORE and AFTER.
count_each() {
  local n=$1 side=$2 name=$3
  local once twice
  once=$(count "$side" "$name" "$n" "${@:4}")
  twice=$(count "$side" "$name" $((2 * n)) "${@:4}")
  echo $(((twice - once) / n))
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "-" }'; }
number() { awk -v n="$1" -v by="$2" -v format="$3" 'BEGIN { printf format, n / by }'; }

row() { printf '%-46s %12s %12s %7s   %s\n' "$@"; }

# wall COMMAND...: seconds.
wall() {
  local start=$EPOCHREALTIME
  "$@" >/dev/null
  awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f\n", b - a }'
}

post_encoded() { curl -sS -o "$tmp/answer" -H Expect: -H 'Content-Type: application/json' -X POST -T "$tmp/body" "$base/reply"; }

bench_upload() {
  local a b i small=$((8 << 20)) counted
  head -c "${upload_mib}M" /dev/urandom >"$tmp/file"
  { printf '{"messages":[{"content":[{"image_url":{"url":"data:image/png;base64,'
    base64 -w0 "$tmp/file"
    printf '"},"type":"image_url"}],"role":"user"}],"model":"m"}'; } >"$tmp/body"
  a=$(least growth 3 ours upload "$tmp/file")
  b=$(least growth 3 plain upload "$tmp/file")
  row "upload $upload_mib MiB: RSS growth, KiB" "$a" "$b" "$(ratio "$a" "$b")" "<= 8192 KiB"
  for i in 1 2 3 4 5; do
    wall ours upload "$tmp/file" >>"$tmp/wall_ours"
    wall post_encoded >>"$tmp/wall_plain"
  done
  a=$(sort -g "$tmp/wall_ours" | head -n 1)
  b=$(sort -g "$tmp/wall_plain" | head -n 1)
  row "upload $upload_mib MiB: wall s, beside curl -T" "$a" "$b" "$(ratio "$a" "$b")" "<= 1.25 x"
  a=$(least cpu 3 ours upload "$tmp/file")
  b=$(least cpu 3 plain upload "$tmp/file")
  row "upload $upload_mib MiB: CPU s" "$a" "$b" "$(ratio "$a" "$b")" ""
  for i in 1 2; do head -c $((i * small)) "$tmp/file" >"$tmp/file$i"; done
  for side in ours plain; do
    counted=$(($(count $side upload "$tmp/file2") - $(count $side upload "$tmp/file1")))
    number "$counted" "$small" '%.2f' >"$tmp/$side"
  done
  a=$(<"$tmp/ours") b=$(<"$tmp/plain")
  row "upload: instructions a byte of the file" "$a" "$b" "$(ratio "$a" "$b")" "<= 0.8"
  rm "$tmp"/file* "$tmp/body"
}

bench_picture() {
  local form a b twice
  for form in sse json; do
    a=$(least growth 3 ours picture $form $picture "$tmp/ours.png")
    b=$(least growth 3 plain picture $form $picture "$tmp/plain.png")
    cmp "$tmp/ours.png" "$tmp/plain.png"
    row "picture of 20 MiB, $form: RSS growth, KiB" "$a" "$b" "$(ratio "$a" "$b")" "<= 8192 KiB"
    a=$(least cpu 7 ours picture $form $picture "$tmp/ours.png")
    b=$(least cpu 7 plain picture $form $picture "$tmp/plain.png")
    row "picture of 20 MiB, $form: CPU s" "$a" "$b" "$(ratio "$a" "$b")" "<= 0.6 x"
    twice=$(least cpu 7 ours picture $form $((2 * picture)) "$tmp/ours.png")
    row "picture, $form: CPU s of 40 MiB beside 20 MiB" "$twice" "$a" "$(ratio "$twice" "$a")" "<= 2.3 x"
  done
}

# The best kernel of this machine is the first one listed for a size.
bench_base64() {
  local size words copy encode run
  $programs/base64 >"$tmp/base64"
  for size in 65535 16777215; do
    read -ra words < <(awk -v n=$size '$2 == n { print; exit }' "$tmp/base64")
    copy=$(awk '$1 == "memcpy" { speed = $3 } $2 == '$size' { print speed; exit }' "$tmp/base64")
    encode=${words[2]} run=${words[3]}
    row "base64 encode, $size bytes, ${words[0]}: GB/s" "$encode" "memcpy $copy" "$(ratio "$encode" "$copy")" "14 in cache"
    row "base64 decode, $size bytes, ${words[0]}: GB/s" "$run" "memcpy $copy" "$(ratio "$run" "$copy")" "14 in cache"
  done
}

bench_request() {
  local a b
  a=$(count_each 200 ours request)
  b=$(count_each 200 plain request)
  row "a small request: instructions" "$a" "$b" "$(ratio "$a" "$b")" "<= 110000"
}

bench_events() {
  local a b
  b=$(count_each 2000 plain events 0)
  a=$(count_each 2000 ours events 0 text)
  row "a text event, as text: instructions" "$a" "$b" "$(ratio "$a" "$b")" "<= 5000"
  a=$(count_each 2000 ours events 0 table)
  row "a text event, as a table: instructions" "$a" "$b" "$(ratio "$a" "$b")" "<= 15000"
  b=$(count_each 1000 plain events 7)
  a=$(count_each 1000 ours events 7 text)
  row "a text event in 7-byte chunks: instructions" "$a" "$b" "$(ratio "$a" "$b")" "<= 32000"
}

bench_sse() {
  local name speed ours ratio
  $programs/sse | sed -E 's/ +memchr +/|/; s/ MB\/s +sse +/|/; s/ MB\/s +ratio +/|/' >"$tmp/sse"
  while IFS='|' read -r name speed ours ratio; do
    row "SSE, $name: MB/s" "$ours" "$speed" "$ratio" ">= 0.7 x memchr"
  done <"$tmp/sse"
}

bench_streams() {
  local a b
  a=$(count_each 500 ours streams 2)
  b=$(count_each 500 plain streams 2)
  row "1000 streams at once: instructions a stream" "$a" "$b" "$(ratio "$a" "$b")" "<= 1.3 x"
  a=$(least growth 3 ours streams 1000 2)
  b=$(least growth 3 plain streams 1000 2)
  a=$(number "$a" 1000 '%.1f') b=$(number "$b" 1000 '%.1f')
  row "1000 streams at once: KiB a stream" "$a" "$b" "$(ratio "$a" "$b")" "<= 19 KiB"
}

bench_idle() {
  local a
  a=$(least ms 9 "$lua" bench/require.lua)
  row 'require "multimodal": ms' "$a" - - "<= 5 ms"
  a=$(least growth 9 "$lua" bench/require.lua)
  row 'require "multimodal": KiB' "$a" - - "<= 3072 KiB"
  a=$(least us 3 ours step 500 20000)
  row "mm.step(0) with 500 idle streams: us" "$a" - - "<= 2 us"
}

export LUA_PATH="lua/?.lua;lua/?/init.lua;./?.lua;;" LUA_CPATH="build/$folder/?.so;;" LUA_INIT= MULTIMODAL_CLIENT=
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
build
serve
[ $# -gt 0 ] || set -- upload picture base64 request events sse streams idle
printf '%s, %s\n' "$("$lua" -v 2>&1 | head -n 1)" "$(curl -V | sed -n '1s/ (.*//p')"
row work ours "plain C" ratio reach
for group; do "bench_$group"; done

#!/usr/bin/env bash
# Install what is missing on Debian and Ubuntu, and say so; elsewhere say what to install.
# usage: tools/deps.sh build|demo|test
set -euo pipefail

level=${1:-build}

# command or pkg-config module that shows it is there : Debian package, alternatives after |
build=(cmd:gcc:gcc cmd:make:make cmd:pkg-config:pkg-config cmd:lua5.4:lua5.4 pc:lua5.4:liblua5.4-dev
  pc:libcurl:libcurl4-openssl-dev pc:libuv:libuv1-dev lua:cjson:lua-cjson)
demo=(lua:luv:lua-luv cmd:curl:curl)
test=(cmd:luajit:'luajit2|luajit' pc:luajit:'libluajit2-5.1-dev|libluajit-5.1-dev'
  cmd:lua5.1:lua5.1 pc:lua5.1:liblua5.1-0-dev cmd:lua5.2:lua5.2 pc:lua5.2:liblua5.2-dev
  cmd:lua5.3:lua5.3 pc:lua5.3:liblua5.3-dev cmd:busted:lua-busted cmd:luacheck:lua-check
  cmd:clang:clang fuzzer:clang:'libclang-rt-dev|libclang-common-14-dev'
  cmd:clang-format:clang-format cmd:clang-tidy:clang-tidy cmd:cppcheck:cppcheck
  lua:cqueues:lua-cqueues cmd:nvim:neovim cmd:valgrind:valgrind cmd:luarocks:luarocks cmd:openssl:openssl cmd:python3:python3
  cmd:ffmpeg:ffmpeg cmd:identify:imagemagick cmd:nginx:nginx-light cmd:tinyproxy:'tinyproxy-bin|tinyproxy' cmd:git:git cmd:npm:'npm')

there() {
  case $1 in
    cmd) command -v "$2" >/dev/null 2>&1 || [ -x "/usr/sbin/$2" ] ;;
    pc) command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "$2" ;;
    fuzzer) echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d && !n; }' |
      "$2" -fsanitize=fuzzer,address -x c -o /dev/null - >/dev/null 2>&1 ;;
    lua) command -v lua5.4 >/dev/null 2>&1 && lua5.4 -e "require '$2'" >/dev/null 2>&1 ;;
  esac
}

wanted=("${build[@]}")
case $level in
  build) ;;
  demo) wanted+=("${demo[@]}") ;;
  test) wanted+=("${demo[@]}" "${test[@]}") ;;
  *) echo "usage: tools/deps.sh build|demo|test" >&2; exit 2 ;;
esac

missing=()
for entry in "${wanted[@]}"; do
  IFS=: read -r kind name packages <<<"$entry"
  there "$kind" "$name" || missing+=("$packages")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "Please install (names as in Debian): ${missing[*]}" >&2
  exit 1
fi

sudo=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || { echo "Please install as root: apt-get install ${missing[*]}" >&2; exit 1; }
  sudo=sudo
fi

$sudo apt-get update -qq

# The first alternative that this release has.
packages=()
for choice in "${missing[@]}"; do
  IFS='|' read -ra names <<<"$choice"
  found=
  for name in "${names[@]}"; do
    if [[ $(apt-cache policy "$name") =~ Candidate:\ [^\(] ]]; then
      found=$name
      break
    fi
  done
  [ -n "$found" ] || { echo "This release has no package ${names[*]}" >&2; exit 1; }
  packages+=("$found")
done

echo "Installing: ${packages[*]}"
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
echo "Installed."

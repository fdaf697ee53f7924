#!/usr/bin/env bash
# Write the build table of the rockspec anew from the files that are there.
set -euo pipefail
cd "$(dirname "$0")/.."
spec=multimodal-scm-1.rockspec
sources() { printf '        "%s",\n' "$@"; }
head=$(sed '/^build = {/,$d' "$spec")
{
  echo "$head"
  echo 'build = {'
  echo '  type = "builtin",'
  echo '  modules = {'
  echo '    ["multimodal.core"] = {'
  echo '      sources = {'
  sources $(ls src/core/*.c src/lua/*.c | grep -v '^src/lua/net')
  echo '      },'
  echo '      defines = { "_GNU_SOURCE", "_FILE_OFFSET_BITS=64" },'
  echo '    },'
  echo '    ["multimodal.net"] = {'
  echo '      sources = {'
  sources $(ls src/net/*.c src/lua/net*.c) src/lua/box.c src/core/err.c
  echo '      },'
  echo '      defines = { "_GNU_SOURCE", "_FILE_OFFSET_BITS=64" },'
  echo '      incdirs = { "$(CURL_INCDIR)", "$(UV_INCDIR)" },'
  echo '      libdirs = { "$(CURL_LIBDIR)", "$(UV_LIBDIR)" },'
  echo '      libraries = { "curl", "uv" },'
  echo '    },'
  find lua -name '*.lua' | sort | while read -r path; do
    name=${path#lua/}
    name=${name%.lua}
    name=${name%/init}
    echo "    [\"${name//\//.}\"] = \"$path\","
  done
  echo '  },'
  echo '  install = { bin = { multimodal = "bin/multimodal" } },'
  echo '}'
} >"$spec.new"
mv "$spec.new" "$spec"

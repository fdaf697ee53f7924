#!/usr/bin/env bash
# Bring the mock gateway of the npm registry that the aimock specs talk to, into build/aimock.
set -euo pipefail
version=1.43.0
cd "$(dirname "$0")/.."
[ -d "build/aimock/node_modules/@copilotkit/aimock" ] && exit 0
echo "Installing: @copilotkit/aimock@$version (npm, into build/aimock)"
mkdir -p build/aimock
npm install --silent --no-package-lock --no-audit --no-fund --prefix build/aimock "@copilotkit/aimock@$version"

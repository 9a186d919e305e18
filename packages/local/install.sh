#!/usr/bin/env bash
# Installs what the lockfile names, for `make setup`. npm silently leaves out the native halves of
# tools that don't know the machine's Node (Debian 12 has Node 18), so with an older one than they
# know npm itself runs on the Node that the lockfile names.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! node -e 'const [major, minor] = process.versions.node.split(".")
  process.exit(+major > 20 || (+major === 20 && +minor >= 19) ? 0 : 1)'; then
  version=$(node -p 'require("./package-lock.json").packages["node_modules/node"].version')
  tools=$PWD/.data/install
  echo "This machine's Node $(node --version) is too old to install with: fetching $version"
  mkdir -p "$tools"
  npm install --prefix "$tools" --no-save --no-package-lock "node@$version" npm@11
  PATH=$tools/node_modules/.bin:$PATH
fi
npm ci

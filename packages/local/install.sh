#!/usr/bin/env bash
# Installs the dependencies of the lockfile, for `make setup`. On an older Node (Debian 12 has Node 18) npm
# silently omits native packages of some tools. npm then runs on the Node version that the lockfile names.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! node -e 'const [major, minor] = process.versions.node.split(".")
  process.exit(+major > 20 || (+major === 20 && +minor >= 19) ? 0 : 1)'; then
  version=$(node -p 'require("./package-lock.json").packages["node_modules/node"].version')
  tools=$PWD/.data/install
  echo "This machine's Node $(node --version) is too old for the installation: fetching $version"
  mkdir -p "$tools"
  npm install --prefix "$tools" --no-save --no-package-lock "node@$version" npm@11
  PATH=$tools/node_modules/.bin:$PATH
fi
# The build needs the development dependencies, which npm omits if NODE_ENV is production.
npm ci --include=dev

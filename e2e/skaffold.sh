#!/usr/bin/env bash
# `skaffold dev` as the first command in a fresh clone: serves both services and a saved change, passes
# `skaffold verify`, and uninstalls on Ctrl-C. Needs a cluster, skaffold and Docker. Ends with `N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")/.."
NAMESPACE=malipo-skaffold
AUTH=http://127.0.0.1:3002 PAYMENTS=http://127.0.0.1:4000
FILE=services/auth/src/app.module.ts
LIMIT_S=10
dev=
work=$(mktemp -d)
. e2e/checks.sh

# within SECONDS COMMAND...: repeats a command until it succeeds.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    kill -0 "$dev" || return 1
    sleep 0.5
  done
}

# A file that changes before skaffold watches is not noticed.
are_watched() { grep -q 'Watching for changes' "$work/dev.log" && are_ready; }
are_ready() { curl --silent --fail "$AUTH/health/ready" && curl --silent --fail "$PAYMENTS/health/ready"; }
title_is() { curl --silent --max-time 5 "$AUTH/docs-json" | grep -qF "\"title\":\"$1\""; }

# Several changes, since the first one may wait for the compiler to start, and a slow machine may exceed the limit once.
serves_changes() {
  local change since
  for change in 1 2 3; do
    since=$SECONDS
    sed -i "s/title: '[^']*'/title: 'Change $change'/" "$FILE"
    within 120 title_is "Change $change" || return 1
    echo "change $change was served after $((SECONDS - since)) s"
    [ $((SECONDS - since)) -gt $LIMIT_S ] || return 0
  done
  return 1
}

verifies() {
  skaffold build --quiet >"$work/images.json" &&
    skaffold verify --namespace $NAMESPACE --build-artifacts "$work/images.json"
}

uninstalls_on_ctrl_c() {
  kill -INT -- "-$dev"
  for _ in $(seq 120); do
    kill -0 "$dev" 2>/dev/null || break
    sleep 1
  done
  [ -z "$(helm list --namespace $NAMESPACE --short)" ]
}

finish() {
  local status=$?
  if [ $status != 0 ] || [ $failed != 0 ]; then tail -60 "$work/dev.log" || true; fi
  if [ -n "$dev" ]; then kill -KILL -- "-$dev" 2>/dev/null || true; fi
  kubectl delete namespace $NAMESPACE --ignore-not-found --wait=false >/dev/null 2>&1 || true
  rm -rf "$work"
  report $status
}
trap finish EXIT
trap 'exit 130' INT TERM

git clone --quiet . "$work/clone"
cd "$work/clone"
setsid skaffold dev --namespace $NAMESPACE >"$work/dev.log" 2>&1 &
dev=$!
check 'skaffold dev serves both services from a fresh clone' within 600 are_watched
check "a changed title is served within $LIMIT_S s" serves_changes
check 'skaffold verify passes' verifies
check 'Ctrl-C uninstalls' uninstalls_on_ctrl_c

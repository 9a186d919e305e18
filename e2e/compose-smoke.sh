#!/usr/bin/env bash
# Builds the images, starts everything with docker compose and walks through a payment: with one
# replica, with three, and after a database's restart. Ends with `N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")/.."
export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-malipo-smoke}
export AUTH_URL=http://127.0.0.1:${AUTH_PORT:-3002} PAYMENTS_URL=http://127.0.0.1:${PAYMENTS_PORT:-4000}
IMAGE_LIMIT_MB=180
passed=0 failed=0

# check WHAT COMMAND...: one line for a step that went well, its output for one that did not. In a
# condition bash ignores `set -e`, so the steps below return 1 by themselves.
check() {
  local what=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "ok: $what"
    passed=$((passed + 1))
  else
    printf '%s\nFAILED: %s\n' "$output" "$what"
    failed=$((failed + 1))
    return 1
  fi
}

containers() { docker compose ps --quiet "$@"; }

images_are_small() {
  local image bytes
  for image in malipo/auth:"${TAG:-dev}" malipo/payments:"${TAG:-dev}"; do
    bytes=$(docker image inspect --format '{{.Size}}' "$image")
    echo "$image: $((bytes / 1000000)) MB"
    [ "$bytes" -le $((IMAGE_LIMIT_MB * 1000000)) ] || return 1
  done
}

# Of every container: a root file system that can't be written, no privilege to gain, few to begin with.
containers_are_confined() {
  local id
  for id in $(containers); do
    docker inspect --format '{{.Name}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}' "$id"
  done | tee /dev/stderr | awk '$2 != "true" || $3 != "[ALL]" || $4 !~ /no-new-privileges/ { bad = 1 } END { exit bad || NR < 6 }'
}

services_are_nobody() {
  local id
  for id in $(containers auth-service payment-service payment-proxy); do
    docker exec "$id" /nodejs/bin/node --eval '
      const { equal, throws } = require("node:assert")
      equal(process.getuid(), 65532)
      throws(() => require("node:fs").writeFileSync("/app/written", ""), { code: "EROFS" })' ||
      return 1
  done
}

replicas_are() { [ "$(containers payment-service | wc -l)" = "$1" ]; }

stop_cleanly() {
  local id
  docker compose stop || return 1
  for id in $(docker compose ps --all --quiet auth-service payment-service); do
    [ "$(docker inspect --format '{{.State.ExitCode}}' "$id")" = 0 ] || return 1
  done
}

finish() {
  local status=$?
  if [ $status != 0 ] || [ $failed != 0 ]; then docker compose logs --tail 30 || true; fi
  docker compose down --volumes --timeout 5 >/dev/null 2>&1 || true
  if [ $status != 0 ] && [ $failed = 0 ]; then failed=1; fi
  echo "$passed passed, $failed failed"
  [ $failed = 0 ] || exit 1
}
trap finish EXIT
trap 'exit 130' INT TERM

check 'the images are built' docker compose build
check 'everything starts, in order' docker compose up --detach --wait --wait-timeout 180
check 'a payment goes its way' docs/walkthrough.sh
check "the images have at most $IMAGE_LIMIT_MB MB" images_are_small || true
check 'the containers are confined' containers_are_confined || true
check 'the services run as nobody and can write nowhere' services_are_nobody || true
check 'payments get three replicas' \
  docker compose up --detach --wait --wait-timeout 120 --scale payment-service=3
check 'they are three' replicas_are 3 || true
for _ in 1 2 3; do check 'a payment goes its way over three' docs/walkthrough.sh; done
check 'the database of payments restarts' docker compose restart --timeout 10 payment-db
check 'a payment goes its way right after' docs/walkthrough.sh
check 'the services end cleanly' stop_cleanly

#!/usr/bin/env bash
# Builds the images, starts the platform with docker compose and runs the walk-through with one replica, with three,
# and after a restart of a database. Ends with `N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")/.."
export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-malipo-smoke}
export AUTH_URL=http://127.0.0.1:${AUTH_PORT:-3002} PAYMENTS_URL=http://127.0.0.1:${PAYMENTS_PORT:-4000}
IMAGE_LIMIT_MB=180
. e2e/checks.sh

containers() { docker compose ps --quiet "$@"; }

images_are_small() {
  local image bytes
  for image in malipo/auth malipo/payments malipo/simulator; do
    image+=:${TAG:-dev}
    bytes=$(docker image inspect --format '{{.Size}}' "$image")
    echo "$image: $((bytes / 1000000)) MB"
    [ "$bytes" -le $((IMAGE_LIMIT_MB * 1000000)) ] || return 1
  done
}

# Every container has a read-only root file system, no capabilities by default, and can't gain privileges.
containers_are_hardened() {
  local id
  for id in $(containers); do
    docker inspect --format '{{.Name}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}' "$id"
  done | tee /dev/stderr | awk '$2 != "true" || $3 != "[ALL]" || $4 !~ /no-new-privileges/ { bad = 1 } END { exit bad || NR < 7 }'
}

services_run_unprivileged() {
  local id
  for id in $(containers auth-service payment-service payment-proxy simulator); do
    docker exec "$id" /nodejs/bin/node --eval '
      const { equal, throws } = require("node:assert")
      equal(process.getuid(), 65532)
      throws(() => require("node:fs").writeFileSync("/app/written", ""), { code: "EROFS" })' ||
      return 1
  done
}

replicas_are() { [ "$(containers payment-service | wc -l)" = "$1" ]; }

# The book of the simulator has a charge of each walk-through.
simulator_keeps_its_book() {
  local url=http://127.0.0.1:${SIMULATOR_PORT:-4100}/admin/counts before
  before=$(curl --silent --fail "$url") && [[ $before == *'"charges":'[1-9]* ]] || return 1
  docker compose kill simulator && docker compose up --detach --wait --wait-timeout 60 simulator || return 1
  [ "$(curl --silent --fail "$url")" = "$before" ]
}

stop_cleanly() {
  local id
  docker compose stop || return 1
  for id in $(docker compose ps --all --quiet auth-service payment-service simulator); do
    [ "$(docker inspect --format '{{.State.ExitCode}}' "$id")" = 0 ] || return 1
  done
}

finish() {
  local status=$?
  if [ $status != 0 ] || [ $failed != 0 ]; then docker compose logs --tail 30 || true; fi
  docker compose down --volumes --timeout 5 >/dev/null 2>&1 || true
  report $status
}
trap finish EXIT
trap 'exit 130' INT TERM

check 'builds the images' docker compose build
check 'starts all services' docker compose up --detach --wait --wait-timeout 180
check 'the walk-through succeeds' docs/walkthrough.sh
check "images are at most $IMAGE_LIMIT_MB MB" images_are_small || true
check 'containers are hardened' containers_are_hardened || true
check 'services run as an unprivileged user and write no files' services_run_unprivileged || true
check 'scales payments to three replicas' \
  docker compose up --detach --wait --wait-timeout 120 --scale payment-service=3
check 'three replicas run' replicas_are 3 || true
for _ in 1 2 3; do check 'the walk-through succeeds with three replicas' docs/walkthrough.sh; done
check 'the simulator has its charges after it was killed' simulator_keeps_its_book
check "restarts payments' database" docker compose restart --timeout 10 payment-db
check 'the walk-through succeeds right after the restart' docs/walkthrough.sh
check 'services exit with status 0' stop_cleanly

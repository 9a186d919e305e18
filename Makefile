# Developer commands; `make` without a target lists them.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

.PHONY: help setup up test bench lint format images compose-smoke skaffold-smoke cluster deploy observe e2e lint-charts scan foreign-clients outages outages-short soak soak-short render release drill npm

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: node_modules/.package-lock.json ## Install dependencies from the lockfile

up: setup ## Run both services, PostgreSQL, Redis and the simulator on this machine, until Ctrl-C
	@($(redis)) 2>/dev/null || echo 'Continuing without Redis, since it is missing: sudo apt-get install -y redis-server'
	@npm run --silent build
	@exec node_modules/.bin/node packages/local/dist/up.js

test: setup ## Run all tests against a real PostgreSQL and a real Redis
	@$(redis)
	@npm test --silent

bench: setup ## Benchmark both services against a bare server that runs the same SQL
	@npm run --silent bench

lint: setup ## Check style, structure, language, format and types
	@npm run --silent build
	@npm run --silent lint
	@npm run --silent lint:structure
	@npm run --silent lint:language
	@npm run --silent format:check
	@npm run --silent check
	@npm run --silent docs -- --check
	@npm run --silent dashboards -- --check
	@if command -v helm >/dev/null; then $(RENDER) --check; \
	else echo 'skipped: the check that k8s/ matches the charts, since helm is not installed'; fi

format: setup ## Format all files
	@npm run --silent format

images: ## Build the images of both services and of the simulator with Docker
	@docker compose build

compose-smoke: ## Build the images and test a payment on docker compose
	@e2e/compose-smoke.sh

skaffold-smoke: ## Run skaffold dev from a fresh clone on the cluster and change a file
	@$(call on_cluster) e2e/skaffold.sh

cluster: ## Start a cluster: ../shared/cluster if present, otherwise kind
	@if [ -x $(CLUSTER)/up ]; then $(CLUSTER)/up; $(CLUSTER)/images; else \
	  kind get clusters 2>/dev/null | grep -qx malipo || kind create cluster --config k8s/kind.yaml; \
	  k8s/operators/install; fi

deploy: ## Install or upgrade the platform on the cluster with the values file VALUES
	@$(call on_cluster) charts/deploy $(VALUES)
VALUES ?= charts/platform/values-local.yaml

observe: ## Install the platform with monitoring on the cluster and print the URLs
	@$(call on_cluster) $(with_prometheus); charts/observe $(VALUES)

e2e: setup ## Run the end-to-end tests of the charts on the cluster; PART selects one part
	@$(call on_cluster) $(with_prometheus); node_modules/.bin/node e2e/suite.ts $(PART)

lint-charts: setup ## Check the charts with Helm 3 and 4, the cluster's schemas and the chart tests
	@$(call on_cluster) $(RENDER) --check; npm run --silent charts:test

scan: setup ## Check both APIs, the charts, the Dockerfile and the tree with public tools
	@npm run --silent build
	@node_modules/.bin/node e2e/scan.ts

foreign-clients: setup ## Run clients of MTN MoMo and Airtel Money, and libraries of Standard Webhooks, by other authors
	@npm run --silent build
	@node_modules/.bin/node e2e/foreign-clients.ts

outages: setup ## Run both services against slow, full, frozen and half-dead dependencies: docs/reliability.md
	@$(redis)
	@npm run --silent build
	@node_modules/.bin/node e2e/outages.ts

outages-short: export SHORT := 1
outages-short: outages ## Run the outages that found faults before, in 4 minutes

soak: setup ## Create COUNT payments at the simulator while everything fails; SEED chooses the run
	@$(redis)
	@$(call need,faketime,faketime)
	@npm run --silent build
	@node_modules/.bin/node e2e/soak.ts

# Exported for make soak, and not over a setting of the command line.
SEED ?= 1
COUNT ?= 10000
export SEED COUNT

soak-short: COUNT := 500
soak-short: soak ## Run a soak of 500 payments, in 3 minutes

render: setup ## Render the charts into k8s/
	@$(RENDER)
RENDER := node_modules/.bin/node k8s/render

release: ## Build images, SBOMs, charts and checksums into dist/release
	@k8s/release

drill: setup ## Inject faults on the cluster and measure their effects: docs/reliability.md
	@npm run --silent build
	@$(call on_cluster) $(with_prometheus); node_modules/.bin/node e2e/drill.ts

# npm writes this file last, so an interrupted install is repeated.
node_modules/.package-lock.json: package-lock.json | npm
	@packages/local/install.sh
	@touch $@

npm:
	@$(call need,npm,nodejs npm)

redis = command -v valkey-server >/dev/null || { $(call need,redis-server,redis-server); }

# $(call need,PROGRAM,PACKAGES): installs a missing program as root on Debian, or prints the command.
define need
command -v $(1) >/dev/null || { \
  command -v apt-get >/dev/null || { echo '$(1) is missing: install it and try again' >&2; exit 1; }; \
  [ "$$(id -u)" = 0 ] || { echo '$(1) is missing: sudo apt-get install -y $(2)' >&2; exit 1; }; \
  apt-get update -qq; \
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2) >/dev/null; }
endef

# Uses the cluster of KUBECONFIG, which must have the images. Without KUBECONFIG, starts $(CLUSTER) if it exists and
# loads the images into it.
CLUSTER := ../shared/cluster
define on_cluster
if [ -z "$${KUBECONFIG-}" ] && [ -x $(CLUSTER)/up ]; then \
  eval "$$($(CLUSTER)/up | grep '^export ')"; \
  $(CLUSTER)/images; $(CLUSTER)/backups; docker compose build --quiet; \
  $(CLUSTER)/load malipo/auth:dev malipo/payments:dev malipo/simulator:dev redis:8 ghcr.io/cloudnative-pg/postgresql:18; fi;
endef
# Installs Prometheus, and on $(CLUSTER) also an object store for backups.
with_prometheus = if [ -x $(CLUSTER)/monitoring ]; then $(CLUSTER)/backups; $(CLUSTER)/monitoring; \
  else k8s/operators/install prometheus; fi

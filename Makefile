# The verbs of this repository; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

.PHONY: help setup up test bench lint format images compose-smoke cluster deploy observe e2e lint-charts drill npm

help: ## List the verbs
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: node_modules/.package-lock.json ## Install what the lockfile names

up: setup ## Run both services with PostgreSQL on this machine until Ctrl-C
	@npm run --silent build
	@exec node_modules/.bin/node packages/local/dist/up.js

test: setup ## Run every test against a real PostgreSQL and a real Redis
	@command -v valkey-server >/dev/null || { $(call need,redis-server,redis-server); }
	@npm test --silent

bench: setup ## Measure both services beside a bare server that does the same SQL
	@npm run --silent bench

lint: setup ## Check style, format and types
	@npm run --silent lint
	@npm run --silent format:check
	@npm run --silent check
	@npm run --silent docs -- --check
	@npm run --silent dashboards -- --check
	@if command -v helm >/dev/null; then $(RENDER) --check; \
	else echo 'left out: whether k8s/ is as the charts say, since helm is not here'; fi

format: setup ## Put every file into the one format
	@npm run --silent format

images: ## Build both images with Docker
	@docker compose build

compose-smoke: ## Build the images and walk through a payment on docker compose
	@e2e/compose-smoke.sh

cluster: ## Start a cluster: that of ../shared/cluster where it is there, or else by kind
	@if [ -x $(CLUSTER)/up ]; then $(CLUSTER)/up; $(CLUSTER)/images; else \
	  kind get clusters 2>/dev/null | grep -qx malipo || kind create cluster --config k8s/kind.yaml; \
	  k8s/operators/install; fi

deploy: ## Install or upgrade the platform on the cluster, with VALUES
	@$(call on_cluster) charts/deploy $(VALUES)
VALUES ?= charts/platform/values-local.yaml

observe: ## Start the platform with Prometheus on the cluster, and print the addresses
	@$(call on_cluster) $(with_prometheus); charts/observe $(VALUES)

e2e: setup ## Try the charts on the cluster, from an empty namespace to an empty one
	@$(call on_cluster) $(with_prometheus); node_modules/.bin/node e2e/suite.ts $(PART)

lint-charts: setup ## Check the charts by both Helms, the cluster's schemas and rules of their own
	@$(call on_cluster) $(RENDER) --check; npm run --silent charts:test

render: setup ## Write k8s/ anew from the charts
	@$(RENDER)
RENDER := node_modules/.bin/node k8s/render

release: ## Make images, what is in them, charts and checksums: dist/release
	@k8s/release

drill: setup ## Do on a cluster what goes wrong in production, and measure: docs/reliability.md
	@$(call on_cluster) $(with_prometheus); node_modules/.bin/node e2e/drill.ts

# npm writes this file last, so that an install which was interrupted is done again.
node_modules/.package-lock.json: package-lock.json | npm
	@packages/local/install.sh
	@touch $@

npm:
	@$(call need,npm,nodejs npm)

# $(call need,PROGRAM,PACKAGES): root on Debian gets what is missing, others are told the command.
define need
command -v $(1) >/dev/null || { \
  command -v apt-get >/dev/null || { echo '$(1) is missing: install it and try again' >&2; exit 1; }; \
  [ "$$(id -u)" = 0 ] || { echo '$(1) is missing: sudo apt-get install -y $(2)' >&2; exit 1; }; \
  apt-get update -qq; \
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2) >/dev/null; }
endef

# The cluster of KUBECONFIG, to which the images were brought; without one $(CLUSTER), where that is there.
CLUSTER := ../shared/cluster
define on_cluster
if [ -z "$${KUBECONFIG-}" ] && [ -x $(CLUSTER)/up ]; then \
  eval "$$($(CLUSTER)/up | grep '^export ')"; \
  $(CLUSTER)/images; $(CLUSTER)/backups; docker compose build --quiet; \
  $(CLUSTER)/load malipo/auth:dev malipo/payments:dev redis:8 ghcr.io/cloudnative-pg/postgresql:18; fi;
endef
# A Prometheus that watches the cluster, and a store for backups: what a cluster of one's own lacks is installed.
with_prometheus = if [ -x $(CLUSTER)/monitoring ]; then $(CLUSTER)/backups; $(CLUSTER)/monitoring; \
  else k8s/operators/install prometheus; fi

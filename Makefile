# `make help` is the manual. Every target installs what it needs; nothing else has to be run before.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
CACHE := $(or $(STOKER_CACHE_DIR),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/stoker)
LOCAL := $(or $(STOKER_LOCAL_DIR),.local)
UV_VERSION := 0.13.9
UV := $(CACHE)/uv-$(UV_VERSION)/bin/uv
BIN := .venv/bin
ENV := $(PYTHON) deploy/local/env.py
MERMAID_VERSION := 11.17.2
MERMAID_SHA256 := 7a644017d37f93c8359790884e6b67fb1f747c78eb20475952404bd87190a3f8
MERMAID := $(CACHE)/mermaid-tiny-$(MERMAID_VERSION).js

.PHONY: help
help: ## Show this manual
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

$(UV):
	$(PYTHON) -m venv $(CACHE)/uv-$(UV_VERSION)
	$(CACHE)/uv-$(UV_VERSION)/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# Installed from hashes alone, so any package mirror will do (docs/adr/0007).
.venv/.installed: uv.lock pyproject.toml | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	$(UV) export --quiet --frozen --all-groups --all-extras --no-emit-project --output-file .venv/requirements.txt > /dev/null
	$(UV) pip sync --python $(BIN)/python --require-hashes .venv/requirements.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

.PHONY: setup
setup: .venv/.installed ## Install Stoker and its tools into .venv

.PHONY: up
up: ## Start the local Kubernetes and OpenStack
	$(ENV) up

.PHONY: down
down: ## Stop the local Kubernetes and OpenStack; the data stays
	$(ENV) down

.PHONY: demo
demo: setup ## Play the main job: a manifest becomes a VM, and goes again
	$(ENV) up
	$(BIN)/python deploy/local/demo.py

.PHONY: demo-full
demo-full: setup ## Play what comes after: quota, updates, power, drift, orphans, the audit
	$(ENV) up
	$(BIN)/python deploy/local/demo_full.py

.PHONY: run
run: setup ## Run the operator against the local environment, with the rights it has in a cluster
	$(BIN)/python deploy/local/operator_run.py

.PHONY: helm
helm: ## Find or build the Helm that the tests of the chart use
	PYTHONPATH=deploy/local $(PYTHON) -m localenv.helm

.PHONY: test
test: setup helm ## Run all tests, on a real API server and a real OpenStack
	$(ENV) up
	$(ENV) up second
	$(BIN)/pytest --numprocesses=2 --dist=loadgroup --cov --cov-report= $(ARGS)
	$(BIN)/coverage report --fail-under=90
	$(BIN)/coverage report --include='*/stoker/core/*' --fail-under=100

.PHONY: gitops
gitops: setup ## Have the real Argo CD and Flux sync VMs from Git; their first build takes 6 minutes of processor time each
	$(ENV) up kubernetes
	$(BIN)/pytest tests/controllers $(ARGS)

.PHONY: conformance
conformance: setup ## Hold the OpenStack simulator and the real OpenStack to one contract
	$(ENV) up
	$(BIN)/pytest tests/conformance $(ARGS)

.PHONY: simulator
simulator: setup ## Run the OpenStack simulator alone: ARGS='--port 15050 --project team-a'
	tests/simulator/stoker-sim $(ARGS)

.PHONY: lint
lint: setup ## Check style and layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

.PHONY: types
types: setup ## Check types
	$(BIN)/mypy

.PHONY: audit
audit: setup ## Look for weak spots in the operator's code (bandit) and in the workflows (zizmor); needs no network
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml operator
	$(BIN)/zizmor --offline --persona=pedantic --no-progress .github

.PHONY: advisories
advisories: setup ## Ask the public package index for known holes in what the image installs; a mirror does not know them
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement deploy/requirements.txt

.PHONY: generate
generate: setup ## Write what is generated from the code: crds/, the chart's copies and values, files for Argo CD, parts of docs/
	$(BIN)/stoker crds --output crds
	$(BIN)/python charts/write_chart.py
	$(BIN)/python deploy/argocd/argocd_config.py
	PYTHONPATH=deploy/local:tests $(BIN)/python -m support.gitops_states
	$(BIN)/stoker templates heat_templates/ubuntu-basic@v1.yaml > deploy/examples/gitops/platform/templates/ubuntu-basic.v1.yaml
	$(BIN)/python -m stoker.core.describe > docs/states.md
	$(BIN)/python -m stoker.metrics.describe > docs/metrics.md
	$(BIN)/python deploy/monitoring/write_dashboard.py
	$(BIN)/python docs/draw_imports.py
	$(BIN)/python docs/write_reference.py

.PHONY: manifests
manifests: setup helm ## Write deploy/operator.yaml from the chart
	$(BIN)/python charts/write_chart.py $(LOCAL)/bin/helm

.PHONY: verify
verify: generate ## Check that what is generated is current
	git diff --exit-code -- crds charts deploy/argocd deploy/examples docs/states.md docs/reference.md docs/metrics.md deploy/monitoring docs/architecture.md

$(MERMAID):
	mkdir -p $(CACHE) && cd $(CACHE) && tar -xzOf "$$(npm pack --silent @mermaid-js/tiny@$(MERMAID_VERSION))" package/dist/mermaid.tiny.js > $@
	rm $(CACHE)/mermaid-js-tiny-$(MERMAID_VERSION).tgz
	echo "$(MERMAID_SHA256)  $@" | sha256sum --check --quiet

# Without npm, diagrams are shown as their text (docs/site_hooks.py).
.PHONY: docs
docs: setup $(if $(shell command -v npm),$(MERMAID)) ## Build the documentation site into site/; a link that leads nowhere is an error
	NO_MKDOCS_2_WARNING=1 STOKER_MERMAID=$(wildcard $(MERMAID)) $(BIN)/mkdocs build --strict

.PHONY: screens
screens: setup ## Take the pictures of kubectl osvm for the docs, from a real run on the simulator
	$(ENV) up kubernetes
	$(BIN)/python docs/draw_screens.py

.PHONY: alerts
alerts: setup ## Check and test the alerts with the real promtool
	PYTHONPATH=deploy/local $(BIN)/python -m localenv.promtool

.PHONY: dashboard
dashboard: setup ## Draw the dashboard for the docs, from a real run on the simulator and a real Prometheus
	$(ENV) up kubernetes
	$(BIN)/python docs/draw_dashboard.py

.PHONY: image
image: ## Build the image with Docker
	docker build --file deploy/Dockerfile --tag stoker:$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) .

.PHONY: kind-demo
kind-demo: setup ## Play the main job with containers: the image in a kind cluster, against the OpenStack simulator
	deploy/kind/demo.sh

.PHONY: bench
bench: setup ## Measure on the real OpenStack, then on the simulator: ARGS='simulator --vms 1000'
	$(ENV) up $(if $(filter simulator,$(firstword $(ARGS))),kubernetes)
	$(BIN)/python deploy/local/bench.py $(ARGS)

.PHONY: lock
lock: $(UV) ## Renew uv.lock, which names no index host, and the image's part of it
	$(UV) lock
	sed -i -E 's#(registry = ")https?://[^"]+#\1https://index#; s#(url = ")https?://[^"]*/([^"/]+")#\1https://index/\2#' uv.lock
	$(UV) export --quiet --frozen --no-header --no-annotate --no-dev --no-emit-project --output-file deploy/requirements.txt > /dev/null
	$(UV) export --quiet --frozen --no-header --no-annotate --only-group build --output-file deploy/requirements-build.txt > /dev/null

.PHONY: clean
clean: ## Stop the local environment and remove everything but the cache
	$(ENV) clean
	rm -rf .venv .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache dist

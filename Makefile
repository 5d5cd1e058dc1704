# Every command of this repository; `make` lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
MEMBERS := -e shared -e services/gateway -e services/console -e services/simulator -e deploy/local
SOURCES := services/gateway/src services/console/src services/simulator/src shared/src deploy/local/src
# Half of its time a test waits for a process or a socket: two cores are busy with four of them.
TEST_JOBS ?= 4
# off: nothing is compiled, and what runs is told the same.
NATIVE := $(if $(filter off,$(NATIVE_CODE)),,$(VENV)/.native)
STREAMING := tests/journeys/test_f1_chat.py tests/journeys/test_f2_responses.py tests/journeys/test_messages.py
DISTRIBUTED := -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder

# What Python has compiled it keeps: a test run starts dozens of processes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help up demo check fix lint types imports test test-interpreted test-pure check-native test-dates cover bench storm week docs wheels release lock browser clean

help: ## list the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  \1\t\2/' | expand -t 18

# --- running -----------------------------------------------------------------------------------

up: $(VENV)/.standalone $(NATIVE) ## run everything on http://localhost:1455
	@exec $(BIN)/codex-proapi serve

demo: $(VENV)/.standalone $(NATIVE) ## the same against the built-in simulated backend, with invented accounts
	@exec $(BIN)/codex-proapi demo

# --- checking ----------------------------------------------------------------------------------

# The first four run on one core each, the others on all there are.
check: $(VENV)/.dev $(NATIVE) ## all that CI runs
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint types imports check-native
	@$(MAKE) --no-print-directory --jobs=1 test test-interpreted check-deploy check-live-short

lint: $(VENV)/.dev ## format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev ## strict types
	$(BIN)/mypy $(SOURCES) tests

imports: $(VENV)/.dev ## who may import whom
	$(BIN)/lint-imports

test: $(VENV)/.dev $(NATIVE) browser ## all tests, with a real Redis and a real browser
	$(BIN)/pytest $(DISTRIBUTED)

test-interpreted: $(VENV)/.dev ## the streaming journeys without compiled functions
	NATIVE_CODE=off $(BIN)/pytest $(DISTRIBUTED) $(STREAMING)

check-native: $(VENV)/.dev $(NATIVE) ## the compiled functions with the compiler's sanitizers, if it has any; MANY=yes: with a thousand examples each
	@bash tests/support/check_native.sh $(UV) $(BIN)/python $(if $(MANY),--hypothesis-profile=many)

test-pure: $(VENV)/.dev ## the pure heart only, in seconds
	$(BIN)/pytest tests/gateway/translation tests/gateway/formats tests/gateway/policy tests/commons/balancing tests/commons/codex

test-dates: $(VENV)/.dev ## all but pages, on pretended dates (takes long); DATES and TESTS may be said
	@PYTHONPATH=tests $(BIN)/python -m dates --dates "$(DATES)" --tests "$(TESTS)" -- $(DISTRIBUTED)

cover: $(VENV)/.dev $(NATIVE) browser ## all tests, with the coverage of branches
	$(BIN)/pytest $(DISTRIBUTED) --cov --cov-report=term-missing:skip-covered

fix: $(VENV)/.dev ## format and autofix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev $(NATIVE) ## measure beside a direct connection and nginx; prints a table, asserts nothing; BENCH="--profile FOLDER" leaves flame graphs
	PYTHONPATH=tests $(BIN)/python -m bench $(BENCH)

storm: $(VENV)/.dev $(NATIVE) ## kill gateways and Redis under load, and see whether the figures add up
	PYTHONPATH=tests $(BIN)/python -m storm

check-clients: $(VENV)/.dev $(NATIVE) ## run real clients (Claude Code, Codex, SDKs) against the simulated backend; installs them; CLIENTS may be said
	@PYTHONPATH=tests $(BIN)/python -m clients

week: $(VENV)/.dev ## replay synthetic weeks with every strategy; prints the table of docs/routing.md
	@PYTHONPATH=tests $(BIN)/python -m week

# --- documents ---------------------------------------------------------------------------------

docs: $(VENV)/.uv ## build the documents as a site, into build/docs/site; --strict about links
	@bash tests/deploy/tools/install.sh $(UV) $(DEPLOY_TOOLS) docs
	@$(PYTHON) deploy/docs/stage.py build/docs
	@cd build/docs && $(abspath $(DEPLOY_TOOLS))/bin/zensical build --strict

# --- releasing ---------------------------------------------------------------------------------

wheels: $(VENV)/.dev ## build the wheels of all members into dist/
	@bash deploy/release/build_wheels.sh $(UV) dist

release: $(VENV)/.dev ## VERSION=x.y.z: write it wherever it stands and close the changelog's section
	$(BIN)/python deploy/release/version.py cut $(VERSION)

# --- setting up --------------------------------------------------------------------------------

lock: $(VENV)/.uv ## renew the hash-pinned, host-free locks
	PATH="$(abspath $(BIN)):$$PATH" bash locks/renew.sh

browser: $(VENV)/.dev ## find or install a Chromium for the page tests
	@bash tests/support/find_browser.sh $(BIN)/python

clean: ## remove everything that was set up
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

UNREACHED = echo "the packages could not be had: is the network there? A proxy or an index of yours: HTTPS_PROXY, PIP_INDEX_URL, UV_INDEX_URL"; exit 1

$(VENV)/.uv: locks/uv.txt
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; say make PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "cannot make a virtual environment; on Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r locks/uv.txt || { $(UNREACHED); }
	@touch $@

$(VENV)/.standalone: $(VENV)/.uv locks/standalone.txt locks/build.txt $(wildcard */pyproject.toml */*/pyproject.toml)
	@echo "installing what running needs (locks/standalone.txt)"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r locks/standalone.txt || { $(UNREACHED); }
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r locks/build.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(MEMBERS)
	@touch $@

# Optional: without it streams are interpreted. It is tried again each time until it is there.
$(VENV)/.native: $(VENV)/.standalone $(addprefix shared/native/,pyproject.toml setup.py) $(wildcard shared/native/src/* shared/native/codex_proapi_native/*.*)
	@if $(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --reinstall ./shared/native >$(VENV)/native.log 2>&1; \
	then touch $@; \
	else $(UV) pip uninstall --quiet --python $(BIN)/python codex-proapi-native 2>/dev/null; \
	  echo "streams are interpreted and cost more CPU: codex-proapi-native needs a C compiler and Python's headers ($(VENV)/native.log)"; fi

$(VENV)/.dev: $(VENV)/.standalone locks/dev.txt
	@echo "installing what checking needs (locks/dev.txt)"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r locks/dev.txt || { $(UNREACHED); }
	@touch $@

# --- deploying ---------------------------------------------------------------------------------

DEPLOY_TOOLS := $(VENV)/deploy
CHECKS := PATH="$(abspath $(DEPLOY_TOOLS))/bin:$$PATH" $(BIN)/pytest -o python_files='check_*.py' -o timeout=900
# In its folder and without -f: COMPOSE_FILE in deploy/compose/.env says which files make the stack.
COMPOSE = cd deploy/compose && $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
OVERLAY ?= example
IMAGE_PREFIX ?= codex-proapi/
IMAGE_TAG ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' shared/pyproject.toml)

.PHONY: check-clients check-deploy check-live check-live-short check-images images compose-secrets compose compose-roll render-k8s

check-deploy: $(VENV)/.dev ## manifests, compose, images, rules, dashboards, proxies: read by their own tools
	@bash tests/deploy/tools/install.sh $(UV) $(DEPLOY_TOOLS) static
	$(CHECKS) -n $(TEST_JOBS) tests/deploy/static

check-live: $(VENV)/.dev ## a real Prometheus, real proxies, rolling restarts, killed processes
	@bash tests/deploy/tools/install.sh $(UV) $(DEPLOY_TOOLS) live
	$(CHECKS) tests/deploy/live

check-live-short: $(VENV)/.dev ## of check-live what waits for nothing: proxies, restored backups
	@bash tests/deploy/tools/install.sh $(UV) $(DEPLOY_TOOLS) live
	$(CHECKS) -n 2 --dist loadfile -m short tests/deploy/live

check-images: $(VENV)/.dev ## a real dockerd: build, compose up, a client, rolling restart, down
	@bash tests/deploy/tools/install.sh $(UV) $(DEPLOY_TOOLS) images
	$(CHECKS) -o timeout=3600 -s tests/deploy/images

images: ## build the three images; BASE_IMAGE, IMAGE_PREFIX and IMAGE_TAG may be said
	for target in gateway console standalone; do \
	  docker build --file deploy/Dockerfile --target $$target $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) \
	    $(if $(NATIVE_CODE),--build-arg NATIVE_CODE=$(NATIVE_CODE)) --build-arg VERSION=$(IMAGE_TAG) --build-arg REVISION=$$(git rev-parse HEAD) \
	    --tag $(IMAGE_PREFIX)$$target:$(IMAGE_TAG) .; \
	done

compose-secrets: ## make the secrets of the compose stack, once
	@PYTHON=$(PYTHON) bash deploy/compose/secrets.sh

compose: compose-secrets ## build and start the whole product on this server
	$(COMPOSE) up --detach --build --wait

compose-roll: ## replace the services one by one; no stream breaks
	@bash deploy/compose/roll.sh

render-k8s: ## print the manifests of an OVERLAY: example, ingress-nginx, ha or dev
	@kubectl kustomize deploy/k8s/overlays/$(OVERLAY)

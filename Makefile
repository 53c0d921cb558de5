# flightlake: `make demo` shows it at work, `make test` checks all of it.
# Everything that is installed goes to .cache/ and .venv/ of this checkout.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

LINT_VERSION := v2.15.0
JDBC_VERSION := 18.3.0

TAGS  := duckdb_arrow
GO    ?= go
CACHE := $(CURDIR)/.cache
BIN   := bin/flightlake
VENV  := $(CURDIR)/.venv
PY    := $(VENV)/bin/python
LINT  := $(CACHE)/bin/golangci-lint
JDBC  := $(CACHE)/jdbc/flight-sql-jdbc-driver-$(JDBC_VERSION).jar
JS    := $(CACHE)/js/node_modules/.installed
# The Java client library, which programs in docs/clients/java.md use.
FLIGHT := $(CACHE)/flight-sql/.complete

MAVEN_COPY := org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy

SF         ?= 1
TEST_SF    ?= 1
KILLS      ?= 50
TEST_KILLS ?= 12
CYCLES     ?= 10000
FUZZ_TIME  ?= 10s
GO_PACKAGES = $(shell $(GO) list -tags $(TAGS) ./...)

# All packages but those around DuckDB, into which the race detector cannot see.
RACE_PACKAGES = $(shell $(GO) list -tags $(TAGS) ./... | grep -Ev '/(engine|catalog/duckdb|cmd/flightlake|integration|bench)($$|/)')

IMPORT_GRAPH = $(GO) list -tags $(TAGS) -f '{{.ImportPath}} {{join .Imports " "}}' ./... | \
  $(GO) run ./internal/cmd/importgraph -module $$($(GO) list -m)

export FLIGHTLAKE_TEST_PYTHON = $(PY)
export FLIGHTLAKE_TEST_BINARY = $(CURDIR)/$(BIN)
export FLIGHTLAKE_TEST_JDBC   = $(JDBC)
export FLIGHTLAKE_TEST_CACHE  = $(CACHE)
PYTEST = $(PY) -m pytest -p no:cacheprovider --tb=native --durations=5 integration

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

.PHONY: build
build: ## build bin/flightlake
	$(GO) build -tags $(TAGS) -o $(BIN) ./cmd/flightlake

.PHONY: demo
demo: build $(VENV)/.installed ## load TPC-H (SF=1) into a fresh lake, query it, keep serving at a terminal
	$(PY) integration/demo.py --sf $(SF)

.PHONY: test
test: build lint test-unit test-race invariants test-integration test-go-clients bench-short ## install what the tests need and run everything

.PHONY: test-unit
test-unit: $(VENV)/.installed ## Go tests
	$(GO) test -tags $(TAGS) -timeout 15m ./...

.PHONY: test-race
test-race: $(VENV)/.installed ## Go tests under the race detector, without those of DuckDB's packages
	$(GO) test -race -short -tags $(TAGS) -timeout 15m $(RACE_PACKAGES)

.PHONY: invariants
invariants: $(VENV)/.installed ## Go tests with the checks of internal/invariant
	$(GO) test -short -tags "$(TAGS) invariants" -timeout 15m ./...

.PHONY: test-integration
test-integration: build $(VENV)/.installed $(JDBC) $(FLIGHT) $(JS) ## real clients against a real server; TEST_SF and TEST_KILLS set the size
	FLIGHTLAKE_TEST_SF=$(TEST_SF) FLIGHTLAKE_TEST_KILLS=$(TEST_KILLS) $(PYTEST)

.PHONY: test-go-clients
test-go-clients: build ## the clients written in Go, and many connections; CYCLES (10000) are opened and closed
	cd integration/godriver && FLIGHTLAKE_TEST_CYCLES=$(CYCLES) $(GO) test -timeout 15m ./...

.PHONY: test-tpch
test-tpch: build $(VENV)/.installed ## the 22 TPC-H queries at scale factor SF (1)
	FLIGHTLAKE_TEST_SF=$(SF) $(PYTEST) -k tpch

.PHONY: test-kill
test-kill: build $(VENV)/.installed ## kill -9 during ingests, KILLS (50) times
	FLIGHTLAKE_TEST_KILLS=$(KILLS) $(PYTEST) -k kill

.PHONY: bench
bench: build $(VENV)/.installed ## the full benchmark set; results go to bench/results/
	$(PY) bench/run.py

.PHONY: bench-short
bench-short: build $(VENV)/.installed ## every benchmark once on little data, so that none rots
	$(PY) bench/run.py --short
	$(GO) test -tags $(TAGS) -run '^$$' -bench . -benchtime 1x -short ./...

.PHONY: tools
tools: $(VENV)/.installed $(JDBC) $(FLIGHT) $(JS) $(LINT) ## install what the tests need

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZ_TIME (10s)
	@for pkg in $(GO_PACKAGES); do \
	  for target in $$($(GO) test -tags $(TAGS) -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    $(GO) test -tags $(TAGS) -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) $$pkg; \
	  done; \
	done

.PHONY: lint
lint: $(LINT) ## golangci-lint with .golangci.yml, and whether the figure of imports is fresh
	@for linter in $$(grep -rhoE --include='*.go' '//nolint:[a-z,]+' . | cut -d: -f2 | tr , '\n' | sort -u); do \
	  grep -qE "^    - $$linter( |$$)" .golangci.yml || { echo "a nolint names $$linter, which is not enabled"; exit 1; }; \
	done
	$(LINT) run
	$(IMPORT_GRAPH) -check ARCHITECTURE.md

.PHONY: fmt
fmt: $(LINT) ## format the Go files
	$(LINT) fmt

.PHONY: architecture
architecture: ## draw the figure of imports in ARCHITECTURE.md anew
	$(IMPORT_GRAPH) ARCHITECTURE.md

.PHONY: verify
verify: ## go.mod is tidy, the files are formatted and the figure of imports is fresh
	$(GO) mod tidy
	$(MAKE) fmt architecture
	git diff --exit-code

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf bin lake-demo $(CACHE) $(VENV)

# The virtual environment. Debian packages venv apart from Python.
$(VENV)/.installed: integration/requirements.txt
	@if ! python3 -c 'import ensurepip, venv' 2>/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq python3-venv; \
	fi
	python3 -m venv $(VENV) || { python3 -m pip install --user virtualenv && python3 -m virtualenv $(VENV); }
	$(PY) -m pip install --quiet --disable-pip-version-check -r integration/requirements.txt
	@touch $@

# The JavaScript client, with the Node.js of the virtual environment.
$(JS): integration/js/package-lock.json $(VENV)/.installed
	mkdir -p $(CACHE)/js
	cp integration/js/package.json integration/js/package-lock.json $(CACHE)/js/
	PATH="$(VENV)/bin:$$PATH" npm ci --prefix $(CACHE)/js --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(LINT):
	GOBIN=$(dir $@) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

# What brings Maven where it is missing, or says that it is needed.
NEED_MAVEN = command -v mvn >/dev/null || \
  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq maven; } || \
  { echo "Maven fetches the Java clients: install it (Debian: apt-get install maven)" >&2; exit 1; }

$(JDBC):
	@$(NEED_MAVEN)
	mvn --quiet --batch-mode $(MAVEN_COPY) -Dartifact=org.apache.arrow:flight-sql-jdbc-driver:$(JDBC_VERSION) \
	  -DoutputDirectory=$(dir $@) -Dmdep.useBaseVersion=true

$(FLIGHT): integration/flightclient/pom.xml
	@$(NEED_MAVEN)
	mvn --quiet --batch-mode --file $< $(MAVEN_COPY)-dependencies -DoutputDirectory=$(dir $@)
	@touch $@

# Nexus: every target installs and starts what it needs, and does nothing that is done already.
# Values may hold spaces; they reach the scripts as environment variables, never as shell text.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build install check test unit torture bench bench-short schema docs golden clean ws-up ws-down ws-list ws-ssh ws-exec ws-delete require-name

# as typed: make itself must not expand a `$` in them
override NAME := $(value NAME)
override REPO := $(value REPO)
override CMD := $(value CMD)
override FORCE := $(value FORCE)
export NAME REPO CMD FORCE
SOURCES := $(shell find lib scripts templates compose -type f 2>/dev/null) package.json package-lock.json
NEXUS := node dist/nexus.js
WITH_REPO = $${REPO:+--repo "$$REPO"}

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: node_modules/.installed ## install what is missing (engine included) and start the engine
	@bash scripts/setup.sh

node_modules/.installed: package.json package-lock.json
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); if (a < 20 || (a === 20 && b < 19)) { console.error("error: Nexus needs Node 20.19 or newer, this is " + process.versions.node); process.exit(5) }'
	@echo 'installing npm packages' >&2
	@npm ci --loglevel=error --no-audit --no-fund >&2
	@touch $@

build: dist/nexus.js ## make dist/nexus.js

dist/nexus.js: node_modules/.installed $(SOURCES)
	@node scripts/build.mjs

install: build ## link nexus into ~/.local/bin
	@mkdir -p "$$HOME/.local/bin"
	@ln -sfn "$(CURDIR)/dist/nexus.js" "$$HOME/.local/bin/nexus"
	@echo "nexus is $$HOME/.local/bin/nexus"

check: node_modules/.installed ## types, lint, format, import circles, shell scripts
	@npx --no-install tsc --noEmit
	@npx --no-install biome check .
	@node scripts/circles.mjs
	@for file in $$(git ls-files '*.sh'); do bash -n "$$file" || exit 1; done

test: check setup build ## run all tests
	@node scripts/test.mjs

unit: build ## run the tests that need no engine
	@node scripts/test.mjs --kind unit

torture: setup build ## run the long tests: all failpoints, kill -9, a storm (docs/reliability.md), versions of Node, image caches
	@node scripts/test.mjs --kind long
	@node scripts/torture.mjs

bench: setup build ## measure each verb beside its floor
	@node scripts/bench.mjs

schema: node_modules/.installed ## write schema/config.schema.json
	@node scripts/generate.mjs schema

docs: node_modules/.installed ## write docs/cli.md and docs/openapi.json
	@node scripts/generate.mjs docs openapi

golden: node_modules/.installed ## write the expected files of test/golden anew
	@UPDATE_GOLDEN=1 node scripts/test.mjs --kind unit golden

clean: ## remove what was built
	@rm -rf dist node_modules/.cache

require-name:
	@[ -n "$$NAME" ] || { echo 'error: NAME is missing; use `make ws-up NAME=demo`' >&2; exit 2; }

ws-up: require-name setup build ## create or start workspace NAME [REPO=path]
	@$(NEXUS) up "$$NAME" $(WITH_REPO)

ws-down: require-name build ## stop workspace NAME [REPO=path]
	@$(NEXUS) stop "$$NAME" $(WITH_REPO)

ws-list: build ## list the workspaces [REPO=path]
	@$(NEXUS) list $(WITH_REPO)

ws-ssh: require-name build ## open a shell in workspace NAME [REPO=path]
	@$(NEXUS) ssh "$$NAME" $(WITH_REPO)

ws-exec: require-name build ## run CMD='...' in workspace NAME [REPO=path]
	@[ -n "$$CMD" ] || { echo "error: CMD is missing; use \`make ws-exec NAME=demo CMD='git status'\`" >&2; exit 2; }
	@$(NEXUS) exec "$$NAME" $(WITH_REPO) -- bash -c "$$CMD"

ws-delete: require-name build ## delete workspace NAME [FORCE=1] [REPO=path]
	@$(NEXUS) delete "$$NAME" $${FORCE:+--force} $(WITH_REPO)

# make run    build the page and the program, and put a demonstration on air
# make test   everything that CI runs
# make bench  the figures of docs/performance.md; make bench-ingest: those of making films ready
#
# More words after a target: make run ARGS="--listen :9000 --on-air-in 2m"

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# .ci/setup puts a newer Go and Node here when Debian's are too old.
export PATH := $(CURDIR)/.tools/go/bin:$(CURDIR)/.tools/node/bin:$(CURDIR)/.tools/bin:$(PATH):/usr/sbin
export CGO_ENABLED ?= 0

ARGS ?=
TOOL := go tool -modfile=.ci/tools/go.mod
NPM := npm --prefix api/web
web_sources := $(shell find api/web -path api/web/node_modules -prune -o -path api/web/dist -prune -o -path api/web/e2e -prune -o -type f -print 2>/dev/null)

.PHONY: help run build web setup-build setup-run setup-test test lint test-go test-web e2e bench bench-ingest fmt clean

help:
	@sed -n 's/^# //p;/^$$/q' $(firstword $(MAKEFILE_LIST))

run: setup-run web build
	@bin/reprise demo $(ARGS)

build:
	@go build -trimpath -o bin/reprise ./cmd/reprise

setup-build setup-run setup-test: setup-%:
	@.ci/setup $*

# The page. npm runs only when a source is newer than what was built of it.
web: api/web/dist/index.html

api/web/node_modules/.package-lock.json: api/web/package.json api/web/package-lock.json
	@$(NPM) ci --no-audit --no-fund >&2
	@touch $@

api/web/dist/index.html: api/web/node_modules/.package-lock.json $(web_sources)
	@$(NPM) run build >&2
	@touch $@

# Everything that CI runs. The page is built first, as the program holds it.
test: setup-test web lint test-go test-web e2e
	@echo "make test: everything passed"

lint: setup-test
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not gofmt'ed (make fmt does it):"; echo "$$unformatted"; exit 1; fi
	@echo "go vet" && go vet ./...
	@echo "staticcheck" && $(TOOL) staticcheck ./...

# -race needs cgo. Packages run two at a time: many of them start ffmpeg.
test-go: setup-test web
	@CGO_ENABLED=1 $(TOOL) gotestsum --format standard-quiet -- -race -timeout 20m -p 2 ./...

test-web: api/web/node_modules/.package-lock.json web
	@$(NPM) run check
	@$(NPM) run lint
	@$(NPM) run test
	@$(NPM) run budget --if-present

# Its bounds are fractions of a second of a picture, watched by nine pages while films are encoded on the same cores:
# a machine that is starved for a moment gets one more run, and says so. Both outputs stay to be read.
e2e: setup-test web build
	@$(NPM) run e2e --if-present || { echo "e2e: failed, once more on a machine that may be quieter now"; $(NPM) run e2e --if-present; }

bench: setup-test web build
	@go test -run '^$$' -bench . -benchtime 3x -timeout 30m ./vod/cmaf
	@go test -run '^$$' -bench . -timeout 30m ./stream ./api
	@go test -run '^$$' -bench . -skip FirstPlayable -benchtime 1x -timeout 30m -v ./cmd/reprise

# Everything but encoding against one bare run of ffmpeg, the first thing to watch of an
# hour's talk, a large upload: about ten minutes. REPRISE_BENCH_SECONDS=3600 makes a whole hour ready.
bench-ingest: setup-test web
	@go test -run '^$$' -bench BenchmarkIngest -benchtime 1x -timeout 6h ./vod/ingest
	@go test -run '^$$' -bench BenchmarkFirstPlayable -benchtime 1x -timeout 2h ./cmd/reprise
	@go test -run '^$$' -bench BenchmarkUpload -benchtime 1x -timeout 30m ./storage/uploads

fmt:
	@gofmt -w $$(git ls-files '*.go')
	@$(NPM) run format

clean:
	@rm -rf bin api/web/node_modules .tools
	@find api/web/dist -mindepth 1 ! -name .gitkeep -delete

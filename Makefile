# Ironix: one Makefile, no recursion. Each folder adds its parts in <folder>/build.mk,
# with the helpers of scripts/mk/rules.mk. `make help` lists the targets.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
SHELL := /bin/bash

BUILD  ?= build
PREFIX ?= /usr/local
export SOURCE_DATE_EPOCH ?= 1700000000

.PHONY: all run test test-unit test-hosted test-system fuzz fuzz-smoke bench coverage install \
	lint clean deps help
all:

include scripts/mk/rules.mk
include $(sort $(wildcard */build.mk))

all: $(ALL)

deps:
	scripts/deps

run: all
	scripts/run-demo

test: all $(BENCHES)
	scripts/run-tests $(BUILD) unit hosted system
test-unit: $(UNIT_TESTS)
	scripts/run-tests $(BUILD) unit $(T)
test-hosted: all $(BENCHES)
	scripts/run-tests $(BUILD) hosted $(T)
test-system: all
	scripts/run-tests $(BUILD) system $(T)
test: $(UNIT_TESTS)

# One fuzzer for TIME seconds, its corpus kept under build/fuzz/<name>.corpus.
TIME ?= 60
fuzz: $(if $(T),$(BUILD)/fuzz/$(T),$(FUZZERS))
	scripts/run-fuzz $(BUILD) $(TIME) $(T)
fuzz-smoke: TIME = 10
fuzz-smoke: $(FUZZERS)
	scripts/run-fuzz $(BUILD) $(TIME)

# QUICK=1: everything once and small. scripts/bench-report makes docs/results.md of a run.
bench: all $(BENCHES)
	scripts/run-bench $(BUILD)

coverage:
	scripts/coverage $(BUILD)

install: all
	scripts/install $(BUILD) "$(DESTDIR)" "$(PREFIX)"

lint: | $(DEPS)
	scripts/lint

clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^\([a-z][a-z-]*\):.*/\1/p' Makefile | sort -u

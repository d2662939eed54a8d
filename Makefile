# Everyday commands; meson and ninja do the work. `make help` lists them.
BUILD ?= build
ARGS ?=
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 30
SANITIZE = --buildtype=debugoptimized -Dtests=enabled -Db_lundef=false

.PHONY: all demo build test bench latency screenshots lint asan tsan fuzz install clean help
all: build

demo: ## install what is missing, build, make a clip, serve it (ARGS=--once: print and exit)
	@tools/setup build
	@$(MAKE) --no-print-directory build
	$(BUILD)/saccade demo $(ARGS)

build: $(BUILD)/build.ninja ## the program: build/saccade
	ninja -C $(BUILD)
$(BUILD)/build.ninja:
	meson setup $(BUILD)

test: ## install what is missing, build, run all tests
	@tools/setup build test
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@grep -q tests/base $(BUILD)/build.ninja || meson setup --reconfigure $(BUILD) -Dtests=enabled
	@$(MAKE) --no-print-directory build
	tests/run --build $(BUILD)

bench: ## compare with peers, write bench/results.json
	@tools/setup build bench
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@grep -q bench/ours $(BUILD)/build.ninja || meson setup --reconfigure $(BUILD) -Dbench=enabled
	@$(MAKE) --no-print-directory build
	bench/run.py --build $(BUILD) $(ARGS)

latency: ## how old a picture is in a browser, by WebRTC (ARGS=--help)
	@tools/setup build test
	@$(MAKE) --no-print-directory build
	node tests/latency/latency.mjs $(ARGS)

screenshots: ## the pictures in docs/page.md (ARGS=NAME... for some)
	node tools/screenshots.mjs $(ARGS)

lint: ## formatting, static analysis, layers
	@tools/setup build lint
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	tools/lint $(BUILD)

asan: ## unit tests and fuzz corpora under AddressSanitizer and UBSan
	@tools/setup build test
	@[ -f build-asan/build.ninja ] || meson setup build-asan $(SANITIZE) -Db_sanitize=address,undefined
	ninja -C build-asan
	ASAN_OPTIONS=allocator_may_return_null=1 LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	  tests/run --build build-asan --only unit

# FFmpeg's own threads synchronise in ways that only an instrumented FFmpeg would show.
tsan: ## unit tests under ThreadSanitizer
	@tools/setup build test
	@[ -f build-tsan/build.ninja ] || meson setup build-tsan $(SANITIZE) -Db_sanitize=thread
	ninja -C build-tsan
	TSAN_OPTIONS=halt_on_error=1:ignore_noninstrumented_modules=1:suppressions=$(CURDIR)/tests/tsan.supp \
	  tests/run --build build-tsan --only unit

fuzz: ## run every fuzzer for FUZZ_SECONDS
	@tools/setup build fuzz
	@[ -f build-fuzz/build.ninja ] || CC=clang meson setup build-fuzz -Dfuzz=enabled \
	  -Dtests=disabled --buildtype=debugoptimized -Db_lundef=false -Db_sanitize=address,undefined
	ninja -C build-fuzz
	tests/fuzz/run build-fuzz $(FUZZ_SECONDS)

install: build ## program and systemd unit under PREFIX (/usr/local); DESTDIR is respected
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	meson install -C $(BUILD)

clean: ## remove all build folders
	rm -rf $(BUILD) build-asan build-tsan build-fuzz

help:
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

# Everyday commands; meson and ninja do the work. `make help` lists them.
BUILD ?= build

.PHONY: all build help
all: build

build: $(BUILD)/build.ninja
	ninja -C $(BUILD)
$(BUILD)/build.ninja:
	meson setup $(BUILD)
help:
	@grep -E '^[a-z-]+:' Makefile

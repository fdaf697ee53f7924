# multimodal: a Lua module with a C core. `make help` lists the targets.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
WARN := -std=gnu11 -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Werror
DEFINES := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64

CORE := $(wildcard src/core/*.c)
C_TESTS := $(patsubst spec/core/%_test.c,build/c/%_test,$(wildcard spec/core/*_test.c))
TEST_OBJECTS := $(patsubst src/core/%.c,build/c/core/%.o,$(CORE))

build/c/core/%.o: src/core/%.c $(wildcard src/core/*.h)
	@mkdir -p $(@D)
	$(CC) $(WARN) $(DEFINES) -DMM_TEST_ALLOC $(SANITIZE) -c -o $@ $<

build/c/%_test: spec/core/%_test.c spec/core/check.h $(TEST_OBJECTS)
	$(CC) $(WARN) $(DEFINES) -DMM_TEST_ALLOC $(SANITIZE) -o $@ $< $(TEST_OBJECTS) -lm -lpthread

# One build of both modules for each Lua: build/<lua>/multimodal/{core,net}.so
LUAS ?= $(foreach v,5.4 5.3 5.2 5.1 luajit,$(if $(shell pkg-config --exists $(call pc,$(v)) && echo y),$(v)))
pc = $(if $(filter luajit,$(1)),luajit,lua$(1))
OPTIMISE := -O2 -g
CORE_LUA := $(filter-out src/lua/net%.c,$(wildcard src/lua/*.c))
NET_LUA := $(wildcard src/lua/net*.c) src/lua/box.c src/core/err.c
HEADERS := $(wildcard src/*/*.h)

define module_rules
build/$(1)/multimodal/core.so: $(CORE) $(CORE_LUA) $(HEADERS)
	@mkdir -p $$(@D)
	$$(CC) $$(OPTIMISE) $$(WARN) $$(DEFINES) $$(EXTRA) -fPIC -shared $$(shell pkg-config --cflags $(call pc,$(1))) -o $$@ $(CORE) $(CORE_LUA) -lm
build/$(1)/multimodal/net.so: $(wildcard src/net/*.c) $(NET_LUA) $(HEADERS)
	@mkdir -p $$(@D)
	$$(CC) $$(OPTIMISE) $$(WARN) $$(DEFINES) $$(EXTRA) -fPIC -shared $$(shell pkg-config --cflags $(call pc,$(1)) libcurl libuv) -o $$@ $(wildcard src/net/*.c) $(NET_LUA) $$(shell pkg-config --libs libcurl libuv)
endef
$(foreach v,5.4 5.3 5.2 5.1 luajit,$(eval $(call module_rules,$(v))))

.PHONY: help c-test build
build: $(foreach v,$(LUAS),build/$(v)/multimodal/core.so build/$(v)/multimodal/net.so) ## build both C modules for every installed Lua

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

c-test: $(C_TESTS) ## run the C tests under ASan and UBSan
	@for t in $(C_TESTS); do echo "$$t"; $$t || exit 1; done

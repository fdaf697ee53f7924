# multimodal: a Lua module with a C core. `make help` lists the targets.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Werror
DEFINES := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
STD := -std=gnu11
OPTIMISE := -O2 -g
SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# What `make env` has set in this shell would go before the paths here.
unexport LUA_PATH_5_2 LUA_PATH_5_3 LUA_PATH_5_4 LUA_CPATH_5_2 LUA_CPATH_5_3 LUA_CPATH_5_4

# small | full: how large the media of the specs are (spec/support/sizes.lua).
SIZES ?= small

CORE := $(wildcard src/core/*.c)
NET := $(wildcard src/net/*.c)
NET_LUA := $(wildcard src/lua/net*.c) src/lua/box.c src/core/err.c
CORE_LUA := $(filter-out src/lua/net%.c,$(wildcard src/lua/*.c))
HEADERS := $(wildcard src/*/*.h)
C_FILES := $(wildcard src/*/*.c) $(wildcard spec/*/*.c) $(wildcard bench/*.c)

# The name of a Lua's headers in pkg-config; 5.1 and LuaJIT share one binary interface and one folder.
pc_5.4 := lua5.4
pc_5.3 := lua5.3
pc_5.2 := lua5.2
pc_5.1 := $(shell pkg-config --exists lua5.1 2>/dev/null && echo lua5.1 || echo luajit)
LUAS := $(foreach v,5.4 5.3 5.2 5.1,$(if $(shell pkg-config --exists $(pc_$(v)) 2>/dev/null && echo y),$(v)))

# module_rules(folder, Lua, extra flags)
define module_rules
build/$(1)/multimodal/core.so: $(CORE) $(CORE_LUA) $(HEADERS)
	@mkdir -p $$(@D)
	$$(CC) $$(STD) $$(OPTIMISE) $$(WARN) $$(DEFINES) $(3) -fPIC -shared $$(shell pkg-config --cflags $(pc_$(2))) \
	  -o $$@ $(CORE) $(CORE_LUA) -lm
build/$(1)/multimodal/net.so: $(NET) $(NET_LUA) $(HEADERS)
	@mkdir -p $$(@D)
	$$(CC) $$(STD) $$(OPTIMISE) $$(WARN) $$(DEFINES) $(3) -fPIC -shared $$(shell pkg-config --cflags $(pc_$(2)) libcurl libuv) \
	  -o $$@ $(NET) $(NET_LUA) $$(shell pkg-config --libs libcurl libuv)
endef
$(foreach v,5.4 5.3 5.2 5.1,$(eval $(call module_rules,$(v),$(v))))
$(eval $(call module_rules,luajit,5.1))
$(eval $(call module_rules,alloc,5.4,-DMM_TEST_ALLOC))
$(eval $(call module_rules,asan,5.4,-DMM_TEST_ALLOC $(SANITIZE)))
modules = build/$(1)/multimodal/core.so build/$(1)/multimodal/net.so

# spec(folder, Lua, busted's arguments): every Lua finds the same sources and its own build.
BUSTED := /usr/bin/busted
HEAVY := big,aimock,alloc
NOT_BIG := aimock,alloc
LUA_FILES := lua/?.lua;lua/?/init.lua;spec/?.lua;;
spec = MULTIMODAL_SIZES=$(SIZES) LUA_PATH="$(LUA_FILES)" LUA_CPATH="build/$(1)/?.so;;" LUA_INIT= \
  $(2) $(BUSTED) --output=utfTerminal --helper=spec/support/helper.lua $(3)

.PHONY: help deps build env demo check check-more test lint c-test spec-5.4 spec-luajit spec-others spec-asan \
  spec-valgrind spec-alloc spec-full aimock bench install clean fuzz fuzz-short soak

help: ## list the targets
	@grep -hE '^[a-z0-9.-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

deps: ## install what building needs (Debian, Ubuntu), or say what to install
	@tools/deps.sh build

build: $(foreach v,$(LUAS),$(call modules,$(v))) ## build both C modules for every installed Lua

env: ## eval "$$(make -s env)": every installed Lua finds the build
	@echo 'export LUA_PATH="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;$${LUA_PATH:-;}"'
	@echo 'export LUA_CPATH="$(CURDIR)/build/5.1/?.so;$${LUA_CPATH:-;}"'
	@for v in 5.2 5.3 5.4; do u=$${v/./_}; \
	  echo "export LUA_PATH_$$u=\"$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;\$${LUA_PATH_$$u:-;}\""; \
	  echo "export LUA_CPATH_$$u=\"$(CURDIR)/build/$$v/?.so;\$${LUA_CPATH_$$u:-;}\""; done
	@echo 'export PATH="$(CURDIR)/bin:$$PATH"'

demo: ## install what is missing, build, and run the tour
	@tools/deps.sh demo
	@$(MAKE) --no-print-directory -s $(call modules,5.4)
	@eval "$$($(MAKE) -s --no-print-directory env)" && lua5.4 examples/tour.lua

test: ## install what is missing, build, and run everything
	@tools/deps.sh test
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory check-more

check: lint c-test spec-5.4 spec-luajit ## lint, layers, C tests, specs on 5.4 and LuaJIT

check-more: fuzz-short spec-others spec-asan spec-valgrind spec-alloc spec-full aimock ## valgrind, sanitizers, failing memory, large media, aimock

lint: ## luacheck, clang-format, cppcheck, gcc and clang with strict warnings
	luacheck -q lua spec examples bin/multimodal
	clang-format --dry-run -Werror $(C_FILES) $(HEADERS) spec/core/check.h
	@for cc in gcc clang; do for f in $(CORE); do \
	  $$cc $(STD) $(WARN) $(DEFINES) -fsyntax-only $$f || exit 1; done; \
	  for f in $(NET) $(wildcard src/lua/*.c); do \
	  $$cc $(STD) $(WARN) $(DEFINES) $$(pkg-config --cflags lua5.4 libcurl libuv) -fsyntax-only $$f || exit 1; done; done
	cppcheck -q --error-exitcode=1 --enable=warning,performance,portability --inline-suppr --suppress=missingIncludeSystem \
	  --std=c11 --library=posix $(DEFINES) src

tidy: ## clang-tidy over the C sources
	clang-tidy --quiet $(CORE) $(NET) $(wildcard src/lua/*.c) -- $(STD) $(DEFINES) $$(pkg-config --cflags lua5.4 libcurl libuv)

# C tests: one program for each spec/core/<module>_test.c, with every core object.
C_TESTS := $(patsubst spec/core/%_test.c,build/c/%_test,$(wildcard spec/core/*_test.c))
TEST_OBJECTS := $(patsubst src/core/%.c,build/c/core/%.o,$(CORE))

build/c/core/%.o: src/core/%.c $(wildcard src/core/*.h)
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(DEFINES) -DMM_TEST_ALLOC $(SANITIZE) -c -o $@ $<

build/c/%_test: spec/core/%_test.c spec/core/check.h $(TEST_OBJECTS)
	$(CC) $(STD) $(WARN) $(DEFINES) -DMM_TEST_ALLOC $(SANITIZE) -o $@ $< $(TEST_OBJECTS) -lm -lpthread

.SECONDARY: $(TEST_OBJECTS)

c-test: $(C_TESTS) ## C tests under ASan and UBSan
	@for t in $(C_TESTS); do echo "$$t"; $$t || exit 1; done

# Fuzz targets: a program for each spec/fuzz/<target>.c, by clang's libFuzzer.
FUZZ_SECONDS ?= 60
FUZZ_RUNS ?= 4000
FUZZ_TARGETS := $(patsubst spec/fuzz/%.c,%,$(wildcard spec/fuzz/*.c))
FUZZ_OBJECTS := $(patsubst src/core/%.c,build/fuzz/core/%.o,$(CORE))
FUZZ_CC = clang $(STD) $(WARN) $(DEFINES) -DMM_TEST_ALLOC $(SANITIZE)

build/fuzz/core/%.o: src/core/%.c $(wildcard src/core/*.h)
	@mkdir -p $(@D)
	$(FUZZ_CC) -fsanitize=fuzzer-no-link -c -o $@ $<

build/fuzz/%: spec/fuzz/%.c $(wildcard spec/fuzz/*.h) $(FUZZ_OBJECTS)
	$(FUZZ_CC) -fsanitize=fuzzer -o $@ $< $(FUZZ_OBJECTS) -lm

build/fuzz/seeds: spec/fuzz/corpus.lua $(shell find spec/fixtures -type f)
	rm -rf $@ && mkdir -p $@ && lua5.4 $< $@

.SECONDARY: $(FUZZ_OBJECTS)

# fuzz_run(where what is new goes, libFuzzer's arguments)
fuzz_run = for t in $(FUZZ_TARGETS); do echo "fuzz $$t"; mkdir -p $(1); \
  ASAN_OPTIONS=quarantine_size_mb=16 build/fuzz/$$t -dict=spec/fuzz/words.dict -max_len=8192 -timeout=20 -rss_limit_mb=1024 -verbosity=0 \
    -artifact_prefix=build/fuzz/$$t- $(2) $(1) build/fuzz/seeds >build/fuzz/$$t.log 2>&1 || { tail -n 60 build/fuzz/$$t.log; exit 1; }; done

fuzz: $(addprefix build/fuzz/,$(FUZZ_TARGETS)) build/fuzz/seeds ## fuzz each parser for FUZZ_SECONDS (60); what is found stays in build/fuzz
	@$(call fuzz_run,build/fuzz/found/$$t,-max_total_time=$(FUZZ_SECONDS))

# The seeds and FUZZ_RUNS inputs made of them, the same each time.
fuzz-short: $(addprefix build/fuzz/,$(FUZZ_TARGETS)) build/fuzz/seeds
	@rm -rf build/fuzz/short
	@$(call fuzz_run,build/fuzz/short/$$t,-seed=1 -runs=$(FUZZ_RUNS))

soak: $(call modules,5.4) ## random requests, cancels and errors for SOAK_SECONDS (120): nothing may grow
	SOAK_SECONDS=$(or $(SOAK_SECONDS),120) LUA_PATH="$(LUA_FILES)" LUA_CPATH="build/5.4/?.so;;" LUA_INIT= lua5.4 spec/soak/soak.lua

build/interpose.so: spec/support/interpose.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(DEFINES) -O1 -fPIC -shared -o $@ $< -ldl

spec-5.4: $(call modules,5.4) build/interpose.so
	$(call spec,5.4,lua5.4,--exclude-tags=$(HEAVY) spec)

spec-luajit: $(call modules,5.1) build/interpose.so
	$(call spec,5.1,luajit,--exclude-tags=$(HEAVY) spec)

# Whoever else is installed: the same sources, the portable specs.
spec-others: $(call modules,5.3) $(call modules,5.2) $(call modules,5.1) build/interpose.so
	$(call spec,5.3,lua5.3,--tags=small --exclude-tags=$(HEAVY) spec)
	$(call spec,5.2,lua5.2,--tags=small --exclude-tags=$(HEAVY) spec)
	$(call spec,5.1,lua5.1,--tags=small --exclude-tags=$(HEAVY) spec)

spec-asan: $(call modules,asan) build/interpose.so
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0 \
	  $(call spec,asan,lua5.4,--exclude-tags=$(HEAVY) spec)

spec-valgrind: $(call modules,5.4)
	MULTIMODAL_SIMD=avx2 $(subst lua5.4 /,valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite lua5.4 /,$(call spec,5.4,lua5.4,--tags=small --exclude-tags=$(HEAVY) spec))

build/asan/alloc_host: spec/alloc/host.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(DEFINES) $(SANITIZE) $$(pkg-config --cflags lua5.4) -o $@ $< $$(pkg-config --libs lua5.4)

spec-alloc: $(call modules,alloc) $(call modules,asan) build/asan/alloc_host ## requests whose memory runs out, for every n
	$(call spec,alloc,lua5.4,--tags=alloc spec/alloc spec/net/alloc_spec.lua)

spec-full: $(call modules,5.4) $(call modules,5.1)
	$(MAKE) --no-print-directory SIZES=full spec-big

spec-big:
	$(call spec,5.4,lua5.4,--tags=big --exclude-tags=$(NOT_BIG) spec)
	$(call spec,5.1,luajit,--tags=big --exclude-tags=$(NOT_BIG) spec)

aimock: $(call modules,5.4) ## fixtures of @copilotkit/aimock
	tools/aimock.sh
	$(call spec,5.4,lua5.4,--tags=aimock spec/aimock)

bench: ## the numbers of the README, beside plain C programs
	tools/bench.sh

install: ## install with luarocks for Lua 5.4
	luarocks --lua-version=5.4 make --deps-mode=none

clean: ## remove what was built
	rm -rf build

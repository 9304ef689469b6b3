# mqtt2pg: `make help` says what there is.
#
# One make works on one FLAVOUR; targets that need several call make again. Everything that is
# built stands under $(BUILD)/$(FLAVOUR)/, only the program for users is $(BUILD)/mqtt2pg.
# `make BUILD=/elsewhere` builds out of the tree.

VERSION = 0.1.0
FLAVOUR = release
BUILD   = build
PREFIX  = /usr/local
SYSCONFDIR = /etc
FUZZ_SECONDS = 20
# SYSTEMD=no builds without libsystemd (Alpine, containers); another choice needs `make clean` first.
SYSTEMD = yes
JOBS := $(shell nproc)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# --- what is built -----------------------------------------------------------------------------

SOURCES := $(sort $(wildcard src/*.c src/*/*.c))
# What the program embeds; an SQL file that is for people only stands elsewhere under sql/.
EMBEDDED_SQL := $(wildcard sql/mqtt2pg.sql sql/embedded/*.sql)
UNIT_SOURCES := $(sort $(wildcard tests/unit/*/test_*.c))
FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/fuzz_*.c))
BENCH_SOURCES := $(sort $(wildcard tests/bench/*.c))

OUT       := $(BUILD)/$(FLAVOUR)
GENERATED := $(BUILD)/generated
OBJECTS   := $(SOURCES:%.c=$(OUT)/%.o) $(if $(EMBEDDED_SQL),$(OUT)/sql_text.o) \
    $(OUT)/src/admin/status_page.o
LIBRARY_OBJECTS := $(filter-out $(OUT)/src/main.o,$(OBJECTS))
PROGRAM   := $(if $(filter release,$(FLAVOUR)),$(BUILD),$(OUT))/mqtt2pg
UNITS     := $(UNIT_SOURCES:tests/unit/%.c=$(OUT)/unit/%)
FUZZERS   := $(FUZZ_SOURCES:tests/fuzz/%.c=$(OUT)/%)
BENCH     := $(BUILD)/bench
BENCH_PROGRAMS := $(addprefix $(BENCH)/,load counter plain_bridge copy_floor watch fill_journal stages decoders)

# --- how ---------------------------------------------------------------------------------------

# What belongs to a flavour: optimisation, instruments, fault points.
FLAVOUR_FLAGS_release = -O2 -g $(HARDENING)
FLAVOUR_FLAGS_test    = -O1 -g -DFAULT_POINTS $(HARDENING)
FLAVOUR_FLAGS_asan    = -O1 -g -DFAULT_POINTS -fsanitize=address,undefined \
                        -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAVOUR_FLAGS_tsan    = -O1 -g -DFAULT_POINTS -fsanitize=thread -fno-omit-frame-pointer
FLAVOUR_FLAGS_cover   = -O0 -g -DFAULT_POINTS --coverage
FLAVOUR_FLAGS_fuzz    = -O1 -g -DFAULT_POINTS -fsanitize=fuzzer-no-link,address,undefined \
                        -fno-sanitize-recover=all -fno-omit-frame-pointer
ifeq ($(FLAVOUR),fuzz)
CC = clang
endif
ifeq ($(FLAVOUR_FLAGS_$(FLAVOUR)),)
$(error there is no flavour "$(FLAVOUR)": release test asan tsan cover fuzz)
endif

# A distribution's own choice, in CPPFLAGS or CFLAGS, wins.
HARDENING = -fstack-protector-strong \
    $(if $(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),,-D_FORTIFY_SOURCE=2)
# A warning is an error where we look at it (CI sets STRICT=1), not for users with another compiler.
# Under instruments the compiler's flow analysis reports what is not there.
WERROR    = $(if $(STRICT),$(if $(filter release test,$(FLAVOUR)),-Werror))
WARNINGS  = -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wformat=2 -Wvla $(WERROR)
PQ_CFLAGS := $(shell pkg-config --cflags libpq 2>/dev/null)
PQ_LIBS   := $(shell pkg-config --libs libpq 2>/dev/null || echo -lpq)

ALL_CPPFLAGS = -D_GNU_SOURCE -DMQTT2PG_VERSION='"$(VERSION)"' -Isrc -I$(GENERATED) $(PQ_CFLAGS) \
               $(if $(filter no,$(SYSTEMD)),-DWITHOUT_SYSTEMD) $(CPPFLAGS)
ALL_CFLAGS   = -std=c11 -fPIE -pthread $(FLAVOUR_FLAGS_$(FLAVOUR)) $(WARNINGS) $(CFLAGS)
ALL_LDFLAGS  = -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(FLAVOUR_FLAGS_$(FLAVOUR)) \
               $(LDFLAGS)
LIBRARIES    = -lpaho-mqtt3as -lssl -lcrypto $(PQ_LIBS) -lconfig -lcjson -lmicrohttpd -lpcre2-8 -lxxhash -lz \
               -lzstd $(if $(filter no,$(SYSTEMD)),,-lsystemd) -lpthread -lm

# --- for users ---------------------------------------------------------------------------------

.PHONY: all deps deps-build deps-deb deps-dev check test test-deb test-systemd test-image test-arm64 bench chaos mutants asan tsan fuzz cover demo deb install uninstall
.PHONY: program-test clean help unit lint format map program units run-units run-fuzzers generated bench-programs

all: ## build build/mqtt2pg with what is installed
	@$(MAKE) -j$(JOBS) program FLAVOUR=release

demo: deps-demo ## see it work: private broker and database, real readings (SECONDS=n ends by itself)
	@echo "building $(BUILD)/mqtt2pg"; mkdir -p $(BUILD); \
	    $(MAKE) all >$(BUILD)/demo.log 2>&1 || { cat $(BUILD)/demo.log; exit 1; }
	@tests/demo/demo.py $(BUILD)/mqtt2pg $(SECONDS)

test: ## install what is missing, build, run every unit and integration test
	@LC_ALL=C.UTF-8 tests/tools/run-tests.sh "$(MAKE)" "$(BUILD)"

check: ## quick: unit tests, format, layers, lint; no servers
	@code=0; $(MAKE) unit || code=1; $(MAKE) lint || code=1; exit $$code

chaos: deps ## random kills, cuts, stops and a full disk under load, then the proof: ROUNDS=n, SEED=n
	@$(MAKE) -j$(JOBS) program FLAVOUR=test
	@tests/chaos/campaign.py --binary "$(BUILD)/test/mqtt2pg" $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED))

mutants: deps ## break each mechanism on purpose, and see that its tests notice: NAME=x for one, JOBS=n side by side
	@LC_ALL=C.UTF-8 tests/mutants/run.py --jobs $(JOBS) $(NAME)

unit: ## only the unit tests; T=base/test_buf for one, FLAVOUR=asan in that flavour; LIVE_TESTS=1 with servers
	@$(MAKE) run-units FLAVOUR=$(if $(filter command line,$(origin FLAVOUR)),$(FLAVOUR),test)

lint: ## only the rules that tools can hold
	@$(MAKE) -j$(JOBS) program FLAVOUR=release
	@tests/tools/lint.sh "$(BUILD)"

format: ## let clang-format write the sources
	clang-format -i $(wildcard src/*.[ch] src/*/*.[ch] tests/unit/*.[ch] tests/unit/*/*.[ch] tests/fuzz/*.[ch] tests/bench/*.[ch] tests/shim/*.c)

map: ## write the generated pages: tables of src/README.md, list of metrics
	@tests/tools/map.py --write
	@tests/tools/metrics-page.py --write

bench: ## measure speed against its floors; QUICK=1 in a minute, ONLY=drain,live for parts, BACKLOG=n
	@tests/tools/deps.sh build test bench
	@$(MAKE) -j$(JOBS) program bench-programs FLAVOUR=release
	@LC_ALL=C.UTF-8 tests/bench/run.py $(abspath $(BUILD)) $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) \
	    $(if $(BACKLOG),--backlog $(BACKLOG))

asan: ## unit and quick integration tests under AddressSanitizer and UBSan
	@tests/tools/run-sanitizer.sh asan "$(MAKE)" "$(BUILD)"

tsan: ## unit and quick integration tests under ThreadSanitizer
	@tests/tools/run-sanitizer.sh tsan "$(MAKE)" "$(BUILD)"

fuzz: ## run each fuzzer for FUZZ_SECONDS (20)
	@$(MAKE) run-fuzzers FLAVOUR=fuzz

cover: ## unit tests' coverage, folder by folder
	@$(MAKE) run-units FLAVOUR=cover
	@tests/tools/cover.sh "$(BUILD)/cover"

deps: ## install the Debian packages that building and testing need
	@tests/tools/deps.sh build test

deps-build: ## … those of building only
	@tests/tools/deps.sh build

deps-demo:
	@tests/tools/deps.sh build demo

deps-deb:
	@tests/tools/deps.sh build deb

deps-dev: ## … and those of check, fuzz and cover
	@tests/tools/deps.sh build test lint

test-arm64: ## cross-build for arm64 and run the unit tests under qemu (Debian's packages of arm64)
	@tests/tools/deps.sh build cross
	@tests/tools/cross-arm64.sh "$(MAKE)" "$(BUILD)"

DEB = $(BUILD)/mqtt2pg_$(VERSION)-1_$$(dpkg --print-architecture).deb

test-deb: deb ## install the package into a fresh Debian 12 tree, try and purge it (root, debootstrap)
	@tests/tools/deps.sh container
	@tests/tools/test-deb.sh $(DEB) $(BUILD)/debian-12

test-systemd: test-deb ## run the units of the package in a booted Debian 12 (root, systemd-nspawn)
	@tests/tools/test-systemd.sh $(DEB) $(BUILD)/debian-12 $(BUILD)/debian-12-systemd

test-image: $(if $(ARCH),,test-deb) program-test ## build the container image and run it (root, buildah, podman; ARCH=arm64 by qemu)
	@tests/tools/deps.sh test image $(if $(ARCH),container cross)
	@tests/tools/test-image.sh $(BUILD)/debian-12$(ARCH:%=-%) $(BUILD)/image$(ARCH:%=-%) $(ARCH)

program-test:
	@$(MAKE) program FLAVOUR=test

clean: ## remove what was built
	rm -rf "$(BUILD)"

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

# The sample never overwrites a configuration: it has another name than the one that is read.
SAMPLE  = mqtt2pg.cfg.sample
UNITDIR = $(PREFIX)/lib/systemd/system
place = install -D -m 644 "$(1)" "$(DESTDIR)$(2)"
fill  = sed -i 's|@PREFIX@|$(PREFIX)|g; s|@SYSCONFDIR@|$(SYSCONFDIR)|g; s|@VERSION@|$(VERSION)|g' "$(DESTDIR)$(1)"

DOCDIR  = $(PREFIX)/share/doc/mqtt2pg
COMPLETION = $(PREFIX)/share/bash-completion/completions/mqtt2pg
# In the folders that their links say.
DOCUMENTS := README.md SECURITY.md config/README.md config/mqtt2pg.cfg $(wildcard config/guide/*.md config/examples/* \
    sql/*.md sql/*.sql docker/*.md docker/*.yaml docker/grafana/dashboards/*.json docker/prometheus/*.yml)

install: all ## into PREFIX (/usr/local) and SYSCONFDIR (/etc) below DESTDIR
	install -D -m 755 $(BUILD)/mqtt2pg "$(DESTDIR)$(PREFIX)/bin/mqtt2pg"
	$(call place,config/man/mqtt2pg.1,$(PREFIX)/share/man/man1/mqtt2pg.1)
	$(call place,config/man/mqtt2pg.cfg.5,$(PREFIX)/share/man/man5/mqtt2pg.cfg.5)
	$(call fill,$(PREFIX)/share/man/man1/mqtt2pg.1)
	$(call fill,$(PREFIX)/share/man/man5/mqtt2pg.cfg.5)
	$(call place,config/mqtt2pg.cfg,$(SYSCONFDIR)/mqtt2pg/$(SAMPLE))
	$(call place,config/systemd/mqtt2pg.service,$(UNITDIR)/mqtt2pg.service)
	$(call place,config/systemd/mqtt2pg@.service,$(UNITDIR)/mqtt2pg@.service)
	$(call fill,$(UNITDIR)/mqtt2pg.service)
	$(call fill,$(UNITDIR)/mqtt2pg@.service)
	@set -e; for file in $(wildcard sql/*.sql); do \
	    install -v -D -m 644 "$$file" "$(DESTDIR)$(PREFIX)/share/mqtt2pg/$$file"; done
	$(call place,config/completion/mqtt2pg,$(COMPLETION))
	@set -e; for file in $(DOCUMENTS); do install -D -m 644 "$$file" "$(DESTDIR)$(DOCDIR)/$$file"; done
	@# Sources and tests are not installed: what leads to them is text.
	@find "$(DESTDIR)$(DOCDIR)" -name '*.md' -exec sed -Ei \
	    's#\[([^]]+)\]\((\.\./)*(src|tests|CHANGELOG|LICENSE|Makefile|config/man|config/systemd)[^)]*\)#\1#g' {} +

uninstall: ## what install has placed; configurations and journals stay
	rm -f "$(DESTDIR)$(PREFIX)/bin/mqtt2pg" "$(DESTDIR)$(SYSCONFDIR)/mqtt2pg/$(SAMPLE)" \
	    "$(DESTDIR)$(PREFIX)/share/man/man1/mqtt2pg.1" "$(DESTDIR)$(PREFIX)/share/man/man5/mqtt2pg.cfg.5" \
	    "$(DESTDIR)$(UNITDIR)/mqtt2pg.service" "$(DESTDIR)$(UNITDIR)/mqtt2pg@.service"
	rm -rf "$(DESTDIR)$(PREFIX)/share/mqtt2pg" "$(DESTDIR)$(DOCDIR)" "$(DESTDIR)$(COMPLETION)"
	@rmdir "$(DESTDIR)$(SYSCONFDIR)/mqtt2pg" 2>/dev/null || true

deb: deps-deb all ## build/mqtt2pg_VERSION_ARCH.deb, for this release of Debian
	@tests/tools/build-deb.sh "$(MAKE)" "$(BUILD)" "$(VERSION)"

# --- inside: one flavour -----------------------------------------------------------------------

# What only tests load into the program, by LD_PRELOAD; instruments want to be first there themselves.
SHIMS := $(if $(filter test,$(FLAVOUR)),$(OUT)/disk_shim.so $(OUT)/resolver_shim.so)
# What tests run beside the program: its own parts behind another main().
TEST_TOOLS := $(if $(filter test asan tsan,$(FLAVOUR)),$(OUT)/encode_rows $(OUT)/fill_journal)

$(TEST_TOOLS): $(OUT)/%: $(OUT)/tests/tools/%.o $(LIBRARY_OBJECTS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBRARIES)

$(OUT)/%_shim.so: tests/shim/%_shim.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $(FLAVOUR) $<"
	@$(CC) -D_GNU_SOURCE -std=c11 -O1 -g $(WARNINGS) -fPIC -shared -pthread -o $@ $<

ifneq ($(wildcard src/main.c),)
program: $(PROGRAM) $(SHIMS) $(TEST_TOOLS) ; @:
else
program: $(OBJECTS) ; @:
endif

$(PROGRAM): $(OBJECTS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBRARIES)

$(OUT)/%.o: %.c Makefile | generated
	@mkdir -p $(@D)
	@echo "  CC    $(FLAVOUR) $<"
	@$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/sql_text.o: $(GENERATED)/sql_text.c Makefile
	@mkdir -p $(@D)
	@$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/src/admin/status_page.o: $(GENERATED)/status_page.c Makefile
	@mkdir -p $(@D)
	@$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(GENERATED)/status_page.c: src/admin/status_page.html tests/tools/embed-page.sh
	@mkdir -p $(@D)
	@tests/tools/embed-page.sh $(GENERATED) $<

generated: $(if $(EMBEDDED_SQL),$(GENERATED)/sql_text.c)

$(GENERATED)/sql_text.c: $(EMBEDDED_SQL) tests/tools/embed-sql.sh
	@mkdir -p $(@D)
	@tests/tools/embed-sql.sh $(GENERATED) $(EMBEDDED_SQL)

# The test tests/unit/FOLDER/test_x.c is linked with FOLDER and what it may include (src/LAYERS).
FOLDERS := $(sort $(patsubst tests/unit/%/,%,$(dir $(UNIT_SOURCES))))
$(foreach folder,$(FOLDERS),$(eval LAYERS_$(folder) := \
    $(shell awk -v reach=$(folder) -f tests/tools/layers.awk src/LAYERS)))
layer_objects = $(foreach layer,$(LAYERS_$(1)),$(filter $(OUT)/src/$(layer)/%,$(OBJECTS))) \
    $(filter $(OUT)/sql_text.o,$(OBJECTS))

.SECONDEXPANSION:
$(OUT)/unit/%: $(OUT)/tests/unit/%.o $$(call layer_objects,$$(firstword $$(subst /, ,$$*)))
	@mkdir -p $(@D)
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcunit $(LIBRARIES)

$(OUT)/tests/unit/%.o: ALL_CPPFLAGS += -Itests/unit

# SKIP_UNITS=folder/test_x passes over some.
CHOSEN_UNITS := $(filter-out $(SKIP_UNITS:%=$(OUT)/unit/%),$(if $(T),$(filter $(OUT)/unit/$(T) $(OUT)/unit/$(T)/%,$(UNITS)),$(UNITS)))

units: $(CHOSEN_UNITS) ; @:

run-units:
	@$(MAKE) -k -j$(JOBS) units || touch $(OUT)/not-built
	@tests/tools/run-units.sh $(OUT) $(CHOSEN_UNITS)

$(OUT)/fuzz_%: $(OUT)/tests/fuzz/fuzz_%.o $(LIBRARY_OBJECTS)
	@$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBRARIES)

run-fuzzers: $(FUZZERS)
	@tests/tools/run-fuzzers.sh $(FUZZ_SECONDS) $(FUZZERS)

# What make bench needs beside the program; some of them stand on the program's own stages.
bench-programs: $(BENCH_PROGRAMS) ; @:

$(BENCH)/counter $(BENCH)/plain_bridge: $(OUT)/tests/bench/subscriber.o

$(BENCH)/%: $(OUT)/tests/bench/%.o $(OUT)/tests/bench/sample.o $(LIBRARY_OBJECTS)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $(filter $(OUT)/tests/bench/%,$^) $(if $(filter fill_journal stages decoders,$(@F)),$(LIBRARY_OBJECTS)) \
	    $(LIBRARIES)

# Objects are no intermediates: they are wanted the next time.
.SECONDARY:

-include $(OBJECTS:.o=.d) $(UNIT_SOURCES:%.c=$(OUT)/%.d) $(FUZZ_SOURCES:%.c=$(OUT)/%.d) \
    $(BENCH_SOURCES:%.c=$(OUT)/%.d)

# Makefile -- the whole build.  Needs GNU make 4.3, gcc or clang, pkg-config.
#
#   make                     build/ves, the library (static, shared), the
#                            SQLite extension
#   make test                everything that must pass before a commit
#   make check               layers, purity, symbols, formatting, documentation
#   make sim [SEED=n]        the simulator; soak, bench: long runs
#   make SAN=address,undefined test        the same under sanitizers
#   make CC=clang test       the same with the other compiler
#   make fuzz-json           explore one fuzz target (clang only)
#   make install PREFIX=/usr DESTDIR=...
#   make deb                 Debian packages, in build/deb
#
# Every combination of CC, SAN and COV has its own directory under build/, so
# switching never needs "make clean".

# Every object has its rule below; looking for another in make's own takes ten
# times as long as all the rest of a make that has nothing to do.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

VERSION := 0.1.0
SOMAJOR := 0

ifeq ($(origin CC),default)
CC := gcc
endif
AR      ?= ar
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
BINDIR  ?= $(PREFIX)/bin
INCDIR  ?= $(PREFIX)/include
MANDIR  ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d

LIB_PKGS := libsodium libcrypto sqlite3
# Not linked but loaded when somebody connects or listens (src/net/curl.h,
# src/os/mhd.h).
LAZY_PKGS := libcurl libmicrohttpd

# PostgreSQL is there when its header is; it is loaded, too (src/pg/pq.h).
HAS_PQ := $(shell pkg-config --exists libpq 2> /dev/null && echo yes)

empty :=
space := $(empty) $(empty)
comma := ,
VARIANT := $(subst /,_,$(CC))$(if $(SAN),-$(subst $(comma),+,$(SAN)))$(if $(COV),-cov)$(if $(FUZZ),-fuzz)
BUILD ?= build/$(VARIANT)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
        -Wmissing-prototypes -Wvla -Wformat=2 -Wundef -Wcast-qual \
        -Wpointer-arith -Wwrite-strings -Werror=implicit-function-declaration \
        -Werror=incompatible-pointer-types -Werror=unused-result
HARD := -fstack-protector-strong -fstack-clash-protection
ifeq ($(SAN)$(COV)$(FUZZ),)
OPT  ?= -O2 -g
HARD += -D_FORTIFY_SOURCE=2
else
OPT  ?= -O1 -g1 -fno-omit-frame-pointer
# Compiling the tests themselves well costs more time than it saves.
TEST_OPT ?= -O0 -g1 -fno-omit-frame-pointer
endif
TEST_OPT ?= $(OPT)

CPPFLAGS_ALL := -D_GNU_SOURCE $(shell pkg-config --cflags $(LIB_PKGS) $(LAZY_PKGS) $(if $(HAS_PQ),libpq)) $(CPPFLAGS)
CFLAGS_ALL    = -std=c11 -fPIC -fvisibility=hidden -pthread -MMD -MP $(OPT) $(WARN) $(HARD) $(CFLAGS) \
                $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all) \
                $(if $(COV),--coverage) $(if $(FUZZ),-fsanitize=fuzzer-no-link)
LDFLAGS_ALL  := -pthread -Wl,-z,relro,-z,now $(LDFLAGS) \
                $(if $(SAN),-fsanitize=$(SAN)) $(if $(COV),--coverage)
LIBS         := $(shell pkg-config --libs $(LIB_PKGS)) -ldl -lm
SRV_LIBS     := -lm
TEST_LIBS    := $(shell pkg-config --libs libcurl) -lcmocka
# Tests are a hundred programs: with gold, where it is, each is linked in a third
# of the time.  What is installed is linked as the compiler does it.  Gold does
# not read what clang writes of lines and may say so instead of the name that is
# missing: TEST_LD= has it named.
TEST_LD       = $(eval TEST_LD := $$(shell $(CC) -fuse-ld=gold -Wl,--version 2> /dev/null | grep -q gold && echo -fuse-ld=gold))$(TEST_LD)

# Sources.  Directories are layers; see tools/check-layers for who may see whom.
# src/server is the HTTP sequencer: linked into the ves program, not into
# libves.  src/ext is the SQLite extension's entry point; it and src/store are
# compiled a second time against sqlite3ext.h.
LIB_SRC  := $(wildcard $(foreach d,base json crypto core engine store os net agent sync,src/$(d)/*.c))
SRV_SRC  := $(wildcard src/server/*.c src/mcp/*.c src/bench/*.c src/witness/*.c src/audit/*.c) \
            $(if $(HAS_PQ),$(filter-out src/pg/without.c,$(wildcard src/pg/*.c)),src/pg/without.c src/pg/url.c)
EXT_SRC  := $(wildcard src/ext/*.c)
# What libves installs; the other five are of libves-server.
PUBLIC_H := $(filter-out %/serve.h %/mcp.h %/bench.h %/witness.h %/audit.h,$(wildcard include/ves/*.h))
CLI_SRC  := $(wildcard app/ves/*.c)
SIM_SRC  := $(wildcard sim/*.c)
UNIT     := $(patsubst test/unit/%.c,%,$(wildcard test/unit/test_*.c))
PROP     := $(patsubst test/prop/%.c,%,$(wildcard test/prop/prop_*.c))
STORE    := $(patsubst test/store/%.c,%,$(wildcard test/store/test_*.c))
FUZZERS  := $(patsubst test/fuzz/fuzz_%.c,%,$(wildcard test/fuzz/fuzz_*.c))
TESTLIB  := $(wildcard test/lib/test_*.c)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIB_OBJ := $(call obj,$(LIB_SRC))
SRV_OBJ := $(call obj,$(SRV_SRC))
ALL_OBJ := $(LIB_OBJ) $(SRV_OBJ) $(call obj,$(CLI_SRC) $(SIM_SRC) $(TESTLIB) \
           $(wildcard test/unit/*.c test/prop/*.c test/store/*.c test/fuzz/*.c test/mcp/*.c test/interop/*.c test/attack/*.c bench/*.c) \
           test/lib/fuzz_main.c)

LIB_A  := $(BUILD)/libves.a
LIB_SO := $(BUILD)/libves.so.$(VERSION)
EXT_SO := $(BUILD)/ves.so

# One line an object; V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@printf '  %-4s %s\n' $(1) $(2))

.PHONY: all lib
all: $(LIB_A) $(LIB_SO) $(BUILD)/ves $(if $(SAN)$(COV)$(FUZZ),,$(EXT_SO) build/ves)

build/ves: $(BUILD)/ves
	@ln -sfn $(VARIANT)/ves build/ves
	@ln -sfn $(VARIANT)/ves.so build/ves.so

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(INCLUDES) $(CFLAGS_ALL) -c $< -o $@

$(BUILD)/test/%.o: OPT := $(TEST_OPT)

# Programs see the public headers only; the compiler enforces the boundary.
$(call obj,$(CLI_SRC)): INCLUDES := -Iinclude
INCLUDES := -Iinclude -Isrc -I.

$(LIB_A): $(LIB_OBJ)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

$(BUILD)/libves-server.a: $(SRV_OBJ)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

$(LIB_SO): $(LIB_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-soname,libves.so.$(SOMAJOR) $(LDFLAGS_ALL) $^ $(LIBS) -o $@
	@ln -sf $(@F) $(BUILD)/libves.so.$(SOMAJOR)
	@ln -sf $(@F) $(BUILD)/libves.so

$(BUILD)/ves: $(call obj,$(CLI_SRC)) $(BUILD)/libves-server.a $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(SRV_LIBS) $(LIBS) -lcsv -o $@

# The extension calls SQLite through the pointers its host hands over.
EXT_PURE := $(filter-out $(BUILD)/src/store/% $(BUILD)/src/net/% $(BUILD)/src/agent/% $(BUILD)/src/sync/%,$(LIB_OBJ))
EXT_OBJ  := $(patsubst %.c,$(BUILD)/ext/%.o,$(wildcard src/store/*.c src/agent/*.c) $(EXT_SRC))
$(BUILD)/ext/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) -DVES_SQLITE_EXTENSION -Iinclude -Isrc $(CFLAGS_ALL) -c $< -o $@
$(EXT_SO): $(EXT_OBJ) $(EXT_PURE) src/ext/ves.map
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(LDFLAGS_ALL) -Wl,--version-script=src/ext/ves.map $(filter %.o,$^) $(shell pkg-config --libs libsodium libcrypto) -o $@

# The simulator signs with a keyed hash: same library, one object replaced.
SIM_OBJ := $(call obj,$(SIM_SRC))
$(BUILD)/ves-sim: $(SIM_OBJ) $(filter-out %/ed25519_sodium.o,$(LIB_OBJ))
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(TEST_LD) $^ $(LIBS) -o $@
$(BUILD)/ves-sim-real: $(filter-out %/ed25519_standin.o,$(SIM_OBJ)) $(LIB_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(TEST_LD) $^ $(LIBS) -o $@

TESTLIB_OBJ := $(call obj,$(TESTLIB))
$(BUILD)/test_%: $(BUILD)/test/unit/test_%.o $(TESTLIB_OBJ) $(BUILD)/libves-server.a $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(TEST_LD) $^ $(SRV_LIBS) $(LIBS) $(TEST_LIBS) -o $@
# The tests with PostgreSQL also go behind the store's back.
$(BUILD)/test_store_pg $(BUILD)/test_server_shared: LIBS += $(if $(HAS_PQ),$(shell pkg-config --libs libpq))
$(BUILD)/test_store_pg: $(BUILD)/libves-server.a
$(BUILD)/test_store_%: $(BUILD)/test/store/test_store_%.o $(call obj,$(wildcard test/store/suite*.c)) $(TESTLIB_OBJ) $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(TEST_LD) $(filter-out %.a,$^) $(filter %libves-server.a,$^) $(LIB_A) $(LIBS) $(TEST_LIBS) -o $@
# Nearly half of what this one costs would go into signatures, which it does not
# look at (design D16).
$(BUILD)/prop_engine: $(BUILD)/sim/ed25519_standin.o
$(BUILD)/prop_%: $(BUILD)/test/prop/prop_%.o $(TESTLIB_OBJ) $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(TEST_LD) $(filter %.o,$^) $(filter %.a,$^) $(LIBS) $(TEST_LIBS) -o $@

# A fuzz target is always built and replayed over its corpus, engine or not.
$(BUILD)/fuzz-%: $(BUILD)/test/fuzz/fuzz_%.o $(if $(FUZZ),,$(BUILD)/test/lib/fuzz_main.o) $(BUILD)/libves-server.a $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(TEST_LD) $(if $(FUZZ),-fsanitize=fuzzer) $^ $(SRV_LIBS) $(LIBS) -o $@

# The server that the official conformance suite of MCP wants; it shows that
# the public header is enough.
$(call obj,test/mcp/fixture.c): INCLUDES := -Iinclude
$(BUILD)/mcp-fixture: $(call obj,test/mcp/fixture.c) $(BUILD)/libves-server.a $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(SRV_LIBS) $(LIBS) -o $@

# What the provable log costs; run by hand.
$(BUILD)/bench-tlog: $(BUILD)/bench/tlog.o $(TESTLIB_OBJ) $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(LIBS) $(TEST_LIBS) -o $@

# How fast a store is audited, and a large one to audit; run by hand.
$(BUILD)/bench-audit: $(BUILD)/bench/audit.o $(BUILD)/libves-server.a $(LIB_A)
$(BUILD)/bench-log: $(BUILD)/bench/make_log.o $(BUILD)/libves-server.a $(LIB_A)
$(BUILD)/bench-audit $(BUILD)/bench-log:
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(SRV_LIBS) $(LIBS) -o $@

# How long an event takes from one till to another; bench/live runs it.
$(BUILD)/bench-live: $(BUILD)/bench/live.o $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

# What a tenant keeps while another floods; run by hand.
$(BUILD)/bench-fair: $(BUILD)/bench/fair.o $(TESTLIB_OBJ) $(BUILD)/libves-server.a $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(SRV_LIBS) $(LIBS) $(TEST_LIBS) -o $@

# The events that bench/peers gives to everybody.
$(BUILD)/peer-events: $(BUILD)/bench/peer_events.o $(BUILD)/libves-server.a $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(SRV_LIBS) $(LIBS) -o $@

# A log as files, for programs of others (test/interop).
$(BUILD)/log-dir: $(BUILD)/test/interop/log_dir.o $(TESTLIB_OBJ) $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(LIBS) $(TEST_LIBS) -o $@

# Bundles, proofs and evidence with attacks on them, for ves verify.
$(BUILD)/attack-files: $(BUILD)/test/attack/attack_files.o $(TESTLIB_OBJ) $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(LIBS) $(TEST_LIBS) -o $@

# A store with each of its columns damaged in turn, for ves audit.
$(BUILD)/damage-each: $(BUILD)/test/attack/damage_each.o $(BUILD)/libves-server.a $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(SRV_LIBS) $(LIBS) -o $@

# The CSV reader is the program's own.
$(BUILD)/test_retail $(BUILD)/fuzz-retail: $(BUILD)/app/ves/retail.o
$(BUILD)/test_retail $(BUILD)/fuzz-retail: LIBS += -lcsv

UNIT_BIN := $(addprefix $(BUILD)/,$(UNIT) $(STORE) $(PROP))
FUZZ_BIN := $(FUZZERS:%=$(BUILD)/fuzz-%)

# run-tests gathers TAP from everything it is given and prints the counts.
.PHONY: test test-unit check sim fuzz soak ha bench
test: all $(UNIT_BIN) $(FUZZ_BIN) $(BUILD)/ves-sim $(BUILD)/ves-sim-real $(BUILD)/mcp-fixture $(BUILD)/attack-files $(BUILD)/damage-each $(BUILD)/log-dir check
	BUILD=$(BUILD) tools/run-tests $(T)
test-unit: $(UNIT_BIN)
	BUILD=$(BUILD) SUITES=unit tools/run-tests $(T)
# The same under sanitizers: unit tests and fuzz replay; what has threads.
.PHONY: test-unit-fuzz test-threads objects
# The extension is loaded by hosts that know no sanitizer, so it is not built
# and its test not run under one.
SANE := $(filter-out $(if $(SAN),$(BUILD)/test_extension),$(UNIT_BIN))
# A sanitizer needs no 20,000 histories to see what they do to memory.
test-unit-fuzz: $(SANE) $(FUZZ_BIN)
	$(if $(SAN),VES_EVENTS=$${VES_EVENTS:-300}) BUILD=$(BUILD) SUITES="unit fuzz" TESTS="$(notdir $(SANE))" tools/run-tests $(T)
THREADED := test_pool test_agent_wal $(filter test_server%,$(UNIT))
test-threads: $(addprefix $(BUILD)/,$(THREADED))
	BUILD=$(BUILD) SUITES=unit TESTS="$(THREADED)" tools/run-tests $(T)
# Every object, to see every warning.
objects: $(ALL_OBJ) $(if $(SAN),,$(EXT_OBJ))
sim: $(BUILD)/ves-sim
	$(BUILD)/ves-sim $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS))
.PHONY: check-layers check-style check-docs check-purity check-symbols
check: check-layers check-style check-docs $(if $(SAN)$(COV)$(FUZZ),,check-purity check-symbols)
check-layers check-style:
	tools/$@
check-docs: $(BUILD)/ves
	tools/$@ $(BUILD)
check-purity: $(LIB_OBJ)
	tools/$@ $(BUILD)
check-symbols: $(LIB_SO)
	tools/$@ $(LIB_SO)
soak: all $(BUILD)/damage-each $(BUILD)/ves-sim $(BUILD)/ves-sim-real $(BUILD)/prop_judge $(BUILD)/prop_engine $(BUILD)/prop_types $(BUILD)/prop_declared $(BUILD)/prop_keys $(BUILD)/prop_key_table $(BUILD)/test_ed25519
	BUILD=$(BUILD) tools/soak "$(T)"
# Failovers under load (test/e2e/slow-ha.sh).
ha: all
	BUILD=$(BUILD) HA_ROUNDS=$${HA_ROUNDS:-20} bash test/e2e/slow-ha.sh
bench: all
	bench/run $(BUILD)/ves
# The same on a PostgreSQL server of its own; beside what others install.
.PHONY: bench-postgres bench-peers
bench-postgres: all
	BUILD=$(BUILD) bench/postgres $(BUILD)/ves
bench-peers: all $(BUILD)/peer-events
	bench/peers $(BUILD)

.PHONY: fuzz-%
fuzz-%:
	$(MAKE) CC=clang SAN=address,undefined FUZZ=1 build/clang-address+undefined-fuzz/fuzz-$*
	@mkdir -p build/corpus/$*
	build/clang-address+undefined-fuzz/fuzz-$* -max_total_time=$(or $(SECONDS),60) build/corpus/$* test/fuzz/corpus/$*

.PHONY: format
format:
	clang-format -i $$(git ls-files '*.c' '*.h')

.PHONY: install uninstall clean
install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(LIBDIR)/ves \
	    $(DESTDIR)$(INCDIR)/ves $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man3 $(DESTDIR)$(MANDIR)/man8 \
	    $(DESTDIR)$(DATADIR)/bash-completion/completions $(DESTDIR)$(DATADIR)/zsh/site-functions $(DESTDIR)$(DATADIR)/ves
	install -m 755 $(BUILD)/ves $(DESTDIR)$(BINDIR)/
	install -m 644 $(LIB_A) $(DESTDIR)$(LIBDIR)/
	install -m 755 $(LIB_SO) $(DESTDIR)$(LIBDIR)/
	ln -sf libves.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libves.so.$(SOMAJOR)
	ln -sf libves.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libves.so
	install -m 755 $(EXT_SO) $(DESTDIR)$(LIBDIR)/ves/
	install -m 644 $(PUBLIC_H) $(DESTDIR)$(INCDIR)/ves/
	install -m 644 man/*.1 $(DESTDIR)$(MANDIR)/man1/
	install -m 644 man/*.3 $(DESTDIR)$(MANDIR)/man3/
	install -m 644 man/*.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 644 app/completion/ves.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/ves
	install -m 644 app/completion/_ves $(DESTDIR)$(DATADIR)/zsh/site-functions/_ves
	install -m 644 doc/http/openapi.json $(DESTDIR)$(DATADIR)/ves/
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR)
	sed 's|/usr/bin/ves|$(BINDIR)/ves|' packaging/ves.service > $(DESTDIR)$(UNITDIR)/ves.service
	install -m 644 packaging/ves.sysusers $(DESTDIR)$(SYSUSERSDIR)/ves.conf
	sed -e 's|@prefix@|$(PREFIX)|' -e 's|@libdir@|$(LIBDIR)|' -e 's|@includedir@|$(INCDIR)|' \
	    -e 's|@version@|$(VERSION)|' ves.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/ves.pc
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/ves $(DESTDIR)$(LIBDIR)/libves.a $(DESTDIR)$(LIBDIR)/libves.so* \
	    $(DESTDIR)$(LIBDIR)/ves/ves.so $(DESTDIR)$(LIBDIR)/pkgconfig/ves.pc \
	    $(patsubst include/%,$(DESTDIR)$(INCDIR)/%,$(PUBLIC_H)) \
	    $(patsubst man/%,$(DESTDIR)$(MANDIR)/man1/%,$(wildcard man/*.1)) \
	    $(patsubst man/%,$(DESTDIR)$(MANDIR)/man3/%,$(wildcard man/*.3)) \
	    $(patsubst man/%,$(DESTDIR)$(MANDIR)/man8/%,$(wildcard man/*.8)) \
	    $(DESTDIR)$(DATADIR)/bash-completion/completions/ves $(DESTDIR)$(DATADIR)/zsh/site-functions/_ves \
	    $(DESTDIR)$(DATADIR)/ves/openapi.json $(DESTDIR)$(UNITDIR)/ves.service $(DESTDIR)$(SYSUSERSDIR)/ves.conf
	-rmdir $(DESTDIR)$(LIBDIR)/ves $(DESTDIR)$(INCDIR)/ves $(DESTDIR)$(DATADIR)/ves 2>/dev/null
.PHONY: deb
deb: all
	tools/make-deb $(BUILD) $(VERSION) build/deb
clean:
	rm -rf build

.SECONDARY: $(ALL_OBJ)
-include $(ALL_OBJ:.o=.d) $(EXT_OBJ:.o=.d)

# Build rules shared by every folder.
#
# A source file is compiled once per *flavour*; the object of net/tcp.c in flavour F is
# $(BUILD)/obj/F/net/tcp.o. Flavours:
#   hv     the hypervisor: freestanding, general registers only
#   guest  the dataplane kernel: freestanding, general registers only
#   user   musl, for applications in the dataplane
#   host   hosted mode, benchmarks, and tools on Linux (glibc, -O2)
#   pic    as host, position independent (hosted applications, libixhost.so)
#   san    unit tests: host with ASan + UBSan
#   fuzz   libFuzzer targets: clang with ASan + UBSan
#
# Include paths: public headers as <ix/...>; private headers by their path from the top
# ("net/tcp/tcp.h"), allowed within the folder and in tests/ only (tests/unit/includes.py checks).

CC      := gcc
CLANG   := clang
MUSL_CC := musl-gcc
AR      := gcc-ar

WARN := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wundef -Wpointer-arith \
	-Wwrite-strings -Wvla
INC  := -I. -Ihv/include -Inet/include -Inic/include -Iuserlib/include -Iguest/include \
	-Ilinux-control/include
# __FILE__ and debug information must not depend on where the tree lies.
REPRO := -ffile-prefix-map=$(CURDIR)=.
COMMON := -std=gnu17 -g $(WARN) $(INC) $(REPRO) -fno-strict-aliasing -fno-common

# Builtins again: without them a copy of 4 bytes is a call. Not in the two files that implement them (below).
FREESTANDING := -ffreestanding -fbuiltin -fno-stack-protector -fcf-protection=none -fno-omit-frame-pointer \
	-fno-asynchronous-unwind-tables -mno-red-zone -mgeneral-regs-only -fno-pic -fno-pie -m64

CFLAGS_hv    := $(COMMON) -O2 $(FREESTANDING) -mcmodel=kernel -DIX_HV
CFLAGS_guest := $(COMMON) -O2 $(FREESTANDING) -mcmodel=kernel -DIX_GUEST
CFLAGS_user  := $(COMMON) -O2 -DIX_USER
CFLAGS_host  := $(COMMON) -O2 -march=x86-64-v2 -pthread -DIX_HOST
CFLAGS_pic   := $(CFLAGS_host) -fPIC
CFLAGS_san   := $(COMMON) -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all -pthread -DIX_HOST
CFLAGS_fuzz  := $(COMMON) -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all -DIX_HOST -Wno-unused-command-line-argument

$(BUILD)/obj/hv/hv/lib/string.o: CFLAGS_hv += -fno-builtin
$(BUILD)/obj/guest/guest/kernel/string.o: CFLAGS_guest += -fno-builtin

CC_hv := $(CC)
CC_guest := $(CC)
CC_user := $(MUSL_CC)
CC_host := $(CC)
CC_pic := $(CC)
CC_san := $(CC)
CC_fuzz := $(CLANG)
FLAVOURS := hv guest user host pic san fuzz

# Missing Debian packages are installed before anything is compiled.
DEPS := $(BUILD)/.deps
$(DEPS): scripts/deps
	@mkdir -p $(@D)
	scripts/deps
	@touch $@

MKDEP := Makefile scripts/mk/rules.mk

define flavour_rules
$(BUILD)/obj/$(1)/%.o: %.c $(MKDEP) | $(DEPS)
	@mkdir -p $$(@D)
	$$(CC_$(1)) $$(CFLAGS_$(1)) $$(CFLAGS_$(1)_$$(firstword $$(subst /, ,$$*))) -MMD -MP -c -o $$@ $$<
$(BUILD)/obj/$(1)/%.o: %.S $(MKDEP) | $(DEPS)
	@mkdir -p $$(@D)
	$$(CC_$(1)) $$(CFLAGS_$(1)) -D__ASSEMBLY__ -MMD -MP -c -o $$@ $$<
endef
$(foreach f,$(FLAVOURS),$(eval $(call flavour_rules,$(f))))

# $(call objs,flavour,sources)
objs = $(patsubst %,$(BUILD)/obj/$(1)/%.o,$(basename $(2)))

UNIT_TESTS :=
FUZZERS :=
BENCHES :=
ALL :=

# $(eval $(call unit_test,name,sources)): a cmocka program, built with ASan + UBSan.
define unit_test
UNIT_TESTS += $(BUILD)/test/unit/$(1)
$(BUILD)/test/unit/$(1): $(call objs,san,$(2))
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS_san) -o $$@ $$^ -lcmocka -lm -ldl
endef

# $(eval $(call fuzz_target,name,sources)): a libFuzzer program.
define fuzz_target
FUZZERS += $(BUILD)/fuzz/$(1)
$(BUILD)/fuzz/$(1): $(call objs,fuzz,$(2))
	@mkdir -p $$(@D)
	$$(CLANG) -fsanitize=fuzzer,address,undefined -o $$@ $$^
endef

# $(eval $(call host_program,path under build,sources,libraries)): an ordinary Linux program.
define host_program
$(BUILD)/$(1): $(call objs,host,$(2))
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS_host) -o $$@ $$^ $(3)
endef

# $(eval $(call bench,name,sources)): prints lines `bench <name> <value> <unit>`.
define bench
BENCHES += $(BUILD)/bench/bin/$(1)
$(call host_program,bench/bin/$(1),$(2),-lm)
endef

# $(eval $(call static_lib,path under build,flavour,sources))
define static_lib
$(BUILD)/$(1): $(call objs,$(2),$(3))
	@mkdir -p $$(@D)
	rm -f $$@
	$$(AR) rcsD $$@ $$^
endef

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

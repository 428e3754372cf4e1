include userlib/sources.mk

# One object each, in which only the public names are global: an application may call its own functions
# as it likes.
define libix
$(BUILD)/userlib/$(1).a: $(call objs,$(2),$(LIBIX_SRC)) userlib/build.mk
	@mkdir -p $$(@D)
	ld -r -o $(BUILD)/userlib/$(1).o $$(filter %.o,$$^)
	objcopy --wildcard --keep-global-symbol='ix*' $(BUILD)/userlib/$(1).o
	rm -f $$@
	$$(AR) rcsD $$@ $(BUILD)/userlib/$(1).o
endef
$(eval $(call libix,libix,user))
$(eval $(call libix,libix-hosted,pic))
ALL += $(BUILD)/userlib/libix.a $(BUILD)/userlib/libix-hosted.a

# Example applications, each from one source file: build/apps/NAME for the dataplane and
# build/host/apps/NAME.so for hosted mode.
EXAMPLES := echo httpd kv netpipe
define example
$(BUILD)/apps/$(1): userlib/examples/$(1).c $(wildcard userlib/examples/*.h) userlib/ix-cc $(wildcard userlib/include/ix/*.h) $(BUILD)/userlib/libix.a
	@mkdir -p $$(@D)
	BUILD=$(abspath $(BUILD)) userlib/ix-cc $(WARN) $(REPRO) -pthread $$< -o $$@
$(BUILD)/host/apps/$(1).so: userlib/examples/$(1).c $(wildcard userlib/examples/*.h) userlib/ix-cc $(wildcard userlib/include/ix/*.h) $(BUILD)/userlib/libix-hosted.a
	@mkdir -p $$(@D)
	BUILD=$(abspath $(BUILD)) userlib/ix-cc --hosted $(WARN) $(REPRO) $$< -o $$@
ALL += $(BUILD)/apps/$(1) $(BUILD)/host/apps/$(1).so
endef
$(foreach e,$(EXAMPLES),$(eval $(call example,$(e))))

# What peers send to the applications. Their sources are included by the fuzzers.
$(eval $(call fuzz_target,app_kv,tests/fuzz/app_kv.c $(addprefix userlib/lib/,cache.c native.c raw.c text.c)))
$(eval $(call fuzz_target,app_httpd,tests/fuzz/app_httpd.c $(addprefix userlib/lib/,cache.c native.c raw.c text.c)))
$(eval $(call unit_test,ix_cache,tests/unit/ix_cache.c userlib/lib/cache.c))

include userlib/sources.mk

$(eval $(call static_lib,userlib/libix.a,user,$(LIBIX_SRC)))
$(eval $(call static_lib,userlib/libix-hosted.a,pic,$(LIBIX_SRC)))
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

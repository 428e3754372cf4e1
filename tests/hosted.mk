# Helpers of the hosted tests: applications for ixhost, and programs on Linux's own stack.
$(eval $(call host_program,test/stream_peer,tests/tools/stream_peer.c))
$(eval $(call host_program,test/tapwire,tests/tools/tapwire.c guest/hosted/link.c guest/hosted/wire.c))
ALL += $(BUILD)/test/stream_peer $(BUILD)/test/tapwire

define test_app
$(BUILD)/test/apps/$(1).so: tests/apps/$(1).c $(wildcard tests/apps/*.h userlib/include/ix/*.h) \
	userlib/ix-cc $(BUILD)/userlib/libix-hosted.a
	@mkdir -p $$(@D)
	BUILD=$(abspath $(BUILD)) userlib/ix-cc --hosted $(WARN) $(REPRO) $$< -o $$@
ALL += $(BUILD)/test/apps/$(1).so
endef
$(eval $(call test_app,stream))
$(eval $(call test_app,iperf))

# The applications and libix with sanitizers, and with memory that runs out on request.
include userlib/sources.mk
define hostile_app
$(BUILD)/test/apps/hostile-$(1).so: userlib/examples/$(1).c $(LIBIX_SRC) tests/apps/hostile.c \
	$(wildcard tests/apps/*.h userlib/include/ix/*.h userlib/lib/*.h)
	@mkdir -p $$(@D)
	$(CC) $(filter-out -DIX_HOST,$(CFLAGS_san)) -fPIC -shared -DIX_HOSTED -D_GNU_SOURCE= \
		-include tests/apps/hostile.h -o $$@ $$(filter %.c,$$^)
ALL += $(BUILD)/test/apps/hostile-$(1).so
endef
$(foreach a,echo httpd kv netpipe,$(eval $(call hostile_app,$(a))))

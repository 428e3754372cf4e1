HOSTED_SRC := guest/hosted/host.c guest/hosted/link.c guest/hosted/pcap.c guest/hosted/wire.c
HOSTED_ALL := $(HOSTED_SRC) $(CORE_SRC) \
	$(sort $(wildcard net/*/*.c)) nic/rss.c

$(eval $(call host_program,host/ixhost,guest/hosted/ixhost.c $(HOSTED_ALL),-rdynamic -ldl))
ALL += $(BUILD)/host/ixhost

# libixhost: the dataplane as a library, libix included.
EMBED_SRC := guest/hosted/embed.c guest/hosted/host.c guest/hosted/link.c guest/hosted/pcap.c \
	guest/hosted/wire.c $(CORE_SRC) $(sort $(wildcard net/*/*.c)) nic/rss.c
include userlib/sources.mk
$(eval $(call static_lib,host/libixhost.a,pic,$(EMBED_SRC) $(LIBIX_SRC)))
$(BUILD)/host/libixhost.so: $(call objs,pic,$(EMBED_SRC) $(LIBIX_SRC))
	$(CC) $(CFLAGS_pic) -shared -Wl,-soname,libixhost.so -o $@ $^
ALL += $(BUILD)/host/libixhost.a $(BUILD)/host/libixhost.so

PAIR_SRC := tests/lib/pair.c $(EMBED_SRC) $(LIBIX_SRC)
$(eval $(call unit_test,ixev,tests/unit/ixev.c $(PAIR_SRC)))
$(BUILD)/test/unit/ixev: private CFLAGS_san += -Wl,--wrap=malloc
$(eval $(call fuzz_target,core_calls,tests/fuzz/core_calls.c $(EMBED_SRC) $(LIBIX_SRC)))
$(eval $(call unit_test,core_hostile,tests/unit/core_hostile.c tests/fuzz/core_calls.c $(EMBED_SRC) $(LIBIX_SRC)))
$(eval $(call unit_test,sockets,tests/unit/sockets.c $(PAIR_SRC)))
$(eval $(call unit_test,core_calls,tests/unit/core_calls.c $(PAIR_SRC)))
# GCC notes that calls, aligned to 64 bytes, are passed as they were not before GCC 4.6.
$(BUILD)/test/unit/core_calls: private CFLAGS_san += -Wno-psabi
$(eval $(call bench,ixev_overhead,tests/bench/ixev_overhead.c $(PAIR_SRC)))
$(eval $(call unit_test,hosted_link,tests/unit/hosted_link.c guest/hosted/link.c))

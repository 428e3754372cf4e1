LIBIX_SRC := userlib/lib/native.c userlib/lib/raw.c userlib/lib/ixev.c userlib/lib/ixev_mem.c \
	userlib/lib/ixev_tcp.c userlib/lib/ixev_timer.c userlib/lib/ixev_udp.c

$(eval $(call static_lib,userlib/libix.a,user,$(LIBIX_SRC)))
$(eval $(call static_lib,userlib/libix-hosted.a,pic,$(LIBIX_SRC)))
ALL += $(BUILD)/userlib/libix.a $(BUILD)/userlib/libix-hosted.a

LIBIX_SRC := userlib/lib/native.c userlib/lib/raw.c

$(eval $(call static_lib,userlib/libix.a,user,$(LIBIX_SRC)))
$(eval $(call static_lib,userlib/libix-hosted.a,pic,$(LIBIX_SRC)))
ALL += $(BUILD)/userlib/libix.a $(BUILD)/userlib/libix-hosted.a

HOSTED_SRC := guest/hosted/host.c guest/hosted/link.c guest/hosted/pcap.c guest/hosted/wire.c
HOSTED_ALL := $(HOSTED_SRC) $(CORE_SRC) \
	$(sort $(wildcard net/*/*.c)) nic/rss.c

$(eval $(call host_program,host/ixhost,guest/hosted/ixhost.c $(HOSTED_ALL),-rdynamic -ldl))
ALL += $(BUILD)/host/ixhost

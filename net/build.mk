# TCP/IP stack. NET_SRC is what an instance needs, in any flavour.
NET_SRC := $(sort $(wildcard net/core/*.c net/tcp/*.c))
NET_SIM := $(NET_SRC) tests/lib/netsim.c tests/lib/stream.c

$(eval $(call unit_test,net_tcp_stream,$(NET_SIM) tests/unit/net_tcp_stream.c))

# Always compiled freestanding, whoever links it.
ALL += $(call objs,guest,$(NET_SRC))

$(eval $(call bench,net_micro,$(NET_SRC) tests/bench/net_micro.c))

# With lwIP beside it, to compare.
$(eval $(call host_program,bench/bin/net_echo,$(NET_SRC) tests/bench/net_echo.c,-ldl -lm -Xlinker -rpath -Xlinker '$$$$ORIGIN'))
BENCHES += $(BUILD)/bench/bin/net_echo
$(BUILD)/bench/bin/net_echo: | $(BUILD)/bench/bin/lwip_server.so
$(BUILD)/obj/pic/tests/bench/lwip_server.o: CFLAGS_pic += -isystem /usr/include/lwip
$(BUILD)/bench/bin/lwip_server.so: $(BUILD)/obj/pic/tests/bench/lwip_server.o
	@mkdir -p $(@D)
	$(CC) -shared -o $@ $< -llwip -ldl

NET_CHECK := $(NET_SRC) tests/lib/netcheck.c
$(eval $(call fuzz_target,net_packet,$(NET_CHECK) tests/fuzz/net_packet.c))
$(eval $(call fuzz_target,net_tcp_state,$(NET_CHECK) tests/fuzz/net_tcp_state.c))
$(eval $(call fuzz_target,net_listen,$(NET_CHECK) tests/fuzz/net_listen.c))
NET_PEER := $(NET_CHECK) tests/lib/peer.c
$(eval $(call unit_test,net_ip,$(NET_PEER) tests/unit/net_ip.c))
$(eval $(call unit_test,net_tcp,$(NET_PEER) tests/unit/net_tcp.c))
$(eval $(call unit_test,net_fast,$(NET_CHECK) tests/fuzz/net_tcp_state.c tests/unit/net_fast.c))
$(eval $(call unit_test,net_wheel,net/core/wheel.c tests/unit/net_wheel.c))

# A million connections: too many for the sanitizers' memory, so a plain program.
$(eval $(call host_program,test/bin/net_million,$(NET_SRC) tests/lib/netsim.c tests/lib/net_million.c))
ALL += $(BUILD)/test/bin/net_million
$(eval $(call fuzz_target,net_api,$(NET_CHECK) tests/lib/netsim.c tests/fuzz/net_api.c))
$(eval $(call unit_test,net_group,$(NET_PEER) tests/lib/netsim.c tests/lib/stream.c tests/unit/net_group.c))
$(eval $(call unit_test,net_arp_shared,$(NET_PEER) tests/unit/net_arp_shared.c))

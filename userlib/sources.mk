# libix; whoever builds it into something else includes this.
LIBIX_SRC := userlib/lib/native.c userlib/lib/raw.c userlib/lib/ixev.c userlib/lib/ixev_mem.c \
	userlib/lib/ixev_tcp.c userlib/lib/ixev_timer.c userlib/lib/ixev_udp.c userlib/lib/socket.c \
	userlib/lib/socket_opt.c userlib/lib/socket_poll.c

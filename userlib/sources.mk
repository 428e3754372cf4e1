# libix; whoever builds it into something else includes this.
LIBIX_SRC := $(addprefix userlib/lib/,cache.c ixev.c ixev_cores.c ixev_mem.c ixev_recv.c ixev_tcp.c \
	ixev_timer.c ixev_udp.c native.c raw.c server.c socket.c socket_opt.c socket_poll.c \
	text.c)

# The dataplane core; whoever links it links net/ too.
CORE_SRC := guest/core/call.c guest/core/config.c guest/core/core.c guest/core/event.c \
	guest/core/stats.c guest/core/timer.c

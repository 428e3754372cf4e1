/* SPDX-License-Identifier: MIT
 *
 * Where the frames of a hosted dataplane come from and go to: a TAP device, or memory shared with
 * another process. Receiving is for one thread at a time; sending to a ring as well (a TAP takes
 * frames from any).
 */
#ifndef GUEST_HOSTED_WIRE_H
#define GUEST_HOSTED_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define WIRE_FRAME_MAX 2048

struct wire;

/* Attaches to TAP device `name`, which is made if it is not there, and sets it up. NULL: errno. */
struct wire *wire_tap(const char *name);

/* Two ends in memory, to be shared with a child process. False: errno. */
bool wire_pair(struct wire *end[2]);

/* Length of a frame copied to buf (WIRE_FRAME_MAX bytes), 0: none. Longer frames are dropped. */
size_t wire_recv(struct wire *w, void *buf);

/* False: there is no room in the ring (a TAP takes or loses all). */
bool wire_send(struct wire *w, const struct iovec *iov, int n);

/*
 * A descriptor that is readable when there may be frames. wire_arm() before sleeping on it: false,
 * there are frames already. wire_disarm() afterwards.
 */
int wire_fd(const struct wire *w);
bool wire_arm(struct wire *w);
void wire_disarm(struct wire *w);

#endif

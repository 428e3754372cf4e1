/* SPDX-License-Identifier: MIT
 *
 * Capture files (pcap, microseconds, Ethernet). Thread-safe.
 */
#ifndef GUEST_HOSTED_PCAP_H
#define GUEST_HOSTED_PCAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct pcap;

/* NULL with errno set if the file cannot be written. */
struct pcap *pcap_open(const char *path);
void pcap_write(struct pcap *p, const struct iovec *iov, int n, uint64_t now_us);
/* Writes out what is buffered. */
void pcap_close(struct pcap *p);

#endif

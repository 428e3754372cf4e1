/* SPDX-License-Identifier: MIT
 *
 * Capture files.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "guest/hosted/pcap.h"

struct pcap {
	FILE *file;
	pthread_mutex_t lock;
};

/* https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html section 4 */
struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t reserved[2], snaplen, linktype;
};

struct packet_header {
	uint32_t sec, usec, captured, original;
};

struct pcap *pcap_open(const char *path)
{
	static const struct file_header h = {
	    .magic = 0xa1b2c3d4, .major = 2, .minor = 4, .snaplen = 65535, .linktype = 1};
	struct pcap *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->file = fopen(path, "w");
	if (!p->file || fwrite(&h, sizeof(h), 1, p->file) != 1) {
		if (p->file)
			fclose(p->file);
		free(p);
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void pcap_write(struct pcap *p, const struct iovec *iov, int n, uint64_t now)
{
	struct packet_header h = {.sec = (uint32_t)(now / 1000000),
				  .usec = (uint32_t)(now % 1000000)};

	for (int i = 0; i < n; i++)
		h.captured += (uint32_t)iov[i].iov_len;
	h.original = h.captured;
	pthread_mutex_lock(&p->lock);
	fwrite(&h, sizeof(h), 1, p->file);
	for (int i = 0; i < n; i++)
		fwrite(iov[i].iov_base, 1, iov[i].iov_len, p->file);
	pthread_mutex_unlock(&p->lock);
}

void pcap_close(struct pcap *p)
{
	if (!p)
		return;
	fclose(p->file);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* SPDX-License-Identifier: MIT */
#include "linux-control/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "linux-control/sysfs.h"

_Static_assert(sizeof(struct ix_slot) == IX_SLOT_SIZE, "a slot fills its place");

/* ixcpd is one thread: it needs one slot, and the whole bulk area is its. */
static volatile struct ix_slot *slot_of(struct hv *hv)
{
	struct channel *ch = hv->data;

	return (volatile struct ix_slot *)(ch->shared + IX_SLOTS_OFFSET);
}

static void copy_in(volatile void *to, const void *from, size_t size)
{
	volatile uint8_t *t = to;
	const uint8_t *f = from;

	while (size--)
		*t++ = *f++;
}

static void copy_out(void *to, const volatile void *from, size_t size)
{
	const volatile uint8_t *f = from;
	uint8_t *t = to;

	while (size--)
		*t++ = *f++;
}

/* Makes a call; up to four arguments, `in` bytes before and `out` bytes after in slot->data. */
static int call(struct hv *hv, uint32_t op, const uint64_t *arg, unsigned int nargs, const void *in,
		size_t in_size, void *out, size_t out_size)
{
	volatile struct ix_slot *slot = slot_of(hv);
	struct channel *ch = hv->data;
	int status;

	slot->op = op;
	slot->status = -ENOSYS;
	for (unsigned int i = 0; i < 8; i++)
		slot->arg[i] = i < nargs ? arg[i] : 0;
	copy_in(slot->data, in, in_size);
	/* x86 keeps the order of stores, and the doorbell's write completes with the call. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ch->ring(ch);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	status = slot->status;
	copy_out(hv->problem, slot->why, sizeof(slot->why));
	hv->problem[sizeof(slot->why) - 1] = '\0';
	if (status >= 0)
		copy_out(out, slot->data, out_size);
	return status;
}

#define ARGS(...) ((const uint64_t[]){__VA_ARGS__}), sizeof((uint64_t[]){__VA_ARGS__}) / 8

/* Strings end where their field does, whoever wrote them. */
#define END_STRING(field) ((field)[sizeof(field) - 1] = '\0')

static int ch_info(struct hv *hv, struct ix_hv_info *info)
{
	int err = call(hv, IX_CALL_INFO, ARGS(0), NULL, 0, info, sizeof(*info));

	END_STRING(info->version);
	return err;
}

static int ch_preflight(struct hv *hv, unsigned int i, struct ix_hv_preflight *row)
{
	int err = call(hv, IX_CALL_PREFLIGHT, ARGS(i), NULL, 0, row, sizeof(*row));

	END_STRING(row->feature);
	END_STRING(row->found);
	END_STRING(row->needed);
	END_STRING(row->consequence);
	return err;
}

static int ch_core(struct hv *hv, unsigned int i, struct ix_hv_core *core)
{
	int err = call(hv, IX_CALL_CORE, ARGS(i), NULL, 0, core, sizeof(*core));

	END_STRING(core->owner);
	END_STRING(core->state);
	return err;
}

static int ch_memory(struct hv *hv, unsigned int i, struct ix_hv_range *range)
{
	int err = call(hv, IX_CALL_MEMORY, ARGS(i), NULL, 0, range, sizeof(*range));

	END_STRING(range->owner);
	return err;
}

static int ch_pci(struct hv *hv, unsigned int i, struct ix_hv_pci *function)
{
	int err = call(hv, IX_CALL_PCI, ARGS(i), NULL, 0, function, sizeof(*function));

	END_STRING(function->owner);
	END_STRING(function->kind);
	return err;
}

static int ch_exit(struct hv *hv, unsigned int i, struct ix_hv_exit *count)
{
	int err = call(hv, IX_CALL_EXIT, ARGS(i), NULL, 0, count, sizeof(*count));

	END_STRING(count->name);
	return err;
}

static int ch_domain(struct hv *hv, unsigned int i, struct ix_hv_domain *d)
{
	int err = call(hv, IX_CALL_DOMAIN, ARGS(i), NULL, 0, d, sizeof(*d));

	if (err < 0)
		return err;
	END_STRING(d->name);
	END_STRING(d->state);
	END_STRING(d->why);
	if (d->ncores > IX_MAX_CORES || d->nmem > IX_MAX_MEM || d->ndevices > IX_MAX_DEVICES)
		return -EPROTO;
	return 0;
}

static int ch_stats(struct hv *hv, uint64_t handle, uint64_t offset, void *bytes, size_t size)
{
	uint64_t want = size < IX_SLOT_DATA ? size : IX_SLOT_DATA;

	/* Behind what comes the old content: copied too, but not counted. */
	return call(hv, IX_CALL_STATS, ARGS(handle, offset, want), NULL, 0, bytes, want);
}

static int ch_console(struct hv *hv, uint64_t handle, uint64_t *at, char *text, size_t size)
{
	uint64_t want = size < IX_SLOT_DATA ? size : IX_SLOT_DATA;
	int n = call(hv, IX_CALL_CONSOLE, ARGS(handle, *at, want), NULL, 0, text, want);

	if (n > 0 && (uint64_t)n > want)
		return -EPROTO;
	if (n >= 0)
		*at = slot_of(hv)->arg[1] + (uint64_t)n;
	return n;
}

/* Bytes of a ring that the hypervisor writes while we read: what it may have overtaken is skipped. */
static int ch_log(struct hv *hv, uint64_t *at, char *text, size_t size)
{
	struct channel *ch = hv->data;
	volatile struct ix_shared_header *header = (void *)ch->shared;
	uint64_t head = __atomic_load_n(&header->log_head, __ATOMIC_ACQUIRE), oldest;
	size_t n;

	if (*at > head)
		*at = head;
	if (head - *at > IX_LOG_SIZE)
		*at = head - IX_LOG_SIZE;
	n = head - *at < size ? head - *at : size;
	for (size_t i = 0; i < n; i++)
		text[i] = (char)ch->shared[IX_LOG_OFFSET + (*at + i) % IX_LOG_SIZE];
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	head = header->log_head;
	oldest = head > IX_LOG_SIZE ? head - IX_LOG_SIZE : 0;
	if (oldest > *at) {
		size_t lost = oldest - *at < n ? oldest - *at : n;

		memmove(text, text + lost, n - lost);
		*at += lost;
		n -= lost;
	}
	*at += n;
	return (int)n;
}

static int ch_event(struct hv *hv, uint64_t *at, struct ix_event *event)
{
	struct channel *ch = hv->data;
	volatile struct ix_shared_header *header = (void *)ch->shared;
	uint64_t head;

	for (;;) {
		head = __atomic_load_n(&header->event_head, __ATOMIC_ACQUIRE);
		if (*at >= head)
			return -ENOENT;
		if (head - *at > IX_EVENTS)
			*at = head - IX_EVENTS;
		copy_out(event, ch->shared + IX_EVENTS_OFFSET + *at % IX_EVENTS * sizeof(*event),
			 sizeof(*event));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		/* It is whole if the hypervisor has not come round to it meanwhile. */
		if (header->event_head - *at <= IX_EVENTS && event->sequence == *at)
			break;
		if (header->event_head == head)
			return -EPROTO;
	}
	END_STRING(event->kind);
	END_STRING(event->domain);
	END_STRING(event->text);
	(*at)++;
	return 0;
}

static int ch_core_give(struct hv *hv, uint32_t apic_id)
{
	return call(hv, IX_CALL_CORE_GIVE, ARGS(apic_id), NULL, 0, NULL, 0);
}

static int ch_core_take(struct hv *hv, uint32_t apic_id)
{
	return call(hv, IX_CALL_CORE_TAKE, ARGS(apic_id), NULL, 0, NULL, 0);
}

static int ch_create(struct hv *hv, const char *name, uint64_t memory, uint32_t ncores,
		     const uint32_t *apic_id, uint64_t *handle)
{
	struct ix_create c = {.memory = memory, .ncores = ncores};

	if (strlen(name) >= sizeof(c.name) || ncores > IX_MAX_CORES)
		return -EINVAL;
	strcpy(c.name, name);
	memcpy(c.apic_id, apic_id, ncores * sizeof(*apic_id));
	return call(hv, IX_CALL_CREATE, ARGS(0), &c, sizeof(c), handle, sizeof(*handle));
}

static int ch_assign(struct hv *hv, uint64_t handle, uint64_t function)
{
	return call(hv, IX_CALL_ASSIGN, ARGS(handle, function), NULL, 0, NULL, 0);
}

static int ch_device(struct hv *hv, uint64_t handle, unsigned int i, struct ix_device *device)
{
	return call(hv, IX_CALL_DEVICE, ARGS(handle, i), NULL, 0, device, sizeof(*device));
}

static int ch_clear(struct hv *hv, uint64_t handle)
{
	return call(hv, IX_CALL_CLEAR, ARGS(handle), NULL, 0, NULL, 0);
}

static int ch_write(struct hv *hv, uint64_t handle, uint64_t pa, const void *data, size_t size)
{
	struct channel *ch = hv->data;
	const char *from = data;

	while (size) {
		size_t n = size < IX_BULK_SIZE ? size : IX_BULK_SIZE;
		int err;

		memcpy((void *)(ch->shared + IX_BULK_OFFSET), from, n);
		err = call(hv, IX_CALL_WRITE, ARGS(handle, pa, 0, n), NULL, 0, NULL, 0);
		if (err)
			return err;
		from += n;
		pa += n;
		size -= n;
	}
	return 0;
}

static int ch_start(struct hv *hv, uint64_t handle, uint64_t entry, uint64_t cr3, uint64_t bootinfo)
{
	return call(hv, IX_CALL_START, ARGS(handle, entry, cr3, bootinfo), NULL, 0, NULL, 0);
}

static int ch_stop(struct hv *hv, uint64_t handle)
{
	return call(hv, IX_CALL_STOP, ARGS(handle), NULL, 0, NULL, 0);
}

static int ch_destroy(struct hv *hv, uint64_t handle)
{
	return call(hv, IX_CALL_DESTROY, ARGS(handle), NULL, 0, NULL, 0);
}

static const struct hv_ops channel_ops = {
    .info = ch_info,
    .preflight = ch_preflight,
    .core = ch_core,
    .memory = ch_memory,
    .pci = ch_pci,
    .exit = ch_exit,
    .domain = ch_domain,
    .stats = ch_stats,
    .log = ch_log,
    .console = ch_console,
    .event = ch_event,
    .core_give = ch_core_give,
    .core_take = ch_core_take,
    .create = ch_create,
    .assign = ch_assign,
    .device = ch_device,
    .clear = ch_clear,
    .write = ch_write,
    .start = ch_start,
    .stop = ch_stop,
    .destroy = ch_destroy,
};

int channel_attach(struct hv *hv, struct channel *channel)
{
	volatile struct ix_shared_header *header = (void *)channel->shared;

	hv->ops = &channel_ops;
	hv->data = channel;
	hv->problem[0] = '\0';
	if (header->magic != IX_SHARED_MAGIC) {
		snprintf(hv->problem, sizeof(hv->problem), "its shared memory has no header");
		return -EPROTO;
	}
	if (header->abi != IX_ABI_VERSION) {
		snprintf(hv->problem, sizeof(hv->problem),
			 "the hypervisor's interface is version %u, ixcpd's is %d", header->abi,
			 IX_ABI_VERSION);
		return -EPROTO;
	}
	return 0;
}

static void ring_doorbell(struct channel *channel)
{
	*channel->doorbell = 0; /* number of the slot */
}

static int map(const char *root, const char *address, const char *file, size_t size, void **where)
{
	char path[PATH_MAX];
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/%s", root, address, file);
	fd = open(path, O_RDWR | O_CLOEXEC | O_SYNC);
	if (fd < 0)
		return -errno;
	*where = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*where == MAP_FAILED)
		err = -errno;
	close(fd);
	return err;
}

int channel_open(struct hv *hv, struct channel *channel, const char *root)
{
	char address[PCI_ADDRESS_SIZE], path[128];
	void *shared, *doorbell;
	int err;

	hv->problem[0] = '\0';
	err = pci_find(root, IX_PCI_VENDOR, IX_PCI_CONTROL, address);
	if (err)
		return err == -ENOENT ? -ENODEV : err;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/enable", address);
	err = sysfs_write(root, path, "1");
	if (!err)
		err = map(root, address, "resource0", IX_BAR0_SIZE, &shared);
	if (!err)
		err = map(root, address, "resource1", IX_BAR1_SIZE, &doorbell);
	if (err) {
		snprintf(hv->problem, sizeof(hv->problem), "PCI function %s cannot be mapped: %s%s",
			 address, strerror(-err),
			 err == -EPERM ? " (kernel lockdown forbids it)" : "");
		return err;
	}
	channel->shared = shared;
	channel->doorbell = doorbell;
	channel->ring = ring_doorbell;
	return channel_attach(hv, channel);
}

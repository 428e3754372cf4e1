/* SPDX-License-Identifier: MIT */
/* Any frames into the whole stack. Input: records of a control byte (time, what to repair), a
 * length and the frame. */
#include "tests/fuzz/net_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct in in = {data, size};
	struct fz f;

	fz_start(&f, 16 + in_u8(&in) % 48);
	while (in.left) {
		uint32_t ctl = in_u8(&in), len = in_u8(&in) * (ctl & 0x80 ? 6 : 1);
		uint8_t frame[1600] = {0};
		if (len > in.left)
			len = (uint32_t)in.left;
		if (len > 1514)
			len = 1514;
		memcpy(frame, in.p, len);
		in.p += len;
		in.left -= len;
		if (ctl & 1) /* to us, so that more than one frame in 2^48 gets anywhere */
			memcpy(frame, "\2\0\0\0\0\1", 6);
		if (ctl & 2 && len >= 34) {
			memcpy(frame + 12, "\x08\0\x45", 3);
			memcpy(frame + 30, "\x0a\0\0\1", 4);
			frame[16] = (uint8_t)((len - 14) >> 8);
			frame[17] = (uint8_t)(len - 14);
		}
		f.now += (uint64_t)1 << (ctl >> 2 & 15);
		f.slow_tx = ctl & 0x40;
		fz_frame(&f, frame, len);
		if (!(ctl & 4))
			fz_cycle(&f);
		if (!f.slow_tx)
			fz_complete(&f);
	}
	fz_cycle(&f);
	fz_end(&f);
	return 0;
}

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The hypervisor's own mistakes, made on purpose (test=, docs/boot.md), in QEMU: each ends in a
report with registers and function names, on all cores stopped. On the last core: boot_cores.py."""
import re

from ixtest import Qemu, Tap, boot

tap = Tap()

# test= -> reason, then patterns of the report's lines, in order.
FAULTS = {
    "panic": (r"test: panic asked for on the command line$",
              [r"#0 \w{16} fault_test_boot\+0x", r"#1 \w{16} main_on_own_stack\+0x"]),
    "read": (r"#PF page fault$", [r"error code 0x0, cr2 0000000000000010, cr3 \w{16}",
                                  r"#0 \w{16} fault_test_boot\+0x"]),
    "text": (r"#PF page fault$", [r"error code 0x3, cr2 (?P<at>ffffffff8\w+)",
                                  r"#0 \w{16} write_byte\+0x", r"#1 \w{16} (fault_test_boot|main_on_own_stack)\+0x"]),
    "rodata": (r"#PF page fault$", [r"error code 0x3, cr2 (?P<at>ffffffff8\w+)",
                                    r"#0 \w{16} write_byte\+0x"]),
    "direct": (r"#PF page fault$", [r"error code 0x3, cr2 ffff800000001000",
                                    r"#0 \w{16} write_byte\+0x"]),
    "exec": (r"#PF page fault$", [r"error code 0x11, cr2 (?P<at>ffffffff8\w+)",
                                  r"rip (?P=at) cs 0008", r"#0 (?P=at) \?\+0"]),
    "stack": (r"#DF double fault$", [r"cr2 ffffc0000000\w{4}, ", r"rip \w{16} cs 0008",
                                     r"stack overflow: guard page of core 0's main stack$",
                                     r"#0 \w{16} overflow\+0x", r"#1 \w{16} overflow\+0x"]),
}
REGISTERS = [r"rip \w{16} cs 0008 rflags \w{8} rsp \w{16}$", r"rax \w{16} rbx \w{16} rcx \w{16}",
             r"rsi \w{16} rdi \w{16} rbp \w{16} r8  \w{16}", r"r13 \w{16} r14 \w{16} r15 \w{16}$"]


def report(lines):
    """The lines from PANIC on, as one text."""
    first = next(i for i, line in enumerate(lines) if "PANIC: " in line)
    return "\n".join(lines[first:])


for name, (reason, wanted) in FAULTS.items():
    with tap.check(f"test={name}: {reason.rstrip('$')}"):
        with Qemu(name, iso=boot.image(f"fault-{name}", f"test={name}"), cpus=2,
                  extra=boot.MONITOR) as m:
            m.expect(r"error: PANIC: " + reason, limit=60, fail="PANIC|REFUSED|was writable")
            m.expect(r"error: PANIC: all cores stopped$", limit=10, fail="did not stop")
            boot.wait_halted(m)
            text = report(m.console.lines)
            for pattern in [".*".join(wanted)] + (REGISTERS if "#" in reason else []):
                if not re.search(pattern, text, re.S | re.M):
                    raise RuntimeError(f"no /{pattern}/ in:\n{text}")
            if text.count("PANIC") != 2:
                raise RuntimeError(f"more than one report:\n{text}")

with tap.check("test=nmi: taken on a stack of its own, the start goes on"):
    with Qemu("nmi", iso=boot.image("fault-nmi", "test=nmi"), cpus=2) as m:
        m.expect(r"test: 1 NMI\(s\) taken, stack below the pointer untouched$", limit=60,
                 fail="PANIC|REFUSED")
        m.expect("REFUSED: VT-x", limit=10, fail="PANIC")
tap.done()

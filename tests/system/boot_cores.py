#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""All cores into VMX root mode, in Bochs: 1, 2, 4 and 8 of them, in x2APIC and xAPIC mode, on
processors old and new; and what only shows when several cores run."""
import re

from ixtest import Bochs, Tap, boot, linux

tap = Tap()
BAD = "PANIC|REFUSED|does not answer"


def boots(what, cpus, args, mode, rows=(), end=r"{0} of {0} cores halted$", refused=None,
          module=None, entry_fails=False, **machine):
    """One boot, and each core's line in it."""
    name = re.sub(r"\W+", "-", what.lower()).strip("-")
    lines = []
    with tap.check(what):
        with Bochs(name, iso=boot.image(f"cores-{name}", args, module=module), cpus=cpus, **machine) as m:
            lines = m.console.lines
            if refused:
                m.expect(f"REFUSED: {refused}", limit=60, fail="PANIC")
                m.expect("all cores halted$", limit=20)
            else:
                m.expect(f"{cpus} of {cpus} cores in VMX root mode$", limit=60 + 20 * cpus, fail=BAD)
                m.expect(end.format(cpus), limit=60, fail="REFUSED|did not stop")
                for i in range(cpus):
                    if m.console.count(rf"hv: \[{i}\] core {i} \(APIC ID {i}\) in VMX root mode, "
                                       rf"{mode}$") != 1:
                        raise RuntimeError(f"core {i} did not report once:\n{m.console.tail()}")
            for row in rows:
                if not m.console.find(row):
                    raise RuntimeError(f"no line /{row}/:\n{m.console.tail(40)}")
            if m.console.count("REFUSED") != bool(refused):
                raise RuntimeError(f"not exactly one line:\n{m.console.tail()}")
            if bool(m.vmentry_failures()) != entry_fails:
                raise RuntimeError("\n".join(m.vmentry_failures()))
            if not m.alive():
                raise RuntimeError(f"the machine ended: {m.wait(limit=1)}")
    return "\n".join(lines)


FULL = [r"preflight  VT-x +yes +must", r"preflight  EPT +yes +must",
        r"preflight  unrestricted guest +yes", r"preflight  1 GB EPT pages +yes",
        r"preflight  x2APIC +yes", r"preflight  VT-d +NO +wanted", r"cores: "]
boots("1 core, 6 GB of memory with a hole", 1, "preflight ixmem=64M", "x2APIC", mem=6144,
      rows=[*FULL, r"dataplane pool 0x\w+ \+ 64 MB"])
boots("2 cores, broadwell, xAPIC as nox2apic asks", 2, "preflight nox2apic", "xAPIC",
      model="broadwell_ult", rows=FULL)
boots("8 cores", 8, "preflight", "x2APIC", rows=FULL)
text = boots("4 cores, panic on the last one", 4, "test=last-core", "x2APIC",
             end="PANIC: all cores stopped$")
tap.ok(re.search(r"hv: \[3\] error: PANIC: test: panic asked for on the last core$.*"
                 r"#0 \w{16} fault_test_core\+0x\w+$.*#1 \w{16} ap_main\+0x", text, re.S | re.M) and
       text.count("PANIC") == 2,
       "one report, from the core that panicked, with its functions' names", text)

# Older processors.
boots("2 cores, sandy bridge: no x2APIC", 2, "preflight", "xAPIC", model="corei7_sandy_bridge_2600k",
      rows=[r"preflight  x2APIC +NO +wanted +xAPIC", r"preflight  1 GB EPT pages +NO +wanted"])
boots("1 core, arrandale: EPT with 2 MB pages only", 1, "preflight", "xAPIC",
      model="corei5_arrandale_m520", rows=[r"preflight  1 GB EPT pages +NO", r"preflight  EPT +yes"])
boots("2 cores, penryn: no EPT", 2, "", "xAPIC", model="core2_penryn_t9600",
      refused="EPT is missing: needs extended page tables.*; also missing: unrestricted guest",
      rows=[r"preflight  VT-x +yes", r"preflight  EPT +NO +must"])
# Refused with all cores in VMX operation.
boots("2 cores, no module", 2, "", "x2APIC", refused="no Linux: the loader gave no module; add",
      rows=["2 of 2 cores in VMX root mode"])
boots("1 core, a module that is no kernel", 1, "", "x2APIC",
      refused="the first module is not a Linux kernel that can be started: ",
      module=f"{linux.kernel_dir('cloud')}/version")
# What is wrong with a state that the processor does not take.
boots("1 core, a VM entry that fails", 1, "test=bad-entry", "x2APIC", entry_fails=True,
      end="Linux has ended: entry: bad guest state",
      rows=["Linux, core 0: VM entry refused: guest RFLAGS: reserved bits$",
            "Linux, core 0: entry: bad guest state .exit reason 0x80000021"],
      module=f"{linux.kernel_dir('cloud')}/vmlinuz")
tap.done()

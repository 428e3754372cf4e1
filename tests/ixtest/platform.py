# SPDX-License-Identifier: MIT
"""Which platform boots the hypervisor on this host."""
import os
import re

from .bochs import Bochs
from .console import MachineError
from .host import build_dir
from .qemu import Kvm

PROBE_ISO = "test/vmx-probe.iso"


def cpuinfo_has_vmx(text):
    return any(re.search(r"\bvmx\b", line) for line in text.splitlines()
               if line.startswith("flags"))


def probe_nested():
    """Boots a tiny program under KVM that enters VMX operation. Returns (usable, why not)."""
    with open("/proc/cpuinfo") as f:
        if not cpuinfo_has_vmx(f.read()):
            return False, "the processor shows no VT-x (no vmx in /proc/cpuinfo)"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False, "/dev/kvm cannot be opened"
    try:
        with Kvm("vmx-probe", iso=os.path.join(build_dir(), PROBE_ISO), mem=64) as m:
            outcome = m.wait(limit=5)
    except MachineError as e:
        return False, f"the nested VT-x probe failed: {str(e).splitlines()[0]}"
    return outcome.how == "pass", f"the nested VT-x probe ended with {outcome}"


def choose_platform():
    """("kvm" or "bochs", why). IX_PLATFORM decides where it is set."""
    asked = os.environ.get("IX_PLATFORM")
    if asked:
        if asked not in ("bochs", "kvm"):
            raise ValueError(f"IX_PLATFORM={asked}: use bochs or kvm")
        return asked, "IX_PLATFORM"
    usable, why = probe_nested()
    return ("kvm", "nested VT-x works") if usable else ("bochs", why)


def vm_class(platform):
    return {"bochs": Bochs, "kvm": Kvm}[platform]

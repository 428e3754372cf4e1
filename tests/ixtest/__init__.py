# SPDX-License-Identifier: MIT
"""The test bed: machines (emulated or virtual) that boot Ironix, and what system tests need.

    from ixtest import Bochs, Tap
    tap = Tap()
    with Bochs("boot2", iso="build/ironix.iso", cpus=2) as m:
        tap.ok(m.expect(r"hv: cpu 1 .* root", limit=60), "core 1 is in VMX root")
    tap.done()

Limits are seconds of emulator progress (Machine.progress), never wall-clock time: a busy host makes
a test slower, not wrong.
"""
from .console import Console, Failed, MachineError, Ended, Stuck
from .machine import Machine, Outcome
from .bochs import Bochs
from .qemu import Qemu, Kvm
from .host import FramePort, Netns, build_dir, free_udp_pair
from .platform import choose_platform, vm_class
from .tap import Tap
from . import boot, guest, linux

__all__ = ["Bochs", "Console", "Ended", "Failed", "FramePort", "Kvm", "Machine", "MachineError",
           "Netns", "Outcome", "Qemu", "Stuck", "Tap", "boot", "build_dir", "choose_platform",
           "free_udp_pair", "guest", "linux", "vm_class"]

# SPDX-License-Identifier: MIT
"""Unmodified Debian kernels as the control VM: booted to the end, their logs compared with the bare
machine's."""
import os

from . import linux
from .host import build_dir
from .platform import choose_platform, vm_class

HV = os.path.join(build_dir(), "hv", "ironix.elf")
PANIC = r"hv: .*PANIC|hv: .*Linux has ended|Kernel panic|Oops:|BUG:"


class Guests:
    """Boots kernels for one test; reports to its Tap."""

    def __init__(self, tap):
        self.tap = tap
        self.platform, _ = choose_platform()

    def machine(self, kind, cpus, script, hv_args="", **options):
        """A machine that runs tests/linux/<script>.sh, several with commas between."""
        # The name becomes a folder's, and a comma ends a value in Bochs's configuration.
        name = f"{kind}-{cpus}-{script.replace(',', '+')}"
        iso = linux.image(f"guest-{name}",
                          linux.entry(kind, test=script, hv=HV, hv_args=hv_args))
        if self.platform == "kvm" and options.get("cards"):
            options["machine"] = "pc"
        return vm_class(self.platform)(name, iso=iso, cpus=cpus, mem=512, **options)

    def boot(self, kind, cpus, script, limit, checks=frozenset(), **options):
        """Boots, follows to the power-off and returns the console's lines. checks: of those that the
        scripts make, the ones that must be there."""
        what = f"{kind} kernel, {cpus} cores"
        with self.machine(kind, cpus, script, **options) as m:
            m.expect(rf"init: Linux .* {cpus} CPUs", limit=limit, fail=PANIC)
            m.expect(rf"test: cpus {cpus}$", limit=60, fail=PANIC)
            self.tap.ok(True, f"{what}: userspace sees all of them")
            m.expect("init: powering off", limit=limit, fail=PANIC)
            self.tap.equal(m.wait(limit=60).how, "off", f"{what}: power-off works")
            missing = checks - linux.report(self.tap, m.console.lines)
            self.tap.equal(missing, set(), f"{what}: all checks were made")
            return m.console.lines

    def compare(self, kind, cpus, lines, cards=()):
        """No complaint in the log that the bare machine does not make too."""
        what = f"{kind} kernel, {cpus} cores: no complaint that bare Linux does not make"
        if self.platform != "bochs":
            self.tap.skip(what, "no reference on this platform")
            return
        reference = linux.reference_dmesg(kind, cpus=2, cards=cards)
        self.tap.equal(linux.new_complaints(linux.dmesg_block(lines), reference), [], what)

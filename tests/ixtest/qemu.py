# SPDX-License-Identifier: MIT
"""QEMU: TCG (no VT-x, but UEFI, ECAM, VT-d) and KVM with nested VT-x."""
import shutil
import socket

from .host import run_delay
from .machine import Machine, Outcome, WallProgress

OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"


class Qemu(Machine):
    """A PC in QEMU's TCG. uefi: OVMF instead of SeaBIOS; machine: "q35" or "pc"; cpu: -cpu;
    smp: -smp text instead of the number of CPUs; iommu: an Intel IOMMU with interrupt remapping;
    cards: [{"backend": "tuntap|null|...", "dev": interface, "mac", "model"}]; extra: more arguments.

    The guest ends a run with port 0xf4 (isa-debug-exit): value 0 means pass.
    """

    kind = "qemu"
    accel = "tcg"

    def __init__(self, name, iso, uefi=False, machine="q35", cpu="max", smp=None, iommu=False,
                 cards=(), extra=(), **common):
        super().__init__(name, iso, **common)
        self.uefi, self.machine, self.cpu, self.iommu = uefi, machine, cpu, iommu
        self.smp = smp or str(self.cpus)
        self.cards, self.extra = list(cards), list(extra)
        self._clock = None

    def serial_address(self):
        return socket.AF_UNIX, f"{self._tmp}/serial"

    def command(self, serial_port):
        self._clock = WallProgress()
        machine = self.machine
        if self.iommu:
            machine += ",kernel-irqchip=split"
        args = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
                "-accel", self.accel, "-machine", machine, "-cpu", self.cpu, "-smp", self.smp,
                "-m", f"{self.mem}M", "-no-reboot", "-boot", "d",
                "-chardev", f"socket,id=com1,path={serial_port}", "-serial", "chardev:com1",
                "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                "-drive", f"file={self.iso},media=cdrom,readonly=on,format=raw"]
        if self.uefi:
            shutil.copyfile(OVMF_VARS, f"{self._tmp}/vars.fd")
            args += ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={OVMF_CODE}",
                     "-drive", f"if=pflash,format=raw,unit=1,file={self._tmp}/vars.fd"]
        if self.iommu:
            args += ["-device", "intel-iommu,intremap=on"]
        for i, card in enumerate(self.cards):
            back = {"tuntap": f"tap,ifname={card.get('dev')},script=no,downscript=no",
                    "null": "user,restrict=on"}.get(card.get("backend", "null"))
            args += ["-netdev", f"{back or card['backend']},id=n{i}",
                     "-device", f"{card.get('model', 'e1000')},netdev=n{i},"
                                f"mac={card.get('mac', f'52:54:00:12:34:{0x56 + i:02x}')}"]
        return args + self.extra

    def progress(self):
        return self._clock.now(run_delay(self.process.pid))

    def judge(self, status):
        if status < 0:
            return Outcome("killed", status)
        if status == 0:
            return Outcome("off", status)  # ACPI power-off, or a reset (-no-reboot)
        # isa-debug-exit: status = value << 1 | 1
        return Outcome("pass" if status == 1 and not self._stdout() else "fail", status,
                       self._stdout())

    def _stdout(self):
        with open(self.path("stdout"), errors="replace") as f:
            return f.read().strip()


class Kvm(Qemu):
    """QEMU with KVM and nested VT-x."""

    kind = "kvm"
    accel = "kvm"

    def __init__(self, name, iso, cpu="host,+vmx", **common):
        super().__init__(name, iso, cpu=cpu, **common)

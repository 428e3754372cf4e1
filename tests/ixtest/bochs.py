# SPDX-License-Identifier: MIT
"""Bochs 2.7 with VT-x: the platform on which everything can be tested without VT-x hardware."""
import os
import re

from .host import cpu_seconds
from .machine import Machine, Outcome

MODELS = ("corei7_haswell_4770", "broadwell_ult", "corei7_ivy_bridge_3770k",
          "corei7_sandy_bridge_2600k", "corei5_arrandale_m520", "core2_penryn_t9600")


def bochsrc(iso, cpus, mem, model, ips, cards, serial, log, cpu_options=""):
    """The text of a Bochs configuration. cards: list of dicts backend, dev, mac."""
    if not 1 <= cpus <= 8:
        raise ValueError(f"Bochs takes 1 to 8 CPUs, not {cpus}")
    if len(cards) > 4:
        raise ValueError("Bochs takes at most 4 e1000 cards")
    slots = "".join(f", slot{i + 1}=e1000" for i in range(len(cards)))
    lines = [
        "plugin_ctrl: unmapped=1, biosdev=1, extfpuirq=1, serial=1" + (", e1000=1" if cards else ""),
        "config_interface: textconfig",
        'display_library: rfb, options="timeout=0"',
        f"memory: guest={mem}, host={min(mem, 2048)}",
        "romimage: file=$BXSHARE/BIOS-bochs-latest",
        "vgaromimage: file=$BXSHARE/VGABIOS-lgpl-latest",
        "boot: cdrom",
        f"ata0-master: type=cdrom, path={iso}, status=inserted",
        f"pci: enabled=1, chipset=i440fx{slots}",
        f"cpu: model={model}, count={cpus}, ips={ips}, reset_on_triple_fault=0{cpu_options}",
        "clock: sync=none",
        f"com1: enabled=1, mode=socket-client, dev={serial}",
        "port_e9_hack: enabled=1",
        # Without a sound device the thread that mixes the speaker's sound ends Bochs, if it is quick.
        "sound: driver=dummy",
        "speaker: enabled=1, mode=gui",
        f"log: {log}",
        "panic: action=fatal",
        # VM-entry failures explain themselves in lines of this class: "VMENTER FAIL: ...".
        "error: action=report",
        "info: action=ignore, acpi=report, cpu0=report",
        "debug: action=ignore",
    ]
    for i, card in enumerate(cards):
        lines.append(f"e1000: card={i}, enabled=1, mac={card['mac']}, "
                     f"ethmod={card['backend']}, ethdev={card['dev']}")
    return "\n".join(lines) + "\n"


def judge(status, log):
    """How a run ended, from Bochs' exit status and its log. The debugger's `c` then `q` makes
    status 0 only for a stop asked for by the guest (iodebug ports); all other ends give 1."""
    if status == 0:
        return Outcome("pass", status)
    if status < 0:
        return Outcome("killed", status)
    m = re.search(r"^\S*p\[.*?\] >>PANIC<< (.*)", log, re.M)
    if re.search(r"ACPI control: soft power off", log):
        return Outcome("off", status)
    if re.search(r"exception with no resolution|triple fault", log, re.I):
        return Outcome("panic", status, "triple fault")
    return Outcome("panic" if m else "unknown", status, m.group(1) if m else "")


class Bochs(Machine):
    """A PC in Bochs. model, ips: of all its CPUs; cards: [{"backend": "socket|tuntap|null",
    "dev": port or interface, "mac": ...}] (dev and mac have defaults)."""

    kind = "bochs"

    def __init__(self, name, iso, model="corei7_haswell_4770", ips=50_000_000, cards=(),
                 cpu_options="", **common):
        super().__init__(name, iso, **common)
        self.model, self.ips, self.cpu_options = model, ips, cpu_options
        self.cards = []
        for i, card in enumerate(cards):
            backend = card.get("backend", "null")
            dev = card.get("dev", "eth0")
            if backend == "tuntap":
                dev = f"/dev/net/tun:{dev}"
            self.cards.append({"backend": backend, "dev": dev,
                               "mac": card.get("mac", f"52:54:00:12:34:{0x56 + i:02x}")})

    def command(self, serial_port):
        with open(self.path("bochsrc"), "w") as f:
            f.write(bochsrc(self.iso, self.cpus, self.mem, self.model, self.ips, self.cards,
                            f"127.0.0.1:{serial_port[1]}", self.path("bochs.log"),
                            self.cpu_options))
        with open(self.path("cmds"), "w") as f:
            f.write("c\nq\n")
        return ["bochs", "-q", "-f", self.path("bochsrc"), "-rc", self.path("cmds")]

    def progress(self):
        # Bochs never idles: virtual time passes exactly while it uses the processor.
        try:
            self._last_progress = cpu_seconds(self.process.pid)
        except (OSError, IndexError):
            pass
        return self._last_progress

    def judge(self, status):
        try:
            with open(self.path("bochs.log"), errors="replace") as f:
                log = f.read()
        except OSError:
            log = ""
        return judge(status, log)

    def vmentry_failures(self):
        """Bochs' explanations of refused VM entries, for a test's failure message."""
        if not os.path.exists(self.path("bochs.log")):
            return []
        with open(self.path("bochs.log"), errors="replace") as f:
            return [line.strip() for line in f if "VMENTER FAIL" in line or "VMFAIL" in line]

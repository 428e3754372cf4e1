# SPDX-License-Identifier: MIT
"""Linux on a machine: boot images made for a test, and the kernel's messages compared."""
import hashlib
import os
import re
import subprocess

from .host import TOP, build_dir

# Without a speed Linux sets the port to 9600 baud, and waits for it. The self-tests of its
# cryptographic code take a quarter of the boot in an emulator.
ARGS = "console=ttyS0,115200 cryptomgr.notests"


def kernel_dir(kind):
    """The folder of Debian's "cloud" or "full" kernel: vmlinuz, initrd.cpio, package, version."""
    return os.path.join(build_dir(), "linux", kind)


def entry(kind="cloud", test=None, args="", hv=None, hv_args="", title=None, initrd="initrd"):
    """A mkiso menu entry that boots a kernel with our initramfs, under `hv` where given.

    test: name of a script in tests/linux/, run by the initramfs before it powers off; initrd:
    "initrd-net" has ethtool and iperf3 too (tests/build.mk).
    """
    words = [ARGS] + ([f"ixtest={test}"] if test else []) + ([args] if args else [])
    parts = [f"title={title or f'Linux ({kind})'}", f"linux={kernel_dir(kind)}/vmlinuz",
             f"linux.args={' '.join(words)}", f"initrd={kernel_dir(kind)}/{initrd}.cpio"]
    if hv:
        parts += [f"hv={hv}", f"hv.args={hv_args}"]
    return "; ".join(parts)


def image(name, *entries, uefi=False, verbose=False, grub=()):
    """Makes build/test/iso/<name>.iso and returns its path. grub: GRUB commands to begin with."""
    out = os.path.join(build_dir(), "test", "iso", f"{name}.iso")
    flags = ([] if uefi else ["--bios-only"]) + (["--verbose"] if verbose else [])
    flags += [f"--grub={command}" for command in grub]
    subprocess.run([os.path.join(TOP, "scripts", "mkiso"), "-o", out, *flags, *entries], check=True,
                   stdin=subprocess.DEVNULL)
    return out


def report(tap, lines):
    """Reports what report() of tests/linux/lib.sh printed; returns the names."""
    found = [m for m in (re.match(r".*test: (.+?) (ok|FAILED)\b ?(.*)$", line) for line in lines) if m]
    for m in found:
        tap.ok(m.group(2) == "ok", f"in Linux: {m.group(1)}", m.group(3))
    return {m.group(1) for m in found}


def dmesg_block(lines):
    """The lines that tests/linux/dmesg.sh printed."""
    begin = max(i for i, line in enumerate(lines) if line.endswith("test: dmesg begin"))
    end = next(i for i, line in enumerate(lines) if i > begin and line.endswith("test: dmesg end"))
    return lines[begin + 1:end]


def complaints(lines, level=4):
    """What a raw kernel log (dmesg -r) complains about: texts of level `level` or worse, with what
    changes from boot to boot (times, addresses, counts) made equal."""
    found = []
    for line in lines:
        m = re.match(r"<(\d+)>\[\s*\d+\.\d+\] ?(.*)", line)
        if m and int(m.group(1)) & 7 <= level:
            text = re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b", "0x#", m.group(2))
            text = re.sub(r"\d+", "#", text).strip()
            if re.search("[a-z]", text, re.I):  # not the rest of a list of numbers
                found.append(text)
    return found


def new_complaints(lines, reference, level=4):
    """Complaints in `lines` that `reference` does not have, once each."""
    known = set(complaints(reference, level))
    return sorted(set(complaints(lines, level)) - known)


def cached(key_parts, name, make):
    """Lines that make() returns, kept in build/linux/reference/ while the key stays the same."""
    key = hashlib.sha256("\0".join(key_parts).encode()).hexdigest()[:16]
    path = os.path.join(build_dir(), "linux", "reference", f"{name}-{key}.txt")
    if os.path.exists(path):
        with open(path) as f:
            return f.read().split("\n")
    lines = make()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".tmp", "w") as f:
        f.write("\n".join(lines))
    os.replace(path + ".tmp", path)
    return lines


def reference_dmesg(kind, cpus, mem=512, model="corei7_haswell_4770", cards=()):
    """The raw kernel log of the same kernel on the bare emulator, with as many CPUs."""
    from .bochs import Bochs
    with open(f"{kernel_dir(kind)}/package") as f:
        package = f.read()

    def boot():
        iso = image(f"bare-{kind}", entry(kind, test="dmesg"))
        with Bochs(f"reference-{kind}-{cpus}", iso=iso, cpus=cpus, mem=mem, model=model,
                   cards=cards) as m:
            m.expect("test: dmesg end", limit=400, fail="Kernel panic")
            outcome = m.wait(limit=60)
            if outcome.how != "off":
                raise RuntimeError(f"bare {kind} kernel: {outcome}")
            return dmesg_block(m.console.lines)

    return cached([package, str(cpus), str(mem), model, str(len(cards)), ARGS],
                  f"{kind}-{cpus}", boot)

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The build itself: what a changed header makes again, and that the same sources make the same bytes
wherever the tree lies."""
import filecmp
import os
import re
import subprocess
import sys
import tempfile

BUILD = os.environ.get("BUILD", "build")
count = failed = 0


def ok(condition, name, detail=""):
    global count, failed
    count += 1
    failed += not condition
    print(f"{'ok' if condition else 'not ok'} {count} - {name}")
    if not condition:
        print("".join(f"# {line}\n" for line in str(detail).splitlines()), end="")


def make(*args, **how):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *args], env=env, text=True, capture_output=True, **how)


def compiled(header):
    """Sources of the hypervisor that make would compile again if the header had changed."""
    image = f"{BUILD}/hv/ironix.elf"
    done = make("-n", f"BUILD={BUILD}", "-W", header, image)
    return set(re.findall(r" -c -o \S+ (hv/\S+\.[cS]|boot/\S+)", done.stdout))


# The unit tests' build leaves the hypervisor out, so it is made here if it is not there yet.
make(f"BUILD={BUILD}", f"{BUILD}/hv/ironix.elf")
ok(not compiled("README.md"), "nothing is made again when nothing has changed")
again = compiled("hv/lib/cmdline.h")
ok({"hv/main.c", "hv/lib/cmdline.c"} <= again and not {"hv/lib/ept.c", "hv/lib/fmt.c"} & again,
   "a changed header: what includes it is compiled again, nothing else", again)
ok("boot/multiboot2.S" in compiled("hv/arch/layout.h"), "assembly depends on its headers, too")
ok(len(compiled("scripts/mk/rules.mk")) > 30, "changed build rules: all is compiled again")

# The same sources in another folder, built into another one.
with tempfile.TemporaryDirectory() as other:
    files = subprocess.run(["git", "ls-files", "-zco", "--exclude-standard", "Makefile", "*.mk", "boot", "hv", "nic", "scripts"],
                           capture_output=True, check=True).stdout
    subprocess.run(["cpio", "-0", "-pdm", "--quiet", other], input=files, check=True)
    os.makedirs(f"{other}/out")
    open(f"{other}/out/.deps", "w").close()
    done = make("-j2", "BUILD=out", "out/hv/ironix.elf", cwd=other)
    ok(done.returncode == 0 and filecmp.cmp(f"{other}/out/hv/ironix.elf", f"{BUILD}/hv/ironix.elf",
                                            shallow=False),
       "the same sources elsewhere make the same hypervisor, byte for byte", done.stderr[-2000:])
print(f"1..{count}")
sys.exit(1 if failed else 0)

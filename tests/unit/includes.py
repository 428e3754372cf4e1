#!/usr/bin/python3
"""Checks that no folder includes another folder's headers but those it may depend on.

apps -> userlib -> ABI headers only; guest -> net, nic; net and nic -> nothing; hv -> nic's device
model; linux-control -> hv's and guest's ABI headers. Public headers live in <folder>/include/ix/.
"""
import os
import re
import sys

FOLDERS = ("boot", "hv", "guest", "net", "nic", "userlib", "linux-control")
# folder -> folders whose public headers it may include
PUBLIC = {
    "boot": {"hv"},
    "hv": {"nic"},
    "guest": {"net", "nic", "hv", "userlib"},
    "net": set(),
    "nic": set(),
    "userlib": set(),
    "linux-control": {"hv", "guest"},  # the guest's statistics area
}


def owner_of_public(name):
    for folder in FOLDERS:
        if os.path.exists(f"{folder}/include/{name}"):
            return folder
    return None


def check(path, folder, bad):
    for number, line in enumerate(open(path, errors="replace"), 1):
        m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not m:
            continue
        name = m.group(2)
        if name.startswith("ix/"):
            owner = owner_of_public(name)
            if owner is None:
                bad.append(f"{path}:{number}: <{name}> is in no folder's include/")
            elif owner != folder and owner not in PUBLIC[folder]:
                bad.append(f"{path}:{number}: {folder} may not include {owner}'s <{name}>")
        elif name.split("/")[0] in FOLDERS and name.split("/")[0] != folder:
            # boot/ and hv/ are linked into one image.
            if {folder, name.split("/")[0]} != {"boot", "hv"}:
                bad.append(f"{path}:{number}: {folder} includes a private header, {name}")


def main():
    bad, files = [], 0
    for folder in FOLDERS:
        for root, _, names in os.walk(folder):
            for n in names:
                if n.endswith((".c", ".h", ".S")):
                    files += 1
                    check(os.path.join(root, n), folder, bad)
    for b in bad:
        print(b)
    print(f"{'not ok' if bad or not files else 'ok'} 1 - includes respect the folders ({files} files)")
    sys.exit(1 if bad or not files else 0)


main()

# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Hosted mode: the runner and the library; sourced by scripts/install.
: "${build:?}" "${destdir?}" "${prefix:?}"

put 755 "$build/host/ixhost" "$prefix/bin/ixhost"
for file in libixhost.a libixhost.so; do
	put 644 "$build/host/$file" "$prefix/lib/$file"
done
for file in ixhost.h stats.h; do
	put 644 "guest/include/ix/$file" "$prefix/include/ix/$file"
done

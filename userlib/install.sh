# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# libix: headers, libraries, compiler driver, pkg-config file, applications; sourced by scripts/install.
: "${build:?}" "${destdir?}" "${prefix:?}"

for file in userlib/include/ix/*.h; do
	put 644 "$file" "$prefix/include/ix/$(basename "$file")"
done
for file in libix.a libix-hosted.a; do
	put 644 "$build/userlib/$file" "$prefix/lib/$file"
done
put 755 userlib/ix-cc "$prefix/bin/ix-cc"
pc=$(mktemp)
sed "s|@PREFIX@|$prefix|" userlib/ix.pc.in >"$pc"
put 644 "$pc" "$prefix/lib/pkgconfig/ix.pc"
rm -f "$pc"
for file in echo httpd kv netpipe; do
	put 755 "$build/apps/$file" "$prefix/lib/ironix/apps/$file"
	put 644 "$build/host/apps/$file.so" "$prefix/lib/ironix/apps/$file.so"
done

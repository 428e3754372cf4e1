#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make install` into a directory, and what a user does with it: ix-cc, pkg-config, ixhost, libixhost."""
import os

from ixtest import hosted
from ixtest.hosted import run
from ixtest.tap import Tap

PROGRAM = r"""
#include <stdio.h>
#include <ix/ixev.h>
#include <ix/ixhost.h>
#include <ix/socket.h>
#include <ix/stats.h>

int main(void)
{
	struct ixhost_options o = {.config = "address = 10.0.0.1/24\nicmp-echo = on\n", .ip = true};
	static const unsigned char ping[28] = {0x45, 0, 0, 28, 0, 1, 0, 0, 64, 1, 0x66, 0xde,
		10, 0, 0, 1, 10, 0, 0, 1, 8, 0, 0xf7, 0xfd, 0, 1, 0, 1};
	unsigned char packet[28], out[2048];
	char error[128];
	struct ixhost *h = ixhost_new(&o, error);
	unsigned long long when;
	unsigned int sum = 0;
	uint64_t t;

	if (!h) {
		printf("%s\n", error);
		return 1;
	}
	for (int i = 0; i < 28; i++)
		packet[i] = ping[i];
	packet[15] = 9; /* from 10.0.0.9 */
	packet[10] = packet[11] = 0;
	for (int i = 0; i < 20; i += 2)
		sum += packet[i] << 8 | packet[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	packet[10] = sum >> 8;
	packet[11] = sum;
	ixhost_advance(h, 5000);
	ixhost_push(h, packet, 28);
	for (int i = 0; i < 4; i++)
		ixhost_run(h);
	long n = ixhost_pull(h, out, sizeof(out), &t);
	when = t;
	printf("%ld bytes, type %d, at %llu\n", n, out[20], when);
	ixhost_free(h);
	return 0;
}
"""


def main():
    hosted.private_network()
    t = Tap()
    top = os.getcwd()
    with hosted.scratch() as tmp:
        usr = f"{tmp}/usr"
        with t.check("make install"):
            run(f"env -u MAKEFLAGS -u MFLAGS make -s install BUILD={hosted.BUILD} DESTDIR={tmp} PREFIX=/usr",
                timeout=300)
        os.environ.pop("BUILD", None)
        with open(f"{tmp}/p.c", "w") as f:
            f.write(PROGRAM)
        for kind in ("-lixhost", f"{usr}/lib/libixhost.a"):
            with t.check(f"a program with {os.path.basename(kind)} answers a ping, by a virtual clock"):
                run(f"gcc -Wall -Werror -I{usr}/include {tmp}/p.c -o {tmp}/p -L{usr}/lib {kind} -pthread")
                out = run(f"LD_LIBRARY_PATH={usr}/lib {tmp}/p")
                assert out == "28 bytes, type 0, at 5000\n", out
        with t.check("the installed ix-cc and ixhost build and run an application"):
            run(f"{usr}/bin/ix-cc --hosted {top}/userlib/examples/echo.c -o {tmp}/e.so")
            out = run([f"{usr}/bin/ixhost", "--wire", "memory", "--", "echo", "server", "--peer",
                       f"{tmp}/e.so", "client", "10.0.0.1"])
            assert "1000 messages" in out, out
        with t.check("pkg-config knows libix"):
            out = run(f"PKG_CONFIG_PATH={usr}/lib/pkgconfig pkg-config --define-prefix --cflags --libs ix")
            assert f"-I{usr}/include" in out and "-lix" in out, out
            run(f"musl-gcc -static {top}/userlib/examples/echo.c -o {tmp}/e {out.strip()} -pthread")
        with t.check("every installed header stands by itself"):
            for name in os.listdir(f"{usr}/include/ix"):
                with open(f"{tmp}/h.c", "w") as f:
                    f.write(f"#include <ix/{name}>\n")
                run(f"gcc -std=gnu17 -Wall -Wextra -Werror -I{usr}/include -c {tmp}/h.c -o {tmp}/h.o")
        with t.check("an installed application says where it belongs"):
            for app, args in (("echo", "server"), ("kv", ""), ("httpd", "/"), ("netpipe", "server")):
                out = run(f"{usr}/lib/ironix/apps/{app} {args}; echo status $?")
                assert "not in a dataplane: start the program with ixctl" in out and "status 1" in out, out
                out = run(f"{usr}/lib/ironix/apps/{app} -p 99999 {args}; echo status $?")
                assert "usage: " in out and "status 2" in out, out
        with t.check("libix.a takes no names from an application"):
            for lib in ("libix.a", "libix-hosted.a"):
                out = run(f"nm -g --defined-only {usr}/lib/{lib} | awk 'NF == 3 {{ print $3 }}'")
                assert all(name.startswith("ix") for name in out.split()) and "ixev_open" in out, out
        with t.check("ixhost says what is wrong"):
            for args, what in (("--tap", "requires"), ("--loss x --tap a -- echo", "percentage"),
                               ("-- echo", "either"), ("--tap t0 --ip 10.0.0 -- echo", "address"),
                               ("--tap t0 --set a=b -- echo", "unknown key"),
                               ("--tap t0 -- nothing", "nothing"),
                               ("--wire memory -- echo", "--peer"),
                               ("--tap t0 --cores 99 -- echo", "number")):
                out = run(f"{usr}/bin/ixhost {args}; echo status $?")
                assert what in out and "status 2" in out, (args, out)
    t.done()


main()

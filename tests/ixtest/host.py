# SPDX-License-Identifier: MIT
"""What a test needs from the host: build folder, network namespaces, raw frames, progress."""
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def build_dir():
    return os.path.abspath(os.environ.get("BUILD") or os.path.join(TOP, "build"))


_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    """For preexec_fn: the child is killed when the thread that started it goes away."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def cpu_seconds(pid):
    """CPU time of all threads of a process; proc(5), /proc/pid/stat fields 14 and 15."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_delay(pid):
    """Seconds that the most delayed thread was runnable but not run; 0 where not accounted."""
    worst = 0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                worst = max(worst, int(f.read().split()[1]))
    except (OSError, IndexError):
        pass
    return worst / 1e9


class Netns:
    """A private network namespace that lives as long as this object (or this process).

    A holder process keeps it, so nothing is left behind whatever happens. Root or, where the kernel
    allows user namespaces, anyone.
    """

    def __init__(self):
        flags = ["-n"] if os.geteuid() == 0 else ["-rn"]
        self.holder = subprocess.Popen(["unshare", *flags, "--", "sh", "-c", "echo up; exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       preexec_fn=die_with_parent)
        if self.holder.stdout.readline() != b"up\n":
            raise OSError("cannot make a network namespace")
        self.run("ip", "link", "set", "lo", "up")

    def prefix(self):
        user = [] if os.geteuid() == 0 else ["-U", "--preserve-credentials"]
        return ["nsenter", "-t", str(self.holder.pid), *user, "-n", "--"]

    def run(self, *command, check=True, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([*self.prefix(), *command], check=check, text=True,
                              capture_output=True, **kw)

    def popen(self, *command, **kw):
        return subprocess.Popen([*self.prefix(), *command], preexec_fn=die_with_parent, **kw)

    def listen(self, address):
        """A listening TCP socket of the namespace, for this process: made by a helper inside."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            helper = ("import socket, sys; s = socket.create_server((sys.argv[1], int(sys.argv[2]))); "
                      "socket.send_fds(socket.socket(fileno=int(sys.argv[3])), [b'x'], [s.fileno()])")
            subprocess.run([*self.prefix(), sys.executable, "-c", helper, address[0],
                            str(address[1]), str(theirs.fileno())], check=True,
                           pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
            return socket.socket(fileno=socket.recv_fds(ours, 1, 1)[1][0])

    def tap(self, name, address, mac=None):
        """A TAP device with an address ("10.0.0.1/24"), up."""
        self.run("ip", "tuntap", "add", "dev", name, "mode", "tap")
        if mac:
            self.run("ip", "link", "set", name, "address", mac)
        self.run("sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1", check=False)
        self.run("ip", "addr", "add", address, "dev", name)
        self.run("ip", "link", "set", name, "up")

    def close(self):
        self.holder.stdin.close()
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def free_udp_pair():
    """A free UDP port N with N+1 free too, and the bound socket of N+1 (Bochs takes N)."""
    for _ in range(100):
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        peer.bind(("127.0.0.1", 0))
        port = peer.getsockname()[1] - 1
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port, peer
            except OSError:
                peer.close()
    raise OSError("no free pair of UDP ports")


class FramePort:
    """The far end of a Bochs e1000 with the `socket` back end: Ethernet frames in UDP datagrams."""

    def __init__(self):
        self.port, self.socket = free_udp_pair()

    def send(self, frame):
        self.socket.sendto(frame, ("127.0.0.1", self.port))

    def receive(self, timeout):
        """The next frame, or None after `timeout` seconds of wall-clock time."""
        end = time.monotonic() + timeout
        while True:
            ready, _, _ = select.select([self.socket], [], [], max(0, end - time.monotonic()))
            if ready:
                return self.socket.recv(65536)
            if time.monotonic() >= end:
                return None

    def close(self):
        self.socket.close()

# SPDX-License-Identifier: MIT
"""Applications in hosted mode, against Linux in a network namespace of the test's own."""
import ctypes
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
IXHOST = f"{BUILD}/host/ixhost"
PEER = f"{BUILD}/test/stream_peer"
TAPWIRE = f"{BUILD}/test/tapwire"
ECHO_CLIENT = f"{BUILD}/test/echo_client"
STREAM = f"{BUILD}/test/apps/stream.so"
IP, LINUX = "10.0.0.1", "10.0.0.254"


def private_network():
    """Starts this program anew in a network namespace that ends with it."""
    if os.environ.get("IX_PRIVATE_NET") == str(os.getppid()):
        run("ip link set lo up")
        return
    # The namespace lives as long as a process in it: ours, and those we kill.
    child = subprocess.Popen(["unshare", "--net", sys.executable, *sys.argv],
                             env=dict(os.environ, IX_PRIVATE_NET=str(os.getpid())))
    sys.exit(child.wait())


def run(command, timeout=60, check=True):
    """A command's output."""
    done = subprocess.run(command, shell=isinstance(command, str), timeout=timeout,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    if check and done.returncode:
        raise RuntimeError(f"{command}: status {done.returncode}: {done.stdout.strip()}")
    return done.stdout


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Process:
    """A process whose output is read until a line says that it is ready."""

    def __init__(self, command, ready=None, timeout=20, env=None):
        self.output = ""
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, preexec_fn=die_with_parent,
                                        env=dict(os.environ, **(env or {})))
        if ready:
            self.wait_for(ready, timeout)

    def _read(self, timeout):
        """False at the end of the output or of the time."""
        fd = self.process.stdout
        if not select.select([fd], [], [], max(timeout, 0))[0]:
            return False
        data = os.read(fd.fileno(), 65536)
        self.output += data.decode(errors="replace")
        return bool(data)

    def wait_for(self, pattern, timeout=20):
        end = time.monotonic() + timeout
        while not re.search(pattern, self.output):
            if not self._read(end - time.monotonic()):
                raise RuntimeError(f"no {pattern!r} in: {self.output[-2000:]}")

    def wait(self, timeout=60):
        """Its status, when it ends by itself."""
        end = time.monotonic() + timeout
        while self._read(end - time.monotonic()):
            pass
        return self.process.wait(max(end - time.monotonic(), 0.1))

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError("did not end at SIGTERM") from None
        return self.output

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Hosted(Process):
    """An application over a TAP whose other end is Linux's."""

    def __init__(self, app, options=(), ready=r"core 0|ready", tap="ix0", address=f"{LINUX}/24",
                 env=None):
        if f" {tap}:" not in run("ip -o link show"):
            run(f"ip tuntap add dev {tap} mode tap")
            run(f"ip addr add {address} dev {tap}")
            run(f"ip link set {tap} up")
        super().__init__([IXHOST, "--tap", tap, "--stats", *options, "--", *app], ready, env=env)

    def stats(self):
        """Counters of all cores summed up: now, or at the end after stop()."""
        if self.process.poll() is None:
            self.output = ""
            self.process.send_signal(signal.SIGUSR1)
            self.wait_for(r"(?m)^stats app core0 end")
        sums = {}
        for name, value in re.findall(r"^stats \w+ core\d+ (\S+) (\d+)", self.output, re.M):
            sums[name] = sums.get(name, 0) + int(value)
        return sums

    def quiet(self, timeout=10, buffers=8192):
        """Waits until no connection, reference or buffer is in use; what is left by then."""
        end = time.monotonic() + timeout
        while True:
            stats = self.stats()
            left = {k: v for k, v in stats.items() if k in ("=conns", "=tx_recs", "=reasm")}
            if stats["=rxbufs_free"] != buffers:
                left["=rxbufs_free"] = stats["=rxbufs_free"]
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.05)


def scratch():
    return tempfile.TemporaryDirectory(prefix="ixhost-")


def mbits(output):
    return float(re.search(r"([\d.]+) Mbit/s", output).group(1))

"""The demo with the network forbidden: the kernel kills whatever process asks for an Internet socket.

The filter is inherited by children and holds for every library, whatever language it is written in; DNS
look-ups need such a socket too.
"""

import platform
import signal
import subprocess
import sys

import pytest

FORBID = """
import ctypes, platform, struct

def forbid_network():
    # A seccomp filter (man 2 seccomp): socket(AF_INET or AF_INET6, ...) kills the process.
    load, equal, leave = 0x20, 0x15, 0x06
    kill, allow = 0x80000000, 0x7FFF0000
    socket = {"x86_64": 41, "aarch64": 198}[platform.machine()]
    steps = [(load, 0, 0, 0), (equal, 0, 4, socket), (load, 0, 0, 16), (equal, 1, 0, 2), (equal, 0, 1, 10),
             (leave, 0, 0, kill), (leave, 0, 0, allow)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", op, yes, no, k) for op, yes, no, k in steps))
    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
    program = Program(len(steps), ctypes.addressof(code))
    system = ctypes.CDLL(None, use_errno=True)
    if system.prctl(38, 1, 0, 0, 0) or system.prctl(22, 2, ctypes.byref(program), 0, 0):
        raise SystemExit(77)

forbid_network()
"""

DEMO = """
import sys
from redactkit.cli import main
from tests.sample_clips import cut_sample
from pathlib import Path

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    clip = str(cut_sample(folder / "clip.mp4", stop=8, width=256, height=144))
    out = ["-o", str(folder / "out"), "--quiet"]
    assert main(["analyze", clip, *out]) == 0
    found = str(folder / "out" / "clip_annotations.json")
    assert main(["redact", clip, "--annotations", found, "-o", str(folder / "a.mp4"), "--quiet"]) == 0
    assert main(["verify", clip, str(folder / "a.mp4"), "--annotations", found, "--quiet"]) in (0, 3)
    assert main(["inspect", found]) == 0
    assert main(["batch", clip, "-o", str(folder / "batch"), "--workers", "1", "--quiet"]) == 0
    import redactkit
    assert [getattr(redactkit, name) for name in redactkit.__all__]
    print("no socket was asked for")
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="needs Linux's seccomp"
)


def run(script, *arguments):
    command = [sys.executable, "-c", FORBID + script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    if done.returncode == 77:
        pytest.skip("this system does not let a process filter its own system calls")
    return done


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.socket(socket.AF_INET)",
        "import socket; socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
        "import urllib.request; urllib.request.urlopen('http://192.0.2.1')",
    ],
)
def test_the_guard_kills_whoever_asks_for_the_network(attempt):
    assert run(attempt).returncode == -signal.SIGSYS


def test_the_guard_holds_for_children():
    done = run(
        "import subprocess, sys; code = 'import socket; socket.socket()'\n"
        "print(subprocess.run([sys.executable, '-c', code]).returncode)"
    )
    assert done.stdout.strip() == str(-signal.SIGSYS)


@pytest.mark.slow
def test_all_passes_work_without_asking_for_the_network(tmp_path):
    done = run(DEMO, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("no socket was asked for\n")

"""Processes: ours, those that we start, and how to tell whether one is gone."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

#: Seconds that a process may take to end when it is asked to.
STOP_TIMEOUT = 15.0

PR_SET_PDEATHSIG = 1


def die_with_parent(sig: int = signal.SIGTERM) -> Callable[[], None] | None:
    """What a child calls before it starts, so that the kernel sends it ``sig`` when the thread that
    started it ends.

    None where the kernel cannot (not Linux).
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def arrange() -> None:
        libc.prctl(PR_SET_PDEATHSIG, sig)
        if os.getppid() != parent:  # it died in between: nobody will tell us
            os.kill(os.getpid(), sig)

    return arrange


def end(process: subprocess.Popen[bytes], timeout: float = STOP_TIMEOUT) -> None:
    """Ask ``process`` to end, and kill its group if it has not within ``timeout`` seconds."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def birth(pid: int) -> int | None:
    """A number that tells this process from any other that had, or will have, its id; None: no such
    process, or a dead one.

    On Linux it is in ticks since boot: unlike a time of day, no clock that is set changes it.
    """
    try:
        if platform.system() == "Linux":
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return None if fields[0] in "ZX" else int(fields[19])
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time())
    except (OSError, psutil.Error):
        return None


def machine_name() -> str:
    """This machine, or this container: pids of one mean nothing in another."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name.partition("[")[2].rstrip("]")
    except OSError:
        namespace = "0"
    return f"{platform.node()}.{namespace}"


def process_name(pid: int) -> str:
    """A process: its machine, its pid, and when it began (a pid is used again one day)."""
    return f"{machine_name()}/{pid}/{birth(pid)}"


def is_here(name: str) -> bool:
    """Whether the process ``name`` is or was one of this machine, so that ``is_gone`` can tell."""
    return name.partition("/")[0] == machine_name()


def is_gone(name: str) -> bool:
    """Whether the process ``name`` was one of this machine and has ended. False where nobody here
    can know.
    """
    machine, _, process = name.partition("/")
    if machine != machine_name():
        return False
    pid, _, born = process.partition("/")
    return not pid.isdigit() or str(birth(int(pid))) != born

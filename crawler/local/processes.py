"""Processes: their names, their end with their parent, and whether one is gone."""

from __future__ import annotations

import ctypes
import getpass
import os
import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

#: Seconds that a process may take to end when it is asked to.
STOP_TIMEOUT = 15.0

PR_SET_PDEATHSIG = 1

#: Processes that ours has started for itself, perhaps while a hook ran.
own_children: set[int] = set()


def die_with_parent(
    sig: int = signal.SIGTERM, parent: int | None = None
) -> Callable[[], None] | None:
    """Return a function for a child to call before it starts (``preexec_fn``), or, with the process
    id of its ``parent``, later.

    From then on the kernel sends the child ``sig`` when the thread that started it ends. None where
    the kernel cannot do so (not Linux).
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = parent or os.getpid()

    def arrange() -> None:
        libc.prctl(PR_SET_PDEATHSIG, sig)
        if os.getppid() != parent:  # the parent died in between: no signal will come
            os.kill(os.getpid(), sig)

    return arrange


def user_and_machine() -> str:
    """Return who runs this process, and where: "ann at desk". In a container the user may have a
    number only.
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # which of both, is a matter of Python's version
        user = f"user {os.getuid()}"
    return f"{user} at {socket.gethostname()}"


def user_of(command: str) -> str:
    """Return who runs ``command``, as a crawl keeps it: "crawler pause (ann at desk)"."""
    return f"{command} ({user_and_machine()})"


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
    """Return a number that tells this process from earlier and later ones with its id.

    None: there is no such process, or it is dead. On Linux the number is in ticks since boot: it
    does not change when a clock is set.
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
    """Return the name of this machine or container, within which a pid means something."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name.partition("[")[2].rstrip("]")
    except OSError:
        namespace = "0"
    return f"{platform.node()}.{namespace}"


def process_name(pid: int) -> str:
    """Return the name of a process: its machine, its pid, and its birth (pids are used again)."""
    return f"{machine_name()}/{pid}/{birth(pid)}"


def is_here(name: str) -> bool:
    """Whether the process ``name`` belongs to this machine, so that ``is_gone`` can tell."""
    return name.partition("/")[0] == machine_name()


def is_gone(name: str) -> bool:
    """Whether the process ``name`` belonged to this machine and has ended.

    False for a process of another machine: that cannot be known here.
    """
    machine, _, process = name.partition("/")
    if machine != machine_name():
        return False
    pid, _, born = process.partition("/")
    return not pid.isdigit() or str(birth(int(pid))) != born


@contextmanager
def killing_children() -> Iterator[None]:
    """Kill, at the end, every living process that this one, or one of its children, has started
    meanwhile.
    """
    before = {child.pid for child in psutil.Process().children()}
    try:
        yield
    finally:
        mine = [child for child in psutil.Process().children() if child.pid not in before]
        for child in mine:
            with suppress(psutil.Error):
                mine += child.children()
            with suppress(psutil.Error):
                child.kill()

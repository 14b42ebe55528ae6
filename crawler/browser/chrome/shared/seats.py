"""The seats in the Chromes of one worker: which of its processes has a session in which.

No process owns such a Chrome. Its standard input is a pipe whose other end every process of the
worker has, from before the fork: when the last of them is gone, however it ended, Chrome reads the
end of that pipe, and goes. A seat is a lock on a file, which the system takes back from a process
that was killed; its tabs end with its connection to Chrome.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import psutil

from ....errors import BrowserUnavailable
from ....local.private_files import make_private, open_private
from ....local.processes import birth
from ..chrome_memory import proportional, resident, total
from ..folders import CLEAN_TIMEOUT, delete, folder_of, kill_users

#: The file of a shared Chrome that says what it is; the one that says that nobody may join any
#: more; the folder of the files that are its seats, and that of what its sessions download.
ABOUT, RETIRED, SEATS, SESSIONS = "shared.json", "retired", "seats", "sessions"
#: Seconds for which a process waits to join a Chrome: another one may be starting it, and others
#: wait as well. And seconds between two looks.
GATE_TIMEOUT, GATE_PAUSE = 120.0, 0.02


@dataclass(frozen=True, slots=True)
class Group:
    """The processes that share Chromes: the one that made it, and those that it forks.

    ``lifeline`` is the end of a pipe that Chromes read, ``hold`` the one that the processes keep.
    ``gate`` is a file without a name, whose lock the process has that joins or leaves a Chrome.
    """

    pid: int
    birth: int
    lifeline: int
    hold: int
    gate: IO[bytes]


_group: Group | None = None


def open_group(folder: Path | None = None) -> None:
    """Let this process, and those that it forks from now on, share Chromes. A file in ``folder``
    (None: the temporary one) is made for that, which is gone at once.
    """
    global _group
    if _group is None or birth(_group.pid) != _group.birth:
        lifeline, hold = os.pipe()
        gate = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115, it is kept
        _group = Group(os.getpid(), birth(os.getpid()) or 0, lifeline, hold, gate)


def close_group() -> None:
    """Share no further Chromes from this process. Those that it shared end with its sessions."""
    global _group
    if _group is not None:
        os.close(_group.lifeline)
        os.close(_group.hold)
        _group = None


def current_group() -> Group | None:
    """Return the group of this process; None: it shares no Chromes."""
    return _group


def my_group() -> Group:
    """Return the group of this process. Raises BrowserUnavailable: it shares no Chromes."""
    if _group is None:
        raise BrowserUnavailable("this process shares no Chromes")
    return _group


@dataclass(frozen=True, slots=True)
class About:
    """A shared Chrome: its process, its websocket, and the digest of all that its start decided."""

    pid: int
    birth: int
    url: str
    kind: str
    started: float  # epoch seconds

    @property
    def alive(self) -> bool:
        """Whether its process is there."""
        return birth(self.pid) == self.birth


def read_about(folder: Path) -> About | None:
    """Return what the Chrome of ``folder`` is; None: none that is shared."""
    try:
        return About(**json.loads((folder / ABOUT).read_text()))
    except (OSError, ValueError, TypeError):
        return None


class Seat:
    """A seat in the Chrome of ``folder``. For one session; ``give_up`` is for any thread."""

    def __init__(self, group: Group, folder: Path, about: About, lock: IO[str]) -> None:
        self.folder, self.about = folder, about
        self._group, self._lock = group, lock
        #: The folder of what this session writes.
        self.inbox = folder / SESSIONS / Path(lock.name).name
        delete(self.inbox)
        make_private(self.inbox)

    @property
    def retired(self) -> bool:
        """Whether sessions are to leave this Chrome."""
        return (self.folder / RETIRED).exists()

    def retire(self) -> None:
        """Let no session join this Chrome any more."""
        with contextlib.suppress(OSError):
            (self.folder / RETIRED).touch()

    def taken(self) -> int:
        """Return how many sessions this Chrome has, this one included."""
        return 1 + sum(not is_free(path) for path in seats_of(self.folder) if path != self._path)

    @property
    def _path(self) -> Path:
        return Path(self._lock.name)

    def processes(self) -> list[psutil.Process]:
        """Return the processes of this Chrome, the first of which starts and ends the others."""
        try:
            chrome = psutil.Process(self.about.pid)
            return [chrome, *chrome.children(recursive=True)] if self.about.alive else []
        except psutil.Error:
            return []

    def outgrown(self, limit: int) -> bool:
        """Whether this Chrome uses more than ``limit`` bytes for each of its sessions; then, none
        joins it any more. What its processes share counts once, if the system can tell.
        """
        if self.retired:
            return True
        processes = self.processes()
        if total(processes, resident) <= limit:
            return False
        if total(processes, proportional) <= limit * self.taken():
            return False
        self.retire()
        return True

    def give_up(self) -> None:
        """Leave this Chrome; the last one ends it."""
        if self._lock.closed:
            return
        with contextlib.suppress(BrowserUnavailable), gate(self._group, CLEAN_TIMEOUT):
            self._lock.close()
            if any(not is_free(path) for path in seats_of(self.folder)):
                delete(self.inbox)
                return
            end(self.about)
        self._lock.close()
        if not self.about.alive:
            delete(self.folder)


def find_seat(state: Path, kind: str, size: int, age: float) -> Seat | None:
    """Return a free seat in a Chrome of this ``kind`` and group with ``size`` of them, which is no
    older than ``age`` seconds; None: there is none. For the one at the gate.
    """
    reap()
    for folder in folders_of_group(state):
        about = read_about(folder)
        if about is None or about.kind != kind or not about.alive or (folder / RETIRED).exists():
            continue
        if time.time() - about.started > age:
            (folder / RETIRED).touch()
            continue
        if seat := sit_down(folder, about, size):
            return seat
    return None


def sit_down(folder: Path, about: About, size: int) -> Seat | None:
    """Return a free seat in the Chrome of ``folder``, which has ``size``; None: all are taken."""
    for number in range(size):
        if lock := try_lock(folder / SEATS / str(number)):
            return Seat(my_group(), folder, about, lock)
    return None


def write_about(folder: Path, about: About) -> None:
    """Say what the Chrome of ``folder`` is, so that others may join."""
    (folder / ABOUT).write_text(json.dumps(asdict(about)))


def new_folder(state: Path) -> Path:
    """Make the folder of another Chrome; its name tells the group, so that it is swept with it."""
    group = my_group()
    folder = folder_of(state, group.pid, group.birth)
    make_private(folder / SEATS)  # so that it is known for what it is
    return folder


def folders_of_group(state: Path) -> list[Path]:
    """Return the folders of this group's Chromes, shared and others."""
    group = current_group()
    if group is None:
        return []
    return sorted(state.glob(f"chrome-{group.pid}-{group.birth}-*@{platform.node()}"))


def shared_processes(state: Path) -> dict[int, int]:
    """Return the process ids of the Chromes that this worker's processes share, and how many
    sessions are in each.
    """
    found = {}
    for folder in folders_of_group(state):
        about = read_about(folder)
        if about and about.alive:
            found[about.pid] = sum(not is_free(path) for path in seats_of(folder))
    return found


def sweep_group(state: Path) -> int:
    """End the Chromes that this worker's processes share and in which nobody has a session, and
    delete what they wrote; return their number. Whoever was the last in them was killed.
    """
    group, count = current_group(), 0
    if group is None or not any(map(is_abandoned, folders_of_group(state))):
        return 0
    with contextlib.suppress(BrowserUnavailable), gate(group, CLEAN_TIMEOUT):
        for folder in filter(is_abandoned, folders_of_group(state)):
            if about := read_about(folder):
                end(about)
            else:
                kill_users([folder])  # it was about to say what it is
            count += delete(folder)
    return count


def is_abandoned(folder: Path) -> bool:
    """Whether this is the folder of a shared Chrome in which nobody has a session, or one that is
    just being started.
    """
    return (folder / SEATS).is_dir() and all(map(is_free, seats_of(folder)))


def seats_of(folder: Path) -> list[Path]:
    """Return the files of the seats that were ever taken in the Chrome of ``folder``."""
    with contextlib.suppress(OSError):
        return list((folder / SEATS).iterdir())
    return []


def try_lock(path: Path, kind: int = fcntl.LOCK_EX) -> IO[str] | None:
    """Return the file at ``path``, locked until it is closed; None: somebody else has the lock."""
    file = open(path, "a", opener=open_private)  # noqa: SIM115, it is handed on
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def is_free(path: Path) -> bool:
    """Whether nobody has the seat whose file this is."""
    try:
        lock = try_lock(path, fcntl.LOCK_SH)  # others may ask at the same time
    except OSError:
        return True
    if lock:
        lock.close()
    return lock is not None


#: Held with the lock of a group's gate, which is one lock for all threads of a process.
_turn = threading.Lock()


@contextlib.contextmanager
def gate(group: Group, timeout: float = GATE_TIMEOUT) -> Iterator[None]:
    """Be the only one of ``group`` that joins or leaves a Chrome, in this block.

    Raises:
        BrowserUnavailable: others were at it for ``timeout`` seconds.
    """
    end_at = time.monotonic() + timeout
    if not _turn.acquire(timeout=timeout):
        raise BrowserUnavailable(f"other threads were starting a Chrome for {timeout:g} s")
    try:
        while not try_gate(group):
            if time.monotonic() > end_at:
                words = f"other processes were starting a Chrome for {timeout:g} s"
                raise BrowserUnavailable(words)
            time.sleep(GATE_PAUSE)
        try:
            yield
        finally:
            fcntl.lockf(group.gate, fcntl.LOCK_UN)
    finally:
        _turn.release()


def try_gate(group: Group) -> bool:
    """Take the lock of the gate, if no other process has it; return whether this one has it now.

    It is a lock of the process, not of the file as it was opened, which all of a group share.
    """
    try:
        fcntl.lockf(group.gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


_started: list[subprocess.Popen[bytes]] = []


def launch(command: list[str], folder: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a Chrome that ends with the processes of this group, and writes in ``folder``."""
    group = my_group()
    reap()
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            # Chrome reads commands from 3 and answers to 4; when there are none any more, it ends
            ["/bin/sh", "-c", 'exec "$0" "$@" 3<&0 0</dev/null 4>/dev/null', *command],
            stdin=group.lifeline,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=dict(env),
            start_new_session=True,
        )
    _started.append(process)
    return process


def end(about: About) -> None:
    """End a Chrome at once, and wait until it is gone, for seconds at most."""
    if about.alive:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(about.pid, signal.SIGKILL)
    limit = time.monotonic() + CLEAN_TIMEOUT
    while about.alive and time.monotonic() < limit:
        time.sleep(0.005)
    for process in _started:
        if process.pid == about.pid:  # its threads may take longer than it does
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(limit - time.monotonic(), 0))
    reap()


def reap() -> None:
    """Forget the Chromes of this process that have ended, so that the system does as well."""
    _started[:] = [process for process in _started if process.poll() is None]

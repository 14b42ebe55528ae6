"""What of this machine a crawl depends on, as `doctor` examines it: sandbox, shared memory, open
files, disk, clocks, and what is left of crawls that were killed.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ..browser.chrome.launch import SHARED_MEMORY
from ..browser.chrome.local import left_over
from ..browser.chrome.registry import Entry
from ..client.workers import Worker
from .findings import Finding

#: Bytes of shared memory that must be free: less crashes tabs.
SHARED_FREE = 64 << 20
#: Files that a process must be allowed to open: a Chrome opens some 300 with a heavy page.
FILES_MIN = 1_024
#: Bytes that must be free on the disk of the state folder: Redis's file, profiles, pictures.
DISK_MIN = 500 << 20
#: Seconds by which clocks may differ: times of results, of logs and of TLS come from them.
CLOCK_MAX = 2.0
#: Where the kernel says that users may make namespaces, as Chrome's sandbox does.
NAMESPACES = {
    "kernel/unprivileged_userns_clone": "0",
    "user/max_user_namespaces": "0",
    "kernel/apparmor_restrict_unprivileged_userns": "1",
}


def versions_fit(chrome: str, driver: str) -> Finding:
    """Compare the versions that Chrome and ChromeDriver say: their first numbers must be equal."""
    ours, theirs = (re.search(r"(\d+)\.\d+\.\d+", text) for text in (chrome, driver))
    if ours is None or theirs is None:
        return Finding("versions", "cannot be compared")
    state = f"Chrome {ours[1]}, ChromeDriver {theirs[1]}"
    if ours[1] == theirs[1]:
        return Finding("versions", state)
    return Finding(
        "versions",
        f"{state}: they do not fit",
        f"install ChromeDriver {ours[1]}, or name one in CRAWLER_CHROMEDRIVER; without any"
        " installed, Selenium Manager fetches the right one",
    )


def sandbox(*, root: bool | None = None, proc: Path = Path("/proc/sys")) -> Finding:
    """Examine whether Chrome can have its sandbox; without it, it runs, and says so."""
    if root if root is not None else hasattr(os, "geteuid") and os.geteuid() == 0:
        advice = "run as another user, or in a container of its own; Chrome runs without it now"
        return Finding("sandbox", "off: we are root", advice=advice)
    for name, refused in NAMESPACES.items():
        try:
            value = (proc / name).read_text().strip()
        except OSError:
            continue
        if value == refused:
            rest = f"sysctl -w {name.replace('/', '.')}={1 if refused == '0' else 0}"
            state = f"perhaps off: {name} is {value}, and users make no namespaces"
            advice = f"as root: {rest}; or install Chrome's own helper, chrome-sandbox"
            return Finding("sandbox", state, advice=advice)
    return Finding("sandbox", "can be had")


def shared_memory(folder: Path = Path("/dev/shm")) -> Finding | None:  # noqa: S108, Chrome's place
    """Examine the shared memory; None: this system has none of the kind."""
    if not folder.is_dir():
        return None
    usage = shutil.disk_usage(folder)
    state = f"{usage.total / 2**20:,.0f} MB, {usage.free / 2**20:,.0f} MB free"
    remedy = ""
    if usage.total < SHARED_MEMORY:
        remedy = "give the container shm_size: 2gb (docker run --shm-size 2g)"
    elif usage.free < SHARED_FREE:
        remedy = f"something fills {folder}: delete what nobody uses there"
    return Finding("shared memory", state, remedy)


def open_files() -> Finding:
    """Examine how many files a process may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    state = f"{'any number' if soft == unlimited else f'{soft:,}'} per process"
    if soft == unlimited or soft >= FILES_MIN:
        return Finding("open files", state)
    most = "" if hard == unlimited or hard >= FILES_MIN else " (the hard limit, too, as root)"
    return Finding("open files", state, f"ulimit -n {FILES_MIN}{most}; systemd: LimitNOFILE=")


def disk(folder: Path) -> Finding:
    """Examine the room on the disk of the state folder, which may not be there yet."""
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    free = shutil.disk_usage(there).free
    state = f"{free / 2**20:,.0f} MB free for {folder}"
    if not os.access(there, os.W_OK):
        return Finding("disk", f"{there} cannot be written", "set CRAWLER_STATE_DIR to another")
    if free >= DISK_MIN:
        return Finding("disk", state)
    return Finding("disk", state, "make room, or set CRAWLER_STATE_DIR to a folder of another disk")


def left_sessions(state_dir: Path) -> Finding:
    """Examine what is left of Chromes whose owner was killed."""
    folders, processes = left_over(state_dir.absolute())
    if not folders and not processes:
        return Finding("left over", "no Chrome or ChromeDriver without an owner")
    pids = ", ".join(str(one.pid) for one in processes[:5])
    running = f"; processes {pids}" if processes else ""
    found = f"{len(folders)} Chromes of nobody in {state_dir}{running}"
    kill = f"; or now: kill {' '.join(str(one.pid) for one in processes[:5])}" if processes else ""
    return Finding("left over", found, f"the next crawler start or worker here removes them{kill}")


def left_remote(orphans: Sequence[Entry]) -> Finding:
    """Examine the remote sessions whose process is gone."""
    if not orphans:
        return Finding("sessions", "none at an endpoint is without an owner")
    names = ", ".join(f"{one.id[:8]} at {one.address}" for one in orphans[:3])
    remedy = "a worker with this CRAWLER_CHROME_URL ends them within a minute: start one"
    return Finding("sessions", f"{len(orphans)} of processes that are gone: {names}", remedy)


def clocks(ahead: float, workers: Sequence[Worker]) -> Finding:
    """Compare clocks with that of Redis: this machine's, ``ahead`` of it by so many seconds, and
    those of workers, as they announced them.
    """
    off = [f"this machine is {in_words(ahead)}"] if abs(ahead) > CLOCK_MAX else []
    off += [
        f"{one.name} is {in_words(one.clock_ahead)}"
        for one in workers
        if abs(one.clock_ahead) > CLOCK_MAX
    ]
    if not off:
        return Finding("clock", f"{abs(ahead):.2f} s from that of Redis")
    remedy = "set the clocks by NTP (timedatectl set-ntp true)"
    return Finding("clock", f"beside that of Redis, {'; '.join(off)}", remedy)


def in_words(ahead: float) -> str:
    """Return by how much a clock is ahead, or behind."""
    return f"{abs(ahead):.1f} s {'ahead' if ahead > 0 else 'behind'}"


def examine_machine(state_dir: Path) -> list[Finding]:
    """Examine what a local Chrome needs of this machine."""
    found = [sandbox(), shared_memory(), open_files(), left_sessions(state_dir)]
    return [one for one in found if one is not None] if sys.platform != "win32" else []

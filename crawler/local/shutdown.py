"""Whether this process was told to end: by its worker, or by a signal.

The type of an exception does not say: a hook, too, may raise SystemExit or KeyboardInterrupt.
"""

from __future__ import annotations

# signal itself makes names of numbers, which takes ten times as long
import _signal  # type: ignore[import-not-found]
import mmap
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

#: Signals that ask a process to end.
SIGNALS = tuple(map(int, (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)))
#: Seconds within which a worker's own word follows the signal that reached its child: a service
#: manager may signal both at once.
WORD_PATIENCE = 2.0

Handler = Callable[[int, FrameType | None], Any]


class Shutdown:
    """The orders to end that reached this process and the worker that it is part of."""

    def __init__(self) -> None:
        # one byte that a worker and the processes that it forks share; None: no worker is here
        self._worker_ends: mmap.mmap | None = None
        self._signal: signal.Signals | None = None
        self._watching = False

    def share(self) -> None:
        """Let the processes that this worker will fork see that it is told to end."""
        self._worker_ends = mmap.mmap(-1, 1)

    def tell_children(self) -> None:
        """Note for the processes of this worker that it is told to end."""
        if self._worker_ends is not None:
            self._worker_ends[0] = 1

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Note the signals to end that arrive in this block, and pass them to their handlers.

        Signals reach a process's main thread: in another one, this does nothing.
        """
        if self._watching or threading.current_thread() is not threading.main_thread():
            yield
            return
        self._signal, self._watching = None, True
        wrapped = [
            (number, handler, self._noting(handler))
            for number in SIGNALS
            if callable(handler := _signal.getsignal(number))
        ]
        for number, _, noting in wrapped:
            _signal.signal(number, noting)
        try:
            yield
        finally:
            self._watching = False
            for number, handler, noting in wrapped:
                if _signal.getsignal(number) is noting:
                    _signal.signal(number, handler)

    @property
    def worker_ends(self) -> bool:
        """Whether the worker that this process is part of was told to end."""
        return self._worker_ends is not None and bool(self._worker_ends[0])

    def watch_for_children(self, then: Callable[[], object]) -> None:
        """Tell the processes of this worker when a signal asks it to end, from now on; and call
        ``then``, once its handler has been called.
        """

        def telling(handler: Handler) -> Handler:
            def handle(number: int, frame: FrameType | None) -> Any:
                self.tell_children()
                try:
                    return handler(number, frame)
                finally:
                    then()

            return handle

        for number in SIGNALS:
            if callable(handler := _signal.getsignal(number)):
                signal.signal(number, telling(handler))

    def _noting(self, handler: Handler) -> Handler:
        def handle(number: int, frame: FrameType | None) -> Any:
            self._signal = signal.Signals(number)
            return handler(number, frame)

        return handle

    @property
    def signal_name(self) -> str:
        """The name of the signal that asked this process to end since its run began; "" for none.

        Only the main thread of a process has one.
        """
        here = threading.current_thread() is threading.main_thread()
        return self._signal.name if here and self._signal else ""

    def is_ordered(self) -> bool:
        """Whether the signal that ended the work of this process is part of an orderly end.

        A child of a worker was signalled for that only if its worker ends, too. Otherwise somebody
        has signalled it alone: the worker, as a run took too long, or its own hook.
        """
        if not self.signal_name:
            return False
        if self._worker_ends is None:
            return True
        end = time.monotonic() + WORD_PATIENCE
        while not (ends := self._worker_ends[0]) and time.monotonic() < end:
            time.sleep(0.01)
        return bool(ends)


#: The orders to end that reached this process.
shutdown = Shutdown()

"""Between a worker and Redis, on a socket of its own: what a client says can be held back, and the
line can be cut.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
from pathlib import Path

import redis as redis_py

from crawler.storage.scripts import Scripts


def mark(script: str, upstream: Path) -> bytes:
    """By what a call of the Lua script to the Redis at ``upstream`` is known on the wire."""
    text = Scripts(redis_py.Redis(unix_socket_path=str(upstream)), "crawler.frontier").text(script)
    return hashlib.sha1(text.encode()).hexdigest().encode()  # noqa: S324, Redis's own choice


class Proxy:
    """Passes all on, both ways, until it is told otherwise. ``url`` stays the same while the line
    is cut.
    """

    def __init__(self, path: Path, upstream: Path) -> None:
        self.path, self.upstream = path, upstream
        # a call that was to be held back, or answered by nothing, has come
        self.seen = threading.Event()
        self.go = threading.Event()  # pass on what is held back
        self._hold: bytes | None = None
        self._lose: bytes | None = None
        self._mute: tuple[socket.socket, socket.socket] | None = None
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._listener: socket.socket | None = None
        self.mend()

    @property
    def url(self) -> str:
        return f"unix://{self.path}?db=0"

    def hold(self, script: str) -> None:
        """Hold back the next call of ``script`` until ``go`` is set."""
        self._hold = mark(script, self.upstream)

    def lose_answer(self, script: str) -> None:
        """Pass the next call of ``script`` on, and cut the line before its answer has passed."""
        self._lose = mark(script, self.upstream)

    def cut(self) -> None:
        """Break off every connection, and take no new one."""
        assert self._listener is not None
        listener, self._listener = self._listener, None
        listener.close()
        self.path.unlink(missing_ok=True)
        for pair in list(self._pairs):
            self._drop(pair)

    def mend(self) -> None:
        """Take connections again."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        self.go.set()
        if self._listener is not None:
            self.cut()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self._listener is not listener:  # it was waiting while the line was cut
                client.close()
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self.upstream))
            except OSError:
                client.close()
                continue
            pair = client, server
            self._pairs.add(pair)
            threading.Thread(target=self._requests, args=(pair,), daemon=True).start()
            threading.Thread(target=self._answers, args=(pair,), daemon=True).start()

    def _requests(self, pair: tuple[socket.socket, socket.socket]) -> None:
        client, server = pair
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                if self._hold and self._hold in data:
                    self._hold = None
                    self.seen.set()
                    self.go.wait()
                if self._lose and self._lose in data:
                    self._lose, self._mute = None, pair
                server.sendall(data)
        self._drop(pair)

    def _answers(self, pair: tuple[socket.socket, socket.socket]) -> None:
        client, server = pair
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if pair == self._mute:
                    self.cut()
                    self.seen.set()
                    return
                client.sendall(data)
        self._drop(pair)

    def _drop(self, pair: tuple[socket.socket, socket.socket]) -> None:
        self._pairs.discard(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

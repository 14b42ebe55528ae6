"""Browsers that cost nothing: a WebDriver endpoint in a process of its own, whose pages take a
while and no processor time.

It speaks just as much of W3C WebDriver as a crawl of plain pages needs. Its site is made up: the
address ``http://127.0.0.1:1/1000/17``, where nothing listens, is page 17 of 1,000, and leads where
``site.links`` says.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import count
from typing import Any

from benchmarks.pages import site

SITE = "http://127.0.0.1:1"


def answer(value: object, status: str = "200 OK") -> bytes:
    """The whole answer to a command."""
    body = json.dumps({"value": value}).encode()
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length:"
        f" {len(body)}\r\n\r\n".encode()
        + body
    )


@lru_cache(100_000)
def facts(url: str) -> bytes:
    """What ``collect.js`` finds in a page."""
    pages, number = map(int, url.split("/")[-2:])
    links = dict.fromkeys(site.links(number, pages))
    return answer(
        {
            "url": url,
            "title": f"{site.title(number)} {site.word(number)}",
            "mime": "text/html",
            "ready": "complete",
            "status": 200,
            "seen": False,
            "age": 0.1,
            "origin": 1.0,
            "type": "navigate",
            "worker": False,
            "empty": False,
            "error": None,
            "silent": False,
            "timing": [1, 2, 3],
            "links": "".join(f"{SITE}/{pages}/{to}\t\tPage {to}\n" for to in links),
            "html": None,
        }
    )


FIXED = {
    b"GET /status": answer({"ready": True, "message": ""}),
    b"GET window/handles": answer(["tab"]),
    b"GET window": answer("tab"),
    b"POST goog/cdp/execute": answer({}),
    b"POST timeouts": answer(None),
    b"DELETE ": answer(None),
}
UNKNOWN = answer({"error": "unknown command", "message": "", "stacktrace": ""}, "404 Not Found")
GONE = answer({"error": "invalid session id", "message": "", "stacktrace": ""}, "404 Not Found")


class Connection(asyncio.Protocol):
    """One connection of a client, which sends a command when the one before has been answered."""

    numbers = count(1)
    shown: dict[bytes, str] = {}  # noqa: RUF012, by session, of all connections: the page that it shows

    def __init__(self, seconds: float) -> None:
        self.seconds, self.left = seconds, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.left += data
        head, found, body = self.left.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(body) < int(length or 0):
            return
        self.left = b""
        method, path = head.split(b" ", 2)[:2]
        self.command(method, path, body)

    def command(self, method: bytes, path: bytes, body: bytes) -> None:
        """Answer a command; that to go to a page after a while."""
        _, _, session, what = (*path.split(b"/", 3), b"", b"")[:4]
        if method == b"POST" and path == b"/session":
            name = f"session-{next(self.numbers)}"
            self.shown[name.encode()] = "about:blank"
            reply = answer(
                {
                    "sessionId": name,
                    "capabilities": {"browserName": "chrome", "browserVersion": "1"},
                }
            )
        elif path == b"/status":
            reply = FIXED[b"GET /status"]
        elif session not in self.shown:
            reply = GONE
        elif what == b"url" and method == b"POST":
            self.shown[session] = url = json.loads(body)["url"]
            asyncio.get_running_loop().call_later(
                self.seconds if url.startswith(SITE) else 0,
                self.transport.write,
                FIXED[b"POST timeouts"],
            )
            return
        elif (
            what == b"execute/sync" and b"collect:" in body and self.shown[session].startswith(SITE)
        ):
            reply = facts(self.shown[session])
        else:
            reply = FIXED.get(method + b" " + what, UNKNOWN)
            if method == b"DELETE" and not what:
                del self.shown[session]
        self.transport.write(reply)


async def serve(seconds: float) -> None:
    """Say where, and serve until the end of standard input."""
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(seconds), "127.0.0.1", 0, backlog=1024
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@contextmanager
def running(seconds: float) -> Iterator[tuple[str, int]]:
    """The address of an endpoint where each page takes so many seconds, and its process id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scale.endpoint", str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        yield process.stdout.readline().strip(), process.pid
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))

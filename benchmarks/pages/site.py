"""The sites that are crawled: made up on the spot, and served from memory by a process of its own.

Each page says who it is (its number, and a word that can be computed from it), so every answer can
be checked.

* light: 1,000 pages of 8 KB with 20 links, a style sheet and a script
* js: the same content and links, but a script makes them from what it fetches
* heavy: the light pages with 290 KB of resources: a font and pictures; each page has pictures of
  its own
* slow: the light pages, each of which takes 300 ms to answer, as pages of the web do
"""

from __future__ import annotations

import asyncio
import json
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import blake2b
from http.client import HTTPConnection
from random import Random
from urllib.parse import urlsplit

PAGES = 1_000
LINKS = 20
PAGE_BYTES = 8_000
KINDS = ("light", "js", "heavy", "slow")
#: Seconds after which a slow page answers.
SLOW = 0.3
#: Pictures of a heavy page, and their bytes; the font comes on top, once.
PICTURES, PICTURE_BYTES, FONT_BYTES = 8, 33_000, 26_000


def word(number: int) -> str:
    """What only the right page says."""
    return blake2b(str(number).encode(), digest_size=6).hexdigest()


def links(number: int, pages: int) -> list[int]:
    """Where a page leads: to those that only it leads to, so that all are found, and to others."""
    tree = [child for child in range(number * 10 + 1, number * 10 + 11) if child < pages]
    chance = Random(number)  # noqa: S311, no secret
    return tree + [chance.randrange(pages) for _ in range(LINKS - len(tree))]


def title(number: int) -> str:
    """The title of a page."""
    return f"Page {number}"


def prose(number: int, count: int) -> str:
    """So many characters of text, the same each time."""
    chance = Random(-number - 1)  # noqa: S311, no secret
    words = (
        "lorem",
        "ipsum",
        "dolor",
        "sit",
        "amet",
        "consectetur",
        "adipiscing",
        "elit",
        "sed",
        "do",
        "eiusmod",
        "tempor",
    )
    text = " ".join(chance.choices(words, k=count // 5))
    return "".join(f"<p>{text[at : at + 400]}</p>" for at in range(0, min(len(text), count), 400))


def content(kind: str, number: int, pages: int) -> str:
    """What a reader of the page sees."""
    anchors = "".join(
        f"<li><a href='/{kind}/{to}'>Page {to}</a></li>" for to in links(number, pages)
    )
    return (
        f"<h1>{title(number)}</h1><p"
        f" id=word>{word(number)}</p><ul>{anchors}</ul>{prose(number, PAGE_BYTES - 2_400)}"
    )


def document(kind: str, number: int, pages: int) -> bytes:
    """The HTML of a page."""
    head = (
        f"<meta charset=utf-8><title>{title(number)}</title><link rel=stylesheet href=/style.css>"
    )
    head += "<script src=/script.js defer></script>"
    body = (
        "<main></main><script src=/app.js></script>"
        if kind == "js"
        else content(kind, number, pages)
    )
    if kind == "heavy":
        head += (
            "<style>@font-face { font-family: heavy; src: url(/font.woff2) } h1 { font-family:"
            " heavy, sans-serif }</style>"
        )
        body += "".join(
            f"<img src=/picture/{number}/{n}.png width=200 height=50>" for n in range(PICTURES)
        )
    return f"<!doctype html><html><head>{head}</head><body>{body}</body></html>".encode()


STYLE = (
    "body { font: 16px/1.4 sans-serif; margin: 2em auto; max-width: 50em } li { display:"
    " inline-block } p { color: #333 }\n"
)
SCRIPT = (
    "addEventListener('DOMContentLoaded', () => { document.body.dataset.links ="
    " document.links.length });\n"
)
APP = """
fetch(location.pathname.replace("js", "data")).then((answer) => answer.json()).then((data) => {
  document.querySelector("main").innerHTML = data.content;
});
"""


@cache
def picture(number: int) -> bytes:
    """A PNG of noise."""
    width, rows = 200, PICTURE_BYTES // 600
    chance = Random(number)  # noqa: S311, no secret
    raw = b"".join(b"\0" + chance.randbytes(width * 3) for _ in range(rows))

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    size = struct.pack(">IIBBBBB", width, rows, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size)
        + chunk(b"IDAT", zlib.compress(raw, 0))
        + chunk(b"IEND", b"")
    )


def answer(path: str, pages: int) -> tuple[str, bytes, bool] | None:
    """Content type, body, and whether a browser may keep it; None if there is nothing at
    ``path``.
    """
    first, _, rest = path.lstrip("/").partition("/")
    fixed = {
        "/style.css": ("text/css", STYLE.encode()),
        "/script.js": ("text/javascript", SCRIPT.encode()),
        "/app.js": ("text/javascript", APP.encode()),
        "/font.woff2": ("font/woff2", Random(0).randbytes(FONT_BYTES)),  # noqa: S311
        "/robots.txt": ("text/plain", b""),
    }
    if path in fixed:
        return (*fixed[path], True)
    if first == "picture":
        return "image/png", picture(int(rest.partition("/")[2].removesuffix(".png"))), True
    if rest.isdigit() and int(rest) < pages:
        number = int(rest)
        if first in KINDS:
            return "text/html; charset=utf-8", document(first, number, pages), False
        if first == "data":
            return (
                "application/json",
                json.dumps({"content": content("js", number, pages)}).encode(),
                False,
            )
    return None


class Connection(asyncio.Protocol):
    """One connection of a browser, or of the test that this server is fast enough."""

    def __init__(self, pages: int, made: dict[str, bytes]) -> None:
        self.pages, self.made, self.left = pages, made, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.left += data
        while (end := self.left.find(b"\r\n\r\n")) >= 0:
            path = self.left[: self.left.find(b"\r\n")].split(b" ")[1].decode().partition("?")[0]
            self.left = self.left[end + 4 :]
            if path not in self.made:
                self.made[path] = response(path, self.pages)
            if path.startswith("/slow/"):
                asyncio.get_running_loop().call_later(SLOW, self.write, self.made[path])
            else:
                self.write(self.made[path])

    def write(self, answer: bytes) -> None:
        """Send an answer; nothing where the client has gone."""
        self.transport.write(answer)  # type: ignore[attr-defined]


def response(path: str, pages: int) -> bytes:
    """The whole answer to a request for ``path``."""
    found = answer(path, pages)
    if found is None:
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    kind, body, keep = found
    cache_control = "public, max-age=3600" if keep else "no-store"
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nCache-Control:"
        f" {cache_control}\r\n\r\n"
    )
    return head.encode() + body


async def serve(pages: int) -> None:
    """Make every answer, then say where, and serve until the end of standard input."""
    made: dict[str, bytes] = {}
    for number in range(min(pages, PAGES)):
        for kind in (*KINDS, "data"):
            made[f"/{kind}/{number}"] = response(f"/{kind}/{number}", pages)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(pages, made), "127.0.0.1", 0, backlog=512
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def capacity(address: str, count: int = 2_000) -> float:
    """Light pages per second that the server gives to a client which does nothing with them, one
    after another.

    That is many times what Chrome takes: the server is no bottleneck. (Its own processor time is in
    no contender's.)
    """
    where = urlsplit(address)
    connection = HTTPConnection(str(where.hostname), where.port)
    connection.request("GET", "/light/0")  # the way is open then
    assert connection.getresponse().read()
    began = time.perf_counter()
    for number in range(count):
        connection.request("GET", f"/light/{number % PAGES}")
        connection.getresponse().read()
    seconds = time.perf_counter() - began
    connection.close()
    return count / seconds


@contextmanager
def running(pages: int = PAGES) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a server in a process of its own, and the process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.pages.site", str(pages)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        yield process.stdout.readline().strip(), process
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))

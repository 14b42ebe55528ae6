"""The answers that a crawl keeps on this machine, so that a page which it visits again is asked for
only if it has changed (RFC 9110, 13; RFC 9111, 4.3): documents with their validators, in a file
that all processes share.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ...local.private_files import FILE_MODE, make_private
from ...net.http_client import Exchange
from ...observe.logs import logger

log = logger(__name__)

#: Bytes of the file of one crawl on one machine. When it is full, no further answers are kept:
#: those that are there go on to spare requests, where the oldest would make way for others that do
#: not last until they are asked for either.
FILE_MAX = 4_000_000_000
#: Days after which an answer is dropped that no visit asked for.
KEPT_DAYS = 60
#: Characters of a validator.
VALIDATOR_MAX = 500
#: Bytes of a document, as text.
DOCUMENT_MAX = 5_000_000
#: Seconds for which other processes that write are waited for.
WRITE_WAIT = 5.0
DAY = 86_400
_FILE = "answers.sqlite3"
_TABLE = """
CREATE TABLE IF NOT EXISTS answers (url BLOB PRIMARY KEY, day INTEGER, head TEXT, body BLOB);
CREATE INDEX IF NOT EXISTS days ON answers (day);
"""
#: Headers of requests that make an answer one person's.
_PERSONAL = ("authorization", "cookie")
#: Headers that are not replaced by those of the answer "not modified" (RFC 9111, 3.2).
_OF_BODY = ("content-", "transfer-encoding", "connection", "keep-alive")


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer that may still be right. ``etag`` and ``date`` are its validators, "": none."""

    etag: str
    date: str
    status_text: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def conditions(self) -> dict[str, str]:
        """The headers of a request for another one."""
        wanted = {"If-None-Match": self.etag, "If-Modified-Since": self.date}
        return {name: value for name, value in wanted.items() if value}

    def confirmed_by(self, exchange: Exchange) -> Exchange | None:
        """Return this answer in place of ``exchange``, which says that it is right still; None: it
        speaks of another one.
        """
        told = exchange.header("etag")
        if told and self.etag and _weak(told) != _weak(self.etag):
            return None
        news = [pair for pair in exchange.headers if not pair[0].lower().startswith(_OF_BODY)]
        names = {name.lower() for name, _ in news}
        headers = [pair for pair in self.headers if pair[0].lower() not in names] + news
        whole = replace(exchange, headers=headers, body=self.body, whole=True)
        return replace(whole, status=200, status_text=self.status_text)


class KeptAnswers:
    """The answers in ``folder``. For one thread at a time.

    Whatever fails here costs a request that brings the whole document, and nothing else.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: sqlite3.Connection | None = None
        self._fault = ""

    def recall(self, url: str, headers: Mapping[str, str]) -> KeptAnswer | None:
        """Return the answer that is kept of ``url``, if it belongs to a request with ``headers``;
        None: there is none.
        """
        try:
            row = (
                self._opened()
                .execute("SELECT head, body FROM answers WHERE url = ?", (_key(url),))
                .fetchone()
            )
            if row is None:
                return None
            head, body = json.loads(row[0]), zlib.decompress(row[1])
        except (OSError, sqlite3.Error, ValueError, zlib.error) as error:
            self._note(error)
            return None
        if head["chosen"] != _chosen(head["vary"], headers):
            return None
        # another person's document may be of the same second
        date = "" if head["personal"] or _is_personal(headers) else head["date"]
        if not (head["etag"] or date):
            return None
        pairs = [(name, value) for name, value in head["headers"]]
        return KeptAnswer(head["etag"], date, head["status_text"], pairs, body)

    def keep(self, exchange: Exchange, url: str) -> str:
        """Keep the answer to a request for ``url``, if it has a validator and may be kept; return
        why it is not although it should, "": it is, or need not be.
        """
        etag, date = _validator(exchange, "etag"), _validator(exchange, "last-modified")
        vary = sorted({one.strip().lower() for one in (exchange.header("vary") or "").split(",")})
        personal = _is_personal(exchange.sent)
        control = (exchange.header("cache-control") or "").lower()
        if "*" in vary or "no-store" in control or not (etag or (date and not personal)):
            return ""
        if len(exchange.body) > DOCUMENT_MAX:
            return "it is too large"
        head = {
            "etag": etag,
            "date": date,
            "personal": personal,
            "vary": vary,
            "chosen": _chosen(vary, exchange.sent),
            "status_text": exchange.status_text,
            # no secrets on a disk
            "headers": [one for one in exchange.headers if one[0].lower() != "set-cookie"],
        }
        row = (_key(url), _today(), json.dumps(head), zlib.compress(exchange.body, 1))
        try:
            file = self._opened()
            if self._size(file) > FILE_MAX:
                return "the file is full"
            file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", row)
        except (OSError, sqlite3.Error) as error:
            return self._note(error)
        return ""

    def confirm(self, url: str) -> None:
        """Note that the answer of ``url`` was right today."""
        query = "UPDATE answers SET day = ? WHERE url = ? AND day < ?"
        try:
            self._opened().execute(query, (_today(), _key(url), _today()))
        except (OSError, sqlite3.Error) as error:
            self._note(error)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with suppress(sqlite3.Error):
                self._file.close()
            self._file = None

    def _opened(self) -> sqlite3.Connection:
        """Return the file, which is made if there is none, and is for its owner only.

        Raises:
            OSError, sqlite3.Error: it cannot be used.
        """
        if self._file is None:
            make_private(self._folder)
            path = self._folder / _FILE
            path.touch(FILE_MODE)
            file = sqlite3.connect(path, WRITE_WAIT, isolation_level=None, check_same_thread=False)
            # what a power cut takes is asked for again
            file.execute("PRAGMA journal_mode = WAL")
            file.execute("PRAGMA synchronous = OFF")
            file.executescript(_TABLE)
            file.execute("DELETE FROM answers WHERE day < ?", (_today() - KEPT_DAYS,))
            self._file = file
        return self._file

    def _size(self, file: sqlite3.Connection) -> int:
        names = ("page_count", "freelist_count", "page_size")
        pages, free, size = (file.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
        return int((pages - free) * size)

    def _note(self, error: Exception) -> str:
        """Return what went wrong, in a few words, and say it once in the log."""
        fault = f"{self._folder / _FILE}: {error}"
        if fault != self._fault:
            log.warning("pages cannot be asked for by what is kept of them: %s", fault)
            self._fault = fault
        return "the file cannot be written"


def _key(url: str) -> bytes:
    text = url.partition("#")[0].encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).digest()


def _today() -> int:
    return int(time.time()) // DAY


def _weak(etag: str) -> str:
    return etag.strip().removeprefix("W/")


def _validator(exchange: Exchange, name: str) -> str:
    value = (exchange.header(name) or "").strip()
    fits = len(value) <= VALIDATOR_MAX and value.isascii() and value.isprintable()
    return value if fits else ""


def _is_personal(headers: Mapping[str, str]) -> bool:
    return any(name.lower() in _PERSONAL for name in headers)


def _chosen(vary: Sequence[str], headers: Mapping[str, str]) -> str:
    """Return what stands for those of the request's ``headers`` by which the server chose."""
    lower = {name.lower(): value for name, value in headers.items()}
    return _key(json.dumps([lower.get(name) for name in vary])).hex()

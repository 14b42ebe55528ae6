"""How pages, claims and dead letters are written in Redis. Strings in, values out; nothing here
talks to it.

An entry is a JSON array, ``[version,attempts,strikes,priority,depth,"lane","parent","key","url"]``;
``key`` is "" where it equals the URL. What scripts change stands first, so that they can do it as
text: the bytes of an entry are its identity in the lists. The page's id is not in it: it follows
from the URL, and nothing is as hard to compress.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import blake2b

from ..model import Claim, FailureClass, Json, Page, Priority

VERSION = 2
#: Characters of a URL that is kept at all. Longer ones are data, not addresses.
URL_MAX = 16_384
LANE_MAX = 200
#: Lanes "0" and "2" would have the names of the priorities of lane "".
RESERVED_LANES = {"0", "2"}


def entry(page: Page, parent: str | None = None) -> str | None:
    """``page`` as it is queued, found on the page ``parent``; None if no browser could go there
    (not UTF-8, or far too long).
    """
    if not page.url or len(page.url) > URL_MAX:
        return None
    head = [VERSION, page.attempt, page.strikes, int(page.priority), page.depth]
    key = "" if page.key == page.url else page.key
    fields = [*head, lane_name(page.lane), page.parent or parent or "", key, page.url]
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return None
    return text


def page(raw: bytes) -> Page:
    """The page of an entry; one that cannot be read becomes a page whose URL is the raw text."""
    text = raw.decode("utf-8", "replace")
    try:
        version, attempt, strikes, priority, depth, lane, parent, key, url = json.loads(text)
        if version != VERSION:
            raise ValueError(version)
        return Page(
            url, depth, key or url, lane, Priority(priority), attempt, strikes, parent or None
        )
    except (ValueError, TypeError):
        return Page(text)


def lane_name(lane: str) -> str:
    """``lane`` as Redis keys can hold it: letters, digits, ``_``, ``.`` and ``-``."""
    if not lane:
        return ""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", lane)[:LANE_MAX]
    return name + "_" if name in RESERVED_LANES else name


def fingerprint(key: str) -> tuple[int, str]:
    """What stands for a canonical URL among the known ones: a bucket (32 bits) and a value (63 bits
    of another part, decimal).

    An intset holds numbers below 2^63 without leading zeros; anything else would silently make it a
    hash table.
    """
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[8:12], "big"), str(int.from_bytes(digest[:8], "big") >> 1)


@dataclass(frozen=True, slots=True)
class FailedPage:
    """A dead letter: a page that is not tried again by itself, and why. ``at`` is epoch seconds."""

    page: Page
    reason: str
    status: int | None
    failure: FailureClass
    at: float

    def record(self) -> dict[str, Json]:
        """Return as JSON which page failed, and why."""
        return {
            "url": self.page.url,
            "reason": self.reason,
            "status": self.status,
            "attempts": self.page.attempt,
            "depth": self.page.depth,
        }


def letter(raw: bytes) -> FailedPage:
    """A dead letter, read."""
    status, at, failure, reason, entry_ = json.loads(raw.decode("utf-8", "replace"))
    found = Page(entry_) if isinstance(entry_, str) else page(json.dumps(entry_).encode())
    return FailedPage(found, reason, status or None, FailureClass(failure), at / 1_000)


def claim(value: bytes) -> Claim:
    """A claim, as the hash ``inflight`` holds it."""
    token, worker, deadline, _, raw = value.split(b"\n", 4)
    return Claim(
        page(raw), token.decode(), worker.decode("utf-8", "replace"), int(deadline) / 1_000
    )

"""The form of pages, claims and dead letters in Redis. Strings in, values out; nothing here talks
to it.

An entry is a JSON array, ``[version,attempts,strikes,priority,depth,"lane","parent","key","url"]``;
``key`` is "" where it equals the URL. A page whose link named a route or brought data, or that is a
form, has one element more, ``{"route":"book","data":{…},"form":{…}}``; the others pay nothing for
it. A form that was sent ends with a ``1``. The fields that scripts change stand first, so that a
script can change them as text: the bytes of an entry are its identity in the lists. The page's id
is not in it: it follows from the key, and nothing is as hard to compress.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from ..model import NO_DATA, Claim, FailureClass, Json, Page, Priority
from ..redaction import masked_form
from ..text.encodable import encodable_value

#: The version of an entry's form; see ``SCHEMA`` in ``lua/lib/core.lua`` for that of the keys.
VERSION = 2
#: Characters of a URL that is kept at all. Longer ones are data, not addresses.
URL_MAX = 16_384
LANE_MAX = 200
#: Lanes "0" and "2" would have the names of the priorities of lane "".
RESERVED_LANES = {"0", "2"}

#: Writes JSON as entries have it. A page has dozens of links, and ``json.dumps`` makes another of
#: these for each.
JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

#: Begins the reason of a form that was sent, and whose page failed then; as in lib/leave.lua.
FORM_SENT = "form_sent"


@dataclass(frozen=True, slots=True)
class FailedPage:
    """A dead letter: a page that is not tried again by itself, and why. ``at`` is epoch seconds.
    ``form_sent``: it is a form that was sent, perhaps.
    """

    page: Page
    reason: str
    status: int | None
    failure: FailureClass
    at: float
    form_sent: bool = False

    @property
    def url(self) -> str:
        """The URL of the page."""
        return self.page.url

    def record(self) -> dict[str, Json]:
        """Return as JSON which page failed, and why; with its route, data and form, if its link had
        any.
        """
        return {
            "url": self.page.url,
            "reason": self.reason,
            "status": self.status,
            "attempts": self.page.attempt,
            "depth": self.page.depth,
            **brought(self.page),
        }


def brought(page: Page) -> dict[str, Json]:
    """Return what the link to ``page`` brought along, for people: ``route``, ``data``, ``referer``
    and ``form``, each if there is any.
    """
    form = {} if page.form is None else {"form": masked_form(page.form)}
    return _brought(page) | form


def _brought(page: Page) -> dict[str, Json]:
    """Return what the link to ``page`` brought along, as it is."""
    if page.form is None and not (page.route or page.data or page.referer):  # as most do
        return {}
    values = {"route": page.route, "data": dict(page.data), "referer": page.referer}
    form: dict[str, Json] = {} if page.form is None else {"form": dict(page.form)}
    return {name: value for name, value in values.items() if value} | form


def encode_page(page: Page, parent: str | None = None) -> str | None:
    """Return ``page`` as it is queued, found on the page with the id ``parent``.

    None if no browser could go there (not UTF-8, or far too long).

    Raises:
        TypeError, ValueError: its data, or its form, are no JSON.
    """
    if not page.url or len(page.url) > URL_MAX:
        return None
    key = "" if page.key == page.url else page.key
    texts = (lane_name(page.lane), page.parent or parent or "", key, page.url)
    head = f"{VERSION},{page.attempt},{page.strikes},{page.priority:d},{page.depth}"
    along = _brought(page)
    last = f",{JSON(encodable_value(along))}" if along else ""
    text = f"[{head},{','.join(map(JSON, texts))}{last}]"
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return None
    return text


def decode_page(raw: bytes) -> Page:
    """Return the page of an entry; one that cannot be read becomes a page whose URL is the raw
    text.
    """
    text = raw.decode("utf-8", "replace")
    try:
        fields = json.loads(text)
        version, attempt, strikes, priority, depth, lane, parent, key, url = fields[:9]
        if version != VERSION:
            raise ValueError(version)
        along = fields[9] if len(fields) > 9 else {}
        return Page(
            *(url, depth, key or url, lane, Priority(priority), attempt, strikes, parent or None),
            route=along.get("route", ""),
            data=along.get("data", NO_DATA),
            referer=along.get("referer", ""),
            form=along.get("form"),
        )
    except (AttributeError, ValueError, TypeError):
        return Page(text)


def decode_letter(raw: bytes) -> FailedPage:
    """Return the failed page of a dead letter."""
    status, at, failure, reason, entry = json.loads(raw.decode("utf-8", "replace"))
    page = Page(entry) if isinstance(entry, str) else decode_page(json.dumps(entry).encode())
    return FailedPage(
        *(page, reason, status or None, FailureClass(failure), at / 1_000),
        form_sent=is_sent_letter(raw),
    )


def is_sent_letter(raw: bytes) -> bool:
    """Whether a dead letter is that of a form that was sent, perhaps."""
    return raw.endswith(b"},1]]")


def url_of_key(key: str) -> str:
    """Return the canonical URL in the ``key`` of a page; that of a form has more behind it."""
    return key.partition(" ")[0]


def decode_claim(value: bytes) -> Claim:
    """Return a claim from its value in the hash ``inflight``."""
    token, worker, deadline, claimed, raw = value.split(b"\n", 4)
    return Claim(
        decode_page(raw),
        token.decode(),
        worker.decode("utf-8", "replace"),
        int(deadline) / 1_000,
        int(claimed) / 1_000,
    )


def worker_of(value: bytes) -> str:
    """Return the worker of a claim from its value in the hash ``inflight``; "" if it cannot be
    read.
    """
    _, _, rest = value.partition(b"\n")
    return rest.partition(b"\n")[0].decode("utf-8", "replace")


def is_claim(value: bytes) -> bool:
    """Whether a value in the hash ``inflight`` can be read."""
    _, *times, _ = value.split(b"\n", 4)[1:] if value.count(b"\n") >= 4 else (b"", b"", b"")
    return len(times) == 2 and all(time.isdigit() for time in times)


def claimed_at(value: bytes) -> int:
    """Return when a claim was made from its value in the hash ``inflight``: epoch milliseconds."""
    return int(value.split(b"\n", 4)[3])


@lru_cache(1_000)  # of hosts: the links of a page have few
def lane_name(lane: str) -> str:
    """Return ``lane`` as Redis keys can hold it: letters, digits, ``_``, ``.`` and ``-``."""
    if not lane:
        return ""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", lane)[:LANE_MAX]
    return name + "_" if name in RESERVED_LANES else name


def fingerprint(key: str) -> tuple[int, str]:
    """Return the number that stands for a canonical URL among the known ones.

    It is a bucket (32 bits) and a value (63 bits of another part, decimal). An intset holds numbers
    below 2^63 without leading zeros; anything else would silently make it a hash table.
    """
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[8:12], "big"), str(int.from_bytes(digest[:8], "big") >> 1)

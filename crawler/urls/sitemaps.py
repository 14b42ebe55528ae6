"""Read the pages that a site lists in its sitemaps, one by one, in bounded memory.

It understands ``urlset`` and ``sitemapindex`` in XML (also where it is not quite XML), lists of
URLs in plain text, and gzip of each. A sitemap that is missing, broken, too large or too deep costs
its own pages only.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from lxml import etree  # type: ignore[import-untyped]

from .url import why_invalid

#: Bytes, after decompression, of one sitemap; what follows is not read. The protocol allows no
#: more.
SIZE_MAX = 52_428_800
#: Indexes within indexes; the protocol allows none.
DEPTH_MAX = 10
#: Sitemaps of one site.
COUNT_MAX = 50_000
_CHUNK = 65_536

#: URL → the bytes of its document, piece by piece. Raises OSError where there is none.
Fetch = Callable[[str], Iterable[bytes]]
#: Hears the URL of a sitemap and, in a few words, what is wrong with it.
Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """A URL that a sitemap lists, and when its page was last changed (None: it does not say)."""

    url: str
    lastmod: datetime | None = None


class _TroubleError(Exception):
    """A sitemap cannot be read any further."""


def read_sitemaps(
    url: str, fetch: Fetch, *, since: date | None = None, tell: Tell = lambda _url, _what: None
) -> Iterator[Entry]:
    """Yield the entries of the sitemap at ``url`` and of those that it lists, as they arrive.

    Left out are entries (and whole sitemaps) that say they have not changed ``since``, and URLs
    that cannot be fetched. ``tell`` hears of each sitemap that cannot be read.
    """
    after = _moment(since.isoformat()) if since else None
    seen, waiting = {url}, [(url, 0)]
    while waiting:
        here, depth = waiting.pop()
        try:
            for is_index, entry in _entries(fetch(here)):
                if (after and entry.lastmod and entry.lastmod < after) or why_invalid(entry.url):
                    continue
                if not is_index:
                    yield entry
                elif depth >= DEPTH_MAX:
                    raise _TroubleError(f"more than {DEPTH_MAX} indexes deep")
                elif entry.url not in seen and len(seen) < COUNT_MAX:
                    seen.add(entry.url)
                    waiting.append((entry.url, depth + 1))
        except (_TroubleError, OSError, zlib.error) as trouble:
            tell(here, str(trouble) or type(trouble).__name__)


def _entries(pieces: Iterable[bytes]) -> Iterator[tuple[bool, Entry]]:
    """Yield (whether it is a sitemap, entry) for each entry of the document."""
    plain = _limited(_plain(pieces))
    start = next(plain, b"").removeprefix(b"\xef\xbb\xbf").lstrip()
    rest = _joined(start, plain)
    return (
        _from_xml(rest)
        if start.startswith((b"<", b"\xfe\xff", b"\xff\xfe"))
        else ((False, entry) for entry in _from_text(rest))
    )


def _joined(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _plain(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes, decompressed if they are gzip; a bomb comes in small pieces."""
    whole = iter(pieces)
    first = b""
    for piece in whole:
        first += piece
        if len(first) >= 3:
            break
    if not first.startswith(b"\x1f\x8b"):
        yield from _joined(first, whole)
        return
    unpack, complete = zlib.decompressobj(wbits=31), False
    for piece in _joined(first, whole):
        packed = piece
        while packed:
            yield unpack.decompress(packed, _CHUNK)
            packed, complete = unpack.unconsumed_tail, unpack.eof
            if complete:  # gzip files may be strung together
                packed, unpack = unpack.unused_data, zlib.decompressobj(wbits=31)
    if not complete:
        raise _TroubleError("the gzip file ends too early")


def _limited(pieces: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > SIZE_MAX:
            raise _TroubleError(f"larger than {SIZE_MAX:,} bytes")
        if piece:
            yield piece


def _from_text(pieces: Iterable[bytes]) -> Iterator[Entry]:
    line = b""
    for piece in pieces:
        *lines, line = (line + piece).split(b"\n")
        for one in lines:
            yield Entry(one.decode("utf-8", "replace").strip())
        if len(line) > _CHUNK:
            raise _TroubleError("neither a sitemap nor a list of URLs")
    yield Entry(line.decode("utf-8", "replace").strip())


def _from_xml(pieces: Iterable[bytes]) -> Iterator[tuple[bool, Entry]]:
    # Entities are not resolved and nothing is loaded: a sitemap is a stranger's text.
    parser = etree.XMLPullParser(
        events=("end",), recover=True, resolve_entities=False, no_network=True, load_dtd=False
    )
    try:
        for piece in pieces:
            parser.feed(piece)
            yield from _finished(parser)
        root = parser.close()
    except etree.XMLSyntaxError as error:
        raise _TroubleError(f"no XML: {error}") from error
    yield from _finished(parser)
    _check(root)


def _check(root: etree._Element | None) -> None:
    if root is None or _local(root) not in ("urlset", "sitemapindex"):
        raise _TroubleError("no sitemap, but some other document")


def _finished(parser: etree.XMLPullParser) -> Iterator[tuple[bool, Entry]]:
    for _, element in parser.read_events():
        parent = element.getparent()
        # only elements right below the root count
        if parent is None or parent.getparent() is not None:
            continue
        _check(parent)  # now, not at the end: the elements of other documents would pile up
        children = {
            _local(child): "".join(child.itertext()).strip()
            for child in element
            if isinstance(child.tag, str)
        }
        if (url := children.get("loc")) and (kind := _local(element)) in ("url", "sitemap"):
            yield kind == "sitemap", Entry(url, _moment(children.get("lastmod", "")))
        element.clear()
        while element.getprevious() is not None:  # elements must not pile up below the root
            del parent[0]


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2].lower()


def _moment(text: str) -> datetime | None:
    """Return a W3C date (year, month, day, or a moment) as a moment; None if it is none."""
    text = text.strip()
    if len(text) in (4, 7):  # a year, or a month
        text += "-01-01" if len(text) == 4 else "-01"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

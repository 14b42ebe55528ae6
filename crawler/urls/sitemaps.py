"""Read the pages that a site lists in its sitemaps, one by one, in bounded memory.

It understands ``urlset`` and ``sitemapindex`` in XML, feeds (RSS, Atom), lists of URLs in plain
text, and gzip of each. A sitemap that is missing, broken, too large or too deep costs its own pages
only, and none without a word.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TypeVar
from urllib.parse import urljoin

from .sitemap_xml import DocumentError, Entry, Notes, has_xml, read_entries
from .url import why_invalid

#: Bytes, after decompression, of one sitemap; what follows is not read. The protocol allows no
#: more.
SIZE_MAX = 52_428_800
#: Indexes within indexes; the protocol allows none.
DEPTH_MAX = 10
#: Sitemaps of one site.
COUNT_MAX = 50_000
_CHUNK = 65_536
T = TypeVar("T")
#: Characters of a document by which its kind is known.
_HEAD = 16_384
_ENCODING = re.compile(rb"<\?xml[^>]{0,200}?\sencoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")

#: URL → the bytes of its document, piece by piece. Raises OSError where there is none.
Fetch = Callable[[str], Iterable[bytes]]
#: Hears the URL of a sitemap, in a few words what is wrong with it, and whether that loses pages.
Tell = Callable[[str, str, bool], None]


def read_sitemaps(
    url: str,
    fetch: Fetch,
    *,
    tell: Tell = lambda _url, _what, _loses: None,
    is_old: Callable[[Entry], bool] = lambda _entry: False,
) -> Iterator[Entry]:
    """Yield the entries of the sitemap at ``url`` and of those that it lists, as they arrive.

    Relative URLs are resolved. Entries that are unclear are among them, and so are URLs that cannot
    be fetched: the caller counts what is left out. ``tell`` hears, once for each, of the
    sitemaps that cannot be read, that are repaired, or that list some that cannot be fetched.
    Entries that ``is_old``, and sitemaps, are yielded as unclear ones with the reason ``lastmod``.
    """
    seen, waiting = {url}, [(url, 0)]
    while waiting:
        here, depth = waiting.pop()
        repaired, left_out, words, count = Notes(), Notes(), [], 0
        whole = True
        try:
            for is_index, found in _entries(fetch(here), repaired):
                count += 1
                entry = _absolute(found, here)
                if not entry.unclear and is_old(entry):
                    yield entry._replace(unclear=True, reason="lastmod")
                elif not is_index:
                    yield entry
                elif reason := "malformed" if entry.unclear else why_invalid(entry.url):
                    left_out.add(reason, entry.url)
                elif depth >= DEPTH_MAX:
                    raise DocumentError(f"more than {DEPTH_MAX} indexes deep")
                elif entry.url not in seen and len(seen) >= COUNT_MAX:
                    left_out.add(f"beyond {COUNT_MAX:,}", entry.url)
                elif entry.url not in seen:
                    seen.add(entry.url)
                    waiting.append((entry.url, depth + 1))
            if not count:
                words.append("lists nothing")
        except (DocumentError, OSError, zlib.error) as trouble:
            words.append(str(trouble) or type(trouble).__name__)
            whole = False
        if repaired:
            words.append(f"not well-formed XML, read all the same: {repaired}")
        if left_out:
            words.append(f"sitemaps in it that are left out: {left_out}")
        if words:
            tell(here, "; ".join(words), not whole or bool(left_out))


def _absolute(entry: Entry, base: str) -> Entry:
    """Return ``entry`` with its URL as seen from ``base``.

    A host without its scheme (``www.shop.example/a``) reads as a path, and so does a URL with
    something before it (``"https://…``); such entries are unclear.
    """
    url = entry.url
    if entry.unclear or not url or _SCHEME.match(url):
        return entry
    host, first = urljoin(base, "/").split("/")[2].lower(), url.split("/")[0].lower()
    within = "://" in url.partition("?")[0].partition("#")[0]
    if within or (first and (first == host or first.startswith("www."))):
        return Entry(url, unclear=True)
    try:
        return entry._replace(url=urljoin(base, url))
    except ValueError:
        return Entry(url, unclear=True)


def _entries(pieces: Iterable[bytes], repaired: Notes) -> Iterator[tuple[bool, Entry]]:
    """Yield (whether it is a sitemap, entry) for each entry of the document."""
    text = _decoded(_limited(_plain(pieces)), repaired)
    start = ""
    for piece in text:
        start += piece
        if len(start) >= _HEAD:
            break
    rest = _joined(start, text)
    if has_xml(start):
        return read_entries(rest, repaired)
    return ((False, entry) for entry in _from_text(rest))


def _decoded(pieces: Iterable[bytes], repaired: Notes) -> Iterator[str]:
    """Yield the text of a document; single bytes that are no UTF-8 are read as Latin-1."""
    start, rest = b"", iter(pieces)
    for piece in rest:
        start += piece
        if len(start) >= 1_024:
            break
    encoding = _encoding(start)
    decoder = codecs.getincrementaldecoder(encoding)(
        "surrogateescape" if codecs.lookup(encoding).name == "utf-8" else "replace"
    )
    yield _repaired_bytes(decoder.decode(start), repaired).removeprefix("\ufeff")
    for piece in rest:
        yield _repaired_bytes(decoder.decode(piece), repaired)
    yield _repaired_bytes(decoder.decode(b"", final=True), repaired)


def _encoding(start: bytes) -> str:
    """Return the encoding of a document, by its mark or its declaration; else UTF-8."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    declared = _ENCODING.search(start)
    name = declared.group(1).decode() if declared else "utf-8"
    try:
        return name if "<?xml" in start.decode(name, "replace") else "utf-8"
    except LookupError:
        return "utf-8"


def _repaired_bytes(text: str, repaired: Notes) -> str:
    """Return ``text`` with Latin-1 characters for the bytes that are no UTF-8."""
    if _ESCAPED_BYTE.search(text) is None:
        return text

    def character(match: re.Match[str]) -> str:
        around = text[max(0, match.start() - 40) : match.end() + 20]
        repaired.add("byte that is no UTF-8", _ESCAPED_BYTE.sub("?", around))
        return chr(ord(match.group()) - 0xDC00)

    return _ESCAPED_BYTE.sub(character, text)


def _joined(first: T, rest: Iterable[T]) -> Iterator[T]:
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
        raise DocumentError("the gzip file ends too early")


def _limited(pieces: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > SIZE_MAX:
            raise DocumentError(f"larger than {SIZE_MAX:,} bytes")
        if piece:
            yield piece


def _from_text(pieces: Iterable[str]) -> Iterator[Entry]:
    """Yield the URLs of a document with one on each line. What is no URL, nor the path of one, is
    unclear.

    Raises:
        DocumentError: it begins with something else, or is empty.
    """
    line, is_list = "", False
    for piece in chain(pieces, "\n"):
        *lines, line = (line + piece).split("\n")
        for url in filter(None, map(str.strip, lines)):
            unclear = not (_SCHEME.match(url) or url.startswith("/"))
            if unclear and not is_list and not url.startswith("#"):
                raise DocumentError("neither a sitemap nor a list of URLs")
            is_list = True
            yield Entry(url, unclear)
        if len(line) > _CHUNK:
            raise DocumentError("neither a sitemap nor a list of URLs")
    if not is_list:
        raise DocumentError("is empty")

"""Read the entries of a sitemap or a feed in XML, piece by piece.

The text is read strictly. Slips that are well known and have one meaning are repaired and noted: a
bare ``&`` or ``<``, an entity of HTML, something before the declaration, a tag that is not closed.
An entry whose URL has no certain meaning is marked as unclear; it never becomes another URL.
Entities that the document declares are not resolved: it is a stranger's text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from html.entities import html5
from typing import NamedTuple
from urllib.parse import urljoin

#: Characters that a tag may have, and that are looked at before a ``<`` is judged.
TAG_MAX = 16_384
#: Characters of a URL that are read; no URL is as long.
_TEXT_MAX = 16_384
#: Slips of one kind in one document.
_SLIPS_MAX = 200_000
#: The elements that are entries, and those that hold their URLs, by the name of the root. Some
#: files have pages and sitemaps in one list.
_OF_SITEMAPS = {"url": "loc", "sitemap": "loc"}
KINDS = {
    "urlset": _OF_SITEMAPS,
    "sitemapindex": _OF_SITEMAPS,
    "rss": {"item": "link"},
    "rdf": {"item": "link"},
    "feed": {"entry": "link"},
}
#: The element of an entry that says when its page was last modified, by the name of the root.
_MODIFIED = {"urlset": "lastmod", "sitemapindex": "lastmod", "feed": "updated", "rss": "pubdate"}
#: Characters of a date that are read.
_DATE_MAX = 100
#: The element of an RSS item that is its URL if it has no link, unless it says isPermaLink="false".
_PERMALINK = "guid"
#: Elements that end a URL whose own end is missing.
_NEIGHBOURS = frozenset((
    *KINDS, "url", "sitemap", "loc", "lastmod", "changefreq", "priority", "item", "entry", "title",
    "description", "pubdate", "guid", "updated", "id", "summary", "channel",
))  # fmt: skip
_NAME = r"[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?"
_TAG = re.compile(
    rf"<(?P<end>/?)(?P<name>{_NAME})"
    r"(?P<attributes>(?:\s+[\w:.-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'|[^\s\"'<>=]+))*)\s*(?P<empty>/?)>"
)
_ATTRIBUTE = re.compile(r"([\w:.-]+)\s*=\s*(?:\"([^\"<]*)\"|'([^'<]*)')")
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>", re.IGNORECASE | re.DOTALL)
_START = re.compile(rf"<\?xml\s|<(?:[\w.-]+:)?(?:{'|'.join(KINDS)})[\s>]", re.IGNORECASE)
#: What may stand before the root, except for the declaration.
_PROLOGUE = re.compile(r"(?:\s+|<!--.*?-->|<\?(?!xml\s).*?\?>)*", re.DOTALL | re.IGNORECASE)
_REFERENCE = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]*));|&")
#: Characters that no URL has, and that a browser would drop: a line that is broken in its midst.
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_OF_XML = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


class DocumentError(Exception):
    """The document cannot be read any further."""


class Entry(NamedTuple):
    """A URL that a sitemap lists, as it stands there. ``unclear``: what it means is not certain, so
    it must not be fetched; ``reason`` is the word for that. ``lastmod`` is when it was modified, in
    the words of the sitemap.
    """

    url: str
    unclear: bool = False
    reason: str = "malformed"
    lastmod: str = ""


class Notes:
    """The slips of one document: how often each is there, and where for the first time."""

    def __init__(self) -> None:
        self._counts, self._examples = Counter[str](), dict[str, str]()

    def add(self, slip: str, example: str = "") -> None:
        """Count ``slip``. Raises DocumentError if there are too many of them."""
        self._counts[slip] += 1
        if self._counts[slip] > _SLIPS_MAX:
            raise DocumentError(f"more than {_SLIPS_MAX:,} slips: {slip}")
        if slip not in self._examples:
            line = " ".join(example[:400].split())[:200]
            self._examples[slip] = "".join(one if one.isprintable() else "\ufffd" for one in line)

    def __bool__(self) -> bool:
        return bool(self._counts)

    def __str__(self) -> str:
        texts = []
        for slip, count in self._counts.items():
            example = self._examples[slip]
            texts.append(f"{slip} {count:,}" + (f" ({example})" if example else ""))
        return "; ".join(texts)


def has_xml(start: str) -> bool:
    """Whether a document that begins with ``start`` is one of XML, or of HTML."""
    return start.lstrip().startswith("<") or _START.search(start) is not None


def read_entries(pieces: Iterable[str], notes: Notes) -> Iterator[tuple[bool, Entry]]:
    """Yield (whether it is a sitemap, entry) for each entry of the document; add to ``notes`` what
    is repaired.

    Raises:
        DocumentError: it is no sitemap and no feed, or ends too early.
    """
    window, reader = _Window(pieces), _Reader(notes)
    _skip_prologue(window, notes)
    while window.has_more():
        yield from reader.read(window)
    yield from reader.finish()


class _Window:
    """The text that is looked at: TAG_MAX characters or more, unless the document ends before."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self._pieces = iter(pieces)
        self._complete = False
        self.text, self.at = "", 0

    def has_more(self) -> bool:
        """Fill the window; return whether there is something left to read."""
        if len(self.text) - self.at < TAG_MAX and not self._complete:
            parts, size = [self.text[self.at :]], 0
            for piece in self._pieces:
                parts.append(piece)
                size += len(piece)
                if size >= 4 * TAG_MAX:
                    break
            else:
                self._complete = True
            self.text, self.at = "".join(parts), 0
        return self.at < len(self.text)

    def until(self, mark: str) -> Iterator[str]:
        """Yield the text up to ``mark``, in pieces, and pass both."""
        while self.has_more():
            end = self.text.find(mark, self.at)
            if end >= 0:
                piece, self.at = self.text[self.at : end], end + len(mark)
                yield piece
                return
            end = len(self.text) if self._complete else len(self.text) - len(mark) + 1
            piece, self.at = self.text[self.at : end], end
            yield piece
        raise DocumentError(f"ends before {mark}")

    def skip(self, mark: str) -> None:
        """Pass all that stands before ``mark``, and the mark."""
        for _ in self.until(mark):
            pass


def _skip_prologue(window: _Window, notes: Notes) -> None:
    """Pass what stands before the declaration and the root, and note it if it must not be there."""
    if not window.has_more():
        raise DocumentError("is empty")
    prologue = _PROLOGUE.match(window.text)
    after = prologue.end() if prologue else 0
    match = _START.search(window.text, after)
    if match is None:
        return
    before = window.text[: match.start()]
    declared = match.group().lower().startswith("<?xml")
    if before and (declared or not _allows_root(before[after:])):
        notes.add("something before the XML", before.strip() or "white space")
    window.at = match.start() if declared or not _allows_root(before[after:]) else 0


def _allows_root(text: str) -> bool:
    """Whether the root may stand after ``text``: other declarations only."""
    rest = _DOCTYPE.sub("", text)
    prologue = _PROLOGUE.match(rest)
    return prologue is not None and prologue.end() == len(rest)


class _Reader:
    """Follows the tags of a document, one token at a time."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._open: list[str] = []  # elements, by their full names in lower case
        self._bases: list[str] = []  # of URLs in them, by xml:base
        self._root = ""
        self._entry = self._location = ""  # the entry that was begun last, and where its URL stands
        self._urls: list[Entry] | None = None  # of the entry that is open
        self._permalinks: list[Entry] = []  # of that entry, in case it has no other URL
        self._text: _Location | None = None  # of the URL that is open
        self._text_element = ""  # in which it stands
        self._modified: str | None = None  # the date of the entry that is open, while it is read
        self._lastmod = ""  # that date, once it was
        self._trusts_entities = True

    def read(self, window: _Window) -> Iterator[tuple[bool, Entry]]:
        """Read one token at the beginning of ``window`` and pass it; yield the entries that end."""
        text, at = window.text, window.at
        if text[at] != "<":
            end = text.find("<", at)
            window.at = len(text) if end < 0 else end
            self._read_text(text[at : window.at])
        elif text.startswith("<!--", at):
            window.at += 4
            window.skip("-->")
        elif text.startswith("<?", at):
            window.skip("?>")
        elif text.startswith("<![CDATA[", at):
            window.at += 9
            for piece in window.until("]]>"):
                if self._text:
                    self._text.add(piece, literal=True)
                elif self._modified is not None:
                    self._modified += piece[:_DATE_MAX]
        elif tag := _TAG.match(text, at):
            window.at = tag.end()
            yield from self._read_tag(tag)
        elif (doctype := _DOCTYPE.match(text, at)) and not self._root:
            window.at = doctype.end()
            self._trusts_entities = "<!entity" not in doctype.group().lower()
        else:
            window.at += 1
            self._notes.add("bare <", text[at : at + 60])
            if self._text:
                self._text.add("<", literal=True)

    def finish(self) -> Iterator[tuple[bool, Entry]]:
        """Yield the last entries of a document that is at its end."""
        if not self._root:
            raise DocumentError("no sitemap, but some other document")
        if self._text:  # perhaps half a URL
            self._text.unclear = True
        if self._open:
            yield from self._close_to(0)
            raise DocumentError("no whole XML: it ends too early")

    def _read_text(self, text: str) -> None:
        if self._text:
            self._text.add(text)
        elif self._modified is not None:
            self._modified += text[:_DATE_MAX]
        elif not self._open and self._root and text.strip():
            self._notes.add("something after the XML", text)

    def _read_tag(self, tag: re.Match[str]) -> Iterator[tuple[bool, Entry]]:
        name = tag["name"].lower()
        if self._modified is not None:  # whatever tag this is, the date ends here
            self._lastmod, self._modified = self._modified.strip()[:_DATE_MAX], None
        if not self._root:
            self._begin(name)
        if self._text:
            own_end = tag["end"] and name == self._text_element
            if not own_end and name.rpartition(":")[2] not in _NEIGHBOURS and ":" not in name:
                self._text.add(tag.group(), literal=True)
                self._text.unclear = True
                return
            if not own_end:
                self._notes.add(f"unclosed <{self._text_element}>", self._text.raw())
                yield from self._close_to(len(self._open) - 1)
        if tag["end"]:
            yield from self._close(name)
            return
        if self._urls is not None and self._location_of(name):
            self._notes.add(f"unclosed <{self._entry}>")
            yield from self._close_to(self._open.index(self._entry))
        if tag["attributes"] and _ATTRIBUTE.sub("", tag["attributes"]).strip():
            self._notes.add("attribute without quotes", tag.group())
        self._open_element(name, tag["attributes"])
        if tag["empty"]:
            yield from self._close(name)

    def _begin(self, name: str) -> None:
        """Take the element ``name`` as the root."""
        local = name.rpartition(":")[2]
        if local not in KINDS:
            raise DocumentError("no sitemap, but some other document")
        self._root = local

    def _location_of(self, name: str) -> str:
        """Return the element that holds the URL of an entry ``name``; "" if that is no entry.

        Both have one prefix: ``image:loc`` is another thing than ``loc``.
        """
        prefix, colon, local = name.rpartition(":")
        location = KINDS[self._root].get(local, "")
        return location and f"{prefix}{colon}{location}"

    def _open_element(self, name: str, attributes: str) -> None:
        parent = self._open[-1] if self._open else ""
        base = _attributes(attributes).get("xml:base", "") if "xml:base" in attributes else ""
        outer = self._bases[-1] if self._bases else ""
        self._open.append(name)
        self._bases.append(urljoin(outer, base) if base else outer)
        if self._urls is None and (location := self._location_of(name)):
            self._entry, self._location = name, location
            self._urls, self._permalinks, self._lastmod = [], [], ""
        elif self._urls is None or parent != self._entry:
            return
        elif name == self._location and self._root == "feed":
            self._urls = self._urls or self._linked(attributes)
        elif name.rpartition(":")[2] == _MODIFIED.get(self._root):
            self._modified = ""
        elif name == self._location or self._is_permalink(name, attributes):
            self._text = _Location(self._notes, self._trusts_entities, self._bases[-1])
            self._text_element = name

    def _is_permalink(self, name: str, attributes: str) -> bool:
        """Whether an element of an RSS item is its URL (RSS 2.0: a guid is, unless it says no)."""
        if self._root != "rss" or name != _PERMALINK:
            return False
        return _attributes(attributes).get("ispermalink", "true").lower() != "false"

    def _linked(self, attributes: str) -> list[Entry]:
        """Return the URL of an Atom entry, if this is the link to the page that it is about."""
        values = _attributes(attributes)
        if values.get("rel", "alternate") != "alternate" or "href" not in values:
            return []
        location = _Location(self._notes, self._trusts_entities, self._bases[-1])
        location.add(values["href"])
        return [location.entry()]

    def _close(self, name: str) -> Iterator[tuple[bool, Entry]]:
        if name not in self._open:
            self._notes.add("end of nothing", f"</{name}>")
            return
        place = len(self._open) - 1 - self._open[::-1].index(name)
        for missing in self._open[place + 1 :]:
            self._notes.add(f"unclosed <{missing}>")
        yield from self._close_to(place)

    def _close_to(self, place: int) -> Iterator[tuple[bool, Entry]]:
        """Close the open elements down to the one at ``place``; yield the entries among them."""
        while len(self._open) > place:
            name = self._open.pop()
            self._bases.pop()
            if self._text and name == self._text_element:
                if self._urls is not None:
                    urls = self._urls if name == self._location else self._permalinks
                    urls.append(self._text.entry())
                self._text = None
            elif name == self._entry and self._urls is not None:
                urls, self._urls = self._urls, None
                if not any(entry.url for entry in urls):
                    urls = self._permalinks or urls
                without = Entry(f"<{name}> without <{self._location}>", unclear=True)
                is_index = name.rpartition(":")[2] == "sitemap"
                for entry in urls or [without]:
                    found = entry if entry.url else without
                    yield (
                        is_index,
                        found._replace(lastmod=self._lastmod) if self._lastmod else found,
                    )


def _attributes(text: str) -> dict[str, str]:
    """Return the values of a tag's attributes by their names, in lower case."""
    return {name.lower(): one or two for name, one, two in _ATTRIBUTE.findall(text)}


class _Location:
    """The text of a URL, while it is read. A relative one is resolved by ``base``, if that is
    given.
    """

    def __init__(self, notes: Notes, trusts_entities: bool, base: str = "") -> None:
        self._notes, self._trusts_entities, self._base = notes, trusts_entities, base
        self._parts: list[tuple[str, bool]] = []
        self._size = 0
        self.unclear = False

    def add(self, text: str, *, literal: bool = False) -> None:
        """Add ``text``. ``literal``: there are no entities in it."""
        self._size += len(text)
        if self._size > _TEXT_MAX:
            self.unclear = True
        else:
            self._parts.append((text, literal))

    def raw(self) -> str:
        """Return the text as it stands in the document."""
        return "".join(text for text, _ in self._parts).strip()

    def entry(self) -> Entry:
        """Return the URL that the text means."""
        resolved = [text if literal else self._resolved(text) for text, literal in self._parts]
        url = "".join(resolved).strip()
        if self.unclear or _CONTROL.search(url):
            return Entry(self.raw(), unclear=True)
        return Entry(urljoin(self._base, url) if self._base and url else url)

    def _resolved(self, text: str) -> str:
        return _REFERENCE.sub(self._character, text) if "&" in text else text

    def _character(self, reference: re.Match[str]) -> str:
        """Return the character that ``reference`` stands for, or mark the URL as unclear."""
        decimal, hexadecimal, name = reference.groups()
        if name in _OF_XML:
            return _OF_XML[name]
        if name:
            known = html5.get(f"{name};") if self._trusts_entities else None
            if known is not None:
                self._notes.add("entity that XML does not know", self.raw())
            self.unclear |= known is None
            return known or ""
        if decimal or hexadecimal:
            code = int(decimal) if decimal else int(hexadecimal, 16)
            if 0 < code < 0xD800 or 0xDFFF < code <= 0x10FFFF:
                return chr(code)
            self.unclear = True
            return ""
        self._notes.add("bare &", self.raw())
        return "&"

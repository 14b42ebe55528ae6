"""A document that came by HTTP, parsed as browsers do, and what a run asks of it: the same as
``collect.js`` tells of one that Chrome shows.
"""

from __future__ import annotations

import re
from functools import cached_property
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from ...definition.selectors.markup import with_silent_noscript
from ...model import Link
from ...text.encodable import encodable
from ...urls.joining import joined
from ..document import Thin
from ..navigation import parse_refresh
from .hard_documents import CHROME_LEVELS
from .visible_text import TooDeep, is_shown, visible_text

#: A node of the parser.
Node = Any

#: As in collect.js: characters of a document with hardly any text, of one that is only shown until
#: it leads on, and links of such a one; characters of a link's text; frames that are looked at.
THIN_TEXT, INTERSTITIAL_TEXT, THIN_LINKS, LINK_TEXT, FRAMES_MAX = 200, 1_000, 3, 200, 1_000
_GAP, _TITLE_GAP = re.compile(r"\s+"), re.compile(r"[ \t\n\f\r]+")
_DATA_TYPES = re.compile(r"json|importmap|speculationrules|template", re.IGNORECASE)
_FRAME_RELS = re.compile(r"(?:refresh|i?frame|object)")
_NAVIGATES = re.compile(
    r"""\blocation["']?\]?(?:\.href)?\s*=[^=]|\blocation["']?\]?\.(?:replace|assign|reload)\s*\("""
    r"|\.(?:submit|requestSubmit|click)\s*\(|\bnavigation\.navigate\s*\("
    r"|\bhistory\.(?:go|back|forward)\s*\("
)
_WAITS = re.compile(
    r"setTimeout|setInterval|AnimationFrame|addEventListener|onload|ready|\.then\s*\(|\bawait\b"
)
#: Texts and numbers in the code of a script.
_VALUES = re.compile(r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\b\d[\w.]*|\s+""")
#: Matches what lies deeper than Chrome lets elements lie.
_DEEP = " > ".join(["*"] * (CHROME_LEVELS + 1))
_SHADOW = re.compile(r"<template[^>]*\sshadowrootmode", re.IGNORECASE)


class BadSelector(ValueError):
    """The parser does not read this selector; Chrome may."""


class ParsedDocument:
    """The document of ``text`` at ``url``; ``encoding`` is that of its addresses' queries."""

    def __init__(self, text: str, url: str, encoding: str = "utf-8") -> None:
        self.url, self._encoding = url, encoding
        self._has_shadows = _SHADOW.search(text) is not None
        self._may_be_deep = text.count("<") > CHROME_LEVELS
        self._has_pictures = "<svg" in text or "<SVG" in text
        self._parser = LexborHTMLParser(with_silent_noscript(text))

    @property
    def differs(self) -> str:
        """Why Chrome shows another document than this; "": it does not."""
        if self._has_shadows:
            return "shadow roots"
        is_deep = self._may_be_deep and self._parser.css_first(_DEEP) is not None
        return "deep nesting" if is_deep else ""

    @cached_property
    def html(self) -> str:
        """The source, as the parser understood it."""
        root = self._parser.root
        return encodable(root.html or "") if root is not None else ""

    @cached_property
    def title(self) -> str:
        """The document's title; "" without one."""
        for one in self._parser.css("title"):
            parent = one.parent
            while parent is not None and parent.tag not in ("svg", "math"):
                parent = parent.parent
            if parent is None:
                return encodable(_TITLE_GAP.sub(" ", one.text(deep=True)).strip(" "))
        return ""

    @cached_property
    def base(self) -> str:
        """The URL that addresses in it are relative to."""
        for one in self._parser.css("base[href]"):
            base = joined(self.url, (one.attributes["href"] or "").strip())
            return base if base and base.startswith(("http:", "https:")) else self.url
        return self.url

    def all(self, css: str) -> list[Node]:
        """Return the elements that match. Raises BadSelector."""
        try:
            return list(self._parser.css(css))
        except (SelectolaxError, ValueError) as error:
            raise BadSelector(css) from error

    def first(self, css: str) -> Node | None:
        """Return the first element that matches. Raises BadSelector."""
        try:
            return self._parser.css_first(css)
        except (SelectolaxError, ValueError) as error:
            raise BadSelector(css) from error

    def text(self) -> str:
        """Return the text that a reader sees."""
        body = self._parser.body
        return encodable(visible_text(body)) if body is not None else ""

    def address(self, value: str) -> str | None:
        """Return what the attribute ``value`` leads to, if that is of the web."""
        value = value.strip(" \t\n\r\f")
        if self._encoding != "utf-8" and not value.isascii():
            head, mark, query = value.partition("?")
            query, sharp, fragment = query.partition("#")
            query = quote(
                query.encode(self._encoding, "xmlcharrefreplace"), safe="%/:&=+,;@!$'()*~?"
            )
            value = head + mark + query + sharp + fragment
        url = joined(self.base, value)
        return url if url and url.startswith(("http://", "https://")) else None

    def links(self, limit: int, *, fragments: bool, frames: bool) -> tuple[Link, ...]:
        """Return at most ``limit`` links, once each: anchors, and with ``frames`` the documents in
        those. ``fragments``: they keep what follows #.
        """
        found: dict[tuple[str, str], str] = {}
        for node in self._parser.css("a[href], area[href]"):
            if len(found) >= limit:
                break
            if (url := self.address(node.attributes["href"] or "")) is None:
                continue
            if self._has_pictures and _is_drawn(node):
                continue
            rel = _line(node.attributes.get("rel") or "")
            rel = "" if _FRAME_RELS.fullmatch(rel) else rel
            _add(found, url if fragments else url.partition("#")[0], rel, node)
        for node in self._parser.css("iframe[src], frame[src]")[: FRAMES_MAX if frames else 0]:
            url = self.address(node.attributes["src"] or "")
            if url is None or "srcdoc" in node.attributes or len(found) >= limit:
                continue
            words = node.attributes.get("title") or node.attributes.get("name") or ""
            _add(found, url if fragments else url.partition("#")[0], str(node.tag), words)
        return tuple(Link(url, encodable(rel), text) for (url, rel), text in found.items())

    def refresh(self, header: str | None, patience: float) -> tuple[float, str] | None:
        """Return seconds and target of the soonest refresh that is declared within ``patience``
        seconds, by the document or by ``header``; None: none is.
        """
        if not patience:
            return None
        declared = [header] if header else []
        declared += [
            one.attributes.get("content") or ""
            for one in self._parser.css("meta[http-equiv=refresh i]")
        ]
        found = [one for one in (parse_refresh(value, self.base) for value in declared) if one]
        soonest = min(found, default=None)
        return soonest if soonest and soonest[0] <= patience else None

    @cached_property
    def scripts(self) -> list[Node]:
        """The scripts that a browser would run."""
        return [
            one
            for one in self._parser.css("script")
            if not _DATA_TYPES.search(one.attributes.get("type") or "")
        ]

    @property
    def shape(self) -> str:
        """A few digits that stand for the scripts of the document: where they come from, and their
        code without texts and numbers. "": it has none.
        """
        parts = {one.attributes.get("onload") or "" for one in self._parser.css("[onload]")}
        parts |= {one.attributes.get("onerror") or "" for one in self._parser.css("[onerror]")}
        for one in self.scripts:
            source = one.attributes.get("src")
            parts.add(
                _VALUES.sub("", one.text(deep=True))
                if source is None
                else re.sub(r"\d+", "", (self.address(source) or source).partition("?")[0])
            )
        text = "\n".join(sorted(parts - {""}))
        return blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest() if text else ""

    def thin(self, links: int, refresh: tuple[float, str] | None) -> Thin | None:
        """Return how little it holds, with so many ``links``; None: it holds links or text."""
        most = INTERSTITIAL_TEXT if refresh else THIN_TEXT if links <= THIN_LINKS else 0
        if not most:
            return None
        try:
            length = len(_line(self.text()))
        except TooDeep:
            return None
        if length >= most:
            return None
        frames = self._parser.css("iframe, frame, object[data]")
        return Thin(
            text=length,
            links=links,
            frames=sum(1 for one in frames if is_shown(one)),
            scripts=len(self.scripts),
            leads=self._leads_on(),
            refresh=refresh,
            forms=len(self._parser.css("form")),
        )

    def _leads_on(self) -> bool:
        """Whether a script of it may lead elsewhere later."""
        body = self._parser.body
        at_load = (body.attributes.get("onload") or "") if body is not None else ""
        if _NAVIGATES.search(at_load):
            return True
        codes = [one.text(deep=True) for one in self.scripts if "src" not in one.attributes]
        return any(_NAVIGATES.search(code) and _WAITS.search(code) for code in codes)


def _add(found: dict[tuple[str, str], str], url: str, rel: str, words: Any) -> None:
    if not found.get((url, rel)):
        text = words if isinstance(words, str) else words.text(deep=True)
        found[url, rel] = encodable(_line(text)[:LINK_TEXT])


def _is_drawn(node: Node) -> bool:
    """Whether ``node`` is a part of a drawing (SVG): its links are none of HTML's."""
    node = node.parent
    while node is not None and node.tag not in ("svg", "foreignobject", "foreignObject"):
        node = node.parent
    return node is not None and node.tag == "svg"


def _line(text: str) -> str:
    return _GAP.sub(" ", text).strip() if text else ""

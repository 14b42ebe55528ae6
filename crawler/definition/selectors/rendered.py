"""The rendered document, as a reader sees it, and what selectors find in it.

Nothing in ``noscript`` or ``template`` is there, and the text of an element is without its scripts
and styles. Shadow roots (``<template shadowrootmode>``) are a part of it: what matches in one
counts where nothing else does, as for the helpers of a live page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urljoin

import parsel
from parsel.csstranslator import HTMLTranslator

from .json_ld import JsonLd
from .markup import without_inert
from .paths import Path

#: An element of lxml.
Element = Any

_SILENT = ("script", "style")
_JSON_LD = "application/ld+json"
#: Elements that begin and end on lines of their own: the words around them are apart.
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        """
        address article aside blockquote br caption center dd details dialog dir div dl dt fieldset
        figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup hr legend li main
        menu nav ol optgroup option p pre search section summary table tbody td tfoot th thead tr ul
        """,
    )
)
#: A regular expression within XPath: of one that is wrong we hear only where it is searched.
_PATTERN = re.compile(r"""\bre:(?:test|match|replace)\([^'"]*?,\s*('[^']*'|"[^"]*")""")
#: Attributes that hold an address.
ADDRESSES = frozenset({"action", "formaction", "href", "poster", "src"})
#: Those by which an element stands for an address, the first that it has.
_ADDRESS_OF = ("href", "src", "data", "action", "content")


class RenderedDocument:
    """The document of ``html``, the source of a rendered page at ``url``."""

    def __init__(self, html: str, url: str = "") -> None:
        selector = parsel.Selector(text=without_inert(html or "") or " ", type="html")
        self.root: Element = selector.root
        self._names = selector.namespaces
        # the text of scripts and styles is put away, and back where a selector names them
        self._silent = [(one, one.text) for one in self.root.iter(*_SILENT)]
        self._silence()
        self._has_shadows = next(self.root.iter("template"), None) is not None
        base = next((one.get("href") for one in self.root.iter("base") if one.get("href")), "")
        self._base = resolved(url, base)

    def _silence(self) -> None:
        for one, _ in self._silent:
            one.text = None

    @contextmanager
    def _scripts(self) -> Iterator[None]:
        for one, text in self._silent:
            one.text = text
        try:
            yield
        finally:
            self._silence()

    @cached_property
    def json_ld(self) -> JsonLd:
        """The page's JSON-LD."""
        kinds = ((one.get("type", "").partition(";")[0], text) for one, text in self._silent)
        return JsonLd(text for kind, text in kinds if text and kind.strip().lower() == _JSON_LD)

    def metas(self, name: str) -> Iterator[tuple[str, Element]]:
        """Yield what the meta elements say whose property or name is ``name``."""
        for one in self.root.iter("meta"):
            names = (one.get("property", ""), one.get("name", ""))
            if name.lower() in [word.strip().lower() for word in names] and one.get("content"):
                yield one.get("content"), one

    def elements(self, path: Path, scope: Element) -> list[Element]:
        """Return the elements that ``path`` (CSS or XPath) matches in ``scope`` or as it."""
        return [one for one in self._matches(path, scope) if not isinstance(one, str)]

    def texts(self, path: Path, scope: Element) -> Iterator[tuple[str, Element]]:
        """Yield the texts that ``path`` (CSS or XPath) selects in ``scope``, and the element that
        each belongs to: of a whole element, or the text or attribute that it points at.
        """
        if not path.names_scripts:
            yield from self._texts(path, scope)
            return
        with self._scripts():
            yield from list(self._texts(path, scope))

    def addresses(self, path: Path, scope: Element) -> Iterator[tuple[str, Element]]:
        """Yield as :meth:`texts`, but of a whole element that has an address, that."""
        for match in self._matches(path, scope):
            if isinstance(match, str):
                yield str(match), _owner(match, scope)
            else:
                known = (match.get(name) for name in _ADDRESS_OF)
                yield next((one for one in known if one), None) or text_of(match), match

    def _texts(self, path: Path, scope: Element) -> Iterator[tuple[str, Element]]:
        for match in self._matches(path, scope):
            if not isinstance(match, str):
                yield text_of(match), match
            else:
                yield str(match), _owner(match, scope)

    def _matches(self, path: Path, scope: Element) -> list[Any]:
        """Return elements and texts. What lies in a shadow counts only where nothing else does."""
        query = path_of_css(path.text) if path.kind == "css" else path.text
        found = scope.xpath(query, namespaces=self._names, smart_strings=True)
        if not isinstance(found, list):  # of count(), string() and the like
            return [_word(found)]
        found = [one for one in found if isinstance(one, str) or _is_element(one)]
        if not self._has_shadows:
            return found
        return [one for one in found if not _in_shadow(one, scope)] or found

    def source_of(self, element: Element) -> str:
        """Return the source of ``element``, with its own tag, without what follows it."""
        return str(parsel.Selector(root=element, type="html").get())

    def base_of(self, element: Element) -> str:
        """Return the URL that addresses in ``element`` are relative to."""
        frames = (one.get("data-frame") for one in element.iterancestors("div"))
        return next((str(address) for address in frames if address), self._base)


def _owner(text: Any, scope: Element) -> Element:
    """Return the element that a text or an attribute belongs to; ``scope``: to none."""
    owner = text.getparent() if hasattr(text, "getparent") else None
    return scope if owner is None else owner


def _is_element(match: Any) -> bool:
    """Whether a match is an element, rather than a comment or a namespace."""
    return isinstance(getattr(match, "tag", None), str)


def _in_shadow(match: Any, scope: Element) -> bool:
    """Whether a shadow root lies between ``scope`` and what matches in it."""
    one = match.getparent() if hasattr(match, "getparent") else None
    while one is not None and one is not scope:
        if one.tag == "template":
            return True
        one = one.getparent()
    return False


def _word(value: object) -> str:
    """Return the value of an XPath expression that is no list of nodes."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


@lru_cache(maxsize=1_024)
def path_of_css(css: str) -> str:
    """Return ``css`` as XPath. Raises what cssselect raises for a selector that is wrong."""
    return HTMLTranslator().css_to_xpath(css)


def xpath_problem(xpath: str) -> str | None:
    """Return why ``xpath`` is no XPath; None if it is."""
    try:
        parsel.Selector(text="<p>x</p>", type="html").xpath(xpath)
    except ValueError as error:
        why = str(error).partition("\n")[0].removeprefix("XPath error: ")
        return f"{xpath!r} is no XPath: {why}"
    for pattern in _PATTERN.findall(xpath):
        try:
            re.compile(pattern[1:-1])
        except re.error as error:
            return f"{pattern} in {xpath!r} is no regular expression: {error}"
    return None


def text_of(element: Element) -> str:
    """Return the text of ``element``, its white space made even, the text of blocks apart."""
    parts: list[str] = []
    stack: list[Any] = [element]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            parts.append(node)
            continue
        if node.tail and node is not element:
            stack.append(node.tail)
        if not isinstance(node.tag, str):  # a comment
            continue
        if node.tag in _BLOCKS:
            stack.append(" ")
            parts.append(" ")
        stack.extend(reversed(node))
        if node.text:
            parts.append(node.text)
    return even("".join(parts))


def even(text: str) -> str:
    """Return ``text`` with each run of white space as a space, and none around it."""
    return " ".join(text.split())


def resolved(base: str, address: str) -> str:
    """Return ``address`` as an absolute one; as it is if that cannot be."""
    try:
        return urljoin(base, address.strip())
    except ValueError:
        return address

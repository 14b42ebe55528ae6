"""Tables of selectors, which take data from a page without code: CSS as in parsel, by the name of
the field that they fill.

``"h1"`` is the whole text of the first match, ``".price::text"`` its own first text,
``"img::attr(src)"`` an attribute; white space is made even. A list asks for all: ``["a.tag"]``. A
table asks for a field made of fields, and ``["li", {…}]`` for one of them per match. Where nothing
matches, the value is None (or an empty list).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin

import parsel
from parsel.csstranslator import HTMLTranslator

from ..model import Json

#: The table of a crawl without an ``extract``.
DEFAULT_EXTRACT: Mapping[str, Any] = {
    "title": "title::text",
    "description": "meta[name=description]::attr(content)",
    "canonical": "link[rel=canonical]::attr(href)",
}
_ELEMENT_LIMIT = 10_000


def extract_fields(html: str, wanted: Mapping[str, Any]) -> dict[str, Json]:
    """Return the fields that the table ``wanted`` describes, from ``html``."""
    return _fields(parsel.Selector(text=html or " ", type="html"), wanted)


def _fields(root: parsel.Selector, wanted: Mapping[str, Any]) -> dict[str, Json]:
    return {name: _one(root, rule) for name, rule in wanted.items()}


def _one(root: parsel.Selector, rule: Any) -> Json:
    match rule:
        case str():
            return next(_values(root, rule), None)
        case [str() as css]:
            return list(_values(root, css))
        case [str() as css, Mapping() as inner]:
            return [_fields(element, inner) for element in root.css(css)[:_ELEMENT_LIMIT]]
        case Mapping():
            return _fields(root, rule)
    raise TypeError(f"{rule!r} is no selector")  # validate() has said so before


def _values(root: parsel.Selector, css: str) -> Iterator[str]:
    """Yield the non-empty texts of the matches of ``css``: of a whole element, or the text or
    attribute that it points at.
    """
    for match in root.css(css):
        text = match.root if isinstance(match.root, str) else str(match.xpath("string()").get())
        if text := " ".join(text.split()):
            yield text


def table_faults(wanted: object, path: str = "extract") -> list[tuple[str, str]]:
    """Return (where, what) for each fault of a table of selectors."""
    match wanted:
        case str() | [str()]:
            css = wanted if isinstance(wanted, str) else wanted[0]
            return [(path, problem)] if (problem := css_problem(css)) else []
        case [str() as css, Mapping() as inner]:
            return [*table_faults(css, path), *table_faults(inner, path)]
        case Mapping():
            unnamed = [name for name in wanted if not isinstance(name, str)]
            return [(path, f"{name!r} is no name of a field") for name in unnamed] + [
                fault
                for name, rule in wanted.items()
                for fault in table_faults(rule, f"{path}.{name}")
            ]
    return [(path, f"{wanted!r} is neither a selector, nor a list with one, nor a table of them")]


def css_problem(css: str) -> str | None:
    """Return why ``css`` is no selector; None if it is one."""
    try:
        HTMLTranslator().css_to_xpath(css)
    except Exception as error:  # cssselect raises several kinds
        return f"{css!r} is no CSS selector: {str(error) or type(error).__name__}"
    return None


def says_nofollow(html: str) -> bool:
    """Whether the page asks robots, in a meta tag, to leave its links alone."""
    for content in parsel.Selector(text=html or " ", type="html").xpath(
        "//meta[@name and @content]"
    ):
        if content.attrib["name"].strip().lower() == "robots":
            words = {word.strip() for word in content.attrib["content"].lower().split(",")}
            if words & {"nofollow", "none"}:
                return True
    return False


def links_within(html: str, url: str, regions: Iterable[str]) -> frozenset[str]:
    """Return the targets of the links inside of the elements that the selectors ``regions`` match,
    absolute, for a page at ``url``.
    """
    root = parsel.Selector(text=html or " ", type="html")
    base = urljoin(url, root.css("base::attr(href)").get(""))
    hrefs = (
        link.attrib["href"].strip()
        for css in regions
        for link in root.css(css).css("a[href], area[href]")
    )
    return frozenset(_resolved(base, href) for href in hrefs)


def _resolved(base: str, href: str) -> str:
    try:
        return urljoin(base, href)
    except ValueError:
        return href

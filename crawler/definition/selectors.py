"""Tables of selectors, which take data from a page without code: CSS as in parsel, by the name of
the field that they fill.

``"h1"`` is the whole text of the first match, ``".price::text"`` its own first text,
``"img::attr(src)"`` an attribute; white space is made even. A list asks for all: ``["a.tag"]``. A
table asks for a field made of fields, and ``["li", {…}]`` for one of them per match. Where nothing
matches, the value is None (or an empty list).

They read the document as a reader sees it, like the helpers of a live page: nothing in ``noscript``
or ``template`` is there, and the text of an element is without its scripts and styles. Shadow roots
(``<template shadowrootmode>``) are a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin

import parsel
from parsel.csstranslator import HTMLTranslator

from ..model import Json

#: The table of a crawl without an ``extract``.
DEFAULT_EXTRACT: Mapping[str, Any] = {
    "title": "head title::text",  # an icon of SVG has one, too
    "description": "meta[name=description]::attr(content)",
    "canonical": "link[rel=canonical]::attr(href)",
}
_ELEMENT_LIMIT = 10_000
_SILENT = ("script", "style")
_NAMES_SILENT = re.compile(r"(?<![\w.#-])(?:script|style)(?![\w-])", re.IGNORECASE)
_INERT = re.compile(r"<(?:noscript|template)[\s/>]", re.IGNORECASE)
#: A comment, the beginning of what is text for a parser (up to its end tag), or another tag.
_TAG = re.compile(
    r"<!--|<(?P<text>script|style|textarea|title|iframe|xmp|noembed|noframes|noscript)(?=[\s/>])"
    r"|<(?P<template>/?template)(?=[\s/>])(?P<attributes>(?:[^>\"']|\"[^\"]*\"|'[^']*')*)>"
    r"|<[a-z](?:[^>\"']|\"[^\"]*\"|'[^']*')*>",
    re.IGNORECASE,
)


def read_document(html: str) -> parsel.Selector:
    """Return the document of ``html``, the source of a rendered page, without its inert parts."""
    return parsel.Selector(text=without_inert(html or "") or " ", type="html")


def without_inert(html: str) -> str:
    """Return ``html`` without its ``noscript`` and ``template`` elements.

    They are cut from the text: a parser without scripts takes the content of ``noscript`` for
    elements, and lets them end the head. Takes time in proportion to the text.
    """
    if _INERT.search(html) is None:
        return html
    parts, kept, at = [], 0, 0
    templates: list[bool] = []  # those that are open: whether each is inert
    endless: set[str] = set()
    while tag := _TAG.search(html, at):
        at = tag.end()
        was_inert = any(templates)
        name = "-->" if tag[0] == "<!--" else (tag["text"] or "").lower()
        if tag["template"] and tag["template"].startswith("/"):
            del templates[-1:]
        elif tag["template"]:
            templates.append("shadowrootmode" not in tag["attributes"].lower())
        elif name and name not in endless:
            end = _end_of(name, html, at)
            if end is None:
                endless.add(name)
            else:
                at = end
        cut = name == "noscript" and not was_inert and name not in endless
        if cut or any(templates) > was_inert:
            parts.append(html[kept : tag.start()])
        if cut or any(templates) < was_inert:
            kept = at
    return "".join(parts) + ("" if any(templates) else html[kept:])


def _end_of(name: str, html: str, at: int) -> int | None:
    """Return where the end tag ``name`` (or the mark ``-->``) that follows ``at`` is passed."""
    mark = name if name == "-->" else rf"</{name}(?=[\s/>])[^>]*>"
    end = re.compile(mark, re.IGNORECASE).search(html, at)
    return end.end() if end else None


def extract_fields(html: str, wanted: Mapping[str, Any]) -> dict[str, Json]:
    """Return the fields that the table ``wanted`` describes, from ``html``."""
    return _fields(read_document(html), wanted)


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
    for match in root.xpath(_path_of(css)):
        text = match.root if isinstance(match.root, str) else _text_of(match)
        if text := " ".join(text.split()):
            yield text


@lru_cache(maxsize=1_024)
def _path_of(css: str) -> str:
    """Return ``css`` as XPath. Texts of scripts and styles match only where it names them."""
    path = HTMLTranslator().css_to_xpath(css)
    if _NAMES_SILENT.search(css):
        return path
    return re.sub(r"text\(\)(?= \| |$)", r"\g<0>[not(parent::script or parent::style)]", path)


def _text_of(element: parsel.Selector) -> str:
    """Return the text of ``element``, without the scripts and styles in it."""
    if element.root.tag in _SILENT or next(element.root.iter(*_SILENT), None) is None:
        return str(element.xpath("string()").get())
    path = "descendant::text()[not(parent::script or parent::style)]"
    return "".join(element.xpath(path).getall())


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
    for content in read_document(html).xpath("//meta[@name and @content]"):
        if content.attrib["name"].strip().lower() == "robots":
            words = {word.strip() for word in content.attrib["content"].lower().split(",")}
            if words & {"nofollow", "none"}:
                return True
    return False


def links_within(html: str, url: str, regions: Iterable[str]) -> frozenset[str]:
    """Return the targets of the links inside of the elements that the selectors ``regions`` match,
    absolute, for a page at ``url``.
    """
    root = read_document(html)
    base = urljoin(url, root.css("base::attr(href)").get(""))
    targets = set()
    for css in regions:
        for link in root.css(css).css("a[href], area[href], iframe[src], object[data]"):
            href = link.attrib.get("href") or link.attrib.get("src") or link.attrib["data"]
            frame = link.xpath("ancestor::*[@data-frame][1]/@data-frame").get()
            targets.add(_resolved(frame or base, href.strip()))
    return frozenset(targets)


def _resolved(base: str, href: str) -> str:
    try:
        return urljoin(base, href)
    except ValueError:
        return href

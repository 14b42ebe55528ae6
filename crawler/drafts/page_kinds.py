"""Pages of one kind: the links of a list that lead to details, and the pattern of their URLs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..definition.selectors.paths import parse_path
from ..definition.selectors.rendered import RenderedDocument, resolved, text_of
from ..definition.selectors.rules import css_problem
from .proposals import alike
from .selectors_of import Element, candidates, shown
from .sightings import folded

#: Links of one kind that a list must have, to be proposed as one.
KIND_MIN = 3
#: Stand for a part of a path that differs from page to page: a number, anything.
NUMBER, ANYTHING = r"\d+", "[^/?]+"


@dataclass(frozen=True)
class Details:
    """The links of a list that lead to pages of one kind: the selector of what they are in, their
    ``urls``, and the ``pattern`` of those. ``strangers`` are other links that it takes, too.
    """

    selector: str
    urls: tuple[str, ...]
    pattern: str
    strangers: tuple[str, ...] = ()


def anchors(document: RenderedDocument) -> list[tuple[Element, str]]:
    """Return the links of ``document`` and their absolute URLs, without fragments."""
    found = []
    for one in document.root.iter("a", "area"):
        if address := one.get("href"):
            url = resolved(document.base_of(one), address).partition("#")[0]
            if url.startswith(("http://", "https://")):
                found.append((one, url))
    return found


def find_link(document: RenderedDocument, answer: str) -> tuple[Element, str] | None:
    """Return the link that ``answer`` means, by its URL, its text, or a selector, and that
    selector ("": it is none); None: there is no such link.
    """
    links = anchors(document)
    whole = resolved(document.base_of(document.root), answer.strip()).partition("#")[0]
    if "/" in answer:
        for one, url in links:
            if url.rstrip("/") == whole.rstrip("/"):
                return one, ""
    wanted = folded(answer)
    texts = [one for one, _ in links if wanted and folded(text_of(one)) == wanted]
    seen = [one for one in texts if shown(document, one)]
    if texts:
        return (seen or texts)[0], ""
    if "::" not in answer and css_problem(answer) is None:
        for one in document.elements(parse_path(answer), document.root):
            inside = [one, *one.iterdescendants("a")]
            for link, _ in links:
                if any(part is link for part in inside):
                    return link, answer
    texts = [one for one, _ in links if wanted and wanted in folded(text_of(one))]
    return (texts[0], "") if texts else None


def details_of(document: RenderedDocument, link: Element, selector: str = "") -> Details:
    """Return the links that are like ``link`` on its page, which lead to pages of one kind;
    ``selector`` is the one that an author has for them.
    """
    links = anchors(document)  # kept: an element of lxml has its identity for as long as it is
    known = {id(one): url for one, url in links}
    own = known[id(link)]
    host = urlsplit(own).netloc
    group, pattern = [link], pattern_of([own])
    for others in alike(document, document.root, link):
        same = [one for one in others if id(one) in known and _shape(known[id(one)]) == _shape(own)]
        addresses = {known[id(one)] for one in same}
        if len(same) == len(others) and len(addresses) > 1 and len(others) > len(group):
            group, pattern = same, pattern_of(sorted(addresses))
    urls = tuple(dict.fromkeys(known[id(one)] for one in group))
    if len(urls) == 1:
        like = [url for url in known.values() if _shape(url) == _shape(own)]
        beside = [url for url in dict.fromkeys(like) if _differ_in_one(url, own)]
        if len(beside) > 1:
            urls, pattern = (own, *(url for url in beside if url != own)), pattern_of(beside)
    if not selector:
        known_ones = (one.text for one in candidates(document, document.root, group))
        selector = next((text for text in known_ones if not text.startswith("xpath:")), "")
    matcher = re.compile(pattern)
    others = [url for url in known.values() if url not in urls and urlsplit(url).netloc == host]
    strangers = [url for url in dict.fromkeys(others) if matcher.search(path_of(url))]
    return Details(selector, urls, pattern, tuple(strangers))


def guess_details(document: RenderedDocument) -> Element | None:
    """Return the first of the links that most likely lead to details; None: none stand out."""
    page = next(iter(anchors(document)), None)
    groups: dict[tuple[object, ...], list[tuple[Element, str]]] = {}
    for one, url in anchors(document) if page else ():
        if shown(document, one) and not _is_frame(one):
            groups.setdefault((_shape(url), one.get("class"), _around(one)), []).append((one, url))
    best = max(groups.values(), key=lambda group: len({url for _, url in group}), default=[])
    return best[0][0] if len({url for _, url in best}) >= KIND_MIN else None


def _around(one: Element) -> tuple[object, ...]:
    return tuple((part.tag, part.get("class")) for part in list(one.iterancestors())[:3])


def _is_frame(one: Element) -> bool:
    """Whether a link stands in what frames each page of a site."""
    return any(part.tag in ("nav", "header", "footer", "aside") for part in one.iterancestors())


def path_of(url: str) -> str:
    """Return the path and query of ``url``, in which the patterns of routes are searched."""
    return "/" + url.partition("://")[2].partition("/")[2]


def _shape(url: str) -> tuple[object, ...]:
    """Return what URLs of one kind have in common, roughly: host, length of path, names of the
    query.
    """
    parts = urlsplit(url)
    names = tuple(sorted(pair.partition("=")[0] for pair in parts.query.split("&") if pair))
    return parts.netloc, parts.path.rstrip("/").count("/"), parts.path.endswith("/"), names


def _differ_in_one(one: str, other: str) -> bool:
    first, second = urlsplit(one).path.split("/"), urlsplit(other).path.split("/")
    return sum(a != b for a, b in zip(first, second, strict=False)) <= 1


def pattern_of(urls: Sequence[str], *, alone: bool = False) -> str:
    """Return a regular expression for the path and query of ``urls``, which have one shape: what
    differs among them may be anything. Of a single one the last part may, unless it stands
    ``alone``.
    """
    paths = [urlsplit(url) for url in urls]
    rows = [path.path.split("/") for path in paths]
    if alone:
        return f"^{_escaped(path_of(urls[0]))}$"
    if len(set(map(tuple, rows))) == 1 and not paths[0].query:
        last = max(number for number, part in enumerate(rows[0]) if part or not number)
        columns = [
            [part] if number != last or not number else [part, f"{part}0" if part.isdigit() else ""]
            for number, part in enumerate(rows[0])
        ]
    else:
        columns = [list(column) for column in zip(*rows, strict=True)]
    path = "/".join(_part(column) for column in columns)
    if not paths[0].query:
        return f"^{path or '/'}$"
    names = [pair.partition("=")[0] for pair in paths[0].query.split("&") if pair]
    query = "&".join(f"{re.escape(name)}=[^&]*" for name in names)
    return rf"^{path}\?{query}"


def _part(values: Iterable[str]) -> str:
    """Return what stands for one part of the paths."""
    distinct = set(values)
    if len(distinct) == 1:
        return _escaped(next(iter(distinct)))
    if all(value.isdecimal() and value.isascii() for value in distinct):
        return NUMBER
    plain = {re.sub("[0-9]+", "\0", value) for value in distinct}
    if len(plain) == 1:
        return _escaped(next(iter(plain))).replace("\0", NUMBER)
    ends = {match[0] if (match := re.search(r"\.[a-z]{2,5}$", one)) else "" for one in distinct}
    return ANYTHING + (_escaped(next(iter(ends))) if len(ends) == 1 else "")


def _escaped(text: str) -> str:
    """Return ``text`` as a regular expression, as a person would write it."""
    return re.sub(r"([.^$*+?()\[\]{}|\\])", r"\\\1", text)

"""The text of an element as ``innerText`` gives it, by the style sheet that all browsers have.

What a page's own style sheets hide or change is not known here; ``hidden``, and ``display: none``
and ``visibility: hidden`` in the element's own ``style``, are.
"""

from __future__ import annotations

import re
from typing import Any

#: A node of the parser.
Node = Any

#: What ``trim`` of JavaScript takes off.
SPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
#: Elements that are not shown, with all that is in them.
UNSEEN = frozenset(
    re.findall(
        r"\w+",
        """
        area base basefont datalist head link meta noembed noframes noscript param rp script
        style template title iframe audio video canvas object source track textarea
        """,
    )
)
#: Those of them that take part in a line all the same, as a picture does.
_IN_LINE = frozenset(("iframe", "audio", "video", "canvas", "object", "textarea"))
_PICTURES = frozenset(("img", "input", "embed", "meter", "progress"))
BLOCKS = frozenset(
    re.findall(
        r"\w+",
        """
        address article aside blockquote body center dd details dialog dir div dl dt
        fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html
        legend li listing main menu nav ol optgroup option p plaintext pre search section
        summary table ul xmp caption
        """,
    )
)
_ROWS, _CELLS = frozenset(("tr",)), frozenset(("td", "th"))
_GROUPS = frozenset(("thead", "tbody", "tfoot", "colgroup", "col"))
_BOXES = frozenset(("button", "select", "marquee"))  # boxes within a line
_KEEPING = frozenset(("pre", "listing", "xmp", "plaintext"))
_GAP = re.compile(r"[ \t\n\r]+")
_FOREIGN, _HOME = frozenset(("svg", "math")), frozenset(("foreignobject", "foreignObject"))
_HIDDEN = re.compile(r"(?:^|;)\s*display\s*:\s*none", re.IGNORECASE)
_INVISIBLE = re.compile(r"(?:^|;)\s*visibility\s*:\s*(?:hidden|collapse)", re.IGNORECASE)


class TooDeep(ValueError):
    """The document is nested deeper than this can read; Chrome cuts it at 512 levels."""


def visible_text(element: Node) -> str:
    """Return the text of ``element`` that readers see, trimmed: as ``innerText.trim()``. Of one
    that is not shown, or is no element of HTML, it is all of its text, as there.
    """
    if not is_shown(element) or _is_drawn(element):
        return str(element.text(deep=True)).strip(SPACE)
    reader = _Reader()
    try:
        reader.children(element, keep=_keeps(element), visible=_is_visible(element))
    except RecursionError:
        raise TooDeep from None
    return reader.text().strip(SPACE)


def is_shown(element: Node) -> bool:
    """Whether ``element`` has a box: neither it nor what it lies in is left out."""
    node = element
    while node is not None and node.is_element_node:
        if _is_out(node):
            return False
        parent = node.parent
        if parent is not None and parent.tag == "details" and "open" not in parent.attributes:
            first = next((one for one in _elements(parent) if one.tag == "summary"), None)
            if first is None or first.mem_id != node.mem_id:
                return False
        node = parent
    return True


def _is_drawn(node: Node) -> bool:
    """Whether ``node`` is a drawing (SVG) or a formula, or a part of one."""
    while node is not None and node.tag not in _FOREIGN:
        if node.tag in _HOME:
            return False
        node = node.parent
    return node is not None


def _is_out(node: Node) -> bool:
    tag = node.tag
    if tag in UNSEEN and tag not in _IN_LINE:
        return True
    attributes = node.attributes
    if not attributes:
        return bool(tag == "dialog")
    if "hidden" in attributes and attributes["hidden"] != "until-found":
        return True
    if tag == "dialog" and "open" not in attributes:
        return True
    if tag == "input" and (attributes.get("type") or "").lower() == "hidden":
        return True
    style = attributes.get("style")
    return bool(_HIDDEN.search(str(style or "")))


def _is_visible(node: Node) -> bool:
    """Whether nothing around ``node`` makes it invisible."""
    while node is not None and node.is_element_node:
        style = node.attributes.get("style")
        if style and "visibility" in style:
            return not _INVISIBLE.search(str(style))
        node = node.parent
    return True


def _keeps(node: Node) -> bool:
    """Whether white space in ``node`` stays as it is."""
    while node is not None and node.is_element_node:
        if node.tag in _KEEPING:
            return True
        node = node.parent
    return False


def _elements(node: Node) -> list[Node]:
    found, child = [], node.first_child
    while child is not None:
        if child.is_element_node:
            found.append(child)
        child = child.next
    return found


class _Reader:
    """Collects texts and the numbers of line breaks that are wanted between them."""

    def __init__(self) -> None:
        self._parts: list[str | int] = []
        self._at_start, self._gap = True, False

    def text(self) -> str:
        """Return what was collected."""
        out: list[str] = []
        breaks = 0
        for part in self._parts:
            if isinstance(part, int):
                breaks = max(breaks, part)
            elif part:
                if breaks and out:
                    out.append("\n" * breaks)
                breaks = 0
                out.append(part)
        return "".join(out)

    def children(self, node: Node, *, keep: bool, visible: bool) -> None:
        """Collect the texts of what lies in ``node``."""
        closed = node.tag == "details" and "open" not in node.attributes
        child = node.first_child
        while child is not None:
            if child.is_text_node:
                if visible and not closed:
                    self._word(child.text_content or "", keep)
            elif child.is_element_node and (not closed or child.tag == "summary"):
                self._element(child, keep=keep, visible=visible)
                closed = closed or (child.tag == "summary" and node.tag == "details" and closed)
            child = child.next

    def _element(self, node: Node, *, keep: bool, visible: bool) -> None:
        if _is_out(node):
            return
        tag = node.tag
        style = node.attributes.get("style")
        if style and "visibility" in style:
            visible = not _INVISIBLE.search(style)
        if tag == "br":
            if visible:
                self._gap, self._at_start = False, True
                self._parts.append("\n")
            return
        if tag in _PICTURES or tag in _IN_LINE:
            self._solid()
            return
        if tag in _BOXES:
            self._solid()
            self._start()
            if tag == "select":
                self._options(node)
            else:
                self.children(node, keep=keep, visible=visible)
            self._gap, self._at_start = False, False
            return
        if tag in _CELLS:
            self._start()
            self.children(node, keep=keep, visible=visible)
            self._start()
            if _is_followed(node, _CELLS):
                self._parts.append("\t")
            return
        if tag in _ROWS:
            self._start()
            self.children(node, keep=keep, visible=visible)
            self._start()
            if _has_later_row(node):
                self._parts.append("\n")
            return
        if tag in _GROUPS:
            self.children(node, keep=keep, visible=visible)
            return
        if tag in BLOCKS:
            breaks = 2 if tag == "p" else 1
            self._start(breaks)
            self.children(node, keep=keep or tag in _KEEPING, visible=visible)
            self._start(breaks)
            return
        self.children(node, keep=keep, visible=visible)

    def _options(self, node: Node) -> None:
        for one in _elements(node):
            if one.tag == "optgroup":
                self._options(one)
            elif one.tag == "option" and not _is_out(one):
                self._parts.append(1)
                self._parts.append(_GAP.sub(" ", one.text(deep=True)).strip(" "))
                self._parts.append(1)

    def _start(self, breaks: int = 0) -> None:
        """Begin another block."""
        self._gap, self._at_start = False, True
        if breaks:
            self._parts.append(breaks)

    def _solid(self) -> None:
        """Note something without text in a line."""
        if self._gap:
            self._parts.append(" ")
        self._gap, self._at_start = False, False

    def _word(self, text: str, keep: bool) -> None:
        if keep:
            if text:
                self._solid()
                self._parts.append(text)
                self._at_start = text.endswith("\n")
            return
        if not text:
            return
        even = _GAP.sub(" ", text)
        if even[0] == " ":
            self._gap = self._gap or not self._at_start
            even = even[1:]
        if not even:
            return
        if self._gap:
            self._parts.append(" ")
        self._at_start = False
        self._gap = even[-1] == " "
        self._parts.append(even[:-1] if self._gap else even)


def _is_followed(node: Node, tags: frozenset[str]) -> bool:
    other = node.next
    while other is not None:
        if other.is_element_node and other.tag in tags:
            return True
        other = other.next
    return False


def _has_later_row(row: Node) -> bool:
    """Whether another row of its table follows ``row``."""
    if _is_followed(row, _ROWS):
        return True
    group = row.parent
    other = group.next if group is not None and group.tag in _GROUPS else None
    while other is not None:
        if other.is_element_node and (
            other.tag in _ROWS or (other.tag in _GROUPS and other.css_first("tr") is not None)
        ):
            return True
        other = other.next
    return False

"""Elements of the document that the tab showed at one moment, for hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..definition.selectors.paths import Path
from ..definition.selectors.rendered import ADDRESSES, RenderedDocument, resolved, text_of
from ..definition.selectors.rules import css_problem
from ..text.encodable import encodable

if TYPE_CHECKING:
    from ..definition.selectors.rendered import Element as Node


class Element:
    """An element of the rendered document, as it was when it was asked for.

    The readers look at what lies within it. An attribute that holds an address (``href``, ``src``,
    ``action``, ``formaction``, ``poster``) is absolute. Nothing found: None, or an empty list.
    """

    __slots__ = ("_document", "_node")

    def __init__(self, document: RenderedDocument, node: Node) -> None:
        self._document, self._node = document, node

    def __repr__(self) -> str:
        return f"<element {self._node.tag} {self.attrib}>"

    @property
    def attrib(self) -> dict[str, str]:
        """Its own attributes."""
        return {str(name): self._value(self._node, name) for name in self._node.attrib}

    @property
    def html(self) -> str:
        """Its source, with its own tag."""
        return encodable(self._document.source_of(self._node))

    def text(self, css: str | None = None) -> str | None:
        """Return its text, or that of the first element in it that matches; None if none does."""
        if css is None:
            return text_of(self._node)
        return next((text_of(node) for node in self._nodes(css)), None)

    def texts(self, css: str) -> list[str]:
        """Return the text of every element in it that matches."""
        return [text_of(node) for node in self._nodes(css)]

    def attr(self, css: str, name: str) -> str | None:
        """Return the attribute ``name`` of the first element in it that matches; None if either is
        missing.
        """
        nodes = self._nodes(css)
        return self._value(nodes[0], name) if nodes and name in nodes[0].attrib else None

    def attrs(self, css: str, name: str) -> list[str]:
        """Return the attribute ``name`` of every element in it that matches and has it."""
        return [self._value(node, name) for node in self._nodes(css) if name in node.attrib]

    def select_all(self, css: str) -> list[Element]:
        """Return every element in it that matches."""
        return [Element(self._document, node) for node in self._nodes(css)]

    def _nodes(self, css: str) -> list[Node]:
        found = select(self._document, css, self._node)
        return [node for node in found if node is not self._node]

    def _value(self, node: Node, name: Any) -> str:
        value = str(node.get(name))
        if name in ADDRESSES:
            return resolved(self._document.base_of(node), value)
        return value


def elements(html: str, url: str, css: str) -> list[Element]:
    """Return the elements of ``html``, the source of a rendered page at ``url``, that match.

    Raises:
        ValueError: ``css`` is no selector of elements.
    """
    document = RenderedDocument(html, url)
    return [Element(document, node) for node in select(document, css, document.root)]


def select(document: RenderedDocument, css: str, scope: Node) -> list[Node]:
    """Return the elements that ``css`` matches in ``scope``. Raises ValueError: it is no selector
    of elements.
    """
    if css_problem(css) or "::" in css:
        raise ValueError(f"{css!r} is not a CSS selector of elements")
    return document.elements(Path("css", css), scope)

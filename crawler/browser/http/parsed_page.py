"""The page that came by HTTP, as hooks see it: its readers ask the parsed document, and whatever
touches the tab brings a browser, which shows the page from then on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ...model import Json, Page, Response
from ...text.encodable import encodable
from ..page import TEXT_MAX, LivePage, Tab
from .parsed_document import BadSelector, ParsedDocument
from .visible_text import TooDeep, visible_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..elements import Element


T = TypeVar("T")

#: What the parser cannot do, and Chrome can.
Unreadable = (BadSelector, TooDeep)


class ParsedReaders(Tab):
    """The readers of a page; each asks the parsed document, or, where there is none or it cannot
    tell, the tab of a browser.
    """

    #: Brings the tab of a browser that shows the page, for the reason given; a browser's own page
    #: in place of this one.
    bring: Callable[[str], Tab]
    #: The parsed document; None: the browser shows the page.
    document: Callable[[], ParsedDocument | None]

    @property
    def driver(self) -> Any:  # type: ignore[override]
        """Selenium's WebDriver of a browser that shows the page."""
        return self.bring("driver").driver

    @property
    def transport(self) -> Any:  # type: ignore[override]
        """The way to the tab of a browser that shows the page."""
        return self.bring("script").transport

    @property
    def title(self) -> str:
        """The document's title."""
        document = self.document()
        return document.title if document else self.bring("title").title

    @property
    def html(self) -> str:
        """The document's source."""
        document = self.document()
        return document.html if document else self.bring("html").html

    def text(self, css: str) -> str | None:
        """Return the visible text of the first element that matches, or None."""

        def parsed(document: ParsedDocument) -> str | None:
            found = document.first(css)
            return None if found is None else encodable(visible_text(found))

        return self._read("text", css, parsed, lambda tab: tab.text(css))

    def texts(self, css: str) -> list[str]:
        """Return the visible text of every element that matches."""

        def parsed(document: ParsedDocument) -> list[str]:
            return [encodable(visible_text(one)) for one in document.all(css)]

        return self._read("texts", css, parsed, lambda tab: tab.texts(css))

    def attr(self, css: str, name: str) -> str | None:
        """Return the attribute ``name``, as written, of the first element that matches; None if
        either is missing.
        """

        def parsed(document: ParsedDocument) -> str | None:
            found = document.first(css)
            return None if found is None else attribute(found, name)

        return self._read("attr", css, parsed, lambda tab: tab.attr(css, name))

    def attrs(self, css: str, name: str) -> list[str]:
        """Return the attribute ``name``, as written, of every element that matches and has it."""

        def parsed(document: ParsedDocument) -> list[str]:
            values = [attribute(one, name) for one in document.all(css)]
            return [value for value in values if value is not None]

        return self._read("attrs", css, parsed, lambda tab: tab.attrs(css, name))

    def _read(
        self,
        what: str,
        css: str,
        parsed: Callable[[ParsedDocument], T],
        rendered: Callable[[Tab], T],
    ) -> T:
        """Return what is ``parsed`` from the document; where there is none, or it cannot tell, what
        is ``rendered`` in the tab of a browser.
        """
        if (document := self.document()) is None:
            return rendered(self.bring(what))
        try:
            return parsed(document)
        except Unreadable:
            return rendered(self.bring(f"selector {css}" if css else "selectors"))

    def select_all(self, css: str) -> list[Element]:
        """Return every element of the document that matches."""
        if (document := self.document()) is None:
            return self.bring("select_all").select_all(css)
        from ..elements import elements  # parsel takes 0.1 s to import

        return elements(document.html, document.url, css)

    def matching(self, selectors: Sequence[str], *, text: bool = False) -> tuple[list[str], str]:
        """Return those of ``selectors`` that match something, and the visible text of the document,
        its first million characters, if ``text`` asks for it ("" else).
        """

        def parsed(document: ParsedDocument) -> tuple[list[str], str]:
            found = [css for css in selectors if document.first(css) is not None]
            return found, document.text()[:TEXT_MAX] if text else ""

        return self._read("matching", "", parsed, lambda tab: tab.matching(selectors, text=text))

    def wait_for(self, css: str, timeout: float = 10.0) -> None:
        """Wait until something matches: in a browser, unless the document holds it already."""
        if (document := self.document()) is not None:
            try:
                if document.first(css) is not None:
                    return
            except Unreadable:
                pass
        began = time.monotonic()
        page = self.bring(f"wait_for {css}")
        page.wait_for(css, max(0.0, timeout - (time.monotonic() - began)))


def attribute(node: Any, name: str) -> str | None:
    """Return the attribute ``name`` of ``node``, as written; None if it is missing."""
    attributes = node.attributes
    if name not in attributes:
        name = name.lower()
        if name not in attributes:
            return None
    return encodable(attributes[name] or "")


class ParsedPage(ParsedReaders, LivePage):
    """A run's page that came by HTTP; see :class:`LivePage`."""

    def __init__(
        self,
        page: Page,
        response: Response,
        document: Callable[[], ParsedDocument | None],
        bring: Callable[[str], Tab],
        cookies: Callable[[], list[dict[str, Json]]],
    ) -> None:
        self.page, self.response = page, response
        self.depth, self.route, self.data = page.depth, page.route, page.data
        self.document, self.bring, self._cookies = document, bring, cookies

    @property
    def cookies(self) -> list[dict[str, Json]]:
        """The cookies that this page may see, and those that only its server may."""
        return self._cookies()

"""The document that the tab shows: asked by one script, ``collect.js``, in one round trip.

The script says what document is there, and puts a mark in it. A document that bears the mark of an
earlier page, or that is older than the navigation, was not put there by it.
"""

from __future__ import annotations

import secrets as random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import PageError
from ..model import Link
from .transport.base import (
    DialogOpen,
    PageMoved,
    ScriptTimeout,
    Transport,
    TransportError,
    first_line,
)
from .transport.javascript import script

#: Times that a document is asked when the page navigates away meanwhile, or breaks what
#: ChromeDriver's scripts stand on.
ATTEMPTS = 5
#: Times that it is asked when a dialog stops the page. Each time one or two are dismissed.
DIALOGS = 25
#: Seconds between two attempts.
PAUSE = 0.05
#: Characters of text below which a document holds hardly any, and below which it shows nothing
#: beside its frames.
BARE_TEXT, FRAMES_TEXT = 200, 60
#: Characters more than twice as many, with which a document has got content.
GROWTH = 20


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The parts of a document to read that cost something: at most ``links``, and the source.

    ``html`` is a number where only so many characters of the source are to be read. ``fragments``:
    links keep theirs, and differ by them. A refresh that the page declares within
    ``interstitial_wait`` seconds is a link, too; 0: none is. ``frames``: so are the documents in
    frames.
    """

    links: int
    html: bool | int = False
    fragments: bool = False
    interstitial_wait: float = 0.0
    frames: bool = False


@dataclass(frozen=True, slots=True)
class Thin:
    """How little a document holds that holds hardly anything: characters of ``text`` that are seen,
    ``links``, ``frames`` that are seen, ``scripts``, ``forms``.

    ``leads``: a script of it may lead elsewhere later. ``refresh``: seconds and target of one that
    it declares.
    """

    text: int
    links: int
    frames: int
    scripts: int
    leads: bool
    refresh: tuple[float, str] | None
    forms: int = 0

    @property
    def is_bare(self) -> bool:
        """Whether there is no link and hardly any text."""
        return not self.links and self.text < BARE_TEXT

    @property
    def is_frames(self) -> bool:
        """Whether there is nothing but frames."""
        return bool(self.frames) and not self.links and self.text < FRAMES_TEXT

    def outgrown_by(self, later: Thin | None) -> bool:
        """Whether ``later``, the same document's, holds content that came in the meantime."""
        if later is None:
            return True
        return later.links > self.links or later.text > 2 * self.text + GROWTH


@dataclass(frozen=True, slots=True)
class Document:
    """A document, as ``collect.js`` finds it.

    ``stale``: it was there before this navigation. ``age``: milliseconds since its own navigation
    began; ``origin``: when that was, by its own clock. ``reloaded``: it took the place of itself.
    ``by_worker``: a service worker answered. ``silent``: it is an error page without a word.
    """

    url: str
    title: str
    content_type: str | None
    ready: str
    status: int | None
    empty: bool
    error: str | None
    silent: bool
    timing: dict[str, float]
    links: tuple[Link, ...]
    html: str | None
    stale: bool
    age: float
    origin: float | None
    reloaded: bool
    by_worker: bool
    named: bool = False  # its window has a name
    thin: Thin | None = None  # None: it holds links or text

    @property
    def is_error_page(self) -> bool:
        """Whether this is Chrome's error page."""
        return self.url.startswith("chrome-error:")

    @property
    def is_unexplained(self) -> bool:
        """Whether this is an error page that does not say what is wrong."""
        return self.is_error_page and not (self.status or self.error)

    @property
    def is_web(self) -> bool:
        """Whether this came from the web, by HTTP."""
        return self.url.startswith(("http:", "https:"))


class DocumentReader:
    """Asks the documents of one session; ``number`` is that of the navigation, from 1."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._mark = "_" + random.token_hex(8)  # the property in which documents bear their mark
        self.number = 0

    def begin(self) -> None:
        """Begin another navigation: documents that were read before are stale from now on."""
        self.number += 1

    def read(self, start: float, options: ReadOptions, timeout: float) -> Document:
        """Ask the document, as often as it takes. ``start`` is that of its navigation, by
        perf_counter.

        Each answer has ``timeout`` seconds.

        Raises:
            PageError: it cannot be asked; the session is distrusted then.
            BrowserLost: it does not answer.
        """
        wanted = (options.links, options.html, options.fragments, options.interstitial_wait)
        declared = self._transport.refresh
        leaves = declared is not None and declared[1] <= options.interstitial_wait
        arguments = (self._mark, self.number, *wanted, options.frames, leaves)
        with self._transport.within(timeout):
            facts = self._ask(arguments, timeout)
        document = document_of(facts, (time.perf_counter() - start) * 1000)
        return self._with_refresh(document, options)

    def _with_refresh(self, document: Document, options: ReadOptions) -> Document:
        """Return ``document``, with the link to where Chrome is about to take it, if it says so."""
        target, seconds = self._transport.refresh or ("", 0.0)
        if not target or document.stale or seconds > options.interstitial_wait:
            return document
        url = target if options.fragments else target.partition("#")[0]
        if not url.startswith(("http://", "https://")):
            return document
        if document.thin:
            document = replace(document, thin=replace(document.thin, refresh=(seconds, target)))
        if not options.links or url == document.url.partition("#")[0]:
            return document
        return replace(
            document, links=tuple(dict.fromkeys((*document.links, Link(url, "refresh"))))
        )

    def _ask(self, arguments: tuple[Any, ...], timeout: float) -> Mapping[str, Any]:
        health, source = self._transport.health, script("collect.js")
        isolated, failures, dialogs = False, 0, 0
        facts: Mapping[str, Any] | None
        while True:
            try:
                if isolated:
                    facts = self._transport.ask_isolated(self._mark, source, *arguments)
                else:
                    facts = self._transport.ask(source, *arguments, timeout=timeout, follow=True)
            except DialogOpen:
                facts = None
            except ScriptTimeout as error:
                raise health.lost("the page does not answer", hung=True) from error
            # the page went elsewhere meanwhile, or has broken what scripts stand on
            except TransportError as error:
                failures, isolated = failures + 1, True
                if failures == ATTEMPTS:
                    health.distrust(first_line(error))
                    reason = "unsettled" if isinstance(error, PageMoved) else "unreadable"
                    raise PageError(health.url, reason, retryable=True) from error
                time.sleep(PAUSE)
                continue
            if facts is None:  # a dialog opened meanwhile
                dialogs += 1
                if dialogs == DIALOGS:
                    health.distrust("dialogs without an end")
                    raise PageError(health.url, "dialogs")
            elif facts["age"] is None and not isolated:  # the page has replaced what tells the time
                isolated = True
            else:
                return facts


def document_of(facts: Mapping[str, Any], passed: float) -> Document:
    """Return the document that ``collect.js`` describes ``passed`` ms after its navigation."""
    age = facts["age"] or 0.0
    return Document(
        url=facts["url"],
        title=facts["title"],
        content_type=facts["mime"],
        ready=facts["ready"],
        status=facts["status"],
        empty=facts["empty"],
        error=facts["error"],
        silent=facts["silent"],
        timing={
            name: ms
            for name, ms in zip(("response", "dom", "load"), facts["timing"], strict=True)
            if ms
        },
        links=links_of(facts),
        html=facts["html"],
        stale=facts["seen"]
        or facts["url"] == "about:blank"
        or facts["type"] == "back_forward"
        # Older than the navigation: a page that went elsewhere by itself, after it had been
        # collected. Clocks may drift.
        or age > passed * 1.001 + 1,
        age=age,
        origin=facts["origin"],
        reloaded=facts["type"] == "reload",
        by_worker=facts["worker"],
        named=facts["named"],
        thin=thin_of(facts["thin"]),
    )


def thin_of(facts: Mapping[str, Any] | None) -> Thin | None:
    """Return how little is there, as ``collect.js`` tells."""
    if facts is None:
        return None
    seconds, target = facts["refresh"] or (None, "")
    refresh = None if seconds is None else (float(seconds), str(target))
    return Thin(**{**facts, "refresh": refresh})


def links_of(facts: Mapping[str, Any]) -> tuple[Link, ...]:
    """Return the links of which ``collect.js`` tells, one a line."""
    return tuple(Link(*row.split("\t")) for row in facts["links"].split("\n") if row)

"""Everything that this library raises.

CrawlerError ├── DefinitionError         a crawl, as its author wrote it, is wrong; holds every
fault ├── UnknownCrawl            nobody here knows a crawl of this name ├── CrawlExists
the name is taken by another definition, or by a crawl that has ended ├── FrontierError │   ├──
FrontierUnavailable Redis did not answer in time; nothing is known to be lost, try again │   ├──
FrontierRefused     the crawl's status does not allow this │   └── FrontierMisfit      this Redis
cannot hold a frontier (evicts, too old, another schema, not a crawl's keys) ├── BrowserError │
├── BrowserUnavailable  no session could be had: nothing was claimed, nobody is to blame │   ├──
BrowserLost         the session died or fell silent while it worked on a page │   └── PageError
Chrome is well, but this page gave no document ├── HookFailed              a hook raised an error
that holds a secret; this one, without it, stands in for it └── SetupError              this machine
or its settings lack something; the text says how to mend it
"""

from __future__ import annotations

from dataclasses import dataclass


class CrawlerError(Exception):
    """Root of all errors raised here. All arguments go to ``super().__init__``, so that Celery can
    rebuild them elsewhere.
    """


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a definition: the ``field``, ``what`` is wrong with it, and an ``example``
    of a right one.
    """

    field: str
    what: str
    example: str = ""

    def __str__(self) -> str:
        hint = f" (for example: {self.example})" if self.example else ""
        return f"{self.field}: {self.what}{hint}"


class DefinitionError(CrawlerError):
    """The definition of ``name`` is wrong; ``faults`` holds every fault found, not only the
    first.
    """

    def __init__(self, name: str, faults: tuple[Fault, ...]) -> None:
        super().__init__(name, faults)
        self.name, self.faults = name, faults

    def __str__(self) -> str:
        return f"crawl {self.name!r}: " + "; ".join(map(str, self.faults))


class UnknownCrawl(CrawlerError):
    """No crawl of this name is known here; ``known`` are those that are."""

    def __init__(self, name: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(name, known)
        self.name, self.known = name, known

    def __str__(self) -> str:
        there = f"known here: {', '.join(self.known)}" if self.known else "none is known here"
        return f"no crawl is named {self.name!r} ({there})"


class CrawlExists(CrawlerError):
    """A crawl of this name is in the frontier, and may not be begun anew unless that is asked
    for.
    """

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.name, self.why = name, why

    def __str__(self) -> str:
        return f"the name {self.name!r} is taken: {self.why}"


class FrontierError(CrawlerError):
    """Something about the frontier; see the subclasses."""


class FrontierUnavailable(FrontierError):
    """Redis could not be reached, or did not answer in time. Claims may still be valid: retry
    before their deadline.
    """


class FrontierRefused(FrontierError):
    """The crawl is in a status (or Redis in a state) that does not allow what was asked for."""


class FrontierMisfit(FrontierError):
    """This Redis cannot hold a frontier, or holds one that this version cannot read."""


class BrowserError(CrawlerError):
    """Something about Chrome; see the subclasses."""


class BrowserUnavailable(BrowserError):
    """No browser session could be had. No page is to blame; try later.

    ``full``: the endpoint is there, but gave none within the time that there was to wait; others
    have them all, it seems.
    """

    def __init__(self, reason: str, full: bool = False) -> None:
        super().__init__(reason, full)
        self.reason, self.full = reason, full

    def __str__(self) -> str:
        return self.reason


class BrowserLost(BrowserError):
    """The session died, or fell silent, while it worked on ``url``; it must be replaced.

    ``hung`` tells a session that stopped answering (the page may be to blame) from one that was
    gone at once. ``away``: the remote endpoint itself broke the line or refuses it (a Grid that is
    restarted), and no page is to blame.
    """

    def __init__(self, url: str, reason: str, hung: bool = False, away: bool = False) -> None:
        super().__init__(url, reason, hung, away)
        self.url, self.reason, self.hung, self.away = url, reason, hung, away

    def __str__(self) -> str:
        return f"{self.reason} at {self.url}"


class PageError(BrowserError):
    """Chrome loaded no document for ``url``.

    ``reason`` is one word for counting ("dns", "refused", "timeout", "download", "no_content",
    "redirect_loop", …; Chrome's own ``ERR_…`` in lower case where there is no better one).
    ``status`` is the HTTP status, or None if no response arrived. ``retryable`` says whether a
    later attempt may succeed; ``retry_after`` is how many seconds the host asks to wait, or None.
    """

    def __init__(
        self,
        url: str,
        reason: str,
        status: int | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(url, reason, status, retryable, retry_after)
        self.url, self.reason, self.status, self.retryable = url, reason, status, retryable
        self.retry_after = retry_after

    def __str__(self) -> str:
        status = f", status {self.status}" if self.status else ""
        return f"{self.reason}{status} at {self.url}"


class HookFailed(CrawlerError):
    """What a hook raised holds a secret (a cookie, a password), so only its type and text travel,
    with ``***`` in its place.
    """


class SetupError(CrawlerError):
    """This machine, or its settings, lack something that is needed; the text says what, and how to
    mend it.
    """

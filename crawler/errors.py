"""Everything that this library raises for its callers.

CrawlerError
├── DefinitionError          the definition of a crawl is wrong; holds every fault
├── UnknownCrawl             no crawl of this name is known here
├── CrawlExists              the name is taken: by another definition, or by a crawl that has ended
├── FrontierError
│   ├── FrontierUnavailable  Redis did not answer in time; nothing is known to be lost, try again
│   ├── FrontierRefused      the crawl's status does not allow this
│   └── FrontierMisfit       this Redis cannot hold a frontier: it evicts keys, is too old, or
│       │                    holds another schema or other keys
│       └── FrontierMistyped a key has the name of one of a crawl's, but not its type
├── BrowserError
│   ├── BrowserUnavailable   no session is free: nothing was claimed, no page is to blame
│   ├── BrowserLost          the session died or fell silent while it worked on a page
│   └── PageError            Chrome is well, but this page gave no document
├── HookFailed               a hook's error holds a secret; this one stands in for it, without it
└── SetupError               this machine or its settings lack something; the text says how to
                             mend it

Errors that only one room raises stand in that room: FetchError and PrivateAddress in ``net/``,
TransportError (a BrowserError) and its kind in ``browser/transport``,
BrokerUnavailable in ``client/``, those of the jobs API in ``api/jobs``.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Names of crawls that the text of an error shows.
KNOWN_SHOWN = 20


class CrawlerError(Exception):
    """Root of all errors of this library. Each hands all its arguments to ``super().__init__``, so
    that Celery can rebuild it in another process.
    """


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a definition: the ``field``, ``what`` is wrong with it, and an
    ``example`` of a right value ("" for none).
    """

    field: str
    what: str
    example: str = ""

    def __str__(self) -> str:
        hint = f" (for example: {self.example})" if self.example else ""
        return f"{self.field}: {self.what}{hint}"


class DefinitionError(CrawlerError):
    """The definition of the crawl ``name`` is wrong; ``faults`` holds all its faults."""

    def __init__(self, name: str, faults: tuple[Fault, ...]) -> None:
        super().__init__(name, faults)
        self.name, self.faults = name, faults

    def __str__(self) -> str:
        return f"crawl {self.name!r}: " + "; ".join(map(str, self.faults))


class UnknownCrawl(CrawlerError):
    """No crawl of this name is known here, or it was never started; ``known`` holds the names that
    are known, and ``faults`` why others are not: a module does not import.
    """

    def __init__(
        self, name: str, known: tuple[str, ...] = (), faults: tuple[str, ...] = ()
    ) -> None:
        super().__init__(name, known, faults)
        self.name, self.known, self.faults = name, known, faults

    def __str__(self) -> str:
        if self.name in self.known:
            return f"the crawl {self.name!r} has not been started yet: `crawler start {self.name}`"
        shown = [*self.known[:KNOWN_SHOWN], *(("…",) if self.known[KNOWN_SHOWN:] else ())]
        known = f"known here: {', '.join(shown)}" if shown else "none is known here"
        return f"no crawl is named {self.name!r} ({'; '.join([known, *self.faults])})"


class CrawlExists(CrawlerError):
    """A crawl of this name is in the frontier. It begins again only if the caller asks for that;
    ``why`` says how.
    """

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.name, self.why = name, why

    def __str__(self) -> str:
        return f"the name {self.name!r} is taken: {self.why}"


class FrontierError(CrawlerError):
    """Something is wrong with the frontier; see the subclasses."""


class FrontierUnavailable(FrontierError):
    """Redis could not be reached, or did not answer in time. Claims may still be valid: retry
    before their deadline.
    """


class FrontierRefused(FrontierError):
    """The status of the crawl, or the state of Redis, does not allow this request."""


class FrontierMisfit(FrontierError):
    """This Redis cannot hold a frontier, or holds one that this version cannot read."""


class FrontierMistyped(FrontierMisfit):
    """A key has the name of one of a crawl's, but not its type."""


class BrowserError(CrawlerError):
    """Something is wrong with Chrome; see the subclasses."""


class BrowserUnavailable(BrowserError):
    """No browser session is free, or none can be started. No page is to blame; try later.

    ``full``: the endpoint answers, but gave no session in time; others have them all, it seems.
    """

    def __init__(self, reason: str, full: bool = False) -> None:
        super().__init__(reason, full)
        self.reason, self.full = reason, full

    def __str__(self) -> str:
        return self.reason


class BrowserLost(BrowserError):
    """The session died, or fell silent, while it worked on ``url``; it must be replaced.

    ``hung``: it stopped answering, and the page may be to blame; False: it was gone at once.
    ``away``: the remote endpoint itself broke the line or refuses it (a Grid that restarts), and no
    page is to blame.
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
    ``advice`` says in one line what to change; "" if there is nothing to say.
    """

    def __init__(
        self,
        url: str,
        reason: str,
        status: int | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(url, reason, status, retryable, retry_after, advice)
        self.url, self.reason, self.status, self.retryable = url, reason, status, retryable
        self.retry_after, self.advice = retry_after, advice

    def __str__(self) -> str:
        status = f", status {self.status}" if self.status else ""
        advice = f": {self.advice}" if self.advice else ""
        return f"{self.reason}{status} at {self.url}{advice}"


class HookFailed(CrawlerError):
    """A hook raised an error that is not passed on as it is: this one has its type and text.

    It held a secret (a cookie, a password), for which ``***`` stands; or Celery is to show where it
    was raised, too.
    """

    def __repr__(self) -> str:  # Flower shows it
        return str(self)


class SetupError(CrawlerError):
    """This machine, or its settings, lack something; the text says what, and how to mend it."""

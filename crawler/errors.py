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
│       └── WaitTimeout      what a hook waits for did not come (a TimeoutError, too)
├── Decision                 a hook decides about its page; hooks raise one of
│   ├── Retry                try it again
│   ├── Skip                 it is done, without an item
│   └── Blocked              the site keeps us out: let its host wait, come as somebody else
├── HookFailed               a hook's error holds a secret; this one stands in for it, without it
└── SetupError               this machine or its settings lack something; the text says how to
    │                        mend it
    └── PortTaken            another program listens where a server of ours would

Errors that only one room raises stand in that room: FetchError and PrivateAddress in ``net/``,
TransportError (a BrowserError) and its kind in ``browser/transport``, NoSandbox (a
BrowserUnavailable) in ``browser/chrome``, BrokerUnavailable in ``client/``, those of the jobs API
in ``api/job``. ``fall_back`` lets a function go on after one of them.
"""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

#: Characters of the reason of a hook's decision that are kept: it is counted.
DECISION_MAX = 100
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
        faults = "; ".join(map(str, self.faults))
        return f"crawl {self.name!r}: {faults}" if self.name else faults


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
        near = difflib.get_close_matches(self.name, self.known, n=1)
        known = f"known here: {', '.join(shown)}" if shown else "none is known here"
        known = f"did you mean {near[0]}? {known}" if near else known
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
    page is to blame. ``shared``: a Chrome died that other sessions shared, whose pages may be to
    blame as well.
    """

    def __init__(
        self, url: str, reason: str, hung: bool = False, away: bool = False, shared: bool = False
    ) -> None:
        super().__init__(url, reason, hung, away, shared)
        self.url, self.reason, self.hung, self.away = url, reason, hung, away
        self.shared = shared

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


class WaitTimeout(PageError, TimeoutError):
    """Nothing matched ``css`` at ``url`` within ``timeout`` seconds. If a hook lets it pass
    through, its page is tried again.
    """

    def __init__(self, url: str, css: str, timeout: float) -> None:
        super().__init__(url, "wait_timeout", retryable=True)
        self.args = (url, css, timeout)
        self.css, self.timeout = css, timeout

    def __str__(self) -> str:
        return f"nothing matches {self.css!r} within {self.timeout:g} s at {self.url}"


class Decision(CrawlerError):
    """The decision of a hook about its page, which the hook raises; see the subclasses.

    Pages are counted by ``reason``: in a few words, the same for pages of one kind, its first 100
    characters. ``after``: seconds; None: as long as after any such failure.

    Raises:
        TypeError, ValueError: the reason is no text, or the seconds are no number from 0 on.
    """

    word = ""

    def __init__(self, reason: str, after: float | None = None) -> None:
        if not isinstance(reason, str):
            raise TypeError(f"the reason of {type(self).__name__} is a text, not {reason!r}")
        if after is not None and (isinstance(after, bool) or not isinstance(after, int | float)):
            raise TypeError(f"after={after!r} of {type(self).__name__} is no number of seconds")
        if after is not None and not (math.isfinite(after) and after >= 0):
            raise ValueError(f"after={after!r} of {type(self).__name__} is no number from 0 on")
        super().__init__(reason, after)
        self.reason = " ".join(reason.split())[:DECISION_MAX].rstrip()
        self.after = after
        #: The step whose hook decided.
        self.step = ""

    def __str__(self) -> str:
        return f"{self.word}: {self.reason}" if self.reason else self.word


class Retry(Decision):
    """Try the page again, at most ``attempts`` times in all: ``after`` so many seconds, or with the
    crawl's back-off.
    """

    word = "retry"


class Skip(Decision):
    """The page is done, without an item. ``extract`` leaves its links to be followed; ``before``
    keeps it from being requested.
    """

    word = "skip"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.args = (reason,)


class Blocked(Decision):
    """The site keeps us out (a captcha, a page that says so): its host waits, for ``after`` seconds
    or with the crawl's back-off, and the page is tried again, by a new session, through the next
    proxy.
    """

    word = "blocked"


class HookFailed(CrawlerError):
    """A hook raised an error that is not passed on as it is: this one has its type and text.

    It held a secret (a cookie, a password), for which ``***`` stands; or Celery is to show where it
    was raised, too.
    """

    def __repr__(self) -> str:  # Flower shows it
        return str(self)


class SetupError(CrawlerError):
    """This machine, or its settings, lack something; the text says what, and how to mend it."""


class PortTaken(SetupError):
    """A server cannot listen where it was told to; most often another one does."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host}:{port}: {reason}")


def fall_back(
    error: type[Exception],
    parameter: str,
    value: Any,
    say: Callable[[Any], object],
    *,
    may: Callable[[Mapping[str, Any]], bool] = lambda _: True,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that, after ``error``, calls a function once more, with ``value`` for its
    keyword ``parameter``. Before that, ``say`` gets the error, to say aloud what goes on without.

    ``may`` gets the keywords of the first call; False: its error stands. So it does if the first
    call had that ``value`` already.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except error as first:
                if kwargs.get(parameter) == value or not may(kwargs):
                    raise
                say(first)
                return function(*args, **{**kwargs, parameter: value})

        return run

    return decorate

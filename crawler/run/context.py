"""The context of a run: the services of its process, and the hooks of its crawl."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..definition.routes import view_of
from ..errors import BrowserLost, BrowserUnavailable, Decision, PageError
from ..frontier.live_snapshot import live_snapshot
from ..hooks import Lazy, call, note_place
from ..local.shutdown import shutdown
from ..local.side_effects import contained
from ..observe.logs import bind, logger
from ..redaction import masked
from .examples import Examples
from .fetching import Fetching
from .looks import Looks
from .outcome import HookError

if TYPE_CHECKING:
    from ..browser.http.http_pool import HttpPool
    from ..browser.pool import Chrome
    from ..definition.crawl import Crawl
    from ..frontier.frontier import Frontier
    from ..model import Page
    from ..net.permits import Permits
    from .snapshots import ErrorSnapshots


log = logger(__name__)

#: Steps whose hooks decide about their page by raising Retry, Skip or Blocked.
DECIDING = frozenset({"before", "logged_out", "extract", "filter", "after", "failed"})
#: Steps before a page is reported, in which an error of ours may be the page's.
ON_THE_PAGE = frozenset({"before", "logged_out", "extract", "filter"})


class Start(Protocol):
    """Starts further runs."""

    def __call__(self, crawl: Crawl, ticket: str, delay: float = 0.0) -> None:
        """Start one further run of ``crawl`` after ``delay`` seconds; ``ticket`` is its wake-up."""


@dataclass(frozen=True, slots=True)
class RunServices:
    """The services of a process that a run of one crawl needs.

    ``worker`` names the process in the frontier. ``permits`` are those of the crawl. Each report of
    a page is made within ``completion()``, which may wait to limit the rate of runs. ``snapshots``
    keeps error snapshots; None: none are kept. ``looks`` decides which pages are looked at again,
    and ``examples`` which dropped links the report names. ``http`` lends sessions without a
    browser; None: a crawl that wants one gets a pool of its own. ``fetching`` knows which way pages
    come of a crawl that compares both; None: by Chrome.
    """

    frontier: Frontier
    chrome: Chrome
    permits: Permits
    start: Start
    worker: str
    snapshots: ErrorSnapshots | None = None
    completion: Callable[[], AbstractContextManager[None]] = nullcontext
    looks: Looks = field(default_factory=Looks)
    examples: Examples = field(default_factory=Examples)
    http: HttpPool | None = None
    fetching: Fetching | None = None


class Stop:
    """The argument ``stop`` of hooks. A call ends the crawl; pages in flight finish."""

    def __init__(self, frontier: Frontier) -> None:
        self._frontier = frontier

    def __call__(self, reason: str = "stopped by a hook") -> None:
        """End the crawl; ``reason`` is in its report."""
        self._frontier.stop(reason)

    def cancel(self, reason: str = "cancelled by a hook") -> None:
        """End the crawl, and give up the pages in flight when their leases are next renewed."""
        self._frontier.cancel(reason)

    def pause(self) -> None:
        """Begin no further page until the crawl is resumed."""
        self._frontier.pause("a hook")

    def resume(self) -> None:
        """Go on after a pause."""
        self._frontier.resume()


class Hooks:
    """Calls the hooks of a crawl with the arguments that they name."""

    #: The route whose pages they are called for; "": none.
    route = ""

    def __init__(self, crawl: Crawl, frontier: Frontier) -> None:
        self._crawl, self._view = crawl, crawl
        snapshot = Lazy(partial(live_snapshot, frontier))
        self._common = {"crawl": crawl, "snapshot": snapshot, "stop": Stop(frontier)}

    def of(self, page: Page) -> Hooks:
        """Return the hooks that are called for ``page``: those of its route, as far as that has
        any.
        """
        view = view_of(self._crawl, page)
        if view is self._crawl:
            return self
        hooks = copy(self)
        hooks._view, hooks.route = view, page.route
        return hooks

    def __contains__(self, step: str) -> bool:
        return step in self._view.calls

    def call(self, step: str, at: Page | None = None, /, **arguments: Any) -> Any:
        """Return what the hook of ``step`` returns; None if there is none. ``at`` is the page that
        it is called for.

        Raises:
            Decision: the hook decided about its page.
            BrowserLost, PageError: the session died in the hook, or the hook let pass through what
                a later attempt may mend.
            HookError: the hook raised anything else.
            BaseException: a signal asks this process to end.
        """
        hook = self._view.calls.get(step)
        if hook is None:
            return None
        left: list[str] = []
        try:
            with contained(left):
                return call(hook, self._common | arguments)
        except BaseException as error:
            if shutdown.signal_name and not isinstance(error, Exception):
                raise
            if isinstance(error, Decision) and step in DECIDING:
                error.step = step
                raise
            if may_pass(error) and step in ON_THE_PAGE:
                raise
            raise self.error(step, error, at) from error
        finally:
            if left:
                words = "%s: the hook %s left %s behind, or changed: put back what can be"
                log.warning(words, self._crawl.name, step, ", ".join(left))

    def error(self, step: str, error: BaseException, at: Page | None) -> HookError:
        """Return ``error`` as that of the hook of ``step``, with its place in the author's code."""
        url = masked(at.url) if at else ""
        hook = self._crawl.scope if step == "scope" else self._view.calls.get(step)
        route = "" if step in ("before_all", "scope") else self.route
        place = note_place(error, step, hook, self._crawl.name, url, route)
        bind(step=step, place=place, **({"route": route} if route else {}))
        return HookError(step, error, place, route)


def may_pass(error: BaseException) -> bool:
    """Whether ``error`` is one of ours that a later attempt at the page may not meet."""
    return isinstance(error, BrowserLost | BrowserUnavailable) or (
        isinstance(error, PageError) and error.retryable
    )

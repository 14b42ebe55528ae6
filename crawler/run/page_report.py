"""How a page ended, as the frontier is told: done, with its links and its result, or failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ..definition.bounds import scope_of
from ..definition.crawl_plan import policy_of
from ..definition.digest import digest_of
from ..definition.route_options import NO_ROUTE
from ..definition.routes import routes_of
from ..frontier.answers import Content, RouteTally
from ..model import Change, short_version
from .outage import retry_until

if TYPE_CHECKING:
    from ..definition.crawl import Crawl
    from ..frontier.answers import Ending
    from ..model import Claim, FailureClass, Page, Result
    from ..urls.scope import Chosen
    from .context import RunServices
    from .observer import Observer

T = TypeVar("T")


class PageReport:
    """The report on the page of ``claim``, whose run begins now."""

    def __init__(
        self, crawl: Crawl, services: RunServices, observer: Observer, claim: Claim
    ) -> None:
        self._crawl, self._services, self._frontier = crawl, services, services.frontier
        self._observer, self._claim = observer, claim
        self._began, self._deadline = time.monotonic(), policy_of(crawl).page_deadline
        #: The version of the definition by which the page is done.
        self.version = short_version(digest_of(crawl))

    def elapsed_ms(self) -> float:
        """Return the milliseconds since the page was claimed."""
        return (time.monotonic() - self._began) * 1_000

    def done(
        self,
        page: Page,
        view: Crawl,
        result: Result,
        line: str,
        digest: str,
        chosen: Chosen,
        *,
        deliver: bool,
        doubt: str | None,
    ) -> Ending:
        """Queue the links that are ``chosen`` and move ``page`` to *done*, with the ``line`` of its
        ``result`` and the ``digest`` of its item; ``view`` is the crawl as the page sees it.
        ``deliver`` promises the result to the hook ``after``; without it the next runs' wake-ups
        are asked for at once: a round trip less. ``doubt`` is as for ``Frontier.finish``.
        """
        response = result.response
        # the answer to a form is not what a link to its URL brings
        form = page.form is not None
        final = None if form else scope_of(self._crawl).rules.canonical(response.url)
        ms = response.timing.get("response")
        sums = None if deliver else self._observer.sums()
        examples = self._services.examples.new(chosen.examples)
        left_out = self._crawl.only_changes and result.change is Change.SAME
        content = Content(result.change, digest, left_out)

        def finish() -> Ending:
            return self._frontier.finish(
                self._claim,
                page.url,
                chosen.pages,
                skipped=chosen.dropped,
                examples=examples,
                result=line,
                final=final,
                item=bool(result.data),
                latency=None if ms is None else ms / 1_000,
                status=response.status,
                wake=sums,
                deliver=deliver,
                version=self.version,
                route=self._route_tally(page),
                skipped_for=result.skipped,
                content=content,
                revisit=revisit_of(page, view),
                doubt=doubt,
            )

        return self._complete(finish)

    def failed(
        self,
        page: Page,
        view: Crawl,
        failure: FailureClass,
        reason: str,
        status: int | None,
        delay: float | None,
    ) -> Ending:
        """Take ``page`` out of *processing*, to where the class ``failure`` sends it. ``delay`` is
        a Retry-After in seconds, or what a hook asks for.
        """
        return self._complete(
            lambda: self._frontier.fail(
                self._claim,
                failure,
                reason,
                status=status,
                delay=delay,
                version=self.version,
                route=self._route_tally(page),
                revisit=revisit_of(page, view) if self._claim.known else None,
            )
        )

    def send(self, report: Callable[[], T]) -> T:
        """Report something about the page. While Redis is away, try again until its deadline."""
        return retry_until(self._began + self._deadline, report, self._crawl.name)

    def _complete(self, report: Callable[[], T]) -> T:
        """Report that the page's run is complete, as soon as the rate of runs allows."""

        def completing() -> T:
            with self._services.completion():
                return report()

        return self.send(completing)

    def _route_tally(self, page: Page) -> RouteTally | None:
        """Return the route that the page took, and for how long; None: the crawl has no routes."""
        if not routes_of(self._crawl):
            return None
        return RouteTally(page.route or NO_ROUTE, self.elapsed_ms() / 1_000)


def revisit_of(page: Page, view: Crawl) -> float | None:
    """Return the seconds until ``page`` is visited again; None: it is not, as a form that is sent
    once. ``view`` is the crawl as the page sees it.
    """
    once = page.form is not None and not view.form_retry
    return None if once else view.revisit

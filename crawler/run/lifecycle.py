"""The life cycle of a run: one function, in the order of its steps.

A run handles at most one page, and starts the next runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, cast

from ..definition.browser_profile import profile_of
from ..definition.fetching import fetches_by_http, profile_by_http
from ..definition.submission import may_submit
from ..errors import BrowserUnavailable, FrontierRefused, Skip
from ..local.shutdown import shutdown
from ..model import Outcome, Result, Turn
from ..observe.logs import inherited, logger
from ..redaction import masked
from .context import Hooks, RunServices
from .delivery import Deliveries
from .next_runs import DELIVERY_TICKET, END_TICKET, NextRuns
from .observer import Observer, Silent
from .outcome import Failure
from .page_run import PageRun

if TYPE_CHECKING:
    from ..browser.browser import Browser
    from ..definition.crawl import Crawl

log = logger(__name__)

#: Seconds for which no run claims a page after the endpoint gave no session.
BROWSER_HOLD = 10.0
#: Seconds. A full Grid that refuses a session sooner than this makes the crawl hold: else runs
#: would ask it again and again.
QUEUE_MIN = 1.0
#: The flag of a crawl that has Chrome accept any certificate; it counts without Chrome, too.
IGNORE_CERTIFICATES = "--ignore-certificate-errors"
#: Seconds for which no run claims a page after Redis was too full to hand one out.
FULL_HOLD = 5.0


def execute(
    crawl: Crawl, services: RunServices, ticket: str | None = None, observer: Observer | None = None
) -> Result | Failure | Outcome:
    """Run one page of ``crawl``, from taking it off the frontier to starting the next runs.

    ``ticket`` is the wake-up that this run answers. An outcome other than a page (limit reached,
    nothing due, crawl over) is a value, and so is a page that failed: the program works as it
    should. An error of a hook passes through, after its page is marked as failed.

    Raises:
        DefinitionError: the crawl is wrong; nothing was claimed.
        BrowserUnavailable: the endpoint gives no session at all; nothing was claimed, and the crawl
            is held for ``BROWSER_HOLD`` seconds. (Where all sessions are taken the outcome is BUSY,
            and the runs that have one go on.)
        FrontierUnavailable: Redis is away; a page that was claimed comes back by its lease.
    """
    observer = observer or Silent()
    frontier, hooks = services.frontier, Hooks(crawl, services.frontier)
    next_runs = NextRuns(crawl, services, hooks, observer)
    observer.step("execute")
    observer.step("validate")
    crawl.validate()
    if ticket and ticket.startswith(END_TICKET):
        with shutdown.watch():
            return next_runs.call_end_hook()
    deliveries = Deliveries(crawl, services, hooks, next_runs)
    with shutdown.watch(), next_runs.started_after(ticket):
        if ticket and ticket.startswith(DELIVERY_TICKET):
            observer.step("after")
            return deliveries.make_again(ticket.removeprefix(DELIVERY_TICKET))
        # no browser is started for a crawl that is over
        cold = not services.chrome.warm and not fetches_by_http(crawl)
        if cold and (over := frontier.refusal(ticket)):
            return over
        observer.step("browser")
        with session(crawl, services, ticket, next_runs) as browser:  # no browser, no claim
            if browser is None:
                return frontier.refusal() or Outcome.BUSY
            observer.step("queue.register")
            turn = register(services, ticket)
            next_runs.note_end(turn.ended)
            if turn.claim is None:
                next_runs.start_later(turn.wait)
                return turn.outcome

            services.permits.learn(turn.entries, frontier.private_entries)
            work = PageRun(crawl, services, hooks, observer, turn.claim, browser, deliveries)
            # renews the lease; an error below returns the page, with its class
            with work.holding(next_runs):
                next_runs.start_later(turn.wait)
                work.take_browser(first=turn.first)
                if turn.first:
                    observer.step("before_all")
                    work.log_in(next_runs)
                else:
                    work.use_login(turn.login)
                try:
                    observer.step("before", work.page)
                    work.before()
                    observer.step("request", work.page)
                    response = work.request(turn)
                    observer.step("extract", work.page)  # perhaps of another route by now
                    data = work.extract(response)
                    observer.step("filter", work.page)
                    links = work.choose(response)
                    work.note_hints(response, data, links)
                    result = work.result(response, data)
                except Skip as skip:
                    result, links = work.skip(skip)
                page = work.page
                observer.step("queue.deregister", page)
                ending = work.deregister(result, links)
                next_runs.note(ending)
            if work.failure is not None:
                return work.failure
            if not ending.accepted:  # another run did it, or we know it by another URL
                return Outcome.DUPLICATE

            observer.step("after", page)
            work.after(result)
            return result


@contextmanager
def session_by_http(crawl: Crawl, services: RunServices) -> Iterator[Browser]:
    """Lend a session without a browser, which brings one of this process where a page needs it."""
    from ..browser.http.http_pool import HttpPool  # its parser is for those who use it

    chrome, permits, flags = services.chrome, services.permits, crawl.flags
    pool = services.http or HttpPool(chrome.endpoint)
    way = partial(permits.way, verify=IGNORE_CERTIFICATES not in flags)
    with ExitStack() as sessions:

        def open_chrome() -> Browser:
            flags = permits.flags(
                local=chrome.local, fresh=not chrome.warm, submits=may_submit(crawl)
            )
            return sessions.enter_context(chrome.session(profile_of(crawl, flags)))

        with pool.session(profile_by_http(crawl), open_chrome, way) as session:
            yield cast("Browser", session)  # it has all that a run asks of one


@contextmanager
def session(
    crawl: Crawl, services: RunServices, ticket: str | None, next_runs: NextRuns
) -> Iterator[Browser | None]:
    """Lend the warm browser of this process. None: every session is taken; runs that have one go
    on.

    A run that has to wait for a session hands its wake-up on, and waits without one: where an
    endpoint has fewer slots than there are processes, the wake-ups go to those with a session.
    If the endpoint gives no session at all, the crawl is held: the next run would get none either.

    Raises:
        BrowserUnavailable: the endpoint gives no session, and it is not full.
    """
    if fetches_by_http(crawl):
        with session_by_http(crawl, services) as lent:
            yield lent
        return
    chrome, frontier, began = services.chrome, services.frontier, time.monotonic()
    on_wait = inherited(partial(next_runs.hand_on, ticket)) if ticket else None
    with ExitStack() as sessions:
        try:
            flags = services.permits.flags(
                local=chrome.local, fresh=not chrome.warm, submits=may_submit(crawl)
            )
            browser = sessions.enter_context(chrome.session(profile_of(crawl, flags), on_wait))
        except BrowserUnavailable as error:
            if ticket:
                frontier.drop_ticket(ticket)
            if not error.full or time.monotonic() - began < QUEUE_MIN:
                frontier.hold(BROWSER_HOLD, f"no_browser: {masked(str(error))}")
            if not error.full:
                raise
            if not frontier.refusal():
                log.warning("%s: no page is begun: %s", crawl.name, error)
            browser = None
        yield browser


def register(services: RunServices, ticket: str | None) -> Turn:
    """Return the next page, or the reason why there is none.

    Raises:
        FrontierRefused: Redis is full. The crawl is held, and a tick tries again.
    """
    frontier = services.frontier
    try:
        return frontier.claim(services.worker, ticket, paced=True)
    except FrontierRefused as error:
        if ticket:
            frontier.drop_ticket(ticket)
        frontier.hold(FULL_HOLD, masked(str(error)))
        raise

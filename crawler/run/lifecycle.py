"""The life cycle of a run: one function, in the order of its steps. A run handles at most one page
and starts the next runs.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, TypeVar

from ..browser.browser import LINKS_MAX, Browser
from ..browser.page import LivePage
from ..browser.pool import Chrome
from ..definition.bounds import scope_of
from ..definition.browser_profile import profile_of, visit_of
from ..definition.choosing import choose
from ..definition.crawl import Crawl
from ..definition.crawl_plan import policy_of
from ..definition.credentials import secrets_of
from ..definition.extraction import extract_by_table, needs_html
from ..errors import (
    BrowserLost,
    BrowserUnavailable,
    CrawlerError,
    FrontierError,
    FrontierRefused,
    FrontierUnavailable,
    HookFailed,
    PageError,
)
from ..frontier.frontier import Ending, Frontier, Renewal, Verdict, Wake
from ..hooks import Lazy, call
from ..model import Claim, FailureClass, Json, Link, Outcome, Page, Response, Result, Turn
from ..net.permits import Permits
from ..observe.logs import bind, inherited
from ..redaction import Secrets, masked
from ..urls.scope import Chosen
from .lease import lease_renewal
from .snapshots import ErrorSnapshots
from .timings import Took, drained, tallies

log = logging.getLogger(__name__)

#: Renewals within the life of a lease, so that two may fail.
RENEWALS = 3
#: Seconds for which no run claims a page after a browser could not be had.
BROWSER_HOLD = 10.0
#: Seconds of waiting for a session without which even a full Grid makes a crawl hold: it would be
#: asked again and again.
QUEUE_MIN = 1.0
#: Seconds for which no run claims a page after Redis was too full to hand one out.
FULL_HOLD = 5.0
#: Seconds between two attempts to report a page while Redis is away.
REPORT_INTERVAL = 1.0
#: Seconds for which a run that is over waits for Redis, to start the next ones.
START_PATIENCE = 60.0
#: Longest wait, in seconds, that a run's own timer covers; what is due later is the tick's.
TIMER_MAX = 30.0
YEAR = 31_536_000.0
#: Bytes of JSON that a result may have; larger things (HTML, pictures) belong in files, written by
#: a hook.
RESULT_MAX = 1_048_576
#: How the ticket of a run begins that is to call the hook for the crawl's end, and nothing else.
END_TICKET = "end-"
#: HTTP statuses that may pass (RFC 9110; 522 and 524 are a CDN's words for an origin that is away).
RETRY_STATUSES = frozenset({408, 500, 502, 503, 504, 522, 524})
#: HTTP statuses that may come with a Retry-After.
PATIENCE_STATUSES = frozenset({429, 503})

T = TypeVar("T")


class Start(Protocol):
    """Starts one further run, at once or after ``delay`` seconds; ``ticket`` is its wake-up."""

    def __call__(self, crawl: Crawl, ticket: str, delay: float = 0.0) -> None:
        """Start it."""


class Trace(Protocol):
    """Is told of each step of a run, for spans."""

    def __call__(self, step: str, page: Page | None) -> None:
        """The run is at ``step`` now, and what was before is over."""


#: Entered while a page is reported to the frontier: it may make the run wait before.
Completion = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Failure:
    """A page that this run could not do. ``retry_in`` is in seconds; None: it is in *failed*
    now.
    """

    page: Page
    failure: FailureClass
    reason: str
    status: int | None = None
    retry_in: float | None = None


class HookError(CrawlerError):
    """Carries what user code raised at ``step`` to the one place that acts on it; never leaves this
    module.
    """

    def __init__(self, step: str, cause: Exception) -> None:
        super().__init__(step, cause)
        self.step, self.cause = step, cause


class LoggedOut(CrawlerError):
    """The page came, but not for who we are: the log-in ``version`` has expired. Never leaves this
    module, either.
    """

    def __init__(self, url: str, version: int) -> None:
        super().__init__(url, version)
        self.url, self.version = url, version


def execute(
    crawl: Crawl,
    *,
    frontier: Frontier,
    chrome: Chrome,
    permits: Permits,
    start: Start,
    worker: str,
    ticket: str | None = None,
    trace: Trace | None = None,
    evidence: ErrorSnapshots | None = None,
    completion: Completion = nullcontext,
    owed: deque[Took] | None = None,
) -> Result | Failure | Outcome:
    """Run one page of ``crawl``, from taking it off the frontier to starting the next runs.

    ``worker`` names this process in the frontier; ``ticket`` is the wake-up that this run answers;
    ``permits`` are those of the crawl. An outcome other than a page (limit reached, nothing due,
    crawl over) is a value, and so is a page that failed: nothing is wrong. What a hook raises
    passes through, after its page was marked as failed. ``evidence`` keeps error snapshots;
    ``completion`` is entered to report a page, and may take its time. ``owed`` is where a process
    keeps the steps of one run that the next one hands in.

    Raises:
        DefinitionError: the crawl is wrong; nothing was claimed.
        BrowserUnavailable: no session can be had, by nobody; nothing was claimed, and the crawl is
            held for ``BROWSER_HOLD`` seconds. (Where all that there are have been taken the outcome
            is BUSY, and those who have one go on.)
        FrontierUnavailable: Redis is away; what was claimed comes back by its lease.
    """
    run = Run(crawl, frontier, start, trace, evidence, completion, owed)
    run.step("execute")
    run.step("validate")
    crawl.validate()
    if ticket and ticket.startswith(END_TICKET):
        return run.told()
    with run.granting(ticket):  # whatever happens below, the next runs are started
        # no browser is started for a crawl that is over
        if not chrome.warm and (over := frontier.refusal(ticket)):
            return over
        run.step("browser")
        with run.session(chrome, permits, ticket) as browser:  # no browser, no claim
            if browser is None:
                return Outcome.BUSY
            run.step("queue.register")
            turn = run.register(worker, ticket)
            if turn.claim is None:
                run.start_later(turn.wait)
                return turn.outcome

            page = turn.claim.page
            # renews the lease; an error below returns the page, with its class
            with run.holding(turn.claim, browser):
                run.start_later(turn.wait)
                if turn.first:
                    run.step("before_all")
                    run.log_in(browser)
                elif turn.login != browser.login.version:
                    browser.login.load(frontier.login() or {}, turn.login)
                run.step("before", page)
                run.hook("before", page=page, browser=browser)
                run.step("request", page)
                permits.check(page.url, page.lane)
                with run.pacing(turn, permits):
                    response = accept(crawl, page, browser, permits, run.stays(page, browser))
                run.step("extract", page)
                live = browser.live(page, response)
                data = run.extract(live, response, browser)
                run.step("filter", page)
                chosen = run.choose(live, response, permits)
                run.step("queue.deregister", page)
                result = Result(
                    crawl.name, page, response, data, len(response.links), run.elapsed_ms()
                )
                ending = run.deregister(result, chosen)
            if run.failure is not None:
                return run.failure
            # another run did it, or we know it by another URL
            if ending.verdict not in (Verdict.OK, Verdict.REPEATED):
                return Outcome.DUPLICATE

            run.step("after", page)
            run.hook(
                "after",
                page=live,
                response=response,
                result=result,
                links=response.links,
                browser=browser,
                unwrap=True,
            )
            return result


class Stop:
    """What hooks get as ``stop``: call it, and no further page is begun; those in flight finish.
    Does nothing in a rehearsal.
    """

    def __init__(self, frontier: Frontier | None) -> None:
        self._frontier = frontier

    def __call__(self, reason: str = "stopped by a hook") -> None:
        """End the crawl; ``reason`` is in its report."""
        if self._frontier:
            self._frontier.stop(reason)

    def cancel(self, reason: str = "cancelled by a hook") -> None:
        """End the crawl, and give up the pages in flight at their next heartbeat."""
        if self._frontier:
            self._frontier.cancel(reason)

    def pause(self) -> None:
        """Begin no further page until somebody resumes the crawl."""
        if self._frontier:
            self._frontier.pause()

    def resume(self) -> None:
        """Go on after a pause."""
        if self._frontier:
            self._frontier.resume()


class Run:
    """What one run knows on its way, and the parts of its steps that are no story."""

    claim: Claim  # from ``holding`` on, as ``browser`` is
    wake: Wake | None = None  # granted already, as the page was reported

    def __init__(
        self,
        crawl: Crawl,
        frontier: Frontier,
        start: Start,
        trace: Trace | None = None,
        evidence: ErrorSnapshots | None = None,
        completion: Completion = nullcontext,
        owed: deque[Took] | None = None,
    ) -> None:
        self.crawl, self.frontier, self.start, self.trace, self.evidence = (
            crawl,
            frontier,
            start,
            trace,
            evidence,
        )
        self.completion, self.owed = completion, deque() if owed is None else owed
        self.browser: Browser | None = None
        self.failure: Failure | None = None
        self.ended = False  # a report of this run ended the crawl
        self.began = self.since = time.monotonic()
        self.at = ""
        self.took: list[Took] = []

    def step(self, name: str, page: Page | None = None) -> None:
        """Say where this run is, and note how long the step before took."""
        now = time.monotonic()
        self.took.append((self.at, now - self.since))
        self.at, self.since = name, now
        if self.trace:
            self.trace(name, page)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s: %s%s", self.crawl.name, name, f" {masked(page.url)}" if page else "")

    def sums(self) -> dict[str, int]:
        """What is to be handed in: the steps of this run so far, and those that the run before
        left.
        """
        self.took.extend(drained(self.owed))
        return tallies(self.took)

    def elapsed_ms(self) -> float:
        """Milliseconds since the page was claimed."""
        return (time.monotonic() - self.began) * 1_000

    @contextmanager
    def granting(self, ticket: str | None) -> Iterator[None]:
        """Start the next runs, however this one ends. While Redis is away that waits, as long as a
        wake-up would.

        A process that is told to end at once starts nothing: killed between a wake-up's grant and
        its sending, it would leave the others waiting until the wake-up is missed, in a minute.
        Their next tick sees that there is work. What was granted with the report is given back.
        """
        leaving = False
        try:
            yield
        except (SystemExit, KeyboardInterrupt):
            leaving = True
            with suppress(FrontierUnavailable):
                for granted in self.wake.tickets if self.wake else ():
                    self.frontier.drop_ticket(granted)
            raise
        except FrontierUnavailable:
            if ticket:  # perhaps nobody took it; a minute would pass until it is missed
                self.patiently(lambda: self.frontier.drop_ticket(ticket), START_PATIENCE)
            raise
        finally:
            if not leaving:
                self.go_on()

    def go_on(self) -> None:
        """Tell of the crawl's end, if this run was it; start the next runs."""
        if self.ended:
            self.step("after_all")
            self.conclude()
        self.step("start")
        wake = self.wake
        if wake and wake.tickets:
            self.owed.extend(self.took)
        else:
            sums = self.sums()
            wake = self.patiently(lambda: self.frontier.wake(sums), START_PATIENCE)
        for further in wake.tickets:
            self.start_next(further)
        self.start_later(wake.wait)

    def told(self) -> Outcome:
        """Only do what is left of the crawl's end: a tick asks for it, where whoever ended it could
        not call its hook.
        """
        if self.frontier.end_hook_pending():
            self.step("after_all")
            self.conclude()
        return Outcome.FINISHED

    def conclude(self) -> None:
        """Call the hook for the crawl's end, and say so. If it raises, ticks ask for it again."""
        try:
            if "after_all" in self.crawl.calls:
                self.hook("after_all", unwrap=True)
            self.frontier.end_hook_done()
        except Exception:
            log.exception("%s: after_all failed", self.crawl.name)

    def start_next(self, ticket: str, delay: float = 0.0) -> None:
        """Start one further run. If that fails, its ticket is given back: the tick tries again."""
        try:
            self.start(self.crawl, ticket, delay)
        except Exception:
            log.exception("%s: start failed; the tick will try again", self.crawl.name)
            self.frontier.drop_ticket(ticket)

    def start_later(self, wait: float | None) -> None:
        """Arm the crawl's one timer for work that is due in ``wait`` seconds, unless it is armed
        already.
        """
        if wait is not None and wait <= TIMER_MAX and (ticket := self.frontier.take_timer(wait)):
            self.start_next(ticket, wait)

    @contextmanager
    def session(
        self, chrome: Chrome, permits: Permits, ticket: str | None
    ) -> Iterator[Browser | None]:
        """This process's warm browser; None: every session has been taken, and others go on with
        theirs.

        Where there is none at all the crawl is held: it would be no better for the next run.
        """
        sessions, began = ExitStack(), time.monotonic()
        with sessions:
            try:
                profile = profile_of(
                    self.crawl, permits.flags(local=chrome.local, fresh=not chrome.warm)
                )
                browser = sessions.enter_context(chrome.session(profile))
            except BrowserUnavailable as error:
                if ticket:
                    self.frontier.drop_ticket(ticket)
                if not error.full or time.monotonic() - began < QUEUE_MIN:
                    self.frontier.hold(BROWSER_HOLD)
                if not error.full:
                    raise
                log.warning("%s: no page is begun: %s", self.crawl.name, error)
                browser = None
            yield browser

    def register(self, worker: str, ticket: str | None) -> Turn:
        """The next page, or why there is none. A Redis that is full hands none out: the crawl is
        held, and a tick tries again.
        """
        try:
            turn = self.frontier.claim(worker, ticket, paced=True)
        except FrontierRefused:
            if ticket:
                self.frontier.drop_ticket(ticket)
            self.frontier.hold(FULL_HOLD)
            raise
        self.ended = turn.ended
        return turn

    @contextmanager
    def holding(self, claim: Claim, browser: Browser) -> Iterator[None]:
        """Keep the page while it is worked on; return it, with the class of its failure, if an
        error comes by.

        An error that is the page's own ends here, as ``failure``. One of user code, or of ours,
        goes on to whoever should look.
        """
        self.claim, self.browser, self.began = claim, browser, time.monotonic()
        bind(url=masked(claim.page.url), depth=claim.page.depth)
        try:
            with heartbeat(self.frontier, claim, browser, policy_of(self.crawl).lease / RENEWALS):
                yield
        except FrontierUnavailable:
            raise  # nobody to tell; the lease brings the page back
        except Exception as error:
            self.failure = self.fail(error)
            if isinstance(error, HookError):
                raise self.fit(error.cause) from None
            if not isinstance(error, CrawlerError):
                if (fit := self.fit(error)) is error:
                    raise
                raise fit from None
            log.info("%s: %s", self.crawl.name, masked(str(self.failure)))
        except BaseException:  # told to end at once: no fault of the page
            # others may have it at once
            self.frontier.fail(claim, FailureClass.INFRA, "shutdown", delay=0)
            raise

    @contextmanager
    def pacing(self, turn: Turn, permits: Permits) -> Iterator[None]:
        """Let the lane's delay begin when the request is over: any earlier, two might reach the
        host closer than that.

        A delay that robots.txt asked for may have become known only after this page was claimed.
        """
        try:
            yield
        finally:
            if turn.paced or permits.crawl_delay(self.claim.page.url):
                self.frontier.sent(self.claim)

    def hook(self, step: str, *, unwrap: bool = False, **available: Any) -> Any:
        """Call the hook of ``step``, if there is one. ``unwrap`` lets its error pass as it is: no
        page depends on it any more.
        """
        hook = self.crawl.calls.get(step)
        if hook is None:
            return None
        common = {
            "crawl": self.crawl,
            "snapshot": Lazy(self.frontier.snapshot),
            "stop": Stop(self.frontier),
        }
        try:
            return call(hook, common | available)
        except Exception as error:
            if not unwrap:
                raise HookError(step, error) from error
            if (fit := self.fit(error)) is error:
                raise
            raise fit from None

    def log_in(self, browser: Browser) -> None:
        """Do ``before_all``, and keep what it left in the browser for every session of the
        crawl.
        """
        browser.login.begin()
        try:
            self.hook("before_all", browser=browser)
        except HookError as error:
            self.ended = self.frontier.before_all_failed(
                self.claim, self.secrets.hide(one_line(error.cause))
            ).ended
            raise
        login = browser.login.keep() if "before_all" in self.crawl.calls else None
        _, browser.login.version = self.frontier.before_all_done(self.claim, login)

    def stays(self, page: Page, browser: Browser) -> Callable[[Response], None] | None:
        """What asks ``logged_out`` of a response, and raises LoggedOut if it says so; None without
        that hook.
        """
        if "logged_out" not in self.crawl.calls:
            return None

        def check(response: Response) -> None:
            self.step("logged_out", page)
            if self.hook(
                "logged_out", page=browser.live(page, response), response=response, browser=browser
            ):
                raise LoggedOut(page.url, browser.login.version)

        return check

    def extract(self, live: LivePage, response: Response, browser: Browser) -> Json:
        """What the page holds, by the crawl's hook or mapping."""
        if "extract" not in self.crawl.calls:
            return extract_by_table(self.crawl, response)
        return self.hook(
            "extract", page=live, response=response, links=response.links, browser=browser
        )

    def choose(self, live: LivePage, response: Response, permits: Permits) -> Chosen:
        """The links that may become pages, as scope, ``filter`` and what is known of robots.txt
        say.
        """
        hook = self.crawl.calls.get("filter")

        def keep(**of: Any) -> Any:
            return self.hook("filter", page=live, response=response, **of)

        try:
            chosen = choose(
                self.crawl,
                self.claim.page,
                response.links,
                response=response,
                keep=keep if hook else None,
            )
        except TypeError as error:
            if hook:  # what it returned is no list of links
                raise HookError("filter", error) from error
            raise
        return permitted(chosen, permits)

    def deregister(self, result: Result, chosen: Chosen) -> Ending:
        """Queue the links and move the page to *done*. If that takes several steps, links come
        first: a crash loses none.

        With no hook to come, the next runs' wake-ups are asked for at once: a round trip less.
        """
        claim, sums = self.claim, None
        if "after" not in self.crawl.calls:
            sums = self.sums()
        text = as_json(result)
        final = scope_of(self.crawl).rules.canonical(result.response.url)
        ms = result.response.timing.get("response")
        ending = self.complete(
            lambda: self.frontier.finish(
                claim,
                result.page.url,
                chosen.pages,
                skipped=chosen.dropped,
                result=text,
                final=final,
                item=bool(result.data),
                latency=None if ms is None else ms / 1_000,
                status=result.response.status,
                wake=sums,
            )
        )
        self.ended, self.wake = ending.ended, ending.wake
        if self.wake:
            self.took.clear()
        return ending

    def fail(self, error: Exception) -> Failure:
        """Take the page out of *processing*, to where the class of ``error`` sends it."""
        claim = self.claim
        if isinstance(error, LoggedOut):
            version = error.version
            ending = self.report(lambda: self.frontier.logged_out(claim, version))
            self.ended = ending.ended
            if ending.retry_in is None:
                self.keep_sight("login", None)
                return Failure(claim.page, FailureClass.TERMINAL, "login")
            return Failure(claim.page, FailureClass.INFRA, "logged_out", None, ending.retry_in)
        failure, reason, status = diagnose(error)
        reason = self.secrets.hide(reason)
        delay = error.retry_after if isinstance(error, PageError) else None
        ending = self.complete(
            lambda: self.frontier.fail(claim, failure, reason, status=status, delay=delay)
        )
        self.ended = self.ended or ending.ended  # before_all may have ended it already
        if failure not in (FailureClass.INFRA, FailureClass.CRASH):
            self.keep_sight(
                reason, status, anywhere=isinstance(error, HookError) and error.step == "before_all"
            )
        return Failure(claim.page, failure, reason, status, ending.retry_in)

    def keep_sight(self, reason: str, status: int | None, *, anywhere: bool = False) -> None:
        """Keep an error snapshot, if they are kept, and it is the first of its kind. The page
        itself is reported already.

        What the tab shows counts if this page was requested last, or ``anywhere``.
        """
        if (
            self.evidence
            and self.browser
            and (anywhere or self.browser.driver.at == self.claim.page.url)
        ):
            self.evidence.take(self.browser, self.claim.page, reason, status, self.secrets.hide)

    @property
    def secrets(self) -> Secrets:
        """What must not be read in anything that goes out."""
        return Secrets(
            [*secrets_of(self.crawl), *(self.browser.driver.secrets if self.browser else ())]
        )

    def fit(self, error: Exception) -> Exception:
        """``error``, or one that stands in for it if it, or its traceback, holds a secret; that is
        logged without it, then.
        """
        secrets = self.secrets
        told = secrets.redacted_traceback(error)
        if told is None:
            return error
        log.error(
            "%s: an error that holds a secret, which is left out here:\n%s",
            self.crawl.name,
            told.rstrip(),
        )
        return HookFailed(secrets.hide(one_line(error)))

    def complete(self, transition: Callable[[], T]) -> T:
        """Report that the page's run is complete, when that may be."""

        def completing() -> T:
            with self.completion():
                return transition()

        return self.report(completing)

    def report(self, transition: Callable[[], T]) -> T:
        """Tell the frontier what became of the page, if need be until its deadline: the work is
        done.
        """
        return self.patiently(
            transition, policy_of(self.crawl).page_deadline - self.elapsed_ms() / 1_000
        )

    def patiently(self, transition: Callable[[], T], seconds: float) -> T:
        """Do ``transition``, again and again while Redis is away, for so many ``seconds``."""
        end = time.monotonic() + seconds
        while True:
            try:
                return transition()
            except FrontierUnavailable as error:
                if time.monotonic() > end:
                    raise
                log.warning("%s: Redis is away (%s); trying again", self.crawl.name, error)
                time.sleep(REPORT_INTERVAL)


@contextmanager
def heartbeat(
    frontier: Frontier, claim: Claim, browser: Browser, interval: float
) -> Iterator[None]:
    """Renew the lease of ``claim`` each ``interval`` seconds, from a thread; end the browser when
    the page is no longer ours.

    Then the request in flight fails, and its late report is refused.
    """

    def renew() -> bool:
        try:
            return frontier.renew(claim) is Renewal.OK
        except FrontierError:
            log.warning("could not renew the lease of %s", masked(claim.page.url))
            return True

    with lease_renewal().beating(inherited(renew), browser.abandon, interval):
        yield


def accept(
    crawl: Crawl,
    page: Page,
    browser: Browser,
    permits: Permits,
    stays: Callable[[Response], None] | None = None,
) -> Response:
    """Request ``page``, take its answer if it is one that the crawl wants, and do on it what the
    crawl asks for.

    ``stays`` is asked before anything else whether the answer is for somebody who is logged in;
    what it raises passes through.

    Raises:
        PageError: there is no document, its status is no success, a redirect or a step led to where
            the crawl may not go, or what is waited for did not come.
        BrowserLost: the session died or hangs.
    """
    visit = visit_of(crawl)
    # else the page is only read after the visit, which may change it
    early = not visit or stays is not None
    try:
        response = browser.request(
            page, html=needs_html(crawl) and early, max_links=LINKS_MAX if early else 0
        )
    except PageError as error:
        if stays and error.status:  # an answer without a document
            stays(Response(page.url, error.status))
        raise permits.explain(error) from error
    if stays:
        stays(response)
    admit(response, crawl, page, browser, permits)
    if visit:
        response = browser.settle(page, response, visit, html=needs_html(crawl))
        admit(response, crawl, page, browser, permits)  # a step may have led elsewhere
    return response


def admit(response: Response, crawl: Crawl, page: Page, browser: Browser, permits: Permits) -> None:
    """Pass if ``response`` is one that the crawl wants. Raises PageError."""
    status = response.status
    if status is not None and status >= 400 and status not in crawl.accept_status:
        patience = (
            retry_after(browser.header("Retry-After")) if status in PATIENCE_STATUSES else None
        )
        # as where it came without a document
        named = "auth_required" if status == 401 else f"http_{status}"
        raise PageError(page.url, named, status, status in RETRY_STATUSES, patience)
    if reason := scope_of(crawl).refuses(response.url, page):
        raise PageError(page.url, f"redirect_{reason}", status)
    if response.url != page.url:
        permits.check(response.url, page.lane)


def retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After asks for: a number, or a date (RFC 9110, 10.2.3). None if there is
    none, or it is garbage.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), YEAR)  # "9" a few hundred times is infinite otherwise
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def permitted(chosen: Chosen, permits: Permits) -> Chosen:
    """``chosen`` without the pages that robots.txt is known to forbid."""
    forbidden = [page for page in chosen.pages if permits.forbids(page.url)]
    if not forbidden:
        return chosen
    ids = {page.id for page in forbidden}
    kept = tuple(page for page in chosen.pages if page.id not in ids)
    reasons = chosen.reasons + tuple((Link(page.url), "robots") for page in forbidden)
    return Chosen(kept, {**chosen.dropped, "robots": len(forbidden)}, reasons)


def diagnose(error: Exception) -> tuple[FailureClass, str, int | None]:
    """The class, the reason (short, for counting and for people) and the HTTP status of a failed
    page.
    """
    match error:
        case PageError(status=status) if status == 429 or error.retry_after is not None:
            return FailureClass.THROTTLE, error.reason, status
        case PageError():
            return (
                FailureClass.RETRY if error.retryable else FailureClass.TERMINAL,
                error.reason,
                error.status,
            )
        case BrowserLost(away=True):
            return FailureClass.AWAY, "browser_away", None
        case BrowserLost():
            return (
                FailureClass.RETRY if error.hung else FailureClass.CRASH,
                "hung" if error.hung else "browser_lost",
                None,
            )
        case FrontierRefused():
            # Redis is full: the page can wait until it is not
            return FailureClass.INFRA, one_line(error), None
        case HookError():
            return FailureClass.HOOK, f"{error.step}: {one_line(error.cause)}", None
        case _:
            return FailureClass.TERMINAL, f"internal: {one_line(error)}", None


def one_line(error: Exception) -> str:
    """Type and first line of an error, cut to what fits a table."""
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}"[:200] if first else type(error).__name__


def as_json(result: Result) -> str:
    """The line of ``result``; what cannot be JSON, or is too large, is the fault of the ``extract``
    that made it.
    """
    try:
        text = json.dumps(
            result.record(), ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )
    except (TypeError, ValueError) as error:
        raise HookError("extract", error) from error
    if len(text) > RESULT_MAX:
        raise HookError(
            "extract",
            ValueError(
                f"the result has {len(text):,} characters of JSON; at most {RESULT_MAX:,} are kept"
            ),
        )
    return text

"""The page that a run works on: its lease, its steps, its report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..definition.choosing import choose
from ..definition.crawl_plan import policy_of
from ..definition.credentials import secrets_of
from ..definition.extraction import extract_by_table
from ..definition.fetching import AUTO, chrome_reason, fetches_by_http, tab_reason
from ..definition.item_models import is_model
from ..definition.item_validation import as_plain_data
from ..definition.referers import found_on
from ..definition.routes import arrived, routed, view_of
from ..errors import Blocked, CrawlerError, Decision, FrontierUnavailable, PageError, Skip
from ..frontier.answers import Renewal
from ..frontier.entries import FORM_SENT
from ..hooks import is_raised_by
from ..local.shutdown import shutdown
from ..model import Change, FailureClass, Json, Response, Result, item_digest
from ..observe.logs import bind, logger
from ..redaction import Secrets, masked, masked_form, secrets_of_form
from ..text.encodable import encodable_value
from ..text.nesting import NESTING_MAX, is_deeper
from ..urls.scope import Chosen
from .both_ways import BothWays
from .delivery import Deliveries, without_page
from .follow import Follow, Followed, Taker, at_once, base_of, permitted
from .kept import kept_of
from .lease import RENEWALS, keep_lease
from .outcome import Failure, HookError, LoggedOut, diagnose, without_secrets
from .page_hints import PageHints
from .page_report import PageReport
from .request import LoginCheck, accept, decide
from .result_line import as_json

if TYPE_CHECKING:
    from ..browser.browser import Browser
    from ..browser.page import LivePage
    from ..definition.crawl import Crawl
    from ..frontier.answers import Ending
    from ..model import Claim, Page, Turn
    from .context import Hooks, RunServices
    from .next_runs import NextRuns
    from .observer import Observer

log = logger(__name__)

T = TypeVar("T")


class PageRun:
    """The work on the page of ``claim``, step by step. ``failure``: None if the page is done."""

    failure: Failure | None = None

    def __init__(
        self,
        crawl: Crawl,
        services: RunServices,
        hooks: Hooks,
        observer: Observer,
        claim: Claim,
        browser: Browser,
        deliveries: Deliveries,
    ) -> None:
        self._crawl, self._services, self._frontier = crawl, services, services.frontier
        self._all_hooks, self._observer = hooks, observer
        self._claim, self._browser, self._deliveries = claim, browser, deliveries
        self._session = browser
        self._take_route(routed(crawl, claim.page))
        self._followed = Followed(explain=observer.explain)
        self._policy = policy_of(crawl)
        self._report = PageReport(crawl, services, observer, claim)
        self._ways = BothWays(crawl, services, observer, browser)
        self._by_chrome = ""  # why the page is fetched by Chrome; "": it need not be
        self._form_sent = False  # so the page is not tried again
        self._response: Response | None = None  # that to this page, once it came
        self._chosen: Chosen | None = None  # its links, once they are chosen
        self._digest = ""  # of its item, once there is a result

    @property
    def page(self) -> Page:
        """The page, with the route that it takes."""
        return self._page

    def _take_route(self, page: Page) -> None:
        """Go on with ``page``, which has its route: with the options and the hooks of that."""
        self._page, self._view = page, view_of(self._crawl, page)
        self._hooks = self._all_hooks.of(page)
        self._after_first = "after" in self._hooks and self._crawl.after_needs_page

    def _arrive(self, response: Response) -> Crawl:
        """Return the crawl as the page sees it at the URL to which redirects led it."""
        before = self._page.route
        self._take_route(arrived(self._crawl, self._claim.page, response.url))
        if self._page.route != before:
            bind(route=self._page.route)
            if not self._by_chrome and (reason := tab_reason(self._view)):
                self._browser.bring(reason)
        return self._view

    # -- around the steps

    @contextmanager
    def holding(self, next_runs: NextRuns) -> Iterator[None]:
        """Keep the page's lease in this block; after an error, report the page's failure.

        An error of the page ends here, as ``failure``. An error of user code, or of ours, passes
        through: a developer should look.
        """
        claim = self._claim
        bind(url=masked(self._page.url), depth=self._page.depth)
        if route := self._page.route:
            bind(route=route)
        if (named := claim.page.route) and named != route:
            self._observer.count("hint_route", f"{self._page.url} (route {named})")
        interval = self._policy.lease / RENEWALS
        try:
            with keep_lease(
                self._frontier, claim, self._abandon, interval, lambda: self._observer.at
            ):
                yield
        except FrontierUnavailable:
            raise  # no report is possible; the page comes back when its lease has run out
        except BaseException as raised:
            if ended := shutdown.signal_name:  # an error then comes of that, whatever it is
                self._give_back(ended)
                raise
            # a function as scope is asked in several steps
            by_scope = is_raised_by(raised, self._crawl.scope)
            error = self._hooks.error("scope", raised, self._page) if by_scope else raised
            self.failure = self._fail(error, next_runs)
            cause = error.cause if isinstance(error, HookError) else error
            if isinstance(error, HookError) or not isinstance(error, CrawlerError):
                raise self._without_secrets(cause) from None
            log.info("%s: %s", self._crawl.name, masked(str(self.failure)))

    def _give_back(self, signal: str) -> None:
        """Report the page of a process that must end, as ``signal`` says: another may take it.

        If the worker ends, too, the page is not to blame. If this process alone was signalled, as
        its run took too long or by its own hook, that is a strike against the page.
        """
        claim, ordered = self._claim, shutdown.is_ordered()
        failure = FailureClass.INFRA if ordered else FailureClass.CRASH
        reason = "shutdown" if ordered else f"killed by {signal}"
        self._frontier.fail(claim, failure, reason, delay=0 if ordered else None)

    # -- the steps

    def take_browser(self, *, first: bool) -> None:
        """Have Chrome for the page, where its crawl says so or its hooks need it. ``first``: it is
        the run that does ``before_all``. If the Chrome died that this page shared with others, it
        gets one of its own.

        Raises:
            BrowserUnavailable: none starts.
        """
        self._by_chrome = chrome_reason(self._view, self._page, first=first)
        if self._claim.alone:
            self._by_chrome = self._by_chrome or "alone"
        if not self._by_chrome and self._view.fetch == AUTO:
            self._by_chrome = self._ways.choose(self._page)
        self._browser = self._session.for_page(chrome=bool(self._by_chrome))
        if self._crawl.conditional and self._claim.known is not None and self._page.form is None:
            self._session.note_visited(before=bool(self._claim.known))
        if self._claim.alone:
            self._browser = self._services.chrome.apart()

    def _abandon(self) -> None:
        """End what the page is fetched by, from another thread."""
        if self._browser is not self._session:
            self._browser.abandon()
        self._session.abandon()

    def log_in(self, next_runs: NextRuns) -> None:
        """Call ``before_all``, and keep the log-in that it leaves in the browser, for every session
        of the crawl.
        """
        login = self._browser.login
        self._browser.url_home = self._page.url
        login.begin()
        try:
            take = at_once(self._services, self._observer, claim=self._claim)
            entry = self._crawl.url[0]
            follow = Follow(self._crawl, "before_all", self._page, lambda: entry, take, depth=0)
            self._hooks.call("before_all", self._page, browser=self._browser, follow=follow)
        except HookError as error:
            reason = self._secrets.hide(error.reason)
            next_runs.note(self._frontier.before_all_failed(self._claim, reason))
            raise
        state = login.keep() if "before_all" in self._hooks else None
        _, login.version = self._frontier.before_all_done(self._claim, state)

    def use_login(self, version: int) -> None:
        """Load the log-in ``version`` of the crawl into the browser, unless it is there."""
        if version != self._browser.login.version:
            self._browser.login.load(self._frontier.login() or {}, version)

    def before(self) -> None:
        """Call the hook ``before``."""
        self._browser.url_ahead = self._page.url
        self._hooks.call("before", self._page, page=self._page, browser=self._browser)

    def request(self, turn: Turn) -> Response:
        """Return the response to the page, after the crawl's waits and steps. Errors: see
        :func:`accept`.

        The lane's delay begins when the request is over. If it began earlier, two requests might
        reach the host within it. A delay that robots.txt asks for may be known only since this
        page was claimed.
        """
        permits, page = self._services.permits, self._page
        permits.check(page.url, page.lane, self._browser.document_at)
        self._browser.keep_delay(max(self._crawl.delay, permits.crawl_delay(page.url) or 0.0))
        cleared = self._browser.cookies_cleared
        try:
            compares = self._view.fetch == AUTO and not self._by_chrome
            self._response = self._ways.fetch(self) if compares else self.accept()
            return self._response
        finally:
            if self._browser.cookies_cleared > cleared:
                self._observer.count("cookies_cleared")
            if turn.paced or permits.crawl_delay(page.url):
                self._frontier.sent(self._claim)

    def go_beside(self) -> None:
        """Go on in a Chrome that is another visitor than what the page came by."""
        self._browser = self._session.beside()

    def extract_apart(self, response: Response) -> Json:
        """Return the page's data, or the error that it is; what is followed meanwhile does not
        count.
        """
        followed, self._followed = self._followed, Followed(explain=False)
        try:
            return self.extract(response)
        except (HookError, Decision, PageError) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            self._followed = followed

    def accept(self) -> Response:
        """Return the response as the crawl accepts it, unless its conditions decide otherwise; they
        see error pages, too.
        """
        browser, permits, login = self._browser, self._services.permits, self._login_check()
        try:
            response = accept(
                *(self._view, self._page, browser, permits, login, self._arrive), self._sending
            )
        except PageError as error:
            loaded = error.reason.startswith(("wait_timeout", "step_"))
            shown = loaded or error.status is not None
            url, status = error.url, error.status
            decide(self._view, browser, url, status, document=shown, loaded=loaded)
            raise
        try:
            decide(self._view, browser, response.url, response.status)
        except Skip as skip:
            self._response, skip.step = response, "extract"
            raise
        return response

    def _sending(self) -> None:
        """Write down that the page's form is about to be sent, unless it may be sent again.

        Raises:
            PageError: the page is no longer ours, so nothing is to be sent.
        """
        if self._view.form_retry:
            return
        answer = self._report.send(lambda: self._frontier.submit(self._claim))
        if answer is not Renewal.OK:
            reason = "cancelled" if answer is Renewal.CANCEL else "lost"
            raise PageError(self._page.url, reason, retryable=True)
        self._form_sent = True
        self._services.permits.cut_idle(self._page.url)

    def extract(self, response: Response) -> Json:
        """Return the page's data, by the crawl's hook or table; its texts can be encoded."""
        if "extract" not in self._hooks:
            return encodable_value(self._extract_by_table(response))
        live = self._live(response)
        live["follow"] = self._follow("extract", live["page"])
        data = self._hooks.call("extract", self._page, **live, browser=self._browser)
        try:
            if not is_deeper(data):
                data = as_plain_data(data)
            if is_deeper(data):
                raise ValueError(f"the result is nested more than {NESTING_MAX} levels deep")
        except Exception as error:  # a model that cannot be JSON is one of its causes
            raise self._hooks.error("extract", error, self._page) from error
        return encodable_value(data)

    def _extract_by_table(self, response: Response) -> Json:
        """Return the page's data by its table or model; count what does not fit in it.

        Raises:
            PageError: the model refuses the item, and the crawl wants the page to fail then.
            HookError: code of the model raised.
        """
        crawl, url, count = self._view, self._page.url, self._observer.count
        try:
            extracted = extract_by_table(crawl, response)
        except Exception as error:
            if is_model(crawl.fields.extract):
                raise self._hooks.error("extract", error, self._page) from error
            raise
        for reason, one in {one.reason: one for one in reversed(extracted.unfit)}.items():
            count(f"hint_{reason}", f"{url}: {one}")
        if why := extracted.invalid:
            if crawl.invalid_items == "fail":
                raise PageError(url, "invalid_item", response.status, advice=why)
            count("hint_invalid_item", f"{url}: {why}")
        return extracted.data

    def choose(self, response: Response) -> Chosen:
        """Return the links that may become pages, and what hooks follow: scope, ``filter`` and
        every robots.txt that is known allow them.
        """
        live = self._live(response)
        live["follow"] = self._follow("filter", live["page"])
        hook = "filter" in self._hooks

        def keep(**links: Any) -> Any:
            return self._hooks.call("filter", self._page, **{**live, **links})

        try:
            chosen = choose(
                self._crawl,
                self._page,
                response.links,
                response=response,
                keep=keep if hook else None,
                explain=self._observer.explain,
            )
        except TypeError as error:
            if hook and not is_raised_by(error, self._crawl.scope):  # it returned no list of links
                raise self._hooks.error("filter", error, self._page) from error
            raise
        chosen = permitted(self._followed.merged(chosen), self._services.permits)
        if self._crawl.referer and (led := found_on(self._crawl, response.url)):
            pages = tuple(replace(page, referer=led) for page in chosen.pages)
            chosen = replace(chosen, pages=pages)
        self._observer.choice(chosen)
        self._chosen = chosen
        return chosen

    def note_hints(self, response: Response, data: Json, chosen: Chosen) -> None:
        """Count what may be wrong with the page although it is done."""
        where = (self._observer, self._services.looks, self._browser)
        PageHints(self._view, self._page, *where).note(response, data, chosen)

    def result(self, response: Response, data: Json) -> Result:
        """Return the result of the page, after a hook ``after`` that needs the page took it.

        Raises:
            HookError: that hook raised; the page is tried again.
        """
        self._ways.conclude(self._page, response, data)
        result = self._result_of(response, data)
        self._hand_first(result)
        return result

    def skip(self, skip: Skip) -> tuple[Result, Chosen]:
        """Return the result of a page that a hook skips, which holds no item, and the links of it
        that are queued: what hooks follow, and, if it was skipped by ``extract`` or later than
        that, all that ``filter`` chose.
        """
        response = self._response or Response(self._page.url)
        result = self._result_of(response, None, self._secrets.hide(skip.reason))
        with suppress(Skip):  # once is enough
            if skip.step == "extract":
                self._observer.step("filter", self._page)
                self.choose(response)
            if skip.step != "after":
                self._hand_first(result)
        if self._chosen is None:
            merged = self._followed.merged(Chosen(dropped={}))
            self._chosen = permitted(merged, self._services.permits)
            self._observer.choice(self._chosen)
        return result, self._chosen

    def _result_of(self, response: Response, data: Json, skipped: str | None = None) -> Result:
        if fetches_by_http(self._crawl):
            response = self._ways.noted(response, self._view.fetch, self._page)
        links = tuple(link.url for link in response.links)
        kept, is_cut = kept_of(self._view, response)
        if is_cut:
            self._observer.count("hint_cut", self._page.url)
        try:
            self._digest = item_digest(data)
        except (TypeError, ValueError) as error:
            raise self._hooks.error("extract", error, self._page) from error
        known = self._claim.known
        change = Change.UNKNOWN if known is None else Change.between(known, self._digest)
        if self._page.form is not None:
            kept = {"form": masked_form(self._page.form), **kept}
        facts = (self._crawl.name, self._page, response, data, links)
        return Result(
            *facts,
            self._report.elapsed_ms(),
            self._report.version,
            skipped,
            kept,
            change=change,
            again=self._claim.again,
        )

    def _hand_first(self, result: Result) -> None:
        """Call a hook ``after`` that needs the page, before the page is reported."""
        if self._after_first:
            self._observer.step("after", self._page)
            take = at_once(self._services, self._observer, claim=self._claim)
            arguments = self._after_arguments(result)
            arguments["follow"] = self._follow("after", arguments["page"], take)
            self._hooks.call("after", self._page, **arguments)

    def deregister(self, result: Result, chosen: Chosen) -> Ending:
        """Queue the links and move the page to *done*. If that takes several steps, links come
        first: a crash loses none.

        With no hook to come, the next runs' wake-ups are asked for at once: a round trip less. With
        one, its delivery is promised in the same step.
        """
        deliver = "after" in self._hooks and not self._after_first
        facts = (self._page, self._view, result, self._line(result), self._digest, chosen)
        return self._report.done(*facts, deliver=deliver, doubt=self._ways.doubt)

    def after(self, result: Result) -> None:
        """Deliver the result to the hook ``after``. Its error passes as it is: the page is done,
        and the delivery is made again.
        """
        if "after" in self._hooks and not self._after_first:
            arguments = self._after_arguments(result)
            base = partial(base_of, arguments["page"])
            arguments["follow"] = self._deliveries.follow("after", self._page, base)
            self._deliveries.make("after", self._page, arguments, self._secrets)

    def _after_arguments(self, result: Result) -> dict[str, Any]:
        if self._response is None:  # it was never requested: the tab shows another one
            return {"page": None, **without_page(result)}
        return {**self._live(result.response), "result": result, "browser": self._browser}

    # -- their parts

    def _follow(self, hook: str, page: LivePage | None, take: Taker | None = None) -> Follow:
        """Return the argument ``follow`` of a hook that sees the page; without ``take``, what it
        follows is written with the page's report.
        """
        base = partial(base_of, page) if page else partial(str, self._page.url)
        depth = self._page.depth + 1
        take = take or self._followed.take
        return Follow(self._crawl, hook, self._page, base, take, depth=depth)

    def _line(self, result: Result) -> str:
        """Return ``result`` as a line of JSON. Raises HookError: ``extract`` gave no JSON."""
        try:
            return as_json(result)
        except (TypeError, ValueError) as error:
            raise self._hooks.error("extract", error, self._page) from error

    def _live(self, response: Response) -> dict[str, Any]:
        """Return the arguments of hooks that see the page as the tab shows it."""
        page = self._browser.live(self._page, response)
        return {"page": page, "response": response, "links": response.links}

    def _login_check(self) -> LoginCheck | None:
        """Return a function that asks ``logged_out`` of a response, and raises LoggedOut if it says
        so; None without that hook.
        """
        if "logged_out" not in self._hooks:
            return None

        def check(response: Response) -> None:
            self._observer.step("logged_out", self._page)
            here, browser = self._page, self._browser
            page = browser.live(here, response)
            if self._hooks.call("logged_out", here, page=page, response=response, browser=browser):
                raise LoggedOut(here.url, browser.login.version, response.status)

        return check

    def _fail(self, error: BaseException, next_runs: NextRuns) -> Failure:
        """Take the page out of *processing*, to where the class of ``error`` sends it."""
        claim, page = self._claim, self._page
        if isinstance(error, LoggedOut):
            version = error.version
            ending = self._report.send(lambda: self._frontier.logged_out(claim, version))
            next_runs.note(ending)
            if ending.retry_in is None:
                self._keep_snapshot("login", None)
                self._deliveries.make_failure(page, "login", error.status, self._secrets)
                return Failure(page, FailureClass.TERMINAL, "login", error=error)
            return Failure(page, FailureClass.INFRA, "logged_out", None, ending.retry_in, error)
        failure, reason, status = diagnose(error)
        reason = self._secrets.hide(reason)
        delay = None
        if isinstance(error, PageError):
            delay = error.retry_after
        elif isinstance(error, Decision):
            delay = error.after
        if isinstance(error, Blocked):  # the next attempt comes as somebody else
            self._services.permits.set_proxy_aside(reason)
            self._browser.health.distrust(reason)
        diagnosis = (failure, reason, status)
        ending = self._report.failed(page, self._view, *diagnosis, delay)
        next_runs.note(ending)
        if self._form_sent and failure not in (FailureClass.TERMINAL, FailureClass.HOOK):
            reason = f"{FORM_SENT}: {reason}"  # as the frontier says, too
        if failure not in (FailureClass.INFRA, FailureClass.CRASH):
            anywhere = isinstance(error, HookError) and error.step == "before_all"
            self._keep_snapshot(reason, status, anywhere=anywhere)
        if ending.retry_in is None and ending.accepted:
            self._deliveries.make_failure(page, reason, status, self._secrets)
        return Failure(page, failure, reason, status, ending.retry_in, error)

    def _keep_snapshot(self, reason: str, status: int | None, *, anywhere: bool = False) -> None:
        """Keep an error snapshot of the page, whose failure is reported, if it is the first of its
        kind.

        None is kept if the tab shows another page, except with ``anywhere``.
        """
        if self._services.snapshots and (anywhere or self._browser.url_requested == self._page.url):
            self._services.snapshots.take(
                self._browser, self._page, reason, status, self._secrets.hide
            )

    @property
    def _secrets(self) -> Secrets:
        """The secrets of the crawl and of the browser, which must not appear in logs or reports."""
        form = secrets_of_form(self._page.form)
        return Secrets([*secrets_of(self._crawl), *self._browser.secrets, *form])

    def _without_secrets(self, error: BaseException) -> Exception:
        return without_secrets(error, self._secrets, self._crawl.name)

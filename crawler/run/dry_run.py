"""Try one page of a crawl: the life cycle itself, with a frontier that keeps nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from ..definition.bounds import entry_pages, scope_of
from ..definition.forms import with_form
from ..errors import Decision, PageError
from ..frontier.answers import Ending, Renewal, Verdict, Wake
from ..model import NO_DATA, Claim, Json, Link, Outcome, Page, Result, Snapshot, Status, Turn
from ..output.hints import hints
from ..redaction import masked
from ..urls.scope import DUPLICATE, Chosen
from .context import RunServices
from .lifecycle import execute
from .looks import DryLooks, Looks
from .observer import Silent
from .outcome import Failure, LoggedOut
from .timings import STEPS

if TYPE_CHECKING:
    from ..browser.pool import Chrome
    from ..definition.crawl import Crawl
    from ..frontier.frontier import Frontier
    from ..net.permits import Permits

#: Seconds for which a page of a dry run is claimed: longer than it can take.
CLAIM_LIFE = 86_400.0


@dataclass(frozen=True, slots=True)
class DryRun:
    """The result of one page, the pages that would be queued, the other links with the reason for
    each, and what may be wrong although the page is done (see ``output/hints.py``). ``steps`` are
    the milliseconds that each took.
    """

    result: Result
    kept: tuple[Page, ...]
    dropped: tuple[tuple[Link, str], ...]
    hints: Mapping[str, Json] = field(default_factory=dict)
    steps: Mapping[str, float] = field(default_factory=dict)

    @property
    def item(self) -> Json:
        """What ``extract`` gave."""
        return self.result.data

    @property
    def links(self) -> list[str]:
        """The URLs of the pages that would be queued."""
        return [page.url for page in self.kept]


def dry_run(
    crawl: Crawl,
    chrome: Chrome,
    permits: Permits,
    url: str | None = None,
    *,
    route: str = "",
    data: Mapping[str, Json] = NO_DATA,
    form: Mapping[str, Json] | None = None,
    after: bool = False,
    looks: Looks | None = None,
    page: Page | None = None,
    log_in: bool = True,
    on_read: Callable[[], None] = lambda: None,
) -> DryRun:
    """Run the entry page of ``crawl``, or ``url``, without a frontier: nothing is queued or kept.
    ``route`` is the one that a link to it would name, ``data`` what the link would bring; ``form``
    is submitted to its URL. ``page`` is one that is known already, in place of all that.

    Hooks get the arguments of a run, with the snapshot of an empty crawl. The hook ``after``, which
    may write to a database, is called only with ``after``. ``looks`` decides whether the page is
    looked at again; None: it is, for seconds, if it has scripts. Without ``log_in``, ``before_all``
    is not called. ``on_read`` is called when the page was read, before its hooks see it.

    Raises:
        PageError: the page failed.
        BrowserLost, BrowserUnavailable: there is no browser. An error of a hook passes through.
    """
    if page is None:
        page = entry_pages(crawl)[0] if url is None else scope_of(crawl).entry(url)
        page = replace(page, route=route, data=data)
        if form is not None:
            page = with_form(page, form)
    first = log_in and "before_all" in crawl.calls
    frontier = cast("Frontier", NoFrontier(crawl.name, page, first=first))
    looks = looks or DryLooks()
    services = RunServices(frontier, chrome, permits, _start, worker="", looks=looks)
    links = Links(on_read)
    trial = crawl.without("failed") if after else crawl.without("after", "failed")
    trial.after_needs_page = True  # no later run is there to call it again
    try:
        outcome = execute(trial, services, observer=links)
    finally:
        links.step("")
        links.note_looks(looks.spent)
    if isinstance(outcome, Failure) and isinstance(outcome.error, LoggedOut):
        raise PageError(page.url, "login", outcome.error.status)
    if isinstance(outcome, Failure) and isinstance(outcome.error, Decision):
        raise PageError(page.url, outcome.reason, outcome.status)
    if isinstance(outcome, Failure) and outcome.error:
        raise outcome.error
    if (
        not isinstance(outcome, Result) or links.chosen is None
    ):  # a frontier of one page has no other
        raise AssertionError(outcome)
    chosen, counts = links.chosen, links.counts
    return DryRun(outcome, chosen.pages, chosen.reasons, hints(counts, links.examples), links.steps)


class Links(Silent):
    """An observer that keeps the links of the page, with the reasons of those that are dropped,
    what is counted, and the milliseconds of each step. ``on_read`` is called before ``extract``.
    """

    explain = True
    chosen: Chosen | None = None

    def __init__(self, on_read: Callable[[], None]) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.steps: dict[str, float] = {}
        self._on_read, self._since = on_read, time.perf_counter()

    def step(self, name: str, page: Page | None = None) -> None:  # noqa: ARG002
        """Note how long the step took that ends here."""
        if self.at in STEPS:
            ms = (time.perf_counter() - self._since) * 1_000
            self.steps[self.at] = round(self.steps.get(self.at, 0.0) + ms, 1)
        if name == "extract":
            self._on_read()
        self.at, self._since = name, time.perf_counter()

    def note_looks(self, seconds: float) -> None:
        """Note the time for which the page was looked at again, which no crawl takes."""
        if seconds and "filter" in self.steps:
            self.steps["filter"] = round(max(0.0, self.steps["filter"] - seconds * 1_000), 1)
            self.steps["second look"] = round(seconds * 1_000, 1)

    def choice(self, chosen: Chosen) -> None:
        """Keep the links: those of the page, and those that hooks follow."""
        before = self.chosen or Chosen((), {})
        known = {page.id for page in before.pages}
        pages = tuple(page for page in chosen.pages if page.id not in known)
        twice = tuple((Link(page.url), DUPLICATE) for page in chosen.pages if page.id in known)
        self.chosen = Chosen(
            before.pages + pages,
            Counter(before.dropped) + Counter(chosen.dropped) + Counter({DUPLICATE: len(twice)}),
            before.reasons + chosen.reasons + twice,
            {**chosen.examples, **before.examples},
        )

    def count(self, name: str, example: str = "", number: int = 1) -> None:
        """Keep what is counted."""
        self.counts[name] += number
        self.examples.setdefault(name, masked(example))


def _start(crawl: Crawl, ticket: str, delay: float = 0.0) -> None:
    """Raise AssertionError: a frontier that keeps nothing grants no wake-up."""
    raise AssertionError((crawl, ticket, delay))


class NoFrontier:
    """A frontier of one page that keeps nothing.

    Each method of :class:`Frontier` that a run calls succeeds, and grants no further work.
    ``first``: the run calls ``before_all``.
    """

    def __init__(self, crawl: str, page: Page, *, first: bool) -> None:
        self._crawl, self._page, self._first = crawl, page, first

    def snapshot(self) -> Snapshot:
        """Return the snapshot of a crawl that is at its first page."""
        return Snapshot(self._crawl, Status.NEW, None, 0, 1, 0, 0, 1, 0, 0)

    def pages(self, state: str, start: int, count: int) -> list[Page]:  # noqa: ARG002
        """Return the page, if those in *processing* are asked for: there is no other."""
        return [self._page] if state == "processing" and not start else []

    def claim(self, worker: str, ticket: str | None, *, paced: bool) -> Turn:  # noqa: ARG002
        """Hand out the page."""
        claim = Claim(self._page, "", worker, time.time() + CLAIM_LIFE)
        return Turn(Outcome.PAGE, claim, first=self._first)

    def private_entries(self) -> list[str]:
        """Nothing is kept: the permits of a dry run know what was decided."""
        return []

    def renew(self, claim: Claim, step: str = "") -> Renewal:  # noqa: ARG002
        """Renew the lease: no other run can claim the page."""
        return Renewal.OK

    def submit(self, claim: Claim) -> Renewal:  # noqa: ARG002
        """Let the form be sent: no other run can claim the page."""
        return Renewal.OK

    def before_all_done(self, claim: Claim, login: Any) -> tuple[Verdict, int]:  # noqa: ARG002
        """Keep no log-in beyond this run."""
        return Verdict.OK, 0

    def finish(self, *args: Any, **options: Any) -> Ending:  # noqa: ARG002
        """Accept the page, and keep neither it nor its links."""
        return Ending(Verdict.OK)

    before_all_failed = fail = logged_out = finish

    def wake(
        self,
        sums: Mapping[str, int],  # noqa: ARG002
        delivered: Sequence[str],  # noqa: ARG002
        worker: str,  # noqa: ARG002
    ) -> Wake:
        """Grant no further run."""
        return Wake()

    def _nothing(self, *args: Any, **options: Any) -> None:
        """Change nothing."""

    enqueue = refusal = sent = drop_ticket = hold = stop = cancel = pause = resume = _nothing

"""Hand results and failures to the hooks ``after`` and ``failed``, at least once each.

The script that reports a page promises the delivery; the hook's return takes it back with the next
wake-ups of the run, so a delivery that goes well costs no trip to Redis of its own. One that does
not is made again, by a run that does nothing else and has no live page, and is a dead letter after
``after_attempts``. The page's id tells a hook that it was called before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..definition.crawl_plan import policy_of
from ..definition.credentials import secrets_of
from ..definition.routes import routed
from ..errors import Decision, FrontierError, Skip
from ..frontier.outbox import Delivery, Outbox, UndeliveredLetter
from ..model import Change, File, Json, Outcome, Page, Response, Result
from ..observe.logs import logger
from ..redaction import Secrets, masked
from .follow import Follow, at_once
from .kept import KEPT
from .lease import RENEWALS, lease_renewal
from .observer import Silent
from .outcome import NO_HOOK, HookError, without_secrets

if TYPE_CHECKING:
    from ..definition.crawl import Crawl
    from .context import Hooks, RunServices
    from .next_runs import NextRuns

log = logger(__name__)


class Deliveries:
    """The deliveries that one run makes."""

    def __init__(
        self, crawl: Crawl, services: RunServices, hooks: Hooks, next_runs: NextRuns
    ) -> None:
        self._crawl, self._services, self._hooks = crawl, services, hooks
        self._worker = services.worker
        self._outbox, self._next_runs = Outbox(services.frontier), next_runs

    def make(
        self,
        hook: str,
        page: Page,
        arguments: Mapping[str, Any],
        secrets: Secrets | None = None,
        name: str = "",
    ) -> None:
        """Call ``hook`` for ``page``, whose delivery is promised to this worker; note how it went.
        ``name`` is that of the delivery, if another version gave it.

        Raises:
            Exception: the hook's own, without ``secrets``.
        """
        name = name or f"{hook}-{page.id}"
        try:
            interval = policy_of(self._crawl).lease / RENEWALS
            with lease_renewal().renewing(lambda: self._renew(name), lambda: None, interval):
                self._hooks.of(page).call(hook, page, **arguments)
        except Skip:
            log.debug("%s: %s skips %s", self._crawl.name, hook, masked(page.url))
        except Decision as decision:  # Retry or Blocked: the page is over, its delivery is not
            secrets = secrets or Secrets(secrets_of(self._crawl))
            self._note_failure(name, page, secrets.hide(str(decision)), decision.after)
            return
        except HookError as error:
            secrets = secrets or Secrets(secrets_of(self._crawl))
            reason = secrets.hide(error.reason)
            self._note_failure(name, page, reason)
            raise without_secrets(error.cause, secrets, self._crawl.name) from None
        self._next_runs.note_delivered(name)

    def follow(self, hook: str, page: Page, base: Callable[[], str], name: str = "") -> Follow:
        """Return the argument ``follow`` of ``hook`` for the delivery of ``page``; ``base`` and
        ``name`` are as for :class:`Follow` and :meth:`make`.
        """
        take = at_once(self._services, Silent(), delivery=name or f"{hook}-{page.id}")
        return Follow(self._crawl, hook, page, base, take, depth=page.depth + 1)

    def make_failure(self, page: Page, reason: str, status: int | None, secrets: Secrets) -> None:
        """Call the hook ``failed`` for ``page``, which is not tried again; its error is logged
        only: the page's own comes first.
        """
        if "failed" not in self._hooks.of(page):
            return
        handed: dict[str, Json] = {"reason": reason, "status": status, "attempts": page.attempt}
        follow = self.follow("failed", page, lambda: page.url)
        arguments = {"page": page, "follow": follow, **failure_arguments(handed)}
        try:
            self.make("failed", page, arguments, secrets)
        except Exception:
            log.exception("%s: failed raised", self._crawl.name)

    def make_again(self, name: str) -> Outcome:
        """Make the delivery ``name`` again, without a live page; unless it is done already."""
        delivery = self._outbox.take(name, self._worker)
        if isinstance(delivery, UndeliveredLetter):
            self._next_runs.note_end(delivery.ended)
            hook, page = delivery.delivery.hook, delivery.delivery.page
            words = "%s: %s gave up on %s: each process that called it died"
            log.error(words, self._crawl.name, hook, masked(page.url) if page else name)
            return Outcome.DUPLICATE
        if delivery is None or delivery.page is None:
            return Outcome.DUPLICATE
        took = delivery.handed.get("route") or delivery.page.route
        page = routed(self._crawl, replace(delivery.page, route=took))
        if delivery.hook not in self._hooks.of(page):  # while versions are mixed; the other has it
            self._note_failure(delivery.name, page, f"{NO_HOOK} {delivery.hook}")
            return Outcome.DUPLICATE
        arguments = handed_arguments(self._crawl.name, delivery, page)
        response = arguments.get("response")
        base = response.url if response else page.url
        arguments["follow"] = self.follow(delivery.hook, page, lambda: base, delivery.name)
        self.make(delivery.hook, page, arguments, name=delivery.name)
        return Outcome.DELIVERED

    def _renew(self, name: str) -> bool:
        try:
            return self._outbox.renew(name, self._worker)
        except FrontierError:
            log.warning("%s: could not renew the delivery %s", self._crawl.name, name)
            return True

    def _note_failure(self, name: str, page: Page, reason: str, delay: float | None = None) -> None:
        """Have the delivery made again, ``delay`` seconds later or by its back-off, or count it as
        undelivered.
        """
        ending = self._outbox.failed(name, reason, self._worker, delay)
        self._next_runs.note_end(ending.ended)
        if not ending.accepted:
            return
        hook, url = name.partition("-")[0], masked(page.url)
        if ending.retry_in is None:
            log.error("%s: %s gave up on %s: %s", self._crawl.name, hook, url, reason)
        else:
            words = "%s: %s raised at %s (%s); it is called again in %.0f s"
            log.warning(words, self._crawl.name, hook, url, reason, ending.retry_in)
            self._next_runs.retry_delivery(name, ending.retry_in)


def handed_arguments(crawl: str, delivery: Delivery, page: Page) -> dict[str, Any]:
    """Return the arguments of the hook for a delivery that is made again."""
    handed: Mapping[str, Any] = delivery.handed
    if delivery.hook == "failed":
        return {"page": page, **failure_arguments(handed)}
    return {"page": None, **without_page(result_of(crawl, page, handed))}


def without_page(result: Result) -> dict[str, Any]:
    """Return the arguments of ``after``, besides the page, where no tab shows it."""
    return {"browser": None, "response": result.response, "result": result, "links": ()}


def failure_arguments(handed: Mapping[str, Json]) -> dict[str, Json]:
    """Return the arguments of ``failed`` besides the page."""
    return {
        "reason": handed["reason"],
        "status": handed["status"] or None,
        "attempts": handed["attempts"],
    }


def result_of(crawl: str, page: Page, record: Mapping[str, Any]) -> Result:
    """Return the result whose line is ``record``. Its response has no document and no links."""
    files = tuple(
        File(file["name"], file["size"], file["digest"]) for file in record.get("files", ())
    )
    response = Response(
        record["final_url"],
        record["status"],
        record.get("status_text"),
        record.get("headers"),
        title=record.get("title", ""),
        redirects=None if (hops := record.get("redirects")) is None else tuple(hops),
        cookies=record.get("cookies"),
        files=files,
        console=record.get("console"),
        timings=record.get("timings"),
    )
    links = tuple(record.get("link_urls", ()))
    facts = (record["data"], links, record["ms"], record.get("version", ""))
    kept = {name: record[name] for name in KEPT if name in record}
    skipped, found = record.get("skipped"), record["links"]
    change = Change(record.get("change", Change.UNKNOWN))  # an earlier version wrote none
    return Result(
        crawl,
        page,
        response,
        *facts,
        skipped,
        kept,
        links_found=found,
        change=change,
        again=record.get("again", False),
    )

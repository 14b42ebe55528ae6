"""Start the next runs, however a run ends, and call the hook for the end of the crawl."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from ..definition.credentials import secrets_of
from ..errors import CrawlerError, FrontierUnavailable
from ..local.shutdown import shutdown
from ..model import Outcome
from ..observe.logs import logger
from ..redaction import Secrets
from .outage import retry_until
from .outcome import NO_HOOK, HookError, start_reason, without_secrets

if TYPE_CHECKING:
    from ..definition.crawl import Crawl
    from ..frontier.answers import Ending, Wake
    from .context import Hooks, RunServices
    from .observer import Observer

log = logger(__name__)

#: Seconds for which a run that is over waits for Redis, to start the next ones.
START_PATIENCE = 60.0
#: Longest wait, in seconds, that a run's own timer covers; what is due later is the tick's.
TIMER_MAX = 30.0
#: The prefix of the ticket of a run that only calls the hook for the crawl's end.
END_TICKET = "end-"
#: Beginning of the ticket of a run that only makes a delivery, whose name follows.
DELIVERY_TICKET = "deliver-"

T = TypeVar("T")


class NextRuns:
    """The wake-ups that follow a run of ``crawl``, and the crawl's end if the run led to it."""

    def __init__(
        self, crawl: Crawl, services: RunServices, hooks: Hooks, observer: Observer
    ) -> None:
        self._crawl, self._frontier, self._start = crawl, services.frontier, services.start
        self._worker = services.worker
        self._hooks, self._observer = hooks, observer
        self._ended = False  # a step of this run ended the crawl
        self._wake: Wake | None = None  # granted already, as the page was reported
        self._delivered: list[str] = []  # deliveries that their hooks took

    def note(self, ending: Ending) -> None:
        """Note the consequences of a report of this run."""
        self.note_end(ending.ended)
        if ending.wake:
            self._wake = ending.wake
            self._observer.clear()

    def note_delivered(self, name: str) -> None:
        """Note that a hook took a delivery: the frontier learns it with the next wake-ups."""
        self._delivered.append(name)

    def retry_delivery(self, name: str, wait: float) -> None:
        """Let a run make the delivery again in ``wait`` seconds; a tick does if that goes wrong,
        and where a hook ``start`` begins runs, which knows no delay.
        """
        if wait <= TIMER_MAX and "start" not in self._hooks:
            self._start_one(f"{DELIVERY_TICKET}{name}", wait)

    def note_end(self, ended: bool) -> None:
        """Note whether a step of this run ended the crawl."""
        self._ended = self._ended or ended

    @contextmanager
    def started_after(self, ticket: str | None) -> Iterator[None]:
        """Start the next runs after this block, however it ends; while Redis is away, wait for it.

        ``ticket`` is the wake-up that this run answers.

        A process that must end at once starts nothing. If it were killed between the grant of a
        wake-up and its sending, the other workers would wait for a minute, until the wake-up is
        missed. Their next tick sees that there is work. Wake-ups that were granted with the report
        are given back.
        """
        leaving = False
        try:
            yield
        except FrontierUnavailable:
            if ticket:  # perhaps no run took it; a minute would pass until it is missed
                self._retry_until_started(lambda: self._frontier.drop_ticket(ticket))
            raise
        except BaseException as error:
            if isinstance(error, Exception) and not shutdown.signal_name:
                raise
            leaving = True
            with suppress(FrontierUnavailable):
                for granted in self._wake.tickets if self._wake else ():
                    self._frontier.drop_ticket(granted)
            raise
        finally:
            if not leaving:
                self._start_next_runs()

    def hand_on(self, ticket: str) -> None:
        """Give the wake-up ``ticket`` of this run, which has to wait for a browser, to another run:
        in a process that has one, or else to wait as well.

        It is called in another thread. An error is logged: a tick sees that a wake-up is missing.
        """
        try:
            self._frontier.drop_ticket(ticket)
            for other in self._frontier.wake().tickets:
                self._start_one(other)
        except Exception as error:
            log.warning("%s: a wake-up could not be handed on: %s", self._crawl.name, error)

    def start_later(self, wait: float | None) -> None:
        """Set the crawl's one timer to work that is due in ``wait`` seconds, unless it is set.

        None: nothing is due.
        """
        if wait is not None and wait <= TIMER_MAX and (ticket := self._frontier.take_timer(wait)):
            self._start_one(ticket, wait)

    def call_end_hook(self) -> Outcome:
        """Call the hook for the crawl's end, if it is still to be called.

        A tick asks for it, after the run that ended the crawl could not call the hook.
        """
        if self._frontier.end_hook_pending():
            self._end_crawl()
        return Outcome.FINISHED

    def _start_next_runs(self) -> None:
        if self._ended:
            self._end_crawl()
        self._observer.step("start")
        wake = self._wake
        if wake and wake.tickets and not self._delivered:
            self._observer.defer()
        else:
            sums, delivered = self._observer.sums(), tuple(self._delivered)
            wake = self._retry_until_started(
                lambda: self._frontier.wake(sums, delivered, self._worker)
            )
            if wake.ended:
                self._end_crawl()
        for ticket in wake.tickets:
            self._start_one(ticket)
        self.start_later(wake.wait)

    def _end_crawl(self) -> None:
        """Call the hook for the crawl's end, and note that; if it raises, a tick asks again.

        While versions are mixed, this process may have none, though the crawl has one: then a tick
        asks again, too, perhaps a process of the other version.
        """
        self._observer.step("after_all")
        try:
            if "after_all" not in self._hooks and self._frontier.has_end_hook():
                log.warning("%s: %s after_all; it is asked for again", self._crawl.name, NO_HOOK)
                self._frontier.end_hook_failed(f"{NO_HOOK} after_all")
                return
            self._hooks.call("after_all")
            self._frontier.end_hook_done()
        except HookError as error:
            secrets = Secrets(secrets_of(self._crawl))
            cause = without_secrets(error.cause, secrets, self._crawl.name)
            again = self._frontier.end_hook_failed(secrets.hide(error.reason))
            words = "%s: after_all failed; it is called again" if again else "%s: after_all gave up"
            log.error(words, self._crawl.name, exc_info=cause)
        except Exception:
            log.exception("%s: after_all failed", self._crawl.name)

    def _start_one(self, ticket: str, delay: float = 0.0) -> None:
        """Start one further run; if that fails, give its ticket back, and a tick tries again."""
        try:
            self._start(self._crawl, ticket, delay)
        except Exception as error:
            # the broker is away: where it was found says nothing
            if isinstance(error, CrawlerError):
                words = "%s: start failed; the tick will try again: %s"
                log.warning(words, self._crawl.name, error)
            else:
                log.exception("%s: start failed; the tick will try again", self._crawl.name)
            self._frontier.drop_ticket(ticket, start_reason(error, self._crawl))

    def _retry_until_started(self, step: Callable[[], T]) -> T:
        return retry_until(time.monotonic() + START_PATIENCE, step, self._crawl.name)

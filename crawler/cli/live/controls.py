"""The keys of the live view of `crawler start`: end, as Ctrl-C does, and pause."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ...client.crawl_handle import CrawlHandle
from ...errors import CrawlerError
from ...frontier.operations import Operations
from ...local.processes import user_of
from ...model import Status
from ..interrupts import Interrupts
from .view import LiveView


class Controls:
    """What keys do to crawls that this command has started. ``ends`` says what `q` does."""

    def __init__(self, handles: Sequence[CrawlHandle], interrupts: Interrupts, ends: str) -> None:
        self.handles, self.interrupts, self.ends = handles, interrupts, ends
        self.paused: list[CrawlHandle] = []  # by this view

    def end(self) -> None:
        """End as Ctrl-C does: the second time at once."""
        self.interrupts.count += 1
        self.interrupts.event.set()

    def pause(self) -> None:
        """Pause the crawls, or let those go on that are paused. One that Redis refuses stays."""
        with suppress(CrawlerError):
            if paused := [one for one in self.handles if one.snapshot().status is Status.PAUSED]:
                self._go_on(paused)
                return
            by = user_of("crawler start, key p")
            for handle in self.handles:
                if not handle.snapshot().status.ended:
                    handle.pause(by)
                    Operations(handle.frontier).note("is paused", by)
                    self.paused.append(handle)

    def release(self) -> None:
        """Let the crawls go on that this view has paused: the next start finds them so."""
        with suppress(CrawlerError):
            self._go_on(self.paused)

    def _go_on(self, handles: Sequence[CrawlHandle]) -> None:
        for handle in handles:
            handle.resume()
            Operations(handle.frontier).note("goes on", user_of("crawler start, key p"))
        self.paused = []

    def keys(self, view: LiveView) -> str:
        """Return in words what the keys do now."""
        if self.interrupts.count:
            return "q or Ctrl-C again: end at once"
        states = view.states.values()
        paused = any(state.snapshot.status is Status.PAUSED for state in states)
        return f"q {self.ends} · p {'resume' if paused else 'pause'} · ? help"

    def attach(self, view: LiveView) -> LiveView:
        """Give ``view`` these keys."""
        view.actions = {"q": self.end, "p": self.pause}
        view.keys = lambda: self.keys(view)
        return view

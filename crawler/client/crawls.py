"""The crawls that a process can run or start, by name: one registry for workers and clients."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import CrawlerError, UnknownCrawl

if TYPE_CHECKING:
    from ..definition.crawl import Crawl
    from ..frontier.frontier import Frontier

#: Crawls without code that a process remembers; it reads others again when it meets them.
STORED_MAX = 256


class CrawlRegistry:
    """The crawls of ``references``, and the crawls without code, which their frontiers store.

    ``frontier`` returns the frontier of a name.
    """

    def __init__(self, references: Iterable[str], frontier: Callable[[str], Frontier]) -> None:
        self._references, self._frontier = tuple(references), frontier
        self._stored: OrderedDict[str, tuple[str | None, Crawl]] = OrderedDict()

    @property
    def loaded(self) -> dict[str, Crawl]:
        """The crawls of the references, by name; they are loaded once.

        Raises:
            DefinitionError, SetupError: a reference names no crawl, or a wrong one.
        """
        if self.faults:
            raise self.faults[0]
        return self.usable

    @property
    def usable(self) -> dict[str, Crawl]:
        """The crawls of the references that can be used, by name."""
        return self._loaded[0]

    @property
    def faults(self) -> list[CrawlerError]:
        """An error for each reference or crawl that cannot be used."""
        return self._loaded[1]

    @cached_property
    def _loaded(self) -> tuple[dict[str, Crawl], list[CrawlerError]]:
        from ..definition.loading import load_each  # who starts a crawl that is at hand loads none

        return load_each(self._references)

    def crawl(self, name: str) -> Crawl:
        """Return the crawl ``name``: one of the references, else the one that is stored.

        Raises:
            UnknownCrawl: it is neither. Nothing that a message names is ever imported.
        """
        if name in self.usable:
            return self.usable[name]
        frontier = self._frontier(name)
        digest, crawl = self._stored.get(name, (None, None))
        if crawl is None or digest != frontier.digest():  # it began again with a new definition
            digest, crawl = self._read(frontier)
            self._stored[name] = digest, crawl
            if len(self._stored) > STORED_MAX:
                self._stored.popitem(last=False)
        self._stored.move_to_end(name)
        return crawl

    def _read(self, frontier: Frontier) -> tuple[str | None, Crawl]:
        """Return (digest, crawl) as ``frontier`` stores them. Raises UnknownCrawl."""
        from ..definition.loading import stored

        plan = frontier.plan()
        if plan is None:
            raise self._unknown(frontier.name)
        try:
            return plan.digest, stored(plan, self.usable)
        except UnknownCrawl as error:
            raise self._unknown(error.name) from None

    def _unknown(self, name: str) -> UnknownCrawl:
        return UnknownCrawl(name, tuple(self.usable), tuple(map(str, self.faults)))

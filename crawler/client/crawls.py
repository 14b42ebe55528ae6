"""The crawls that a process can run or start, by name: one registry for workers and clients."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import cached_property

from ..definition.crawl import Crawl
from ..definition.loading import load_all, stored
from ..errors import UnknownCrawl
from ..frontier.frontier import Frontier

#: Crawls without code that a process remembers; it reads others again when it meets them.
STORED_MAX = 256


class CrawlRegistry:
    """The crawls that ``references`` name, and those without code, which are stored with their
    frontiers. ``frontier`` returns the frontier of a name.
    """

    def __init__(self, references: Iterable[str], frontier: Callable[[str], Frontier]) -> None:
        self._references, self._frontier = tuple(references), frontier
        self._stored: OrderedDict[str, tuple[str | None, Crawl]] = OrderedDict()

    @cached_property
    def loaded(self) -> dict[str, Crawl]:
        """The crawls that the references name, by name; they are loaded once.

        Raises:
            DefinitionError, SetupError: a reference names none, or one that is wrong.
        """
        return load_all(self._references)

    def crawl(self, name: str) -> Crawl:
        """Return the crawl ``name``: one that is loaded, else the one that is stored.

        Raises:
            UnknownCrawl: it is neither. Nothing that a message names is ever imported.
        """
        if name in self.loaded:
            return self.loaded[name]
        frontier = self._frontier(name)
        digest, crawl = self._stored.get(name, (None, None))
        if crawl is None or digest != frontier.digest():  # begun again, with another definition
            plan = frontier.plan()
            if plan is None:
                raise UnknownCrawl(name, tuple(self.loaded))
            crawl = stored(plan, self.loaded)
            self._stored[name] = plan.digest, crawl
            if len(self._stored) > STORED_MAX:
                self._stored.popitem(last=False)
        self._stored.move_to_end(name)
        return crawl

"""Wake-ups that a worker cannot answer go on to one that can, or back to the frontier.

A worker may not know a crawl: its ``CRAWLER_CRAWLS`` does not name it, its module does not import,
or it is of an older version. All workers take from one queue, and the first that is free takes: to
put the message back there would bring it to the same worker again, as long as the others are busy.
So each worker also takes from a queue that only those share that know the same crawls, and a
wake-up goes on to the queue of workers that know its crawl.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING

from ..errors import DefinitionError, UnknownCrawl
from ..model import Outcome
from ..version import __version__
from .wakeups import BrokerUnavailable

if TYPE_CHECKING:
    from .client import Client
    from .workers import Worker


def group_queue(queue: str, crawls: Iterable[str]) -> str:
    """Return the queue of the workers of this version that know exactly these ``crawls``, by name;
    ``queue`` is that of all workers.
    """
    text = json.dumps([__version__, sorted(crawls)])
    return f"{queue}.{blake2b(text.encode(), digest_size=4).hexdigest()}"


class Forwarder:
    """Sends messages on that this process cannot answer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def queue(self) -> str:
        """The queue of this worker and those that know the same crawls."""
        client = self._client
        return group_queue(client.settings.queue, client.crawls.usable)

    def able(self, error: Exception) -> list[Worker]:
        """Return the live workers that may do what is an ``error`` here: those that know the crawl;
        of one without code that cannot be read here, those of another version.
        """
        # read each time: what goes to a worker that has just left waits until it expires
        others = [worker for worker in self._client.workers.workers() if worker.queue]
        if isinstance(error, UnknownCrawl):
            return [worker for worker in others if error.name in worker.crawls]
        return [worker for worker in others if worker.version not in ("", __version__)]

    def forward(
        self, name: str, ticket: str | None, error: UnknownCrawl | DefinitionError, came_by: str
    ) -> Outcome:
        """Send the wake-up ``ticket`` of the crawl ``name`` on, which is an ``error`` here; give it
        back to the frontier if no other worker can answer it.

        ``came_by`` is the queue that brought it. It is sent on once: by then, workers that know the
        crawl should have it.

        Raises:
            DefinitionError: no worker of another version is alive.
        """
        frontier = self._client.frontier(name)
        if frontier.digest() is None:  # cleared, while the wake-up was on its way
            return Outcome.FINISHED
        able = self.able(error) if came_by != self.queue else []
        if able:
            try:
                self._client.send(name, ticket or "", queue=choose(able))
            except BrokerUnavailable:
                if ticket:
                    frontier.drop_ticket(ticket, str(error))
                raise
            return Outcome.FORWARDED
        if ticket:
            frontier.drop_ticket(ticket, f"no live worker can run it: {error}")
        if isinstance(error, DefinitionError):
            raise error
        return Outcome.UNKNOWN_CRAWL

    def forward_start(
        self, name: str, if_exists: str | None, error: UnknownCrawl, came_by: str
    ) -> None:
        """Let a worker that knows the crawl ``name`` start it.

        Raises:
            UnknownCrawl: none does.
        """
        able = self.able(error) if came_by != self.queue else []
        if not able:
            raise error
        self._client.wakeups.send_start(name, if_exists, choose(able))


def choose(workers: list[Worker]) -> str:
    """Return the queue of one of ``workers``: of one with more processes more often."""
    weights = [max(1, worker.processes) for worker in workers]
    return random.choices(workers, weights)[0].queue  # noqa: S311, no secret

"""What every worker does beside its runs: the tick, its announcement, and leaving no browser
behind.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from queue import Empty
from typing import Any

from celery import bootsteps, signals
from celery.worker import control, state
from kombu.transport import redis as redis_transport
from kombu.transport import virtual

from ..config import settings as configuration
from ..config.settings import Settings
from ..errors import CrawlerError
from ..local.heartbeat_file import Heartbeat
from ..redaction import masked
from ..services import Services
from .config_checks import broken

log = logging.getLogger(__name__)

#: The tick's interval varies by this share, so that a hundred workers do not tick at once.
JITTER = 0.25
#: Announcements that may be missed before a worker counts as gone.
MISSED_ANNOUNCEMENTS = 3


# kombu has no types: what is derived from it is Any, or unknown, by version of its stubs.
class QoS(redis_transport.QoS):  # type: ignore[misc, name-defined, unused-ignore]
    """What a worker has taken from the broker and not begun yet; kombu's, but for two things.

    A wake-up for now is not noted in the broker as well, nor crossed off there: two transactions
    that cost each page half a millisecond. If the worker dies before it has begun it, kombu would
    put it back an hour later, when nobody wants it any more; the crawl's tick sees after a minute
    that it is missing. A worker that ends in order still puts it back.

    And kombu closes a dead broker's connection twice, and the second time ends the worker with an
    AttributeError. That happens to a worker that holds an unacknowledged message: each wake-up for
    later is one.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._unnoted: set[str] = set()  # delivery tags

    def append(self, message: Any, delivery_tag: str) -> None:
        """Remember a message that was taken."""
        if message.headers.get("task") == "crawler.run" and not message.headers.get("eta"):
            self._unnoted.add(delivery_tag)
            virtual.QoS.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Forget a message: it is begun, or of no use."""
        if delivery_tag in self._unnoted:
            self._unnoted.discard(delivery_tag)
            virtual.QoS.ack(self, delivery_tag)
        else:
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Put a message back, or forget it."""
        self._note(delivery_tag)
        super().reject(delivery_tag, requeue=requeue)

    def restore_unacked(self, client: Any = None) -> Any:
        """Put unacknowledged messages back, if there is a connection to do it with."""
        if self.channel.connection.client is None:
            return None
        self._flush()
        for tag in [*self._unnoted]:
            self._note(tag)
        return super().restore_unacked(client)

    def _note(self, tag: str) -> None:
        """Note a message in the broker, from where kombu puts it back, unless it is there."""
        if tag in self._unnoted:
            self._unnoted.discard(tag)
            super().append(self._delivered[tag], tag)


redis_transport.Channel.QoS = QoS


def keeping(create: Callable[..., Any]) -> Callable[..., Any]:
    """``create``, which makes the Redis client of a channel, and one client kept for as long as its
    pool is.

    Kombu makes one for each command, eight times in a run, and each fills a table of hundreds of
    callbacks. A client of a pool has no connection of its own, so one serves as well.
    """

    @wraps(create)
    def client(channel: Any, asynchronous: bool = False) -> Any:
        if asynchronous:
            return create(channel, asynchronous=True)
        kept = vars(channel).get("_kept")
        if kept is None or kept.connection_pool is not channel.pool:
            kept = channel._kept = create(channel)
        return kept

    return client


redis_transport.Channel._create_client = keeping(redis_transport.Channel._create_client)


class Hearing:
    """When the broker last answered whether there is a message, which a worker with a free hand
    asks each second.
    """

    #: Epoch seconds, of the one connection on which this process consumes. None: not yet, or the
    #: broker is no Redis.
    last: float | None = None

    @classmethod
    def noted(cls, read: Callable[..., Any]) -> Callable[..., Any]:
        """``read``, which waits for the answer of a channel, and the time noted when there was
        one.
        """

        def answer(channel: Any, **options: Any) -> Any:
            try:
                found = read(channel, **options)
            except Empty:  # no message: an answer, too
                cls.last = time.time()
                raise
            cls.last = time.time()
            return found

        return answer


redis_transport.Channel._brpop_read = Hearing.noted(redis_transport.Channel._brpop_read)


def stats(of: Any, **_: Any) -> Any:
    """What a worker tells of itself, to Flower and to ``inspect``, without the password of a broker
    on a socket.

    Kombu takes such a URL for a host's name, and shows it whole.
    """
    said = celery_stats(of)
    if "hostname" in (there := said.get("broker", {})):
        there["hostname"] = masked(str(there["hostname"]))
    return said


celery_stats = control.Panel.data["stats"]
control.Panel.data["stats"] = stats


class Ticker(bootsteps.StartStopStep):
    """Ticks at once and then each ``tick_interval`` seconds, in a thread: a slow Redis must never
    hold up the consumer.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self.over = threading.Event()
        self.thread: threading.Thread | None = None

    def include_if(self, parent: Any) -> bool:
        """Whether this worker takes our tasks: one of a project's other queues has nothing to tick
        for.
        """
        return configuration.load().queue in parent.app.amqp.queues.consume_from

    def start(self, parent: Any) -> None:
        """Begin to tick."""
        self.thread = threading.Thread(
            target=self.loop, args=(parent.hostname,), name="crawler-tick", daemon=True
        )
        self.thread.start()

    def stop(self, parent: Any) -> None:  # noqa: ARG002, Celery passes it
        """Tick no more, and take this worker off the roll."""
        self.over.set()

    terminate = stop

    def loop(self, name: str) -> None:
        """Tick until the worker ends. An error is logged, and the next tick tries again."""
        services = Services.current()
        settings = services.settings
        while True:
            try:
                services.announce(name, settings.tick_interval * MISSED_ANNOUNCEMENTS)
                services.tick()
            except CrawlerError as error:
                log.warning("tick: %s", error)
            except Exception:
                log.exception("tick")
            if settings.heartbeat_file:
                self.beat(name, services.settings, settings.heartbeat_file)
            if self.over.wait(settings.tick_interval * random.uniform(1 - JITTER, 1 + JITTER)):  # noqa: S311, no secret
                break
        try:
            services.leave(name)
        except CrawlerError:
            log.debug("could not leave the roll", exc_info=True)

    def beat(self, name: str, settings: Settings, path: Path) -> None:
        """Write the heartbeat file, for probes."""
        running, heard = len(state.active_requests), Hearing.last
        try:
            Heartbeat(
                name, time.time(), heard, running, settings.tick_interval, settings.hard_timeout
            ).write(path)
        except OSError as error:
            log.warning("the heartbeat file %s cannot be written: %s", path, error.strerror)


@signals.worker_ready.connect
def check_promises(sender: Any = None, **_: Any) -> None:
    """Warn of settings that break promises, once. In a thread, as Redis is asked, and the worker is
    not to wait for that.
    """

    def check() -> None:
        try:
            for sentence in broken(sender.app, sender, Services.current().settings):
                log.warning("%s", sentence)
        except Exception:
            log.exception("could not check the settings")

    threading.Thread(target=check, name="crawler-promises", daemon=True).start()


@signals.celeryd_init.connect
def add_ticker(instance: Any = None, **_: Any) -> None:
    """Give the worker that is about to be built its tick, whichever app it serves."""
    instance.app.steps["worker"].add(Ticker)


@signals.worker_process_shutdown.connect
def close_browser(**_: Any) -> None:
    """End this process's browser: on warm, soft and cold shutdown and on recycling; a sweep does it
    after a kill.
    """
    Services.close_current()


@signals.worker_shutdown.connect
def close_browser_of_the_parent(**_: Any) -> None:
    """The same for pools that run tasks in the worker itself (solo, threads)."""
    Services.close_current()

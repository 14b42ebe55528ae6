"""What every worker does beside its runs: the tick, its announcement, and leaving no browser
behind.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from pathlib import Path
from typing import Any

from celery import bootsteps, signals
from celery.worker import state

from ..config import settings as configuration
from ..config.settings import Settings
from ..errors import CrawlerError
from ..local.heartbeat_file import Heartbeat
from ..services import Services
from .config_checks import broken_settings
from .remote_control import MaskedAnswers

log = logging.getLogger(__name__)

#: The tick's interval varies by this share, so that a hundred workers do not tick at once.
JITTER = 0.25
#: Announcements that may be missed before a worker counts as gone.
MISSED_ANNOUNCEMENTS = 3


class Ticker(bootsteps.StartStopStep):
    """Ticks at once and then each ``tick_interval`` seconds, in a thread: a slow Redis must never
    hold up the consumer.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self.worker = parent
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
            services.client.workers.leave(name)
        except CrawlerError:
            log.debug("could not leave the roll", exc_info=True)

    def beat(self, name: str, settings: Settings, path: Path) -> None:
        """Write the heartbeat file, for probes."""
        running, reply = len(state.active_requests), last_broker_reply(self.worker)
        try:
            Heartbeat(
                name, time.time(), reply, running, settings.tick_interval, settings.hard_timeout
            ).write(path)
        except OSError as error:
            log.warning("the heartbeat file %s cannot be written: %s", path, error.strerror)


def last_broker_reply(worker: Any) -> float | None:
    """Return when the broker last answered ``worker`` whether there is a message, in epoch seconds.

    None: not yet, the connection is being made again, or it has another transport than ours.
    """
    connection = getattr(worker.consumer, "connection", None)
    return getattr(connection and connection.transport, "last_broker_reply", None)


@signals.worker_ready.connect
def check_settings(sender: Any = None, **_: Any) -> None:
    """Warn of settings that break promises, once. In a thread, as Redis is asked, and the worker is
    not to wait for that.
    """

    def check() -> None:
        try:
            for sentence in broken_settings(sender.app, sender, Services.current().settings):
                log.warning("%s", sentence)
        except Exception:
            log.exception("could not check the settings")

    threading.Thread(target=check, name="crawler-config-checks", daemon=True).start()


@signals.celeryd_init.connect
def add_steps(instance: Any = None, **_: Any) -> None:
    """Give the worker that is about to be built its tick and its discretion, whichever app it
    serves.
    """
    instance.app.steps["worker"].add(Ticker)
    instance.app.steps["consumer"].add(MaskedAnswers)


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

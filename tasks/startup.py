"""The start of a worker that takes our tasks: it loads its crawls, or fails with one line."""

from __future__ import annotations

import logging
import os
from typing import Any, NoReturn

from celery import bootsteps
from kombu import Exchange, Queue

from ..config import SettingsError
from ..config import settings as configuration
from ..errors import CrawlerError
from ..local import prepared_worker
from ..observe.logs import logger
from ..output.report import ExitStatus
from ..redaction import masked
from . import process

log = logger(__name__)


#: Seconds for which a broker that can forget queues (RabbitMQ) keeps one that no worker uses.
QUEUE_LIFE = 3_600


def takes_our_tasks(worker: Any) -> bool:
    """Whether ``worker`` consumes our queue, and not only others of a project."""
    return configuration.load().queue in worker.app.amqp.queues.consume_from


class Startup(bootsteps.Step):  # type: ignore[misc, unused-ignore]
    """Loads the crawls before the pool forks, so that all processes of the worker, also those that
    are started later, have the versions that it announces.

    A worker that could do nothing ends here, with exit status 2: one without a frontier, or one of
    whose modules none imports. A worker of which some can be used does those; see
    :attr:`crawler.client.crawls.CrawlRegistry.faults`.
    """

    def include_if(self, parent: Any) -> bool:
        """Whether this worker takes our tasks."""
        try:
            return takes_our_tasks(parent)
        except SettingsError as error:
            refuse(str(error))

    def create(self, parent: Any) -> None:
        """Load the crawls."""
        alone = len(parent.app.amqp.queues.consume_from) == 1
        try:
            crawls = process.services().client.crawls
        except CrawlerError as error:
            if alone:
                refuse(str(error))
            log.error("this worker runs no crawl: %s", masked(str(error)))
            return
        faults = [masked(str(fault)) for fault in crawls.faults]
        if faults and not crawls.usable and alone:
            refuse(f"CRAWLER_CRAWLS: {'; '.join(faults)}")
        take_forwarded(parent.app, process.services().forwarder.queue)
        for fault in faults:
            log.error("CRAWLER_CRAWLS: %s; this worker runs the other crawls", fault)
        if prepared_worker.first_crawl:
            launch_ahead(prepared_worker.first_crawl)


def launch_ahead(crawl: str) -> None:
    """Start the Chrome for the first run of ``crawl`` while this worker comes up, if processes
    share it, as each of them could have started it.

    Another process waits for it: a thread would be in the middle of something when this one forks.
    """
    if process_id := os.fork():
        os.waitpid(process_id, 0)
        return
    try:
        if not os.fork():  # nobody needs to wait for this one
            logging.disable()  # what goes wrong, the run will say
            process.services().launch_ahead(crawl)
    finally:
        os._exit(0)


def take_forwarded(app: Any, name: str) -> None:
    """Let the worker of ``app`` also take from the queue ``name``, by which wake-ups come that
    another worker could not answer.
    """
    queue = app.amqp.queues.select_add(Queue(name, routing_key=name, expires=QUEUE_LIFE))
    # Celery puts its own in the place of the broker's default exchange, and would leave a binding
    queue.exchange = Exchange("")


def refuse(reason: str) -> NoReturn:
    """End the worker that is about to start, for this ``reason``."""
    log.critical("this worker could do nothing, and ends: %s", masked(reason))
    raise SystemExit(ExitStatus.MISTAKE)

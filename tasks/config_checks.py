"""What a worker's own settings take back of what the crawler promises: said once, when it starts,
with the way to mend it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ..config.settings import Settings
from ..errors import CrawlerError, FrontierMisfit
from ..frontier.server_checks import check_server
from ..redaction import masked
from ..storage.connection import SCHEMES, connect

#: Kombu's own time, in seconds, after which a message that was not acknowledged is handed out
#: again.
VISIBILITY_TIMEOUT = 3_600.0
PICKLE = {"pickle", "application/x-python-serialize"}


def broken_settings(app: Any, consumer: Any, settings: Settings) -> Iterator[str]:
    """Sentences about the ``app`` of a worker that begins to consume, each with its mend. Asks
    Redis about itself.
    """
    conf = app.conf
    if settings.queue not in app.amqp.queues.consume_from:
        return  # one of a project's other workers: our tasks run elsewhere
    if PICKLE & set(conf.accept_content):
        yield (
            "pickle is accepted: whoever can write to the broker can run code here; set"
            " accept_content to ['json']"
        )
    options = conf.broker_transport_options or {}
    visible = float(options.get("visibility_timeout", VISIBILITY_TIMEOUT))
    hard = float(conf.task_time_limit or settings.hard_timeout)
    if conf.task_acks_late:
        if visible <= hard:
            yield (
                f"task_acks_late with a visibility_timeout of {visible:g} s, and a run may take"
                f" {hard:g} s: runs are handed out again while they run; set task_acks_late to"
                " False, or raise broker_transport_options['visibility_timeout']"
            )
        else:
            yield (
                "task_acks_late: after a broken connection every run in flight begins again beside"
                " itself; set it to False"
            )
    pool = type(consumer.pool).__module__.rpartition(".")[2]
    if pool != "prefork":
        yield (
            f"the pool {pool} ends no run that takes too long: only Chrome's own time-outs"
            f" (CRAWLER_PAGE_LOAD_TIMEOUT {settings.page_load_timeout:g} s, CRAWLER_SCRIPT_TIMEOUT"
            f" {settings.script_timeout:g} s) do, and nothing does for a hook; use -P prefork"
        )
    elif not conf.task_time_limit:
        yield (
            "task_time_limit is not set: a hook that hangs keeps its process for ever; set it to"
            f" {settings.hard_timeout:g}"
        )
    elif conf.task_time_limit < settings.run_timeout:
        yield (
            f"task_time_limit is {conf.task_time_limit:g} s, below CRAWLER_RUN_TIMEOUT"
            f" ({settings.run_timeout:g}): Celery kills runs that are within their time; set it to"
            f" {settings.hard_timeout:g}"
        )
    if not conf.worker_disable_prefetch:
        yield (
            "prefetch is on: a wake-up waits in a busy worker while others are idle; start it with"
            " --disable-prefetch"
        )
    # only those about the worker are sent
    if settings.events and getattr(consumer.event_dispatcher, "groups", None):
        yield (
            "this worker sends no events about tasks, so Flower shows none; start it with -E (or"
            " set CRAWLER_EVENTS=false)"
        )
    yield from of_redis("frontier", settings.redis_url)
    yield from of_redis("broker", conf.broker_url)


def of_redis(where: str, url: str | None) -> Iterator[str]:
    """What is wrong with the Redis of the frontier, or of the broker."""
    # another broker, or kombu's form of Sentinels and sockets
    if not url or urlsplit(url).scheme not in SCHEMES:
        return
    try:
        for sentence in check_server(connect(url)):
            yield f"the {where}'s Redis: {sentence}"
    except FrontierMisfit as error:
        yield f"the {where}'s Redis: {masked(str(error))}"
    except CrawlerError:
        return  # it is away, which others say

"""Checks of a worker's settings against the guarantees of the crawler.

A worker runs them once, when it starts, and logs a sentence with the remedy for each setting that
breaks a guarantee.
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

#: Kombu's default time, in seconds, after which a message that was not acknowledged is delivered
#: again.
VISIBILITY_TIMEOUT = 3_600.0
PICKLE = {"pickle", "application/x-python-serialize"}


def broken_settings(app: Any, consumer: Any, settings: Settings) -> Iterator[str]:
    """Yield a sentence, with its remedy, for each setting of a worker that breaks a guarantee.

    ``consumer`` is that of the worker, which is about to consume, and ``app`` its Celery app. Asks
    Redis about its configuration.
    """
    if settings.queue not in app.amqp.queues.consume_from:
        return  # a worker of the project's other queues
    if PICKLE & set(app.conf.accept_content):
        yield (
            "pickle is accepted: a writer to the broker can run code here; set"
            " accept_content to ['json']"
        )
    yield from _short_patience(app.conf)
    yield from _late_acks(app.conf, settings)
    yield from _time_limits(consumer.pool, settings)
    if not app.conf.worker_disable_prefetch:
        yield (
            "prefetch is on: a wake-up waits in a busy worker while others are idle; start it with"
            " --disable-prefetch"
        )
    # without -E, the events about the worker itself are sent nevertheless
    if settings.events and getattr(consumer.event_dispatcher, "groups", None):
        yield (
            "this worker sends no events about tasks, so Flower shows none; start it with -E (or"
            " set CRAWLER_EVENTS=false)"
        )
    yield from _redis_faults("frontier", settings.redis_url)
    yield from _redis_faults("broker", app.conf.broker_url)


def _short_patience(conf: Any) -> Iterator[str]:
    """Yield a sentence if this worker ends where its broker is away: see ``reconnection``."""
    for name, when in (
        ("broker_connection_retry", "when its broker is away"),
        ("broker_connection_retry_on_startup", "if its broker is away at its start"),
    ):
        if conf[name] is False:
            yield f"{name} is off: this worker ends {when}; set it to True"
            return


def _late_acks(conf: Any, settings: Settings) -> Iterator[str]:
    """Yield a sentence if a task is acknowledged late: its message may be delivered twice."""
    if not conf.task_acks_late:
        return
    options = conf.broker_transport_options or {}
    visible = float(options.get("visibility_timeout", VISIBILITY_TIMEOUT))
    hard = float(conf.task_time_limit or settings.hard_timeout)
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


def _time_limits(pool: Any, settings: Settings) -> Iterator[str]:
    """Yield a sentence if no time limit ends a run that hangs.

    The app's own limits do not matter: each wake-up brings its limits along.
    """
    kind = type(pool).__module__.rpartition(".")[2]
    if kind != "prefork":
        yield (
            f"the pool {kind} ends no run that takes too long: only Chrome's own time-outs"
            f" (CRAWLER_PAGE_LOAD_TIMEOUT {settings.page_load_timeout:g} s, CRAWLER_SCRIPT_TIMEOUT"
            f" {settings.script_timeout:g} s) do, and nothing does for a hook; use -P prefork"
        )


def _redis_faults(role: str, url: str | None) -> Iterator[str]:
    """Yield a sentence for each fault of the Redis at ``url``; ``role`` is frontier or broker."""
    # another broker, or kombu's form of Sentinels and sockets
    if not url or urlsplit(url).scheme not in SCHEMES:
        return
    try:
        for sentence in check_server(connect(url)):
            yield f"the {role}'s Redis: {sentence}"
    except FrontierMisfit as error:
        yield f"the {role}'s Redis: {masked(str(error))}"
    except CrawlerError:
        return  # Redis is away, which the tick logs

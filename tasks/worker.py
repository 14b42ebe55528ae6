"""The duties of every worker beside its runs: to tick, to announce itself, to end its browsers."""

from __future__ import annotations

import gc
import multiprocessing
import random
import threading
import time
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery import bootsteps, signals
from celery.worker import state

from ..browser.chrome.shared.seats import open_group, sweep_group
from ..config import SettingsError
from ..config import settings as configuration
from ..config.children import withdraw_secrets
from ..errors import CrawlerError, FrontierUnavailable
from ..local.heartbeat_file import Heartbeat, Idleness
from ..local.private_files import make_private
from ..local.shutdown import shutdown
from ..observe.logs import logger
from ..redaction import masked
from ..secret_refs import SECRET_PREFIX
from ..text.encodable import text_of_error, type_of_error
from . import process
from .config_checks import broken_settings
from .messages import refusals
from .reconnection import Lines, Reconnection, reconnected
from .remote_control import MaskedAnswers
from .soft_shutdown import SoftShutdown
from .startup import Startup, takes_our_tasks

if TYPE_CHECKING:
    from ..services import Services

log = logger(__name__)

#: The tick's interval varies by this share, so that a hundred workers do not tick at once.
JITTER = 0.25
#: Seconds after an outage of Redis or the broker for which wake-ups may be found to be lost: the
#: answer that granted them did not arrive, or the connection broke that had taken them. And seconds
#: between two ticks meanwhile, at most.
UNSURE, UNSURE_INTERVAL = 10.0, 3.0
#: Seconds for which a worker that ends waits until it has left the registry: a slow Redis must not
#: keep it.
LEAVE_TIMEOUT = 2.0
#: Announcements that may be missed before a worker counts as gone.
MISSED_ANNOUNCEMENTS = 3


class Ticker(bootsteps.StartStopStep):
    """Ticks when the worker starts, and then every ``tick_interval`` seconds; also as soon as the
    worker has its broker again, because wake-ups are lost with a connection.

    It does so in a thread: a slow Redis must not hold up the consumer.
    """

    requires = ("celery.worker.components:Pool", Startup)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._worker = parent
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._idleness = Idleness()

    def include_if(self, parent: Any) -> bool:
        """Whether this worker takes our tasks: a worker of a project's other queues does not
        tick.
        """
        return takes_our_tasks(parent)

    def start(self, parent: Any) -> None:
        """Begin to tick."""
        self._thread = threading.Thread(
            target=self._loop, args=(parent.hostname,), name="crawler-tick", daemon=True
        )
        self._thread.start()

    def stop(self, parent: Any) -> None:  # noqa: ARG002, Celery passes it
        """Tick no more. The thread then takes this worker out of the registry, which is waited for:
        to one that counts as alive others hand wake-ups on.
        """
        self._ended.set()
        reconnected.set()
        if self._thread is not None:
            self._thread.join(LEAVE_TIMEOUT)

    terminate = stop

    def _loop(self, name: str) -> None:
        """Tick until the worker ends. An error is logged, and the next tick tries again."""
        try:
            services = process.services()
        except CrawlerError:
            return  # it runs no crawl, which its start has logged
        settings, lines = services.settings, Lines()
        unsure_until = 0.0  # by the monotonic clock
        while True:
            unsure = time.monotonic() < unsure_until
            failure = ""
            try:
                life = settings.tick_interval * MISSED_ANNOUNCEMENTS
                broker = broker_of(self._worker.app)
                services.announce(name, life, self._worker.pool.num_processes, broker)
                services.tick(outage=unsure)
                if refused := refusals.take():
                    services.client.workers.note_refused(refused)
            except FrontierUnavailable as error:
                failure = masked(str(error))
                unsure_until = time.monotonic() + UNSURE
                if lines.due(str(error)):
                    log.warning("tick: %s", error)
            except CrawlerError as error:
                failure = masked(str(error))
                log.warning("tick: %s", error)
            except Exception as error:
                failure = masked(f"{type_of_error(error)}: {text_of_error(error)}")
                log.exception("tick")
            self._note_idleness(services)
            if settings.heartbeat_file:
                self._write_heartbeat(name, services, settings.heartbeat_file, failure)
            jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311, no secret
            unsure = time.monotonic() < unsure_until
            interval = min(settings.tick_interval, UNSURE_INTERVAL if unsure else inf)
            if reconnected.wait(interval * jitter):
                unsure_until = time.monotonic() + UNSURE
                reconnected.clear()
            if self._ended.is_set():
                break
        try:
            services.client.workers.leave(name)
        except CrawlerError:
            log.debug("could not leave the registry of workers", exc_info=True)

    def _note_idleness(self, services: Services) -> None:
        """Note among the faults of this worker that it gets nothing though work waits."""
        free = len(state.reserved_requests) < self._worker.pool.num_processes
        taken, oldest = sum(state.total_count.values()), services.oldest_wait
        waits = oldest[0] if oldest else None
        idle = self._idleness.note(time.monotonic(), taken=taken, free=free, waits=waits)
        before, services.idle_fault = services.idle_fault, ""
        if idle and oldest:
            settings = services.settings
            services.idle_fault = (
                f"it has taken nothing for {idle:.0f} s while wake-ups of {oldest[1]} wait: give"
                " workers and clients the same CRAWLER_BROKER_URL and CRAWLER_QUEUE (here"
                f" {broker_of(self._worker.app)}, queue {settings.queue})"
            )
            if not before:
                log.warning("%s", services.idle_fault)

    def _write_heartbeat(self, name: str, services: Services, path: Path, failure: str) -> None:
        """Write the heartbeat file at ``path``, for probes; ``failure`` is that of the tick."""
        running, reply = len(state.active_requests), last_broker_reply(self._worker)
        settings = services.settings
        try:
            Heartbeat(
                *(name, time.time(), reply, running, settings.tick_interval, settings.hard_timeout),
                services.faults,
                failure,
            ).write(path)
        except OSError as error:
            log.warning("the heartbeat file %s cannot be written: %s", path, error.strerror)


def broker_of(app: Any) -> str:
    """Return where the workers of ``app`` take messages from, without the password."""
    connection = app.connection_for_read()
    uri = str(connection.as_uri())
    socket = "+socket:" in uri and "virtual_host=" not in uri
    return f"{uri}?virtual_host={connection.virtual_host}" if socket else uri


def last_broker_reply(worker: Any) -> float | None:
    """Return the time at which the broker last answered ``worker`` whether there is a message.

    In epoch seconds. None: it has not answered yet, the worker is connecting again, or its
    transport is not ours.
    """
    connection = getattr(worker.consumer, "connection", None)
    return getattr(connection and connection.transport, "last_broker_reply", None)


@signals.worker_ready.connect
def check_settings(sender: Any = None, **_: Any) -> None:
    """Log a warning for each setting that breaks a guarantee, once.

    In a thread: Redis is asked, and the worker does not wait for its answer.
    """

    def check() -> None:
        try:
            for sentence in broken_settings(sender.app, sender, process.services().settings):
                log.warning("%s", sentence)
        except Exception:
            log.exception("could not check the settings")

    threading.Thread(target=check, name="crawler-config-checks", daemon=True).start()


@signals.worker_ready.connect
def tell_of_the_end(sender: Any = None, **_: Any) -> None:
    """Let this worker's processes tell its end from that of one of them alone, and its event loop
    see it at once: a signal alone does not wake that before its next timer is due.
    """
    shutdown.watch_for_children(then=getattr(sender, "wake", lambda: None))


def share_memory_in(folder: Path) -> None:
    """Let this worker make the files of its shared memory in ``folder``, which are gone at once.

    By default each worker makes a folder for them among the temporary ones, which stays when it is
    killed.
    """
    with suppress(OSError):
        make_private(folder)
        multiprocessing.current_process()._config["tempdir"] = str(folder)  # type: ignore[attr-defined]


@signals.celeryd_init.connect
def add_steps(instance: Any = None, **_: Any) -> None:
    """Add the tick, the patience and the masked answers to the worker that is about to be built, of
    any app.
    """
    process.load()  # before the fork
    shutdown.share()
    settings = configuration.load()
    memory = settings.state_dir.absolute() / "memory"
    share_memory_in(memory)
    if settings.chrome_shared > 1 and not settings.chrome_url:
        open_group(memory if memory.is_dir() else None)
    instance.app.steps["worker"].update((Startup, Ticker, SoftShutdown))
    instance.app.steps["consumer"].update((Reconnection, MaskedAnswers))


@signals.worker_init.connect
def choose_pool(sender: Any = None, **_: Any) -> None:
    """Give a worker that takes our tasks, and would use Celery's pool ``prefork``, ours."""
    from celery.concurrency import get_implementation, prefork  # not for those who send

    from .prefork import TaskPool

    with suppress(SettingsError):  # which the step Startup says
        if get_implementation(sender.pool_cls) is prefork.TaskPool and takes_our_tasks(sender):
            sender.pool_cls = TaskPool


@signals.worker_before_create_process.connect
def keep_memory_shared(**_: Any) -> None:
    """Let the processes that do runs collect only garbage of their own: to look at what they have
    from this one, modules above all, would be to write to it, and each would get a copy.
    """
    gc.collect()
    gc.freeze()


@signals.worker_process_init.connect
def keep_secrets_from_children(**_: Any) -> None:
    """Take our secrets out of the environment of a process that does runs: what its hooks start
    does not inherit them.
    """
    withdraw_secrets(SECRET_PREFIX)


@signals.worker_process_shutdown.connect
def close_browser(**_: Any) -> None:
    """End the browser of this process, when it shuts down (warm, soft or cold) or is recycled.

    After a kill, the sweep of another process ends it.
    """
    process.close()


@signals.worker_shutdown.connect
def close_browser_of_the_parent(**_: Any) -> None:
    """End the browsers of the worker's own process: the pools solo and threads do runs in it. And
    those that its other processes shared, if they were killed.
    """
    process.close()
    with suppress(SettingsError):
        sweep_group(configuration.load().state_dir.absolute())

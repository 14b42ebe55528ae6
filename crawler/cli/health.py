"""``health``: for probes, whether the parts that run here work."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from ..config import settings as configuration
from ..config.settings import Settings
from ..errors import CrawlerError, SetupError
from ..local.heartbeat_file import Heartbeat
from ..output.report import ExitStatus
from ..redaction import masked
from .terminal import echo

#: The parts that can be checked.
PARTS = ("worker", "redis", "broker", "chrome")
#: Seconds to wait for the Grid's answer.
GRID_TIMEOUT = 3.0


@click.command()
@click.option(
    "--only", type=click.Choice(PARTS), multiple=True, help="Look at this alone; may be repeated."
)
@click.option("--live", is_flag=True, help="Whether the worker lives: else a restart helps.")
@click.option("--ready", is_flag=True, help="Whether the worker, and all that it needs, works.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
def health(only: tuple[str, ...], live: bool, ready: bool, as_json: bool) -> None:
    """Say whether the worker of this machine, Redis, the broker and Chrome work. Exit status 1 if
    one does not.

    A worker that lives ticks, and hears from its queue; it does so while it waits for Redis or the
    broker, and a probe that restarts workers asks no more (`--live`). One that is ready can also do
    all of its crawls, and gets work where work waits.
    """
    if bool(only) + live + ready > 1:
        raise click.UsageError("--only, --live and --ready exclude each other")
    settings = configuration.load()
    names: Sequence[str] = only or [
        name for name in PARTS if name != "worker" or settings.heartbeat_file
    ]
    if live or ready:
        names = ("live",) if live else PARTS
    parts = {name: check_part(name, settings) for name in names}
    ok = all(part["ok"] for part in parts.values())
    if as_json:
        echo(json.dumps({"ok": ok, "parts": parts}))
    else:
        for name, part in parts.items():
            echo(f"{'ok' if part['ok'] else '!!'}  {name:<7} {part['said']}")
    sys.exit(0 if ok else ExitStatus.CRAWL_FAILED)


def check_part(name: str, settings: Settings) -> dict[str, Any]:
    """Return whether the part ``name`` works, its own words on that, and the milliseconds that it
    took to ask.
    """
    began = time.monotonic()
    try:
        part = {"ok": True, "said": CHECKS[name](settings)}
    except CrawlerError as error:
        part = {"ok": False, "said": masked(str(error))}
    return part | {"ms": round((time.monotonic() - began) * 1_000)}


def check_worker(settings: Settings) -> str:
    """Return the state of the worker whose heartbeat file is set.

    Raises:
        SetupError: it does not live, cannot do all of its crawls, or gets no work where work waits;
            or there is no such file.
    """
    state = check_live(settings)
    beat = read_heartbeat(settings)
    if beat.faults:
        raise SetupError(f"{state}: {'; '.join(beat.faults)}")
    if beat.tick_error:
        if not answers(check_redis, settings):
            return f"{state}; Redis is away, or takes no changes"
        raise SetupError(f"{state}: its tick fails: {beat.tick_error}")
    return state


def read_heartbeat(settings: Settings) -> Heartbeat:
    """Return what the worker last wrote. Raises SetupError: nothing, or no file is set."""
    if settings.heartbeat_file is None:
        raise SetupError(
            "CRAWLER_HEARTBEAT_FILE is not set: give the worker and its probe the same file"
        )
    return Heartbeat.read(settings.heartbeat_file)


def check_live(settings: Settings) -> str:
    """Return the state of the worker whose heartbeat file is set.

    Raises:
        SetupError: it should be restarted, or there is no such file.
    """
    beat, now = read_heartbeat(settings), time.time()
    heard = (
        "cannot tell when it last heard from its queue"
        if beat.broker_reply is None
        else f"heard {now - beat.broker_reply:.0f} s ago"
    )
    state = (
        f"{beat.worker}: tick {now - beat.tick:.0f} s ago, {heard}, {beat.running} tasks running"
    )
    if reason := beat.restart_reason(now):
        # a new worker would hear as little
        if beat.misses_broker(now) and not answers(check_broker, settings):
            return f"{state}; the broker is away"
        raise SetupError(f"{state}: {reason}")
    return state


def answers(check: Callable[[Settings], str], settings: Settings) -> bool:
    """Whether the part that ``check`` looks at answers."""
    try:
        check(settings)
    except CrawlerError:
        return False
    return True


def check_broker(settings: Settings) -> str:
    """Return where the broker is.

    Raises:
        SetupError: none is configured, or it does not answer.
    """
    if not settings.broker_url:
        raise SetupError("neither CRAWLER_BROKER_URL nor CRAWLER_REDIS_URL is set")
    from .broker_check import reach_broker  # loads kombu

    return reach_broker(settings)


def check_redis(settings: Settings) -> str:
    """Return where the frontier's Redis is, and how many milliseconds away.

    Raises:
        SetupError: none is configured, or it takes no changes.
        FrontierUnavailable: it does not answer.
    """
    if not settings.redis_url:
        raise SetupError("CRAWLER_REDIS_URL is not set")
    from ..storage.connection import connect  # loads redis-py
    from ..storage.errors import redis_errors
    from ..storage.server import write_refusal

    client = connect(
        settings.redis_url,
        connect_timeout=settings.redis_connect_timeout,
        read_timeout=settings.redis_timeout,
    )
    began = time.monotonic()
    with redis_errors():
        client.ping()
    ms = (time.monotonic() - began) * 1_000
    if why := write_refusal(client, f"{settings.key_prefix}probe"):
        raise SetupError(masked(why))
    return f"{masked(settings.redis_url)}, {ms:.1f} ms with the connection"


def check_chrome(settings: Settings) -> str:
    """Return where Chrome is. A Grid is asked for its nodes, a bare endpoint for its browser; a
    local Chrome is not started.

    Raises:
        SetupError, BrowserUnavailable: the Grid is not ready, or does not say.
    """
    if settings.chrome_url is None:
        from ..browser.chrome.local import find_chrome

        path = settings.chrome_binary or find_chrome()
        return str(path) if path else "none on the path; Selenium Manager will look for one"
    from ..browser.chrome.bare_endpoint import is_bare, product_at, shown

    if is_bare(settings.chrome_url):
        product = product_at(settings.chrome_url, GRID_TIMEOUT)
        return f"{product} at {shown(settings.chrome_url)}"
    import urllib3

    place = masked(settings.chrome_url)
    url = f"{settings.chrome_url}/status"
    try:
        answer = urllib3.request("GET", url, timeout=GRID_TIMEOUT, retries=False).json()
        value = answer["value"]
        ready = bool(value["ready"])
        up = [node for node in value.get("nodes", ()) if node.get("availability") == "UP"]
    except (urllib3.exceptions.HTTPError, OSError, ValueError, KeyError, TypeError) as error:
        raise SetupError(f"{place} does not say how it is: {type(error).__name__}") from error
    if ready:
        return place
    if (
        up
    ):  # a Grid whose slots are all taken, which is how a busy one is, says that it is not ready
        return f"{place}, all slots taken"
    raise SetupError(f"{place} is not ready: {value.get('message', 'no reason is given')}")


CHECKS: Mapping[str, Callable[[Settings], str]] = {
    "live": check_live,
    "worker": check_worker,
    "redis": check_redis,
    "broker": check_broker,
    "chrome": check_chrome,
}

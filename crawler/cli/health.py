"""``health``: for probes, whether what runs here works."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import click
import urllib3

from ..browser.chrome.local import find_chrome
from ..config.settings import Settings
from ..errors import CrawlerError, SetupError
from ..local.heartbeat_file import Heartbeat
from ..redaction import masked
from ..storage.connection import connect
from ..storage.errors import redis_errors
from .common import CRAWL_FAILED, settings
from .doctor import reach_broker

#: What can be looked at.
PARTS = ("worker", "redis", "broker", "chrome")
#: Seconds to wait for the Grid's answer.
GRID_TIMEOUT = 3.0


@click.command()
@click.option(
    "--only", type=click.Choice(PARTS), multiple=True, help="Look at this alone; may be repeated."
)
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
def health(only: tuple[str, ...], as_json: bool) -> None:
    """Say whether the worker of this machine, Redis, the broker and Chrome work. Exit status 1 if
    one does not.

    A probe that restarts workers should look at the worker alone (`--only worker`): it is well
    while it waits for Redis.
    """
    given = settings()
    checks: dict[str, Callable[[Settings], str]] = {
        "worker": worker,
        "redis": redis,
        "broker": broker,
        "chrome": chrome,
    }
    if not only and given.heartbeat_file is None:
        del checks["worker"]
    found = {}
    for name in only or checks:
        began = time.monotonic()
        try:
            found[name] = {"ok": True, "said": checks[name](given)}
        except CrawlerError as error:
            found[name] = {"ok": False, "said": masked(str(error))}
        found[name]["ms"] = round((time.monotonic() - began) * 1_000)
    well = all(one["ok"] for one in found.values())
    if as_json:
        click.echo(json.dumps({"ok": well, "parts": found}))
    else:
        for name, one in found.items():
            click.echo(f"{'ok' if one['ok'] else '!!'}  {name:<7} {one['said']}")
    sys.exit(0 if well else CRAWL_FAILED)


def worker(given: Settings) -> str:
    """How the worker whose heartbeat file is set does."""
    if given.heartbeat_file is None:
        raise SetupError(
            "CRAWLER_HEARTBEAT_FILE is not set: give the worker and its probe the same file"
        )
    beat = Heartbeat.read(given.heartbeat_file)
    now = time.time()
    heard = (
        "cannot tell when it last heard from its queue"
        if beat.heard is None
        else f"heard {now - beat.heard:.0f} s ago"
    )
    said = f"{beat.worker}: tick {now - beat.tick:.0f} s ago, {heard}, {beat.running} tasks running"
    if why := beat.ill(now):
        if beat.is_deaf(now) and not answers(given):  # a new worker would hear as little
            return f"{said}; the broker is away"
        raise SetupError(f"{said}: {why}")
    return said


def answers(given: Settings) -> bool:
    """Whether the broker does."""
    try:
        reach_broker(given)
    except CrawlerError:
        return False
    return True


def redis(given: Settings) -> str:
    """How far away the frontier's Redis is."""
    if not given.redis_url:
        raise SetupError("CRAWLER_REDIS_URL is not set")
    client = connect(
        given.redis_url,
        connect_timeout=given.redis_connect_timeout,
        read_timeout=given.redis_timeout,
    )
    began = time.monotonic()
    with redis_errors():
        client.ping()
    return (
        f"{masked(given.redis_url)}, {(time.monotonic() - began) * 1_000:.1f} ms with the"
        " connection"
    )


def broker(given: Settings) -> str:
    """Where the broker is, if it answers."""
    if not given.broker_url:
        raise SetupError("neither CRAWLER_BROKER_URL nor CRAWLER_REDIS_URL is set")
    return masked(given.broker_url) + reach_broker(given)


def chrome(given: Settings) -> str:
    """The Grid's own word on whether it is ready; a local Chrome is only looked for, not
    started.
    """
    if given.chrome_url is None:
        found = given.chrome_binary or find_chrome()
        return str(found) if found else "none on the path; Selenium Manager will look for one"
    url = f"{given.chrome_url}/status"
    try:
        said = urllib3.request("GET", url, timeout=GRID_TIMEOUT, retries=False).json()
        ready = bool(said["value"]["ready"])
    except (urllib3.exceptions.HTTPError, OSError, ValueError, KeyError, TypeError) as error:
        raise SetupError(
            f"{masked(given.chrome_url)} does not say how it is: {type(error).__name__}"
        ) from error
    if not ready:
        raise SetupError(
            f"{masked(given.chrome_url)} is not ready:"
            f" {said['value'].get('message', 'no reason is given')}"
        )
    return masked(given.chrome_url)

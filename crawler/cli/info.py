"""``info``: the state of a crawl, its lists of pages, and the Redis command to look further."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

import click
from redis import Redis

from ..client.client import Client
from ..client.standstill import Standstill, record_of
from ..client.workers import browser_memory_of
from ..frontier.frontier import Frontier
from ..frontier.listing import Listing
from ..frontier.outbox import Outbox
from ..model import Json, Page, Snapshot
from ..output import report
from ..redaction import masked
from ..storage.connection import RedisClient
from ..storage.errors import redis_errors
from ..storage.server import server_time
from .click_errors import Mistake
from .common import find_crawl, names, open_client
from .parameters import CRAWL_NAME
from .terminal import echo

#: The lists of pages that ``--lists`` shows.
LISTS = ("queued", "processing", "delayed", "failed", "deliveries")


@click.command()
@click.argument("name", type=CRAWL_NAME, required=False)
@click.option("--lists", type=click.Choice(LISTS), help="Also the first pages of this list.")
@click.option(
    "--count", type=click.IntRange(1, 10_000), default=10, help="How many of them. [default: 10]"
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="For programs: one JSON object, or a list of them without NAME.",
)
@click.option(
    "--watch",
    is_flag=True,
    help=(
        "Show it live, until it is over or `q` is pressed: its pace, hosts, pages in flight and"
        " failures; a line each ten seconds where there is no terminal. Nothing is stopped."
    ),
)
def info(name: str | None, lists: str | None, count: int, as_json: bool, watch: bool) -> None:
    """Say what the crawl NAME (or each crawl) is doing."""
    if lists and not name:
        raise Mistake(f"say of which crawl: crawler info NAME --lists {lists}")
    if watch and (lists or as_json):
        raise Mistake("--watch is for people: leave out --lists and --json")
    with open_client() as client:
        if watch and client.attended:  # else nobody is at work
            watch_crawls(client, name)
            if not name:
                return
        crawls = [find_crawl(client, one) for one in ([name] if name else names(client))]
        records = [
            report.report(snapshot)
            | {"now": current_state(crawl.frontier, snapshot)}
            | {"standstill": record_of(client.standstill(crawl.name, ask=bool(name)))}
            for crawl, snapshot in crawls
        ]
        refused = client.workers.refused() if crawls else 0
        memory = browser_memory_of(client.workers.workers()) if crawls else {}
        for record in records:
            record["now"]["messages refused, of any crawl"] = refused or None
            record["now"]["MB of memory of browsers, of any crawl"] = megabytes(memory)
            record["browser_memory"] = memory
        pages = list(page_rows(crawls[0][0].frontier, lists, count)) if lists else []
        console = redis_cli(client.settings.redis_url or "", client.redis)
    if as_json:
        whole = [record | ({lists: pages} if lists else {}) for record in records]
        echo(json.dumps(whole[0] if name else whole, ensure_ascii=False))
        return
    for (crawl, snapshot), record in zip(crawls, records, strict=True):
        echo("\n".join(report.lines(snapshot)))
        echo(f"  now      {state_line(record['now'])}")
        if still := record["standstill"]:
            echo(f"  still    {Standstill(**still).line()}")
        if name:
            echo(f"  redis    {console} HGETALL {shlex.quote(crawl.frontier.key('meta'))}")
    for page in pages:
        echo("  " + "  ".join(str(value) for value in page.values() if value is not None))
    if not crawls:
        echo("no crawl is known here")


def watch_crawls(client: Client, name: str | None) -> None:
    """Show one crawl, or all of them, live."""
    from .live.watching import watch_all, watch_one

    if name:
        watch_one(client, name)
    else:
        watch_all(client)


def current_state(frontier: Frontier, snapshot: Snapshot) -> dict[str, Json]:
    """Return what a report leaves out: how the frontier stands at this instant."""
    lanes, time = Listing(frontier).lane_count(), server_time(frontier.redis)
    held = snapshot.held_until - time if snapshot.held_until else 0
    return {
        "queued": snapshot.queued,
        "delayed": snapshot.delayed,
        "processing": snapshot.processing,
        "on their way to hooks": snapshot.delivering,
        "last error of a hook": last_error(frontier) if snapshot.delivering else None,
        "no run can be started": None if snapshot.over else start_error(frontier),
        "wake-ups under way": snapshot.tickets,
        "to be visited again": snapshot.revisits or None,
        "lanes": lanes,
        "seconds on hold": round(held) if held > 0 else None,
    }


def megabytes(memory: Mapping[str, int]) -> int | None:
    """Return the sum of bytes in megabytes; None: there are none."""
    return round(sum(memory.values()) / 1e6) or None


def last_error(frontier: Frontier) -> str | None:
    """Return the error that keeps a delivery from its hook, with the time of its next attempt; None
    if there was none.
    """
    for waiting in Outbox(frontier).waiting():
        if waiting.reason:
            hook, when = waiting.delivery.hook, max(0.0, waiting.wait)
            return f"{hook}: {waiting.reason}, called again in {when:.0f} s"
    reason = frontier.end_hook_reason()
    return f"after_all: {reason}, called again soon" if reason else None


def start_error(frontier: Frontier) -> str | None:
    """Return why no run was started since the last page was handed out; None if one can be."""
    reason = frontier.start_error()
    return f"no run can be started: {reason}" if reason else None


def state_line(state: dict[str, Json]) -> str:
    """Return the current state for people; what does not apply is left out."""
    parts = [
        f"{number} {word}" if isinstance(number, int) else str(number)
        for word, number in state.items()
        if number is not None and (number or word != "on their way to hooks")
    ]
    return ", ".join(parts)


def page_rows(frontier: Frontier, name: str, count: int) -> Iterator[dict[str, Json]]:
    """Return the first ``count`` pages of the list ``name``, each with its URL last."""
    match name:
        case "processing":
            for claim in Listing(frontier).processing(0, count):
                yield {"worker": claim.worker, "attempt": claim.page.attempt} | place(claim.page)
        case "deliveries":
            for waiting in Outbox(frontier).waiting(count):
                yield waiting.record()
        case "failed":
            for failed in Listing(frontier).failed(0, count):
                cause = {"reason": failed.reason, "status": failed.status}
                yield cause | {"attempt": failed.page.attempt} | place(failed.page)
        case _:
            listing = Listing(frontier)
            for page in (listing.delayed if name == "delayed" else listing.queued)(0, count):
                priority = page.priority.name.lower()
                yield {"priority": priority, "attempt": page.attempt} | place(page)


def place(page: Page) -> dict[str, Json]:
    """Return where a page is: its depth and URL."""
    return {"depth": page.depth, "url": page.url}


def redis_cli(url: str, client: RedisClient) -> str:
    """Return the ``redis-cli`` command that opens the Redis at ``url``, without its password.

    A Sentinel is asked for its master.
    """
    parts = urlsplit(url)
    base, _, kind = parts.scheme.partition("+")
    if base == "unix":
        database = dict(parse_qsl(parts.query)).get("db", "0")
        return f"redis-cli -s {shlex.quote(unquote(parts.path))} -n {database}"
    if kind == "sentinel" and isinstance(client, Redis):
        with redis_errors():
            host, port = client.connection_pool.get_master_address()  # type: ignore[attr-defined]
        database = parts.path.partition("/")[2].partition("/")[2] or "0"
        return f"redis-cli -h {host} -p {port} -n {database}"
    userinfo, at, hosts = parts.netloc.rpartition("@")
    plain = masked(f"{base}://{userinfo}{at}{hosts.partition(',')[0]}{parts.path}")
    return f"redis-cli{' -c' if kind else ''} -u {shlex.quote(plain)}"

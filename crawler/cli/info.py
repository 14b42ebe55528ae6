"""``info`` and ``doctor``: commands that only look."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

import click
from redis import Redis

from ..frontier.frontier import Frontier
from ..model import Json, Page, Snapshot
from ..output import report
from ..redaction import masked
from ..storage.connection import RedisClient
from ..storage.errors import redis_errors
from .common import Mistake, client, existing, names

#: The lists of pages that can be looked at.
LISTS = ("queued", "processing", "delayed", "failed")


@click.command()
@click.argument("name", required=False)
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
def info(name: str | None, lists: str | None, count: int, as_json: bool) -> None:
    """What the crawl NAME (or each crawl) is doing."""
    if lists and not name:
        raise Mistake(f"say of which crawl: crawler info NAME --lists {lists}")
    with client() as there:
        seen = [existing(there, one) for one in ([name] if name else names(there))]
        facts = [
            report.report(snapshot) | {"now": now(frontier, snapshot)}
            for frontier, snapshot in seen
        ]
        pages = list(listed(seen[0][0], lists, count)) if lists else []
        console = redis_cli(there.settings.redis_url or "", there.redis)
    if as_json:
        found = [fact | ({lists: pages} if lists else {}) for fact in facts]
        click.echo(json.dumps(found[0] if name else found, ensure_ascii=False))
        return
    for (frontier, snapshot), fact in zip(seen, facts, strict=True):
        click.echo("\n".join(report.lines(snapshot)))
        click.echo(
            "  now      "
            + ", ".join(
                f"{number} {what}" for what, number in fact["now"].items() if number is not None
            )
        )
        if name:
            click.echo(f"  redis    {console} HGETALL {shlex.quote(frontier.key('meta'))}")
    for page in pages:
        click.echo("  " + "  ".join(str(value) for value in page.values() if value is not None))
    if not seen:
        click.echo("no crawl is known here")


def now(frontier: Frontier, seen: Snapshot) -> dict[str, Json]:
    """What else there is to know about a crawl at this instant."""
    with redis_errors():
        lanes, time = frontier.redis.scard(frontier.key("lanes")), frontier.redis.time()[0]
    held = seen.held_until - time if seen.held_until else 0
    return {
        "queued": seen.queued,
        "delayed": seen.delayed,
        "processing": seen.processing,
        "wake-ups under way": seen.tickets,
        "lanes": lanes,
        "seconds on hold": round(held) if held > 0 else None,
    }


def listed(frontier: Frontier, name: str, count: int) -> Iterator[dict[str, Json]]:
    """The first pages of a list: their URL last."""
    match name:
        case "processing":
            for claim in frontier.processing(0, count):
                yield {"worker": claim.worker, "attempt": claim.page.attempt} | about(claim.page)
        case "failed":
            for one in frontier.failed(0, count):
                yield {
                    "reason": one.reason,
                    "status": one.status,
                    "attempt": one.page.attempt,
                } | about(one.page)
        case _:
            for page in (
                frontier.delayed(0, count) if name == "delayed" else frontier.queued(0, count)
            ):
                yield {"band": page.band.name.lower(), "attempt": page.attempt} | about(page)


def about(page: Page) -> dict[str, Json]:
    """What a list says of a page."""
    return {"depth": page.depth, "url": page.url}


def redis_cli(url: str, client: RedisClient) -> str:
    """The command with which to look into the Redis at ``url`` oneself; a password is left out."""
    parts = urlsplit(url)
    base, _, kind = parts.scheme.partition("+")
    if base == "unix":
        database = dict(parse_qsl(parts.query)).get("db", "0")
        return f"redis-cli -s {shlex.quote(unquote(parts.path))} -n {database}"
    if kind == "sentinel" and isinstance(client, Redis):
        with redis_errors():
            host, port = client.connection_pool.get_master_address()  # type: ignore[attr-defined]
        return (
            f"redis-cli -h {host} -p {port} -n"
            f" {parts.path.partition('/')[2].partition('/')[2] or 0}"
        )
    userinfo, at, hosts = parts.netloc.rpartition("@")
    plain = masked(f"{base}://{userinfo}{at}{hosts.partition(',')[0]}{parts.path}")
    return f"redis-cli{' -c' if kind else ''} -u {shlex.quote(plain)}"

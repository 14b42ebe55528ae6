"""``info`` and ``doctor``: commands that only look."""

from __future__ import annotations

import json
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import click
from kombu import Connection
from kombu.exceptions import OperationalError
from redis import Redis

from .. import report
from ..browser import find_chrome, find_driver
from ..browser.session import SHARED_MEMORY
from ..client import Library
from ..config import settings as configuration
from ..config.celery import sender_settings
from ..config.settings import Settings, SettingsError
from ..connection import Client
from ..definition import load_all
from ..embedded import find_redis
from ..errors import CrawlerError, SetupError
from ..frontier import Frontier, check, describe
from ..frontier.scripts import speaking
from ..masking import masked
from ..model import Json, Page, Snapshot
from .door import MISTAKE, Mistake, existing, library, names

#: The lists of pages that can be looked at.
LISTS = ("queued", "processing", "delayed", "failed")

#: Seconds that a program may take to say its version.
VERSION_TIMEOUT = 20


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
    with library() as there:
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
    with speaking():
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


def redis_cli(url: str, client: Client) -> str:
    """The command with which to look into the Redis at ``url`` oneself; a password is left out."""
    parts = urlsplit(url)
    base, _, kind = parts.scheme.partition("+")
    if base == "unix":
        database = dict(parse_qsl(parts.query)).get("db", "0")
        return f"redis-cli -s {shlex.quote(unquote(parts.path))} -n {database}"
    if kind == "sentinel" and isinstance(client, Redis):
        with speaking():
            host, port = client.connection_pool.get_master_address()  # type: ignore[attr-defined]
        return (
            f"redis-cli -h {host} -p {port} -n"
            f" {parts.path.partition('/')[2].partition('/')[2] or 0}"
        )
    userinfo, at, hosts = parts.netloc.rpartition("@")
    plain = masked(f"{base}://{userinfo}{at}{hosts.partition(',')[0]}{parts.path}")
    return f"redis-cli{' -c' if kind else ''} -u {shlex.quote(plain)}"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: ``mend`` is empty where all is well."""

    what: str
    found: str
    mend: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(as_json: bool) -> None:
    """Say what is installed, reachable and misconfigured. Exit status 2 if something needs
    mending.
    """
    findings = list(examine())
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in findings]))
    else:
        for one in findings:
            click.echo(
                f"{'!!' if one.mend else 'ok'}  {one.what:<12} {one.found}"
                + (f"\n    mend: {one.mend}" if one.mend else "")
            )
    if any(one.mend for one in findings):
        sys.exit(MISTAKE)


def examine() -> Iterator[Finding]:
    """Look at everything that a crawl needs, in the order in which it is needed."""
    versions = ", ".join(
        f"{name} {metadata.version(name)}" for name in ("celery", "selenium", "redis")
    )
    yield Finding("python", f"{platform.python_version()}, {versions}")
    try:
        given = configuration.load()
    except SettingsError as error:
        yield Finding("settings", "cannot be read", str(error))
        return
    for name, meant in configuration.unknown().items():
        yield Finding(
            "settings",
            f"{name} is not a setting",
            f"did you mean {meant}?" if meant else "remove it",
        )
    yield attempt(
        "crawls",
        lambda: (
            ", ".join(load_all(given.crawls)) or "none with code; TOML files and URLs need none"
        ),
    )
    if given.chrome_url:
        yield Finding("chrome", f"at {masked(given.chrome_url)}")
    else:
        yield attempt("chrome", lambda: version_of(given.chrome_binary or find_chrome(), "Chrome"))
        yield attempt(
            "chromedriver", lambda: version_of(given.chromedriver or find_driver(), "ChromeDriver")
        )
        if Path("/dev/shm").is_dir():  # noqa: S108, this is where Chrome looks
            size = shutil.disk_usage("/dev/shm").total  # noqa: S108
            small = "give the container shm_size: 2gb" if size < SHARED_MEMORY else ""
            yield Finding("shared memory", f"{size / 2**20:,.0f} MB", small)
    if not given.redis_url:
        yield attempt("redis", lambda: f"embedded: {find_redis()}")
        return
    frontier = attempt(
        "redis", lambda: "; ".join([masked(given.redis_url or ""), *reach(Library(given))])
    )
    yield frontier
    yield attempt("broker", lambda: masked(given.broker_url or "") + reach_broker(given))
    if frontier.mend:
        return
    yield attempt(
        "workers",
        lambda: (
            "; ".join(str(one.name) for one in Library(given).roll.workers()) or "none is alive"
        ),
    )


def version_of(program: Path | str | None, name: str) -> str:
    """Path and version of a program; without one, that Selenium Manager will be asked."""
    if program is None:
        return f"no {name} on the path; Selenium Manager will look for one when it is needed"
    try:
        answer = subprocess.run(
            [str(program), "--version"],
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SetupError(f"{program} does not run: {error}") from error
    return f"{program}: {answer.stdout.strip()}"


def reach(there: Library) -> list[str]:
    """What each server of the frontier's Redis is and how it is, and what it should be warned
    of.
    """
    warnings = check(there.redis)
    return describe(there.redis) + warnings


def reach_broker(given: Settings) -> str:
    """Nothing if the broker answers."""
    config = sender_settings(given)
    connection = Connection(
        config["broker_url"],
        transport_options=config["broker_transport_options"],
        ssl=config.get("broker_use_ssl"),
    )
    with connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        except (OperationalError, *connection.connection_errors) as error:
            raise SetupError(f"the broker does not answer: {masked(str(error))}") from error
    return ""


def attempt(what: str, look: Callable[[], str]) -> Finding:
    """What ``look`` found, or what it raised as the mend."""
    try:
        return Finding(what, look())
    except CrawlerError as error:
        return Finding(what, "not usable", masked(str(error)))

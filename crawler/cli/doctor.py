"""``crawler doctor``: whether everything that a crawl needs is there, and how to mend what is not."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import click
from kombu import Connection
from kombu.exceptions import OperationalError

from ..browser.chrome.local import find_chrome, find_driver
from ..browser.pool import SHARED_MEMORY
from ..client.client import Client
from ..config import settings as configuration
from ..config.celery import sender_settings
from ..config.settings import Settings, SettingsError
from ..definition.loading import load_all
from ..errors import CrawlerError, SetupError
from ..frontier.server_checks import check_server, describe_server
from ..local.embedded import find_redis
from ..redaction import masked
from .common import MISTAKE

#: Seconds that a program may take to say its version.
VERSION_TIMEOUT = 20


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
        "redis", lambda: "; ".join([masked(given.redis_url or ""), *reach(Client(given))])
    )
    yield frontier
    yield attempt("broker", lambda: masked(given.broker_url or "") + reach_broker(given))
    if frontier.mend:
        return
    yield attempt(
        "workers",
        lambda: "; ".join(str(one.name) for one in Client(given).roll.workers()) or "none is alive",
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


def reach(there: Client) -> list[str]:
    """What each server of the frontier's Redis is and how it is, and what it should be warned
    of.
    """
    warnings = check_server(there.redis)
    return describe_server(there.redis) + warnings


def reach_broker(given: Settings) -> str:
    """Nothing if the broker answers."""
    config = sender_settings(given)
    connection = Connection(
        config["broker_url"],
        transport=config["broker_transport"],
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

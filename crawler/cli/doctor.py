"""``doctor``: whether a crawl finds everything that it needs, and how to mend what it does not."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import click

from ..browser.chrome.local import find_chrome, find_driver
from ..browser.chrome.registry import Registry
from ..client.client import Client
from ..client.standstill import ROUND_TRIP
from ..client.workers import Worker
from ..config import SettingsError
from ..config import settings as configuration
from ..config.settings import Settings
from ..definition.loading import load_all
from ..errors import CrawlerError, SetupError
from ..frontier.frontier import Frontier
from ..frontier.server_checks import check_server, describe_server
from ..local.embedded import find_redis
from ..model import short_version
from ..output.report import ExitStatus
from ..redaction import masked
from ..secret_refs import SECRET_PREFIX
from ..storage.server import write_refusal
from . import machine_checks
from .broker_check import reach_broker
from .findings import Finding, attempt
from .health import check_chrome
from .terminal import echo

#: Seconds that a program may take to say its version.
VERSION_TIMEOUT = 20


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(as_json: bool) -> None:
    """Say what is installed, reachable and misconfigured. Exit status 1 if anything is wrong."""
    findings = list(examine())
    if as_json:
        echo(json.dumps([finding.record() for finding in findings]))
    else:
        for finding in findings:
            echo(finding.text())
    if any(finding.remedy for finding in findings):
        sys.exit(ExitStatus.CRAWL_FAILED)


def examine() -> Iterator[Finding]:
    """Examine everything that a crawl needs, in the order in which it is needed."""
    libraries = ("celery", "selenium", "redis")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in libraries)
    yield Finding("python", f"{platform.python_version()}, {versions}")
    try:
        settings = configuration.load()
    except SettingsError as error:
        yield Finding("settings", "cannot be read", str(error))
        return
    for name, near in configuration.unknown(SECRET_PREFIX).items():
        remedy = f"did you mean {near}?" if near else "remove it"
        yield Finding("settings", f"{name} is not a setting", remedy)
    yield attempt("crawls", lambda: known_crawls(settings))
    yield machine_checks.disk(settings.state_dir)
    yield from examine_chrome(settings)
    yield from examine_redis(settings)


def known_crawls(settings: Settings) -> str:
    """Return the names of the crawls with code."""
    return ", ".join(load_all(settings.crawls)) or "none with code; TOML files and URLs need none"


def examine_chrome(settings: Settings) -> Iterator[Finding]:
    """Examine Chrome, ChromeDriver and their shared memory; a remote Chrome is asked."""
    found = settings.chromedriver or find_driver()
    driver = attempt("chromedriver", lambda: version_of(found, "ChromeDriver"))
    if settings.chrome_url:
        yield attempt("chrome", lambda: f"ready, at {check_chrome(settings)}")
        if settings.chrome_url.startswith(("ws://", "wss://")):  # by a ChromeDriver of ours
            yield driver
        return
    chrome = attempt(
        "chrome", lambda: version_of(settings.chrome_binary or find_chrome(), "Chrome")
    )
    yield from (chrome, driver)
    if not chrome.remedy and not driver.remedy:
        yield machine_checks.versions_fit(chrome.state, driver.state)
    yield from machine_checks.examine_machine(settings.state_dir)


def examine_redis(settings: Settings) -> Iterator[Finding]:
    """Examine the frontier's Redis, the broker, and the workers that are alive."""
    if not settings.redis_url:
        yield attempt("redis", lambda: f"embedded: {find_redis()}")
        return
    frontier = attempt("redis", lambda: server_states(settings))
    yield frontier
    yield attempt("broker", lambda: reach_broker(settings))
    if not frontier.remedy:
        try:
            yield from examine_workers(settings)
        except CrawlerError as error:
            yield Finding("workers", "cannot be told", masked(str(error)))


def server_states(settings: Settings) -> str:
    """Return the URL of the frontier's Redis, the state of each server, and warnings about them.

    Raises:
        CrawlerError: it does not answer, is no place for a frontier, or takes no changes.
    """
    redis = Client(settings).redis
    warnings = check_server(redis)
    if why := write_refusal(redis, f"{settings.key_prefix}probe"):
        raise SetupError(masked(why))
    return "; ".join([masked(settings.redis_url or ""), *describe_server(redis), *warnings])


def examine_workers(settings: Settings) -> Iterator[Finding]:
    """Examine the workers that are alive, the clocks, and the remote sessions of those that are
    gone.
    """
    client = Client(settings)
    began = time.time()
    redis_time = client.workers.now()
    ahead = (began + time.time()) / 2 - redis_time
    workers = client.workers.workers()
    yield machine_checks.clocks(ahead, workers)
    if settings.chrome_url:
        registry = Registry(client.redis, settings.key_prefix)
        yield machine_checks.left_remote(registry.orphans())
    yield workers_finding(client, workers)


def workers_finding(client: Client, workers: list[Worker]) -> Finding:
    """Examine ``workers``: whether a message reaches them, what they cannot do, and which crawls of
    this machine none of them knows.
    """
    settings = client.settings
    if not workers:
        return Finding("workers", "none is alive", "start one on each machine: crawler worker")
    remedies = [f"{worker.name}: {fault}" for worker in workers for fault in worker.faults]
    with suppress(CrawlerError):  # the finding on crawls tells it
        remedies += [
            f"none knows the crawl {name}: set their CRAWLER_CRAWLS"
            for name in load_all(settings.crawls)
            if not any(name in worker.crawls for worker in workers)
        ]
    if not client.reaches_workers(ROUND_TRIP) and not are_busy(client, workers):
        remedies.append(
            f"none answered a message within {ROUND_TRIP:g} s: give them and this machine the same"
            " CRAWLER_BROKER_URL and CRAWLER_QUEUE"
        )
    return Finding("workers", "; ".join(map(described, workers)), "; ".join(remedies))


def are_busy(client: Client, workers: list[Worker]) -> bool:
    """Whether all processes of ``workers`` are at pages, so that none can answer."""
    names = Frontier.names(client.redis, client.settings.key_prefix)
    pages = sum(client.frontier(name).snapshot().processing for name in names)
    return pages >= sum(worker.processes for worker in workers)


def described(worker: Worker) -> str:
    """Return a worker in a few words."""
    crawls = ", ".join(
        f"{name} {short_version(digest)}" for name, digest in sorted(worker.crawls.items())
    )
    return f"{worker.name} ({crawls or 'no crawls with code'})"


def version_of(program: Path | str | None, name: str) -> str:
    """Return the path and version of a program; without a program, that Selenium Manager looks for
    one.

    Raises:
        SetupError: it does not run.
    """
    if program is None:
        return f"no {name} on the path; Selenium Manager will look for one when it is needed"
    try:
        output = subprocess.run(
            [str(program), "--version"],
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SetupError(f"{program} does not run: {error}") from error
    return f"{program}: {output.stdout.strip()}"

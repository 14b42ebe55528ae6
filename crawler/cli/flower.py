"""``flower``: Flower with the settings that come with this package."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence

import click

from ..config import settings as configuration
from ..config.settings import environment
from ..errors import SetupError
from .parameters import HOST

#: Options of Flower that would take the log-in away, or show it to everybody on this machine.
LOG_IN_OPTIONS = ("conf", "auth", "basic")


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=5_555, show_default=True, help="Its port."
)
@click.option(
    "--address", type=HOST, default="127.0.0.1", show_default=True, help="Whom to listen to."
)
@click.argument("flower_options", nargs=-1, type=click.UNPROCESSED)
def flower(port: int, address: str, flower_options: tuple[str, ...]) -> None:
    """Show each run in a browser, by Flower; a log-in is required.

    Of a run it shows the crawl, status, depth, time and URL.

    The log-in is FLOWER_BASIC_AUTH=user:password, or FLOWER_PASSWORD_FILE, a file with the
    password of the user `flower`. Further options go to Flower as they are.
    """
    if importlib.util.find_spec("flower") is None:
        raise SetupError("Flower is not installed: pip install 'celery-crawler[flower]'")
    settings = configuration.load()
    if not settings.broker_url:
        raise SetupError(
            "Flower needs to know where the workers' messages are: set CRAWLER_REDIS_URL (for"
            " example redis://127.0.0.1:6379/0)"
        )
    for option in flower_options:
        if option.lstrip("-").startswith(LOG_IN_OPTIONS):
            raise click.UsageError(
                f"{option.partition('=')[0]} is not for a command line: set FLOWER_BASIC_AUTH,"
                " FLOWER_PASSWORD_FILE, or FLOWER_AUTH and FLOWER_AUTH_PROVIDER"
            )
    check_options(flower_options)
    try:
        from ..config import flowerconfig  # refuses to be without a log-in
    except SystemExit as error:
        raise SetupError(str(error)) from None
    words = f"-m celery -A crawler.tasks.app flower --address={address} --port={port}".split()
    command = [sys.executable, *words, f"--conf={flowerconfig.__file__}", *flower_options]
    os.execve(sys.executable, command, os.environ | environment(settings))  # noqa: S606, no shell


def check_options(words: Sequence[str]) -> None:
    """Refuse words that Flower would pass over in silence: it knows options of its own only.

    Raises:
        click.UsageError: one is none of them.
    """
    if not words:
        return
    importlib.import_module("flower.options")
    known = [
        str(name).replace("_", "-") for name in importlib.import_module("tornado.options").options
    ]
    for word in words:
        name = word.lstrip("-").partition("=")[0].replace("_", "-")
        if not word.startswith("-"):
            raise click.UsageError(f"{word}: options go to Flower as --NAME=VALUE")
        if name not in known:
            near = difflib.get_close_matches(name, [*known, "port", "address"], n=1)
            hint = f". Did you mean '--{near[0]}'?" if near else ""
            raise click.UsageError(f"Flower has no option '--{name}'{hint}")

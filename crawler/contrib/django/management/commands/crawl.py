"""``manage.py crawl NAME``: start a crawl of the project's apps; workers run it."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser

from crawler.contrib.django import commands
from crawler.contrib.django.client import client
from crawler.errors import UnknownCrawl
from crawler.output import report
from crawler.output.report import ExitStatus


class Command(commands.Command):
    """The command ``crawl``."""

    help = (
        "Start a crawl of the project's apps (their crawls.py); workers run it. While it goes on,"
        " nothing changes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the name of a crawl, ``--reset`` and ``--wait``."""
        parser.add_argument("name", help="The name of the crawl.")
        parser.add_argument(
            "--reset",
            action="store_true",
            help="Begin again if it has ended; its earlier pages are forgotten.",
        )
        parser.add_argument(
            "--wait",
            action="store_true",
            help="Return when it has ended; exit status 1 if it failed.",
        )
        super().add_arguments(parser)

    def handle(self, *, name: str, reset: bool, wait: bool, as_json: bool, **_: Any) -> None:
        """Start it."""
        ours = client()
        if name not in ours.known:
            raise UnknownCrawl(name, tuple(ours.known))
        crawl = ours.known[name]
        handle, new = ours.restart(crawl) if reset else ours.start(crawl)
        snapshot = handle.wait() if wait else handle.snapshot()
        record, text = commands.standing(name, snapshot)
        text = text if new else f"{text} (it was started before)"
        self.say(record | {"new": new}, text, as_json=as_json)
        if wait and not report.succeeded(snapshot):
            sys.exit(ExitStatus.CRAWL_FAILED)

"""``manage.py crawl_store [NAME…]``: bring results from Redis into the database."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandParser

from crawler.contrib.django import commands
from crawler.contrib.django.client import client
from crawler.contrib.django.store import sink

#: Seconds between two looks of ``--follow``.
FOLLOW_INTERVAL = 2.0


class Command(commands.Command):
    """The command ``crawl_store``."""

    help = (
        "Store the results of crawls that came since the last time; of all crawls, or of those"
        " named."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add names of crawls, and ``--follow``."""
        parser.add_argument("names", nargs="*", metavar="NAME", help="A crawl; none: all of them.")
        parser.add_argument("--follow", action="store_true", help="Go on until it is interrupted.")
        super().add_arguments(parser)

    def handle(self, *, names: list[str], follow: bool, as_json: bool, **_: Any) -> None:
        """Store them."""
        while True:
            stored = sink.store_all(client(), names)
            text = "\n".join(
                f"{name}: {count} results stored"
                for name, count in stored.items()
                if count or not follow
            )
            if text or not follow:
                self.say(stored, text or "no crawl is known here", as_json=as_json)
            if not follow:
                return
            time.sleep(FOLLOW_INTERVAL)

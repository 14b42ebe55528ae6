"""``manage.py crawl_status [NAME]``: where crawls stand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from crawler.contrib.django import commands
from crawler.contrib.django.client import client, find_snapshot, known_names


class Command(commands.Command):
    """The command ``crawl_status``."""

    help = "Say where a crawl stands, or each of them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the name of a crawl."""
        parser.add_argument("name", nargs="?", help="The name of the crawl; none: all of them.")
        super().add_arguments(parser)

    def handle(self, *, name: str | None, as_json: bool, **_: Any) -> None:
        """Print where they stand."""
        ours = client()
        standings = [
            commands.standing(one, find_snapshot(ours, one))
            for one in ([name] if name else known_names(ours))
        ]
        records = [record for record, _ in standings]
        text = (
            "\n".join(text for _, text in standings)
            or "no crawl is known here: an app's crawls.py defines some"
        )
        self.say(records[0] if name else records, text, as_json=as_json)

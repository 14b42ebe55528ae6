"""``manage.py crawl_status [NAME]``: where crawls stand, and why one stands still."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from crawler.client.standstill import record_of
from crawler.contrib.django import commands
from crawler.contrib.django.client import client, find_snapshot, known_names


class Command(commands.Command):
    """The command ``crawl_status``."""

    help = "Say where a crawl stands, or each of them; and why one stands still."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the name of a crawl."""
        parser.add_argument("name", nargs="?", help="The name of the crawl; none: all of them.")
        super().add_arguments(parser)

    def handle(self, *, name: str | None, as_json: bool, **_: Any) -> None:
        """Print where they stand."""
        ours = client()
        records, lines = [], []
        for one in [name] if name else known_names(ours):
            snapshot = find_snapshot(ours, one)
            record, line = commands.standing(one, snapshot)
            found = ours.standstill(one, ask=bool(name)) if snapshot else None
            records.append(record | {"standstill": record_of(found)})
            lines += [line, f"  stands still: {found.line()}"] if found else [line]
        text = "\n".join(lines) or "no crawl is known here: an app's crawls.py defines some"
        self.say(records[0] if name else records, text, as_json=as_json)

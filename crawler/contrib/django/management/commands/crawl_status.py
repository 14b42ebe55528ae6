"""``manage.py crawl_status [NAME]``: where crawls stand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from crawler.contrib.django import commands
from crawler.contrib.django.client import client, names, seen


class Command(commands.Command):
    """Say where crawls stand."""

    help = "Say where a crawl stands, or each of them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which crawl."""
        parser.add_argument("name", nargs="?", help="The name of the crawl; none: all of them.")
        super().add_arguments(parser)

    def handle(self, *, name: str | None, as_json: bool, **_: Any) -> None:
        """Look."""
        there = client()
        standings = [
            commands.standing(one, seen(there, one)) for one in ([name] if name else names(there))
        ]
        facts = [fact for fact, _ in standings]
        text = (
            "\n".join(text for _, text in standings)
            or "no crawl is known here: an app's crawls.py defines some"
        )
        self.say(facts[0] if name else facts, text, as_json=as_json)

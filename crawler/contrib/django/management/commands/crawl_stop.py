"""``manage.py crawl_stop NAME``: begin no further page of a crawl."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from crawler.contrib.django import commands
from crawler.contrib.django.client import client


class Command(commands.Command):
    """The command ``crawl_stop``."""

    help = (
        "Begin no further page of a crawl; pages in flight finish. One that has ended stays as"
        " it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the name of a crawl, and ``--cancel``."""
        parser.add_argument("name", help="The name of the crawl.")
        parser.add_argument(
            "--cancel", action="store_true", help="Give up the pages in flight, too."
        )
        super().add_arguments(parser)

    def handle(self, *, name: str, cancel: bool, as_json: bool, **_: Any) -> None:
        """Stop it."""
        handle = client().handle(name)
        if not handle.status.ended:
            if cancel:
                handle.cancel("cancelled by manage.py crawl_stop")
            else:
                handle.stop("stopped by manage.py crawl_stop")
        record, text = commands.standing(name, handle.snapshot())
        self.say(record, text, as_json=as_json)

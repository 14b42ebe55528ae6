"""``manage.py crawl_stop NAME``: begin no further page of a crawl."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from crawler.contrib.django import commands
from crawler.contrib.django.client import client
from crawler.frontier.operations import Operations
from crawler.local.processes import user_of


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
            by = user_of("manage.py crawl_stop")
            if cancel:
                handle.cancel(f"cancelled by {by}")
            else:
                handle.stop(f"stopped by {by}")
            Operations(handle.frontier).note(
                "was told to cancel" if cancel else "was told to stop", by
            )
        record, text = commands.standing(name, handle.snapshot())
        self.say(record, text, as_json=as_json)

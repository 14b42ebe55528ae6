"""``manage.py crawl NAME``: start a crawl of the project's apps; workers run it."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser

from crawler.client.start_report import StartOutcome
from crawler.contrib.django import commands
from crawler.contrib.django.actions import STARTS
from crawler.contrib.django.client import client
from crawler.local.processes import user_of
from crawler.output.report import ExitStatus, succeeded

#: The options that say what becomes of a crawl that was started before.
HOW = {
    "restart": "If it has ended, begin again: its earlier pages are forgotten.",
    "recrawl": "If it has ended, visit its pages again, and remember those that it knew.",
    "reset": "Begin again, also while it goes on: its pages so far are forgotten.",
    "update": "While it goes on, take a changed definition over, also one that starts elsewhere.",
    "keep": "Leave it as it is, in whatever version it goes on.",
}


class Command(commands.Command):
    """The command ``crawl``."""

    help = (
        "Start a crawl of the project's apps (their crawls.py); workers run it. One that goes on"
        " takes a changed definition over, and one that has ended is left alone (exit status 2)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the name of a crawl, ``--restart`` and its like, and ``--wait``."""
        parser.add_argument("name", help="The name of the crawl.")
        how = parser.add_mutually_exclusive_group()
        for word, text in HOW.items():
            how.add_argument(
                f"--{word}", action="store_const", const=word, dest="if_exists", help=text
            )
        parser.add_argument(
            "--wait",
            action="store_true",
            help="Return when it has ended; exit status 1 if it failed.",
        )
        super().add_arguments(parser)

    def handle(
        self, *, name: str, if_exists: str | None, wait: bool, as_json: bool, **_: Any
    ) -> None:
        """Start it."""
        ours = client()
        report = ours.start(name, if_exists=if_exists)
        report.note(user_of("manage.py crawl"))
        if not as_json:
            report.raise_if_refused()
        handle = report.handle
        refused = report.outcome is StartOutcome.REFUSED
        snapshot = self.wait(ours, handle) if wait and not refused else handle.snapshot()
        record, text = commands.standing(name, snapshot)
        text = f"{text} ({report.reason or STARTS[report.outcome]})"
        start = {"outcome": report.outcome.value, "outcome_reason": report.reason}
        self.say(record | start, text, as_json=as_json)
        if refused:
            sys.exit(ExitStatus.MISTAKE)
        if wait and not succeeded(snapshot):
            sys.exit(ExitStatus.CRAWL_FAILED)

"""``manage.py crawl_tick``: find again what was lost, once, for projects whose workers are not
always up.
"""

from __future__ import annotations

from typing import Any

from crawler.contrib.django import commands
from crawler.contrib.django.client import client
from crawler.services import Services


class Command(commands.Command):
    """One tick of every crawl."""

    help = "Find again what was lost, in every crawl, once. Workers do it by themselves."

    def handle(self, *, as_json: bool, **_: Any) -> None:
        """Tick."""
        found = Services(client().settings).tick()
        lines = [
            f"{name}: {what['started']} runs started, {what['reaped']} pages taken back"
            for name, what in found.items()
        ]
        self.say(found, "\n".join(lines) or "no crawl is known here", as_json=as_json)

"""``manage.py crawl_tick``: find again what was lost, once, for projects whose workers are not
always up.
"""

from __future__ import annotations

from typing import Any

from crawler.contrib.django import commands
from crawler.contrib.django.client import client
from crawler.output import report
from crawler.services import Services


class Command(commands.Command):
    """The command ``crawl_tick``."""

    help = "Find again what was lost, in every crawl, once. Workers do it by themselves."

    def handle(self, *, as_json: bool, **_: Any) -> None:
        """Tick."""
        services = Services(client().settings)
        ticks = services.tick()
        services.webhooks.join()
        lines = [report.tick_line(name, counts) for name, counts in ticks.items()]
        self.say(ticks, "\n".join(lines) or "no crawl is known here", as_json=as_json)

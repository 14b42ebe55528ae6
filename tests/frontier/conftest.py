"""The fixture of every test of the frontier: a crawl with pages and a clock."""

from __future__ import annotations

import pytest

from crawler.frontier.frontier import Frontier
from crawler.model import Page
from tests.support.frontier import Clock, plan


@pytest.fixture
def begin(redis):
    """Creates the crawl "shop", with pages in its queue and a clock that stands still."""

    def begin(
        *urls: str, before_all: bool = False, pages: list[Page] | None = None, **policy
    ) -> tuple[Frontier, Clock]:
        frontier = Frontier(redis, "shop")
        assert frontier.create(plan(before_all, **policy))
        clock = Clock(frontier)
        clock.start()
        frontier.enqueue([Page(url) for url in urls] + (pages or []))
        return frontier, clock

    return begin

"""The end of a crawl is told to its author: once, by whichever process ended it, or by a tick if
that could not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.definition.loading import load_all
from crawler.frontier.outbox import Outbox
from tests.support.ground import Ground
from tests.support.webdriver import Doc

DEFINITION = """
from pathlib import Path
from crawler import Crawl

shop = Crawl(name="shop", url="http://127.0.0.1/", robots=False, breaker_failures=0)

@shop.extract
def title(page):
    return {{"title": page.title}}

@shop.after_all
def tell(crawl, snapshot):
    with Path({notes!r}).open("a") as file:
        print(crawl.name, snapshot.status, snapshot.done, file=file)
    if {raises}:
        raise OSError("the mail server is away")
"""


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path)
    yield ground
    ground.close()


def write(ground: Ground, *, raises: bool = False) -> Path:
    """The definition of a crawl with the hook; returns the file in which the hook notes its
    calls.
    """
    notes = ground.folder / "notes.txt"
    notes.touch()
    (ground.folder / "shop.py").write_text(DEFINITION.format(notes=str(notes), raises=raises))
    return notes


def test_the_end_hook_is_called_once_after_the_last_page(ground: Ground):
    notes = write(ground)
    ground.chrome_on({"/": Doc(links=["/a", "/b"]), "/a": Doc(), "/b": Doc()})
    crawls = (str(ground.folder / "shop.py"),)
    ground.worker(2, crawls=crawls)
    frontier = ground.crawl(load_all(crawls)["shop"])
    ground.until_end(frontier)
    ground.until(lambda: not frontier.end_hook_pending())
    assert notes.read_text() == "shop FINISHED 3\n"


def test_a_tick_repeats_the_end_hook_of_a_stopped_crawl(ground: Ground):
    notes = write(ground, raises=True)
    ground.chrome_on({})
    crawls = (str(ground.folder / "shop.py"),)
    frontier = ground.crawl(load_all(crawls)["shop"], wake=False)
    # nobody was at work, so this ends it, and no hook of it is known here
    assert frontier.stop("enough")
    worker = ground.worker(crawls=crawls)
    for times in range(1, 6):
        frontier.redis.hset(frontier.key("meta"), "end_hook_asked", 0)  # as if a minute had passed
        ground.until(lambda times=times: worker.said().count("shop: after_all ") == times)
        assert notes.read_text() == "shop STOPPED 0\n" * times
    frontier.redis.hset(frontier.key("meta"), "end_hook_asked", 0)
    assert not frontier.tick().ended  # it is not told for ever
    (letter,) = ground.until(lambda: Outbox(frontier).undelivered())
    assert letter.delivery.attempts == 5
    assert letter.reason.startswith("OSError: the mail server is away (shop.py:")
    assert not frontier.end_hook_pending()

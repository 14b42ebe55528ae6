"""Pages to fill a frontier with: URLs of ordinary length (60 to 90 characters), each number always
the same one, no two alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product

import redis

from crawler.frontier.frontier import Frontier
from crawler.model import Page, page_id

#: 512 words of six to nine letters.
BEGINS = ("bri", "cal", "dor", "fen", "gar", "hol", "mer", "stan")
MIDDLES = ("a", "en", "i", "or")
ENDS = (
    "bel", "cot", "dale", "field", "gate", "ham", "ling", "man", "ning", "port", "ridge", "sen",
    "ton", "ville", "wick", "worth",
)  # fmt: skip
WORDS = ["".join(parts) for parts in product(BEGINS, MIDDLES, ENDS)]
SECTIONS = ("products", "articles", "catalogue/spring", "people", "archive/2023")
#: Links that one page adds: they have the same parent.
LINKS = 50
#: URLs per task of a filling process.
STEP = 20_000


def page(number: int, per_host: int | None = None) -> Page:
    """Return the page of ``number``. All are on one host, in the one lane; or ``per_host`` of them
    on each, which is a lane then.
    """
    scattered = number * 2_654_435_761 % 2**32  # one to one, and neighbours differ in most digits
    first, second = WORDS[scattered % 512], WORDS[scattered >> 9 & 511]
    host = (
        "www.some-shop.example"
        if per_host is None
        else f"{WORDS[number // per_host % 512]}-{number // per_host}.example"
    )
    url = f"https://{host}/{SECTIONS[scattered % 5]}/{first}-{second}-{scattered}.html"
    return Page(url, 3, lane="" if per_host is None else host, parent=page_id(str(number // LINKS)))


def pages(start: int, stop: int, per_host: int | None = None) -> Iterator[Page]:
    """Yield the pages from one number up to another."""
    return (page(number, per_host) for number in range(start, stop))


def fill(
    url: str, name: str, start: int, stop: int, *, per_host: int | None = None, clients: int = 3
) -> None:
    """Enqueue pages in the crawl ``name``, by several processes at once."""
    tasks = [
        (url, name, first, min(first + STEP, stop), per_host) for first in range(start, stop, STEP)
    ]
    with ProcessPoolExecutor(clients) as pool:
        assert sum(pool.map(_enqueue, tasks)) == stop - start, "a URL was taken for another"


def _enqueue(task: tuple[str, str, int, int, int | None]) -> int:
    url, name, start, stop, per_host = task
    return Frontier(redis.Redis.from_url(url), name).enqueue(pages(start, stop, per_host)).new

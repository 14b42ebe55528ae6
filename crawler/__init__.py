"""A crawler for sites that need a real browser. Everything that a crawl's author needs is here;
importing it stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .definition.crawl import Crawl
from .definition.loading import load
from .errors import CrawlerError, CrawlExists, DefinitionError, PageError, SetupError, UnknownCrawl
from .model import Band, Link, Page, Priority, Response, Result, Snapshot
from .version import __version__

__all__ = [
    "Band",
    "Crawl",
    "CrawlExists",
    "CrawlerError",
    "DefinitionError",
    "Link",
    "Page",
    "PageError",
    "Priority",
    "Response",
    "Result",
    "SetupError",
    "Snapshot",
    "UnknownCrawl",
    "__version__",
    "load",
]


def __getattr__(name: str) -> Any:
    """``crawler.execute``: only who runs pages needs Celery, Redis and Selenium."""
    if name == "execute":
        return import_module("crawler.services").execute
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

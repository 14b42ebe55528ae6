"""A crawler for sites that need a real browser.

Belongs here: the names that the author of a crawl needs. Does not: anything that makes importing
them slow (Celery, Redis, Selenium).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .definition.crawl import Crawl
from .definition.item_models import Select
from .definition.loading import load
from .errors import (
    Blocked,
    CrawlerError,
    CrawlExists,
    DefinitionError,
    PageError,
    Retry,
    SetupError,
    Skip,
    UnknownCrawl,
)
from .model import Link, Page, Priority, Response, Result, Snapshot
from .version import __version__

__all__ = [
    "Blocked",
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
    "Retry",
    "Select",
    "SetupError",
    "Skip",
    "Snapshot",
    "UnknownCrawl",
    "__version__",
    "load",
]


def __getattr__(name: str) -> Any:
    """Import ``crawler.execute`` when it is asked for: it brings Redis and Selenium along."""
    if name == "execute":
        return import_module("crawler.services").execute
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

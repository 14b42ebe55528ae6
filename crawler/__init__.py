"""A crawler for sites that need a real browser.

Belongs here: the names that the author of a crawl needs. Does not: anything that makes importing
them slow (Celery, Redis, Selenium).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .contrib.saved_pages import SavedPages
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

#: The modules that have the public names. Each is imported when one of its names is asked for, so
#: that a command which defines no crawl does not wait for pydantic; ``execute`` and ``SavedPages``
#: bring Redis and Selenium along.
MODULES = {
    "definition.crawl": ("Crawl",),
    "definition.item_models": ("Select",),
    "definition.loading": ("load",),
    "errors": (
        *("Blocked", "CrawlExists", "CrawlerError", "DefinitionError", "PageError", "Retry"),
        *("SetupError", "Skip", "UnknownCrawl"),
    ),
    "model": ("Link", "Page", "Priority", "Response", "Result", "Snapshot"),
    "services": ("execute",),
    "contrib.saved_pages": ("SavedPages",),
}
HOMES = {name: module for module, names in MODULES.items() for name in names}

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
    "SavedPages",
    "Select",
    "SetupError",
    "Skip",
    "Snapshot",
    "UnknownCrawl",
    "__version__",
    "load",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, those that are not imported yet, too."""
    return sorted({*globals(), *HOMES})

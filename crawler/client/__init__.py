"""Start and follow crawls from anywhere: a view, a script, the command line. Needs no browser.

Belongs here: all that a caller asks of a crawl from outside its runs, and the wake-ups and workers
that carry it out. Does not: the work on a page (``run/``), the jobs API (``api/``).
"""

from .client import Client, enqueue, restart, shared, start
from .crawl_handle import CrawlHandle
from .start_report import IfExists, StartOutcome, StartReport

__all__ = [
    "Client",
    "CrawlHandle",
    "IfExists",
    "StartOutcome",
    "StartReport",
    "enqueue",
    "restart",
    "shared",
    "start",
]

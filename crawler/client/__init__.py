"""Start and follow crawls from anywhere: a view, a script, the command line. Needs no browser.

Belongs here: what is asked of a crawl from outside of its runs. Does not: doing a page (``run/``),
the jobs API (``api/``).
"""

from .client import Client, shared, start
from .crawl_handle import CrawlHandle

__all__ = ["Client", "CrawlHandle", "shared", "start"]

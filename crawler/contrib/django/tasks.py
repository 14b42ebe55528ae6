"""Our tasks and the parts of our worker, for Celery's autodiscovery: the project's own app runs
crawls.
"""

from __future__ import annotations

from ...tasks import worker
from ...tasks.crawl import run, start, tick

__all__ = ["run", "start", "tick", "worker"]

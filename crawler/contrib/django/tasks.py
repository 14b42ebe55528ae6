"""Hands our tasks, and what a worker does beside them, on to Celery's autodiscovery: the project's
own app runs crawls.
"""

from __future__ import annotations

from ...tasks import worker
from ...tasks.crawl import run, start, tick

__all__ = ["run", "start", "tick", "worker"]

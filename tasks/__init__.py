"""The Celery shell around the library: the shared tasks, which Celery's autodiscovery finds here.
Importing them makes no app.
"""

from . import worker
from .crawl import run, start, tick

__all__ = ["run", "start", "tick", "worker"]

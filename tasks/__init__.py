"""The Celery shell around the library: its shared tasks, for Celery's autodiscovery.

Belongs here: what Celery must know (tasks, an app, the worker's own steps, a transport). Does not:
the meaning of a run (``crawler/run/``). Importing it makes no app.
"""

from . import worker
from .crawl import run, start, tick

__all__ = ["run", "start", "tick", "worker"]

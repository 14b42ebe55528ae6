"""The Celery shell around the library: what Celery's autodiscovery finds here are the shared tasks. Importing them makes no app."""

from .crawl import run, start, tick

__all__ = ["run", "start", "tick"]

"""The task that stores results, for beat: it runs on the project's own queue and needs no
browser.
"""

from __future__ import annotations

from celery import shared_task

from ..client import client
from . import sink


@shared_task(name="crawler_store.store", ignore_result=True)
def store() -> dict[str, int]:
    """Store what is new of all crawls. Harmless to repeat, and to run twice at once."""
    return sink.store_all(client())

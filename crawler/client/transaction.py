"""The database transaction of the caller, if Django has one open."""

from __future__ import annotations

import sys
from collections.abc import Callable


def is_open() -> bool:
    """Whether the caller is in a transaction on Django's default database. False without Django."""
    if "django.db" not in sys.modules:  # a caller in a transaction has loaded it
        return False
    from django.conf import settings
    from django.db import transaction

    return bool(settings.configured and transaction.get_connection().in_atomic_block)


def on_commit(call: Callable[[], object]) -> None:
    """Call ``call`` as soon as the caller's transaction is committed, and never after a
    rollback. The transaction is open.
    """
    from django.db import transaction

    transaction.on_commit(call)

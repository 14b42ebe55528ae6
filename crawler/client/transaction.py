"""The database transaction of the caller, if Django has one open."""

from __future__ import annotations

import sys
from collections.abc import Callable


def on_commit(call: Callable[[], object]) -> bool:
    """Call ``call`` as soon as the caller's transaction is committed, and never after a rollback.

    Returns False, and does nothing, if there is no transaction on Django's default database, or no
    Django.
    """
    if "django.db" not in sys.modules:  # a caller in a transaction has loaded it
        return False
    from django.conf import settings
    from django.db import transaction

    if not settings.configured or not transaction.get_connection().in_atomic_block:
        return False
    transaction.on_commit(call)
    return True

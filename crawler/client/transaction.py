"""The database transaction that a caller is in, as far as Django knows of one: what it writes,
others cannot see yet.
"""

from __future__ import annotations

import sys
from collections.abc import Callable


def on_commit(call: Callable[[], object]) -> bool:
    """Let ``call`` happen as soon as the caller's transaction is committed, and never if that is
    rolled back.

    False: there is no transaction (or no Django here at all), and nothing was arranged. Django's
        default database counts.
    """
    if "django.db" not in sys.modules:  # then nobody here can be in a transaction of it
        return False
    from django.conf import settings
    from django.db import transaction

    if not settings.configured or not transaction.get_connection().in_atomic_block:
        return False
    transaction.on_commit(call)
    return True

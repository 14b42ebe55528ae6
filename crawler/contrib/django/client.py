"""The way from Django's views and commands to crawls."""

from __future__ import annotations

from ...client.client import Client, shared
from .lookup import find_snapshot, known_names

__all__ = ["client", "find_snapshot", "known_names"]


def client() -> Client:
    """Return the client of this process, as the project's settings describe it. Its connections are
    kept from call to call.

    Raises:
        SettingsError: the settings are wrong.
        SetupError: they name no Redis.
    """
    return shared()

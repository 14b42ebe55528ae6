"""Programs that are not ours: the environment in which they are started."""

from __future__ import annotations

from ..config.children import program_environment


def environment_of_program(**more: str) -> dict[str, str]:
    """Return the environment for a program that is not ours, without secrets, and with the
    variables ``more``.
    """
    return program_environment(**more)

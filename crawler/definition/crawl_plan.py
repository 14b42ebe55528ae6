"""The form in which the frontier keeps a crawl: its plan, and its definition as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..model import Json, Plan, Policy
from .derived import once_per_crawl
from .digest import as_plain_json, changed_fields, digest_of

if TYPE_CHECKING:
    from .crawl import Crawl


def plan_of(crawl: Crawl, entries: Mapping[str, bool] | None = None) -> Plan:
    """Return the plan that the frontier keeps. Raises DefinitionError.

    ``entries``: which hosts it starts at, and whether each is private (see
    :func:`crawler.definition.network.entries_decided`); None: no name is.
    """
    return Plan(
        crawl.name,
        policy_of(crawl),
        digest_of(crawl),
        definition_of(crawl),
        "before_all" in crawl.calls,
        crawl.base,
        failed_hook="failed" in crawl.calls,
        end_hook="after_all" in crawl.calls,
        entries=entries or {},
    )


@once_per_crawl
def policy_of(crawl: Crawl) -> Policy:
    """Return the limits that the frontier enforces. Raises DefinitionError."""
    return crawl.fields.policy()


def definition_of(crawl: Crawl) -> dict[str, Json] | None:
    """Return the fields that differ from their defaults as JSON: ``Crawl(**definition)`` makes the
    crawl again. Of a variant, return the fields that it changes; of a crawl with code, None.
    """
    if crawl.base:
        return {name: as_plain_json(value) for name, value in crawl.changes.items()}
    return None if crawl.has_code else changed_fields(crawl)

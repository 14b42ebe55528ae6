"""Filters for text of strangers in pages."""

from __future__ import annotations

from urllib.parse import quote

from django import template

from ....text.printable import CONTROL, printable

register = template.Library()
register.filter("printable", printable)


@register.filter
def address(url: str) -> str:
    """Return ``url`` for a link: as it is, with control characters in per cent signs."""
    return CONTROL.sub(lambda found: quote(found[0]), url)

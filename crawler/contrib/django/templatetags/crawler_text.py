"""Filters for text of strangers in pages, and for times."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import quote

from django import template
from django.utils import timezone

from ....redaction import masked
from ....text.printable import CONTROL, printable
from ..rows import moment

register = template.Library()
register.filter("printable", printable)
register.filter("masked", masked)
register.filter("moment", moment)


@register.filter
def address(url: str) -> str:
    """Return ``url`` for a link: as it is, with control characters in per cent signs."""
    return CONTROL.sub(lambda found: quote(found[0]), url)


@register.filter
def duration(seconds: float) -> str:
    """Return seconds as people say them: ``45 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    if minutes < 60 * 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


@register.filter
def from_now(seconds: float) -> datetime | None:
    """Return the time in so many seconds; None beyond a year."""
    return timezone.now() + timedelta(seconds=seconds) if seconds < 366 * 86_400 else None

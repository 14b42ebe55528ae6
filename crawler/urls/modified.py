"""The dates in sitemaps and feeds, which say when a page was last modified."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

#: Hours by which local dates differ from UTC at most: a day without a time zone may end so late.
ZONES = timedelta(hours=12)
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{1,2}))?(?:-([0-9]{1,2}))?")


def latest_moment(text: str) -> float | None:
    """Return the latest moment that ``text`` may mean, in epoch seconds: of a year, a month or a
    day, its end. None: it is no date.
    """
    text = text.strip()
    try:
        if found := _DATE.fullmatch(text):
            return (_end(*found.groups()) + ZONES).timestamp()
        moment = _parsed(text)
    except (ValueError, OverflowError):
        return None
    # without a time zone, it may be of any
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC) + ZONES).timestamp()


def first_moment(text: str) -> float:
    """Return the moment at which a date (of UTC) begins, or that a time means, in epoch seconds.

    Raises:
        ValueError: it is no date.
    """
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parsedate_to_datetime(text)  # of a feed


def _end(year: str, month: str | None, day: str | None) -> datetime:
    """Return the end of a year, a month or a day, in UTC."""
    start = datetime(int(year), int(month or 12), int(day or 1), tzinfo=UTC)
    if day:
        return start + timedelta(days=1)
    return (start + timedelta(days=31)).replace(day=1)

"""The types that a value of a table may have: texts of pages become numbers, dates and URLs, by
conventions that leave no doubt. What does not fit has a named reason.

docs/tables.md has the conventions, with examples.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import urljoin

from ...model import Json
from ...urls.url import InvalidURL, parse_url

#: The largest whole number that files and databases keep as one (64 bits).
INTEGER_MAX = 2**63 - 1
#: Characters of a number that is read, at most.
_LENGTH_MAX = 60


class Misfit(ValueError):
    """A value does not fit its type, for the named ``reason`` (see ``output/hints.py``)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# numbers

#: Signs of money: the dollar and others of Latin-1, those of single countries, U+20A0 to U+20C3.
_CURRENCY = (
    r"[$\u00a2-\u00a5\u058f\u060b\u09f2\u09f3\u0af1\u0bf9\u0e3f\u17db\u20a0-\u20c3\ufdfc"
    r"\ufe69\uff04\uffe0\uffe1\uffe5\uffe6]"
)
_CODE = r"\b(?:AUD|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HUF|INR|JPY|NOK|NZD|PLN|RON|SEK|USD)\b"
_MONEY = rf"(?:{_CURRENCY}|{_CODE})"
_MINUS = r"[-\u2212\u2013]"
_NUMBER = re.compile(
    rf"(?:(?<![^\s(])(?P<minus>{_MINUS})(?P<inner>{_MONEY}\s?)?"
    rf"|(?P<before>{_MONEY}\s?)(?P<less>{_MINUS})?)?"
    r"(?P<body>(?:\d|(?<![\w.,])[.,]\d)(?:[.,'\u2019 ]?\d)*)"
    rf"(?P<exponent>[eE][+-]?\d{{1,3}}(?!\w))?(?P<after>\s?{_MONEY})?"
)
#: A number that goes on in a way that makes another one of it: a time, digits with other marks.
_GOES_ON = re.compile(r"[:\u066b\u066c]\d")
#: A number in short: 1.2k, 3 million.
_SHORT = re.compile(
    r"(?:[kKMB]|\s?(?i:bn|mn|mio|mrd|tsd|mill?|thousand|million|billion)\b\.?)(?!\w)"
)
_EURO_CENTS = re.compile(r"(?<=\d)€(?=\d\d(?!\d))")


def number(value: Json, decimal: str | None = None) -> float:
    """Return the number in a text: the first beside a sign of a currency, else the first.

    ``decimal``: the mark before its decimals; None: the text shows it. Raises Misfit.
    """
    found = float(_decimal(value, decimal))
    if found in (float("inf"), float("-inf")):
        raise Misfit("unclear_number")
    return found


def integer(value: Json, decimal: str | None = None) -> int:
    """Return the whole number in a text. Raises Misfit."""
    found = _decimal(value, decimal)
    if abs(found) > INTEGER_MAX:
        raise Misfit("unclear_number")
    if found != found.to_integral_value():
        raise Misfit("no_integer")
    return int(found)


def _decimal(value: Json, mark: str | None) -> Decimal:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(str(value))
    if not isinstance(value, str):
        raise Misfit("no_number")
    text = _EURO_CENTS.sub(",", value)
    matches = list(_NUMBER.finditer(text))
    if not matches:
        raise Misfit("no_number")
    priced = (m for m in matches if m["before"] or m["inner"] or m["after"])
    found = next(priced, matches[0])
    if len(found["body"]) > _LENGTH_MAX:
        raise Misfit("unclear_number")
    body = _first_number(found["body"])
    whole = body == found["body"]
    rest = text[found.end("body") :] if whole else ""
    if _GOES_ON.match(rest):
        raise Misfit("unclear_number")
    exponent = (found["exponent"] or "") if whole else ""
    if not exponent and _SHORT.match(rest):
        raise Misfit("short_number")
    sign = "-" if found["minus"] or found["less"] else ""
    return Decimal(f"{sign}{_plain(body, mark)}{exponent}")


def _first_number(body: str) -> str:
    """Return what belongs to one number: a space within it comes before three digits."""
    words = body.split(" ")
    taken = words[0]
    if not re.fullmatch(r"\d{1,3}", taken):
        return taken
    for word in words[1:]:
        if not re.fullmatch(r"\d{3}(?:[.,]\d+)?", word):
            break
        taken += f" {word}"
        if not word.isdigit():
            break
    return taken


def _plain(body: str, mark: str | None) -> str:
    """Return ``body`` as Python reads it: without marks between thousands, with a decimal dot."""
    body = body.replace("\u2019", "'").replace(" ", "'")
    whole, dot, decimals = _split(body, mark)
    groups = {character for character in whole if not character.isdecimal()}
    if len(groups) > 1 or (groups and not re.fullmatch(r"\d{1,3}(?:\D\d{2,3})*\D\d{3}", whole)):
        raise Misfit("unclear_number")  # 12.05.2024, 1.2.3
    if not decimals.isdecimal() and dot:
        raise Misfit("unclear_number")
    return (re.sub(r"\D", "", whole) or "0") + (f".{decimals}" if dot else "")


def _split(body: str, mark: str | None) -> tuple[str, str, str]:
    """Return what is before the decimal mark of ``body``, the mark, and what is behind it."""
    marks = [character for character in body if character in ".,"]
    if mark is None and marks:
        last = marks[-1]
        alone = len(marks) == 1
        # 1.234 and 1,234: three digits after a single mark are thousands, unless it is 0.234
        thousands = alone and re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", body)
        if (alone and not thousands) or (marks.count(last) == 1 and len(set(marks)) == 2):
            mark = last
    if mark is None or mark not in body:
        return body, "", ""
    return body.rpartition(mark)


# dates

_MONTHS = (
    "january januar janvier enero gennaio januari janeiro jan janv ene gen",
    "february februar fevrier febrero febbraio februari fevereiro feb fevr fev",
    "march marz maerz mars marzo maart marco mar mrz mrt",
    "april avril abril aprile apr avr abr",
    "may mai mayo maggio mei maio mag",
    "june juni juin junio giugno junho jun giu",
    "july juli juillet julio luglio julho jul juil lug",
    "august augustus aout agosto aug ago",
    "september septembre septiembre settembre setembro sep sept set",
    "october oktober octobre octubre ottobre outubro oct okt ott out",
    "november novembre noviembre novembro nov",
    "december dezember decembre diciembre dicembre dezembro dec dez dic",
)
_YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})\s?[-/.年]\s?(\d{1,2})\s?[-/.月]\s?(\d{1,2})(?!\d)")
_BASIC = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T\d.*)?")
_DAY_FIRST = re.compile(
    r"(?<!\d)(\d{1,2})(?:st|nd|rd|th|er|[.ºª])?[\s-](?:de |of )?([^\W\d_]{3,})\.?,?[\s-]"
    r"(?:de |del )?(\d{4})(?!\d)"
)
_MONTH_FIRST = re.compile(r"([^\W\d_]{3,})\.?\s(\d{1,2})(?:st|nd|rd|th)?,?\s(\d{4})(?!\d)")
_NUMERIC = re.compile(r"(?<![\d./-])(\d{1,2})\s?([./-])\s?(\d{1,2})\s?\2\s?(\d{4}|\d\d)(?!\d)")


def day(value: Json, form: str | None = None) -> str:
    """Return the date in a text as ISO 8601 writes it, 2026-11-29: the day as it stands there,
    whatever the time and its zone.

    ``form``: the format of the text, as strptime takes it; None: forms that leave no doubt. Raises
    Misfit.
    """
    if not isinstance(value, str):
        raise Misfit("no_date")
    try:
        if form is not None:
            return datetime.strptime(value.strip(), form).date().isoformat()  # noqa: DTZ007
        return date(*_parts_of_date(value)).isoformat()
    except Misfit:
        raise
    except ValueError:
        raise Misfit("no_date") from None


def _parts_of_date(text: str) -> tuple[int, int, int]:
    if found := _YEAR_FIRST.search(text):
        return int(found[1]), int(found[2]), int(found[3])
    if found := _BASIC.fullmatch(text.strip()):
        return int(found[1]), int(found[2]), int(found[3])
    for found in _DAY_FIRST.finditer(text):
        if month := _month(found[2]):
            return int(found[3]), month, int(found[1])
    for found in _MONTH_FIRST.finditer(text):
        if month := _month(found[1]):
            return int(found[3]), month, int(found[2])
    if found := _NUMERIC.search(text):
        first, mark, second, year = int(found[1]), found[2], int(found[3]), found[4]
        if len(year) == 2:
            raise Misfit("unclear_date")
        if second > 12:
            return int(year), first, second
        if first > 12 or mark == "." or first == second:
            return int(year), second, first
        raise Misfit("unclear_date")  # 05/06/2026: by the country
    raise Misfit("no_date")


@cache
def _months() -> Mapping[str, int]:
    return {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}


def _month(word: str) -> int | None:
    letters = unicodedata.normalize("NFKD", word.lower())
    return _months().get("".join(letter for letter in letters if letter.isalpha()))


# the others


def url(value: Json, base: str) -> str:
    """Return the absolute address of a page that ``value`` is, for a document at ``base``; of an
    object of JSON-LD that has one, its ``url``. Raises Misfit.
    """
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("url", "contentUrl", "@id") if key in value), None)
    if not isinstance(value, str):
        raise Misfit("no_url")
    try:
        absolute = urljoin(base, value.strip())
        parse_url(absolute)
    except (InvalidURL, ValueError):  # mailto:, javascript:, data:
        raise Misfit("no_url") from None
    return absolute


def text(value: Json) -> str:
    """Return ``value`` as a text. Raises Misfit: it is an object."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise Misfit("no_text")


#: By name: what makes a value of a type of a page's, by the value, the rule and the base URL.
READERS: Mapping[str, Callable[[Json, Any, str], Json]] = {
    "number": lambda value, rule, _: number(value, rule.decimal),
    "integer": lambda value, rule, _: integer(value, rule.decimal),
    "date": lambda value, rule, _: day(value, rule.format),
    "url": lambda value, _, base: url(value, base),
    "text": lambda value, *_: text(value),
}

"""Passwords stay out of what people read: logs, errors, ``repr``."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote, urlsplit

_USERINFO = re.compile(r"(?<=://)([^\s:/?#@]*):[^\s/?#]*@")
_PARAMETER = re.compile(
    r"([?&](?:sentinel_|ssl_)?(?:password|passwd|token|secret|api_?key)=)[^\s&#;]*", re.IGNORECASE
)
#: How redis-py shows a client in some of its errors, options and all: three lines that nobody
#: reads.
_CLIENT = re.compile(r"[ :]*<redis\..*>")


def masked(text: str) -> str:
    """``text`` (a URL, or a message with URLs in it) with ``***`` for each password."""
    return _PARAMETER.sub(r"\1***", _USERINFO.sub(r"\1:***@", _CLIENT.sub("", text)))


#: Characters below which a value is not searched for in texts: "on" or "1" is in every one.
SECRET_MIN = 6


class Secrets:
    """Values that are to stay out of what people read: as they are, and as a URL or JSON would
    write them.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self.add(*values)

    def add(self, *values: str) -> None:
        """Know these, too. Shorter ones than six characters are left alone."""
        self._values.update(value for value in values if len(value) >= SECRET_MIN)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __repr__(self) -> str:
        return f"<{len(self._values)} secrets>"

    def hide(self, text: str) -> str:
        """``text`` with ``***`` for each of them, and for every password in a URL."""
        for value in sorted(self._values, key=len, reverse=True):
            for form in {
                value,
                quote(value, safe=""),
                json.dumps(value)[1:-1],
                json.dumps(value, ensure_ascii=False)[1:-1],
            }:
                text = text.replace(form, "***")
        return masked(text)

    def told(self, error: BaseException) -> str | None:
        """The traceback of ``error`` without them, if it holds any (its text, a line of source);
        else None.
        """
        whole = "".join(traceback.format_exception(error))
        hidden = self.hide(whole)
        return hidden if hidden != whole else None


def password_of(url: str) -> str:
    """The password in a URL; "" if there is none."""
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:
        return ""

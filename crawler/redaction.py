"""Keep passwords out of all that people read: logs, errors, ``repr``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote, urlsplit

_USERINFO = re.compile(r"(?<=://)([^\s:/?#@]*):[^\s/?#]*@")
_PARAMETER = re.compile(
    r"([?&](?:sentinel_|ssl_)?(?:password|passwd|token|secret|api_?key)=)[^\s&#;]*", re.IGNORECASE
)
#: A client as redis-py shows it in some of its errors: three lines of options.
_CLIENT = re.compile(r"[ :]*<redis\..*>")


def masked(text: str) -> str:
    """Return ``text`` (a URL, or a message with URLs in it) with ``***`` for each password."""
    return _PARAMETER.sub(r"\1***", _USERINFO.sub(r"\1:***@", _CLIENT.sub("", text)))


#: Texts that are credentials, whatever they are called: a URL with a password, the value of an
#: Authorization header, tokens of a well-known form, a private key.
_CREDENTIALS = re.compile(
    r"://[^\s:/?#@]*:[^\s/?#@]+@|^(?:basic|bearer|digest|negotiate|token)\s+\S{4,}"
    r"|\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.|\b(?:gh[pousr]_|github_pat_|glpat-|xox[abpr]-)\w{10,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\b[rs]k_(?:live|test)_\w{10,}|\bsk-[\w-]{20,}|\bAIza[\w-]{35}"
    r"|://hooks\.slack\.com/services/\w|-----BEGIN [A-Z ]*PRIVATE KEY",
    re.IGNORECASE,
)
#: Names of credentials: ``password``, ``X-Api-Key``, ``shop_token``, ``dbPassword``.
_CREDENTIAL_NAME = re.compile(
    r"(?:^|[\W_]|(?<=[a-z])(?=[A-Z]))"
    r"(?i:pass(?:word|wd|phrase)|secret|token|(?:api|access|private|secret)[_-]?key|credentials?)$"
)


def looks_secret(text: str) -> bool:
    """Whether ``text`` looks like credentials, by its form."""
    return _CREDENTIALS.search(text) is not None or _PARAMETER.search(text) is not None


def names_secret(name: str) -> bool:
    """Whether a value called ``name`` is credentials, by that name."""
    return _CREDENTIAL_NAME.search(name) is not None


#: Characters of a value that is searched for in texts, at least: "on" or "1" is in every text.
SECRET_MIN = 6


class Secrets:
    """Values that people must not read: as they are, and as a URL or JSON writes them."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self.add(*values)

    def add(self, *values: str) -> None:
        """Add ``values``, except those shorter than six characters."""
        self._values.update(value for value in values if len(value) >= SECRET_MIN)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __repr__(self) -> str:
        return f"<{len(self._values)} secrets>"

    def hide(self, text: str) -> str:
        """Return ``text`` with ``***`` for each of them, and for every password in a URL."""
        for value in sorted(self._values, key=len, reverse=True):
            as_json = (json.dumps(value), json.dumps(value, ensure_ascii=False))
            for form in {
                value,
                quote(value, safe="", errors="replace"),
                *(form[1:-1] for form in as_json),
            }:
                text = text.replace(form, "***")
        return masked(text)


def password_of(url: str) -> str:
    """Return the password in ``url``; "" if there is none."""
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:
        return ""

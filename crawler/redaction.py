"""Keep passwords and tokens out of all that people read: logs, errors, lists, ``repr``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote, urlsplit

_USERINFO = re.compile(r"(?<=://)([^\s:/?#@]*):[^\s/?#]*@")
_PARAMETER = re.compile(
    r"([?&](?:sentinel_|ssl_)?(?:password|passwd|token|secret|api_?key)=)[^\s&#;]*", re.IGNORECASE
)
#: The name of a parameter of a URL: in a query, a fragment or a path (``;jsessionid=…``), also
#: where the URL is itself a parameter, in per cent signs.
_NAME = re.compile(
    r"(?:[?&#;]|%(?:25){0,9}(?:3F|26|23|3B))(?P<name>[\w.~$%\[\]-]{1,80}?)"
    r"(?P<equals>=|%(?:25){0,9}3D)",
    re.IGNORECASE,
)
#: Values of parameters: of a query, of a path, and of a URL in per cent signs. A browser writes no
#: quote or angle bracket in one.
_VALUE = re.compile(r"[^\s&#\"'<>]*")
_PATH_VALUE = re.compile(r"[^\s/?;&#\"'<>]*")
_CODED_VALUE = re.compile(r"(?:(?!%(?:25){0,9}(?:26|23))[^\s&#\"'<>])*", re.IGNORECASE)
#: Parameters that are credentials by their whole name, in lower case and without punctuation.
_PARAMETER_NAMES = frozenset((
    *("key", "sig", "sign", "pass", "pwd", "pw", "auth", "authorization", "jwt", "otp", "hmac"),
    *("session", "sid", "sessid", "sessionid", "phpsessid", "jsessionid", "cfid", "oscsid"),
    *("saml", "samlresponse", "samlrequest", "assertion", "awsaccesskeyid", "googleaccessid"),
    *("hdnts", "hdnea", "hdntl", "csrf", "xsrf", "ticket", "code", "accesskey", "pin"),
))  # fmt: skip
#: Words of a name that make it one of credentials, in lower case.
_PARAMETER_WORD = re.compile(
    r"token|secret|passw|passphrase|passcode|signature|credential|api_?key|session_?id|sessid"
    r"|(?:^|_)(?:sig|auth|jwt|sid|pwd|otp|hmac|csrf|xsrf)(?:_|$)"
    r"|(?:^|_)(?:access|private|secret|auth|subscription|licen[cs]e|client|app|shared|account"
    r"|function|master|admin|consumer|encryption|signing|security|user|service)_?key(?:$|_)"
)
#: ``code`` is a credential where OAuth hands one over, and mostly is none: it has so many
#: characters there.
_CODE_MIN = 16
#: A client as redis-py shows it in some of its errors: three lines of options.
_CLIENT = re.compile(r"[ :]*<redis\..*>")


def masked(text: str) -> str:
    """Return ``text`` (a URL, or a message with URLs in it) with ``***`` for each password, and for
    each parameter that looks like credentials.
    """
    text = _USERINFO.sub(r"\1:***@", _CLIENT.sub("", text))
    pieces, at = [], 0
    for found in _NAME.finditer(text):
        if found.start() < at or not names_parameter(found["name"]):  # in the value before
            continue
        value = _CODED_VALUE
        if found["equals"] == "=":
            value = _PATH_VALUE if text[found.start()] == ";" else _VALUE
        here = value.match(text, found.end())
        if here and len(here[0]) >= (_CODE_MIN if found["name"].lower() == "code" else 1):
            pieces += [text[at : found.end()], "***"]
            at = here.end()
    return "".join([*pieces, text[at:]])


@lru_cache(maxsize=4_096)
def names_parameter(name: str) -> bool:
    """Whether the parameter ``name`` of a URL looks like credentials: a token, a signature, a key,
    a session's id; and ``code``, which is one if it is long.
    """
    plain = unquote(unquote(name))
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", plain).strip("_").lower()
    whole = words.replace("_", "")
    return (
        whole in _PARAMETER_NAMES
        or whole.startswith(("aspsessionid", "phpsessid"))
        or _PARAMETER_WORD.search(words) is not None
    )


def masked_form(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a form with ``***`` for each value that looks like credentials, by the
    name of its field or by its own form.
    """
    return {
        name: (
            [_masked_field(name, one) for one in value]
            if isinstance(value, list | tuple)
            else _masked_field(name, value)
        )
        for name, value in form.items()
    }


def secrets_of_form(form: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield the values of a form that people must not read."""
    for name, value in (form or {}).items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if _masked_field(name, one) != one:
                yield str(one)


def _masked_field(name: str, value: Any) -> Any:
    text = str(value)
    short_code = name.lower() == "code" and len(text) < _CODE_MIN
    if text and not short_code and (names_parameter(name) or looks_secret(text)):
        return "***"
    return value


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
        return masked(self.cover(text))

    def cover(self, text: str) -> str:
        """Return ``text`` with ``***`` for each of them; its URLs stay as they are."""
        for value in sorted(self._values, key=len, reverse=True):
            as_json = (json.dumps(value), json.dumps(value, ensure_ascii=False))
            for form in {
                value,
                quote(value, safe="", errors="replace"),
                *(form[1:-1] for form in as_json),
            }:
                text = text.replace(form, "***")
        return text


def password_of(url: str) -> str:
    """Return the password in ``url``; "" if there is none."""
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:
        return ""

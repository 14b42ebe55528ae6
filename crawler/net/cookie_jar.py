"""The cookies of a session without a browser: taken from answers, and sent where they belong (RFC
6265).

They travel to Chrome and back in the form in which Chrome's protocol has them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any

from ..urls.url import Address, domain_of, has_known_suffix

#: Cookies that one domain may keep, and characters of one: as in Chrome. The oldest go first.
DOMAIN_MAX, LENGTH_MAX = 180, 4_096
#: Seconds that a cookie may live, as in Chrome.
LIFE_MAX = 400 * 86_400.0

#: What tells a cookie from others: name, domain, path.
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie. ``domain`` begins with a dot where hosts below it get it, too; ``expires`` is a
    time since the epoch, None: with the session.
    """

    name: str
    value: str
    domain: str
    path: str = "/"
    secure: bool = False
    http_only: bool = False
    same_site: str = ""
    expires: float | None = None

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.name, self.domain, self.path

    def goes_to(self, to: Address, now: float) -> bool:
        """Whether a request to ``to`` has it."""
        if self.expires is not None and self.expires <= now:
            return False
        if self.secure and to.scheme != "https" and to.host not in ("localhost", "127.0.0.1"):
            return False
        host, domain = to.host, self.domain
        if domain[:1] != ".":
            if host != domain:
                return False
        elif host != domain[1:] and not host.endswith(domain):
            return False
        path = to.path
        if not path.startswith(self.path):
            return False
        return path == self.path or self.path.endswith("/") or path[len(self.path)] == "/"

    def for_chrome(self) -> dict[str, Any]:
        """Return it as Chrome's protocol tells cookies."""
        told: dict[str, Any] = {
            "name": self.name,
            "value": self.value,
            "domain": self.domain,
            "path": self.path,
            "secure": self.secure,
            "httpOnly": self.http_only,
            "session": self.expires is None,
            "expires": -1 if self.expires is None else self.expires,
        }
        return told | ({"sameSite": self.same_site} if self.same_site else {})


class CookieJar:
    """The cookies of one session."""

    def __init__(self) -> None:
        self._cookies: dict[Key, Cookie] = {}

    def __iter__(self) -> Iterator[Cookie]:
        return iter(tuple(self._cookies.values()))

    def __len__(self) -> int:
        return len(self._cookies)

    def sent_to(self, to: Address) -> list[Cookie]:
        """Return the cookies that a request to ``to`` has, those of longer paths first."""
        if not self._cookies:
            return []
        now = time.time()
        found = [one for one in self._cookies.values() if one.goes_to(to, now)]
        return sorted(found, key=lambda one: -len(one.path)) if len(found) > 1 else found

    def header(self, to: Address) -> str:
        """Return the header ``Cookie`` of a request to ``to``; "" without any."""
        return "; ".join(
            f"{one.name}={one.value}" if one.name else one.value for one in self.sent_to(to)
        )

    def take(self, lines: Iterable[str], source: Address) -> None:
        """Take the cookies that ``source`` sets by these headers ``Set-Cookie``."""
        for line in lines:
            if (cookie := parse_cookie(line, source)) is not None:
                self.put(cookie)

    def put(self, cookie: Cookie) -> None:
        """Keep ``cookie``, in place of the one with its key; one that has expired takes it away."""
        self._cookies.pop(cookie.key, None)
        if cookie.expires is not None and cookie.expires <= time.time():
            return
        self._cookies[cookie.key] = cookie
        mine = [key for key in self._cookies if key[1] == cookie.domain]
        for key in mine[: max(0, len(mine) - DOMAIN_MAX)]:
            del self._cookies[key]

    def drop(self, key: Key) -> Cookie | None:
        """Take the cookie of ``key`` away, and return it."""
        return self._cookies.pop(key, None)

    def clear(self) -> None:
        """Drop all."""
        self._cookies.clear()

    def put_from_chrome(self, cookies: Iterable[Mapping[str, Any]]) -> None:
        """Keep ``cookies`` that Chrome's protocol told. Those of a partition stay in Chrome."""
        for one in cookies:
            if one.get("partitionKey"):
                continue
            ends = one.get("expires", -1)
            self.put(
                Cookie(
                    str(one["name"]),
                    str(one["value"]),
                    str(one["domain"]),
                    str(one.get("path") or "/"),
                    bool(one.get("secure")),
                    bool(one.get("httpOnly")),
                    str(one.get("sameSite") or ""),
                    None if one.get("session") or ends in (-1, None) else float(ends),
                )
            )


def parse_cookie(line: str, source: Address) -> Cookie | None:
    """Return the cookie of one header ``Set-Cookie`` of ``source``; None: browsers refuse it."""
    pair, *attributes = line.split(";")
    name, equals, value = pair.partition("=")
    if not equals:
        name, value = "", name
    name, value = name.strip(), value.strip()
    if not (name or value) or len(name) + len(value) > LENGTH_MAX or not _is_clean(name + value):
        return None
    words: dict[str, str] = {}
    for attribute in attributes:
        word, _, text = attribute.partition("=")
        words[word.strip().lower()] = text.strip()
    domain = source.host
    if named := words.get("domain", "").lstrip(".").lower():
        if named != source.host and not _may_set(source.host, named):
            return None
        domain = source.host if _is_address(source.host) else f".{named}"
        if named == source.host and not has_known_suffix(named) and "." not in named:
            domain = source.host
    secure = "secure" in words
    if secure and source.scheme != "https" and source.host not in ("localhost", "127.0.0.1"):
        return None
    path = words.get("path", "")
    if not path.startswith("/"):
        path = source.path.rpartition("/")[0] or "/"
    if name.startswith("__Secure-") and not secure:
        return None
    if name.startswith("__Host-") and not (secure and path == "/" and "domain" not in words):
        return None
    same_site = words.get("samesite", "").capitalize()
    same_site = same_site if same_site in ("Strict", "Lax", "None") else ""
    if same_site == "None" and not secure:
        return None
    life = _life(words)
    expires = None if life is None else time.time() + min(life, LIFE_MAX)
    return Cookie(name, value, domain, path, secure, "httponly" in words, same_site, expires)


def _life(words: Mapping[str, str]) -> float | None:
    """Return the seconds that a cookie lives; None: as long as its session."""
    age = words.get("max-age", "")
    if age.removeprefix("-").isdigit() and age.isascii():
        return float(age[:12])
    if not (date := words.get("expires")):
        return None
    try:
        return parsedate_to_datetime(date.replace("-", " ")).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None


def _may_set(host: str, domain: str) -> bool:
    """Whether ``host`` may set cookies for ``domain``, above it: no public suffix."""
    if not host.endswith(f".{domain}") or _is_address(host):
        return False
    return domain_of(host) == domain or domain.endswith(f".{domain_of(host)}")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_clean(text: str) -> bool:
    return all(char >= " " and char != "\x7f" for char in text)

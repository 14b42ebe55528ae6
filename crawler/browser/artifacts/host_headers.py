"""Headers that go with the requests of a tab to some hosts, and to no other.

Chrome itself sends a header with every request, or with none. So each request to one of the hosts
is held, and goes on with its headers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from ...urls.url import domain_of
from ..transport.held_requests import HeldRequests

if TYPE_CHECKING:
    from ..transport.webdriver import Driver

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Reach:
    """The hosts that a header is for: that of ``url``, with ``site`` also the others of its
    registrable domain, and ``others``. Over http it goes only where ``url`` is http as well.
    """

    url: str
    site: bool = False
    others: tuple[str, ...] = ()

    def includes(self, url: str) -> bool:
        """Whether a request to ``url`` is for one of them."""
        try:
            here, there = urlsplit(self.url), urlsplit(url)
            mine, port = here.hostname or "", port_of(there)
        except ValueError:
            return False
        host = there.hostname or ""
        if there.scheme != "https" and there.scheme != here.scheme:
            return False
        if host in self.others or (self.site and domain_of(host) == domain_of(mine)):
            return True
        # the same server, or where it sends those who come without encryption
        return host == mine and port in (port_of(here), PORTS["https"])

    def patterns(self) -> list[str]:
        """Return patterns of URLs, for Chrome, that match all that it includes, perhaps more."""
        mine = urlsplit(self.url).hostname or ""
        hosts = [domain_of(mine) if self.site else mine, *self.others]
        below = [f"*.{hosts[0]}"] if self.site else []
        named = [f"[{host}]" if ":" in host else host for host in (*hosts, *below)]
        return [f"*://{host}{end}" for host in named for end in ("/*", ":*")]


def port_of(parts: SplitResult) -> int | None:
    """Return the port of a URL, its scheme's own if it names none. Raises ValueError."""
    return parts.port or PORTS.get(parts.scheme)


class HostHeaders:
    """The headers of one session that are for some hosts: (name, value, reach)."""

    def __init__(self, driver: Driver) -> None:
        self._rules: tuple[tuple[str, str, Reach], ...] = ()
        self._requests = HeldRequests(driver, self._continued)

    def apply(self, rules: Sequence[tuple[str, str, Reach]]) -> None:
        """Send these headers from now on, and no others.

        Raises:
            NoLine: the session offers no line of Chrome's own protocol.
        """
        self._rules = tuple(rules)
        if not rules:
            self._requests.release()
            return
        self._requests.hold({pattern for _, _, reach in rules for pattern in reach.patterns()})

    def _continued(self, params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return the command by which a request that is held goes on."""
        answer: dict[str, Any] = {}
        url = params["request"]["url"]
        ours = {name.lower(): (name, value) for name, value, reach in self._rules
                if reach.includes(url)}  # fmt: skip
        if ours:
            sent = params["request"]["headers"].items()
            theirs = [(name, value) for name, value in sent if name.lower() not in ours]
            answer["headers"] = [
                {"name": name, "value": value} for name, value in (*theirs, *ours.values())
            ]
        return "Fetch.continueRequest", answer

"""The scope of a crawl: which links of a page belong to it, and which pages they become.

Every link that is not followed has a reason, one word of :data:`REASONS`. Nothing is looked up on
the network here (``net/guard`` knows the names that resolve to a private address).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from ..hooks import Hook, call
from ..model import Link, Page, Priority, page_id
from .addresses import is_private_host
from .patterns import DENY_EXTENSIONS, is_within, parse_pattern
from .url import DEFAULT_RULES, LENGTH_MAX, InvalidURL, Rules, domain_of, parse_url

#: Reasons why a link is not followed, in words for people.
REASONS: Mapping[str, str] = {
    "scheme": "not http or https",
    "malformed": "no URL that a browser would open",
    "port": "no such port",
    "characters": "control characters or half characters in the URL",
    "length": "longer than 2,083 characters",
    "private": "a private or local address, which the crawl did not start on",
    "scope": "outside of the scope",
    "allow": "matches nothing in allow",
    "deny": "matches deny",
    "extension": "leads to a file",
    "nofollow": "marked nofollow",
    "restrict": "outside of restrict_css",
    "duplicate": "on this page already, or the page itself",
    "depth": "deeper than depth_limit",
    "route": "on a page of a route that follows none (links = false)",
    "pattern": "one of more pages of a pattern than pattern_limit allows",
    "filter": "refused by the filter hook",
    "lastmod": "was not modified since the time that sitemaps_since names",
    "known_data": "a page that is known already, and keeps the route and data that it came with",
    "sitemap": "a sitemap that cannot be read, or not to its end",
}
#: The reason that loses nothing: the link is there once more.
DUPLICATE = "duplicate"


Chooser = Callable[[Sequence[Link]], Iterable[tuple[Link, Priority]]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The outcome for the links of one page: the ``pages`` to queue, and how many links were
    ``dropped``, by reason. ``examples`` has the first URL for each reason but duplicates.

    ``reasons`` names each dropped link, in the order of the page, if the caller asked for that.
    """

    pages: tuple[Page, ...] = ()
    dropped: Mapping[str, int] = ()  # type: ignore[assignment]
    reasons: tuple[tuple[Link, str], ...] = ()
    examples: Mapping[str, str] = field(default_factory=dict)


class Look(NamedTuple):
    """A URL as the scope sees it, on whichever page it is found. Without a ``reason`` to drop it,
    the other values make a page of it.
    """

    reason: str | None
    url: str = ""
    key: str = ""
    lane: str = ""
    id: str = ""


class Drops:
    """The dropped links of a page: ``counts`` by reason and, if ``explain``, all ``reasons``."""

    def __init__(self, explain: bool) -> None:
        self.counts: dict[str, int] = {}
        self.reasons: list[tuple[Link, str]] = []
        self.examples: dict[str, str] = {}
        self._explain = explain

    def add(self, link: Link, reason: str) -> None:
        """Drop ``link`` for ``reason``."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        if reason not in self.examples and reason != DUPLICATE:
            self.examples[reason] = link.url
        if self._explain:
            self.reasons.append((link, reason))


class Scope:
    """The bounds of a crawl that starts at ``entries``.

    ``kind`` is one of :data:`patterns.SCOPE_KINDS`, or a function that is asked about each link (by
    ``url``, ``link`` or ``page``, as it names them). ``same-host`` takes ``www.`` and any port for
    the same host; ``same-origin`` is exact.

    A hostname in ``allow`` belongs to the crawl as well, with its subdomains (with the kind
    ``all``: only these do). If ``allow`` has regular expressions, a link must match one of them. A
    link that matches anything in ``deny`` is dropped.
    """

    def __init__(
        self,
        entries: Iterable[str],
        kind: str | Hook = "same-host",
        *,
        allow: Iterable[str | re.Pattern[str]] = (),
        deny: Iterable[str | re.Pattern[str]] = (),
        deny_extensions: Iterable[str] = DENY_EXTENSIONS,
        nofollow: bool = False,
        private_hosts: Iterable[str] = (),
        rules: Rules = DEFAULT_RULES,
        lanes: bool = True,
    ) -> None:
        self.kind, self.nofollow, self.rules, self.lanes = kind, nofollow, rules, lanes
        starts = [parse_url(url) for url in entries]
        self.hosts = frozenset(start.host for start in starts)
        self._origins = frozenset(start.origin for start in starts)
        self._bare_hosts = frozenset(map(_bare, self.hosts))
        self._domains = (
            frozenset(map(domain_of, self.hosts)) if kind == "same-domain" else frozenset[str]()
        )
        self._allow_hosts, self._allow = _split(allow)
        self._deny_hosts, self._deny = _split(deny)
        self._extensions = frozenset(extension.lower().lstrip(".") for extension in deny_extensions)
        self._private = self.hosts | set(private_hosts)
        self._function = kind if callable(kind) else None
        # pages of a site share most of their links
        self.look = lru_cache(maxsize=8_192)(self._look)

    @property
    def one_host(self) -> bool:
        """Whether every page of the crawl is on one host."""
        return (
            self.kind in ("same-host", "same-origin")
            and len(self._bare_hosts) == 1
            and not self._allow_hosts
        )

    def judge(self, link: Link, parent: Page) -> str | None:
        """Return why ``link``, found on ``parent``, is not followed, as a word of :data:`REASONS`;
        None if it is followed.
        """
        return self._verdict(link, parent).reason

    def refuses(self, url: str, page: Page | None = None) -> str | None:
        """Return why ``url``, at which ``page`` arrived by a redirect or a script, is out of
        bounds, as a word of :data:`REASONS`; None if it is within them.

        A page that arrived may have any extension. An entry page may arrive outside of ``allow``.
        """
        try:
            address = parse_url(url)
            if page is not None and self.rules.canonical(address) == page.key:
                return None
        except InvalidURL as invalid:
            return invalid.reason
        at_entry = page is not None and page.depth == 0
        reason = self._bounds(
            address.host, address.origin, self.rules.target(address), allow=not at_entry
        )
        if reason is None and self._function and page and not self._asks(Link(url), page):
            return "scope"
        return reason

    def entry(self, url: str) -> Page:
        """Return the page at depth 0 for ``url``. Raises InvalidURL."""
        address = parse_url(url)
        lane = address.lane if self.lanes else ""
        return Page(self.rules.target(address), 0, self.rules.canonical(address), lane)

    def choose(
        self,
        page: Page,
        links: Iterable[Link],
        *,
        keep: Chooser | None = None,
        explain: bool = False,
    ) -> Chosen:
        """Return the pages that the ``links`` of ``page`` become, each once, and the dropped links.

        ``keep`` is handed the links that are in scope, and says which of them to take, with which
        priority. It may add others, which are judged like links. ``explain`` asks for the reason of
        each dropped link.
        """
        drops = Drops(explain)
        looks = self._in_scope(page, links, drops)
        if keep is None:
            chosen = [(look, Priority.NORMAL) for _, look in looks.values()]
        else:
            chosen = self._kept(page, looks, keep, drops)
        depth = page.depth + 1
        pages = tuple(
            Page(look.url, depth, look.key, look.lane, priority, parent=page.id, id=look.id)
            for look, priority in chosen
        )
        return Chosen(pages, drops.counts, tuple(drops.reasons), drops.examples)

    def _in_scope(
        self, page: Page, links: Iterable[Link], drops: Drops
    ) -> dict[str, tuple[Link, Look]]:
        """Return the links in scope, each once, by key."""
        looks: dict[str, tuple[Link, Look]] = {}
        for link in links:
            look = self._verdict(link, page)
            if look.reason:
                drops.add(link, look.reason)
            elif look.key in looks or look.key == page.key:
                drops.add(link, DUPLICATE)
            else:
                looks[look.key] = link, look
        return looks

    def _kept(
        self, page: Page, looks: dict[str, tuple[Link, Look]], keep: Chooser, drops: Drops
    ) -> list[tuple[Look, Priority]]:
        """Return the links that ``keep`` chooses, each once, with their priorities."""
        choice: dict[str, tuple[Look, Priority]] = {}
        for link, priority in keep(tuple(link for link, _ in looks.values())):
            look = self._verdict(link, page)
            if look.reason:
                drops.add(link, look.reason)
            elif look.key != page.key:
                choice.setdefault(look.key, (look, priority))
        for key, (link, _) in looks.items():
            if key not in choice:
                drops.add(link, "filter")
        return list(choice.values())

    def _verdict(self, link: Link, parent: Page) -> Look:
        if self.nofollow and "nofollow" in link.rel.lower().split():
            return Look("nofollow")
        if len(link.url) > LENGTH_MAX:
            return Look(why_long(link.url))  # no cache should hold it
        look = self.look(link.url)
        if look.reason is None and self._function and not self._asks(link, parent):
            return Look("scope")
        return look

    def _look(self, url: str) -> Look:
        try:
            address = parse_url(url)
        except InvalidURL as invalid:
            return Look(invalid.reason)
        target = self.rules.target(address)
        if reason := self._bounds(address.host, address.origin, target) or self._file(address.path):
            return Look(reason)
        key = self.rules.canonical(address)
        return Look(None, target, key, address.lane if self.lanes else "", page_id(key))

    def _bounds(self, host: str, origin: str, url: str, *, allow: bool = True) -> str | None:
        if host not in self._private and is_private_host(host):
            return "private"
        if not (self._holds(host, origin) or is_within(host, self._allow_hosts)):
            return "scope"
        if is_within(host, self._deny_hosts) or any(pattern.search(url) for pattern in self._deny):
            return "deny"
        if allow and self._allow and not any(pattern.search(url) for pattern in self._allow):
            return "allow"
        return None

    def _holds(self, host: str, origin: str) -> bool:
        match self.kind:
            case "same-host":
                return _bare(host) in self._bare_hosts
            case "same-origin":
                return origin in self._origins
            case "same-domain":
                return domain_of(host) in self._domains
            case "all":
                return not self._allow_hosts
        return True  # a function decides, see _asks

    def _file(self, path: str) -> str | None:
        name, dot, extension = path.rpartition("/")[2].rpartition(".")
        return "extension" if dot and name and extension.lower() in self._extensions else None

    def _asks(self, link: Link, parent: Page) -> bool:
        return bool(call(self._function, {"url": link.url, "link": link, "page": parent}))


def why_long(url: str) -> str:
    """Return why a very long ``url`` is dropped: for its scheme, if that is not ours (``data:``),
    else for its length.
    """
    return "length" if url[:64].lstrip().lower().startswith(("http:", "https:")) else "scheme"


def _split(
    items: Iterable[str | re.Pattern[str]],
) -> tuple[tuple[str, ...], tuple[re.Pattern[str], ...]]:
    patterns = [parse_pattern(item) for item in items]
    return tuple(p for p in patterns if isinstance(p, str)), tuple(
        p for p in patterns if not isinstance(p, str)
    )


def _bare(host: str) -> str:
    return host.removeprefix("www.")

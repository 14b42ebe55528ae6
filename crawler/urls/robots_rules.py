"""The rules of one group of a robots.txt, compiled: a URL is matched in microseconds, whatever the
file holds.

Protego reads the file, and says what its rules mean. It tries them one after another, which with
half a megabyte of them takes milliseconds for each link of a page. Here rules without a wildcard
are looked up, and of those with one only those are tried of which a rare piece is in the URL.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlparse

from protego import Protego
from protego._utils import _quote_path

#: Characters of the pieces by which rules with wildcards are found.
PIECE = 4
#: Rules with wildcards that are tried one by one, without an index.
FEW = 32
#: URLs whose answer is remembered.
KNOWN = 8_192


class WildcardRule(NamedTuple):
    """A rule with a wildcard: its literal ``parts``, whether it must match to the ``end`` of the
    URL, its length as ``priority``, and whether it ``allows``.
    """

    priority: int
    allows: bool
    parts: tuple[str, ...]
    end: bool

    def matches(self, url: str) -> bool:
        """Whether the rule matches ``url``: its parts are there, in their order."""
        if not url.startswith(self.parts[0]):
            return False
        at = len(self.parts[0])
        for part in self.parts[1:-1]:
            found = url.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        last = self.parts[-1]
        if self.end:
            return len(url) - len(last) >= at and url.endswith(last)
        return url.find(last, at) >= 0


class CompiledRules:
    """The rules that a robots.txt ``file``, read by Protego, has for ``agent``.

    ``allowed`` says whether a URL may be fetched: the longest rule that matches it says so.
    ``effort`` counts the pieces that were compared for that: two to eight a microsecond.
    """

    def __init__(self, file: Protego, agent: str) -> None:
        self.effort = 0
        group: Any = file._get_matching_rule_set(agent)
        prefixes: dict[str, bool] = {}
        exact: dict[str, bool] = {}
        wild: dict[tuple[str, bool], WildcardRule] = {}
        for field, pattern in group._rules if group else ():
            text, allows = pattern._pattern, field == "allow"
            if "*" in text:
                wild[text, allows] = _wildcard_rule(text, allows)
            elif text.endswith("$"):
                exact[text[:-1]] = exact.get(text[:-1], False) or allows
            else:
                prefixes[text] = prefixes.get(text, False) or allows
        self._prefixes, self._exact = prefixes, exact
        self._lengths = sorted({len(prefix) for prefix in prefixes}, reverse=True)
        # the longest first; of two that are as long, the one that allows
        rules = sorted(wild.values(), key=lambda rule: (-rule.priority, not rule.allows))
        self._first, self._found = _index(rules) if len(rules) > FEW else (rules, {})
        # pages of a site share most of their links
        self.allowed = lru_cache(maxsize=KNOWN)(self._allowed)

    def _allowed(self, url: str) -> bool:
        if "/robots.txt" in url and urlparse(url).path == "/robots.txt":
            return True
        path = _quote_path(url)
        priority, allows = self._literal(path)
        if wild := self._wildcard(path, priority, allows):
            return wild.allows
        return allows

    def _literal(self, path: str) -> tuple[int, bool]:
        """Return the length of the longest rule without a wildcard that matches, and whether it
        allows; 0 if there is none.
        """
        if path in self._exact:
            # a prefix that is as long as the path and its sign of the end is longer than the path
            return len(path) + 1, self._exact[path]
        for length in self._lengths:
            if length <= len(path):
                self.effort += 1
                prefix = path[:length]
                if prefix in self._prefixes:
                    return length, self._prefixes[prefix]
        return 0, True

    def _wildcard(self, path: str, priority: int, allows: bool) -> WildcardRule | None:
        """Return the first rule with a wildcard that matches, and counts for more than one of
        ``priority`` that ``allows``.
        """
        for rule in self._candidates(path):
            if (rule.priority, rule.allows) <= (priority, allows):
                return None
            self.effort += min(len(rule.parts), len(path))
            if rule.matches(path):
                return rule
        return None

    def _candidates(self, path: str) -> Iterable[WildcardRule]:
        """Return the rules with a wildcard that may match, in the order in which they count."""
        if not self._found:
            return self._first
        found = list(self._first)
        for size in range(1, PIECE + 1):
            pieces = {path[at : at + size] for at in range(len(path) - size + 1)}
            self.effort += len(pieces)
            for piece in pieces & self._found.keys():
                found += self._found[piece]
        found.sort(key=lambda rule: (-rule.priority, not rule.allows))
        self.effort += len(found)
        return found


def _wildcard_rule(text: str, allows: bool) -> WildcardRule:
    end = text.endswith("$")
    parts = text[: -1 if end else None].split("*")
    # several wildcards in a row are one
    kept = [parts[0], *(part for part in parts[1:-1] if part), parts[-1]]
    return WildcardRule(len(text), allows, tuple(kept), end)


def _index(
    rules: Iterable[WildcardRule],
) -> tuple[list[WildcardRule], Mapping[str, list[WildcardRule]]]:
    """Return rules that have nothing but wildcards, and the others by the piece of theirs that the
    fewest rules have.
    """
    pieces = [(rule, _pieces(rule)) for rule in rules]
    counts = Counter(piece for _, ours in pieces for piece in ours)
    bare: list[WildcardRule] = []
    found: defaultdict[str, list[WildcardRule]] = defaultdict(list)
    for rule, ours in pieces:
        if ours:
            found[min(ours, key=lambda piece: (counts[piece], -len(piece), piece))].append(rule)
        else:
            bare.append(rule)
    return bare, dict(found)


def _pieces(rule: WildcardRule) -> set[str]:
    """Return pieces that each URL holds that the rule matches."""
    pieces = {part[at : at + PIECE] for part in rule.parts for at in range(len(part) - PIECE + 1)}
    return pieces or {part for part in rule.parts if part}

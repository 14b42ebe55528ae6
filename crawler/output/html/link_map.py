"""The map of a site by the links that led to its pages: pages, or folders of them where they are
many, in columns by how far they are from the entry.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from urllib.parse import urlsplit

from .crawl_facts import PageFacts, host_of
from .web_page import plain

#: Places of a map that can still be read; and columns of it.
NODES_MAX, COLUMNS_MAX = 48, 8
#: Places that the name of one says it was found from.
SOURCES_MAX = 3
#: Pixels between columns and rows, at the edges, and characters of a label.
COLUMN, ROW, MARGIN, LABEL_MAX = 225, 42, 24, 27


@dataclass(eq=False)
class Folder:
    """The pages at and below an address: a host, with some parts of a path."""

    name: str
    pages: list[PageFacts] = field(default_factory=list)  # at this address itself
    inner: dict[str, Folder] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of its pages."""
        return len(self.pages) + sum(folder.size for folder in self.inner.values())

    def all(self) -> list[PageFacts]:
        """Return its pages, those below it, too."""
        return [*self.pages, *(page for one in self.inner.values() for page in one.all())]


@dataclass(eq=False)
class Node:
    """A place of the map: one page, or some with an address that begins alike."""

    label: str
    pages: list[PageFacts]
    column: int = 0
    row: float = 0.0

    @property
    def failed(self) -> int:
        """How many of its pages failed."""
        return sum(bool(page.reason) for page in self.pages)

    @property
    def depths(self) -> str:
        """How far its pages are from the entry."""
        low, high = min(p.depth for p in self.pages), max(p.depth for p in self.pages)
        return str(low) if low == high else f"{low} to {high}"


@dataclass
class LinkMap:
    """Nodes, and how many links lead from one to another: those that led to pages first
    (``found``), and others that pages hold (``cross``), where the crawl keeps them.
    """

    nodes: list[Node]
    found: Counter[tuple[int, int]]
    cross: Counter[tuple[int, int]]

    def sources(self, number: int) -> list[tuple[str, int]]:
        """Return from where the pages of a node were found: labels and numbers, most first."""
        into = [(a, n) for (a, b), n in self.found.most_common() if b == number]
        return [(self.nodes[a].label, n) for a, n in into]

    def svg(self, words: str) -> str:
        """Return the map as a drawing, with ``words`` for those who cannot see it."""
        rows = Counter(node.column for node in self.nodes)
        width = 2 * MARGIN + COLUMN * (max(rows, default=0) + 1)
        height = 2 * MARGIN + ROW * max(rows.values(), default=1)
        parts = [
            f'<svg class="map" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            f' role="group" aria-label="{escape(words)}">'
        ]
        for kind, edges in (("cross", self.cross), ("found", self.found)):
            parts += [self._edge(a, b, n, kind) for (a, b), n in edges.most_common(400) if a != b]
        parts += [self._node(number, node) for number, node in enumerate(self.nodes)]
        return "".join([*parts, "</svg>"])

    def _edge(self, a: int, b: int, number: int, kind: str) -> str:
        (x1, y1), (x2, y2) = place_of(self.nodes[a]), place_of(self.nodes[b])
        bend = max(40.0, abs(x2 - x1) / 2)
        out = bend if x2 > x1 else 70.0
        back = -bend if x2 > x1 else 70.0
        thick = min(6.0, 0.8 + math.log2(number + 1) / 2)
        return (
            f'<path class="{kind}" data-ends="{a} {b}" stroke-width="{thick:.1f}"'
            f' d="M{x1:.0f} {y1:.0f}C{x1 + out:.0f} {y1:.0f} {x2 + back:.0f} {y2:.0f}'
            f' {x2:.0f} {y2:.0f}"/>'
        )

    def _node(self, number: int, node: Node) -> str:
        x, y = place_of(node)
        size = min(14.0, 4 + math.sqrt(len(node.pages)) / 2)
        kind = "node bad" if node.failed else "node"
        label = node.label if len(node.label) <= LABEL_MAX else f"…{node.label[1 - LABEL_MAX :]}"
        count = f" · {len(node.pages):,}" if len(node.pages) > 1 else ""
        failed = f", {node.failed} failed" if node.failed else ""
        title = f"{node.label}: {words_of(len(node.pages))}{failed}, depth {node.depths}"
        sources = ", ".join(f"{label} ({n:,})" for label, n in self.sources(number)[:SOURCES_MAX])
        name = f"{title}; found from {sources}" if sources else title
        return (
            f'<g class="{kind}" data-node="{number}" tabindex="0" role="img"'
            f' aria-label="{plain(name)}"><title>{plain(title)}</title>'
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{size:.1f}"/>'
            f'<text x="{x - 4:.0f}" y="{y - size - 4:.0f}">{plain(label)}{count}</text></g>'
        )


def words_of(number: int) -> str:
    """Return so many pages in words."""
    return "1 page" if number == 1 else f"{number:,} pages"


def place_of(node: Node) -> tuple[float, float]:
    """Return where a node is drawn."""
    return MARGIN + COLUMN * node.column, MARGIN + ROW * (node.row + 0.7)


def link_map(pages: Sequence[PageFacts]) -> LinkMap:
    """Return the map of ``pages``."""
    nodes = group(pages)
    by_id = {page.id: number for number, node in enumerate(nodes) for page in node.pages}
    by_url = {page.url: number for number, node in enumerate(nodes) for page in node.pages}
    found: Counter[tuple[int, int]] = Counter()
    cross: Counter[tuple[int, int]] = Counter()
    for number, node in enumerate(nodes):
        for page in node.pages:
            if page.parent in by_id:
                found[by_id[page.parent], number] += 1
            for url in page.links:
                if (to := by_url.get(url)) is not None and to != number:
                    cross[number, to] += 1
    for edge in found:
        del cross[edge]
    arrange(nodes, found)
    return LinkMap(nodes, found, cross)


def group(pages: Sequence[PageFacts]) -> list[Node]:
    """Return nodes for ``pages``: each its own, or folders, of which the largest are opened as long
    as the map can be read.
    """
    several = len({host_of(page.url) for page in pages}) > 1
    if len(pages) <= NODES_MAX:
        return [Node(label_of(page.url, host=several), [page]) for page in pages]
    shut = list(tree(pages, several).values())
    leaves: list[Node] = []
    while shut:
        shut.sort(key=lambda folder: folder.size)
        folder = shut.pop()
        opened = [one for one in folder.inner.values() if one.size > 1]
        rest = [page for one in folder.inner.values() if one.size == 1 for page in one.all()]
        rest += folder.pages
        more = len(opened) + bool(rest)
        if not opened or len(shut) + len(leaves) + more > NODES_MAX:
            leaves.append(Node(folder.name, folder.all()))
            continue
        shut += opened
        if rest:
            leaves.append(Node(folder.name, rest))
    return leaves


def tree(pages: Sequence[PageFacts], several: bool) -> dict[str, Folder]:
    """Return the folders of hosts, with those of their paths in them."""
    roots: dict[str, Folder] = {}
    for page in pages:
        host = host_of(page.url)
        folder = roots.setdefault(host, Folder(f"{host}/" if several else "/"))
        for part in filter(None, path_of(page.url).split("/")):
            name = f"{folder.name}{part}/"
            folder = folder.inner.setdefault(part, Folder(name))
        folder.pages.append(page)
    return roots


def path_of(url: str) -> str:
    """Return the path of a URL."""
    try:
        return urlsplit(url).path
    except ValueError:
        return url


def label_of(url: str, *, host: bool) -> str:
    """Return a URL in short."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    query = f"?{parts.query}" if parts.query else ""
    return f"{host_of(url) if host else ''}{parts.path or '/'}{query}"


def arrange(nodes: Sequence[Node], found: Counter[tuple[int, int]]) -> None:
    """Give each node a column, by its depth, and a row near those from which it was found."""
    columns: defaultdict[int, list[int]] = defaultdict(list)
    for number, node in enumerate(nodes):
        node.column = min(COLUMNS_MAX - 1, min((page.depth for page in node.pages), default=0))
        columns[node.column].append(number)
    # columns without a node are left out
    for place, column in enumerate(sorted(columns)):
        for number in columns[column]:
            nodes[number].column = place
    tallest = max(map(len, columns.values()), default=1)
    for column in sorted(columns):
        numbers = columns[column]

        def wanted(number: int) -> tuple[float, str]:
            into = [
                (nodes[a].row, n)
                for (a, b), n in found.items()
                if b == number and nodes[a].column < nodes[number].column
            ]
            total = sum(n for _, n in into)
            mean = sum(row * n for row, n in into) / total if total else 0.0
            return mean, nodes[number].label

        numbers.sort(key=wanted)
        first = (tallest - len(numbers)) / 2
        for place, number in enumerate(numbers):
            nodes[number].row = first + place

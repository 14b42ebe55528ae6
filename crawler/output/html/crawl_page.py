"""The report of a crawl as a page for a browser: see ``web_page``."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from .. import report
from ..error_files import read_file
from ..failure_reasons import meaning
from ..hints import hint_lines
from .crawl_facts import LISTED, PAGES_MAX, CrawlFacts, FailedFacts, PageFacts
from .link_map import LinkMap, link_map
from .web_page import chart, figure, link, plain, table, web_page

#: Bytes of pictures in a report, and pictures in it.
PICTURES_SIZE, PICTURES_MAX = 4_000_000, 24
#: Pages that the list of the map names, and of one place of it.
MAPPED_MAX, MAPPED_EACH = 1_500, 300
#: Rows of the table that tells the pace.
PACE_ROWS = 30
#: The name of the ``meta`` element that says of which crawl a report is.
MARK = "crawler-report"


def crawl_page(facts: CrawlFacts) -> str:
    """Return the report of a crawl as a page."""
    name = facts.snapshot.name
    sections = [
        ("pace", "Pages over time", _pace(facts)),
        ("answers", "Status codes and depths", _answers(facts)),
        ("time", "Where the time goes", _time(facts)),
        ("hosts", "Hosts and routes", _hosts(facts)),
        ("failures", "Failures", _failures(facts)),
        ("links", "Redirects and duplicates", _links(facts)),
        ("changes", "Since the last crawl", _changes(facts)),
        ("site", "The site by its links", _site(facts)),
    ]
    shown = [(key, title, parts) for key, title, parts in sections if parts]
    contents = "".join(f'<li><a href="#{key}">{title}</a></li>' for key, title, _ in shown)
    body = [
        '<a class="skip" href="#content">To the content</a>',
        *_head(facts),
        f'<nav aria-label="Contents"><ul>{contents}</ul></nav><main id="content">',
        *(
            line
            for key, title, parts in shown
            for line in (
                f'<section aria-labelledby="{key}"><h2 id="{key}">{title}</h2>',
                *parts,
                "</section>",
            )
        ),
        "</main>",
        f'<footer class="quiet">{plain(_made(facts))}</footer>',
    ]
    _, pace = facts.pace()
    began = facts.began or 0.0
    columns = [[at, waiting] for at, waiting in facts.waiting if at >= began]
    data = {
        "pace": [list(column) for column in zip(*pace, strict=True)],
        "waiting": [[round(at - began, 1) for at, _ in columns], [count for _, count in columns]],
    }
    here = Path(__file__)
    return web_page(
        f"{name}: report of a crawl",
        body,
        data,
        styles=[here.with_suffix(".css")],
        scripts=[here.with_suffix(".js")],
        marks={MARK: name},
    )


def is_report_of(path: Path, crawl: str) -> bool:
    """Whether the file at ``path`` is a report of the crawl ``crawl``."""
    with path.open("rb") as file:
        start = file.read(2_000)
    return f'<meta name="{MARK}" content="{crawl}">'.encode() in start


def pages(number: int) -> str:
    """Return the word for so many pages."""
    return "page" if number == 1 else "pages"


def moment(at: float | None) -> str:
    """Return epoch seconds as people read them."""
    if at is None:
        return "-"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _made(facts: CrawlFacts) -> str:
    of = facts.snapshot.done - facts.results + facts.again
    older = f" {of:,} older results are no longer in Redis (results_limit)." if of > 0 else ""
    return f"Made of {facts.results:,} results and {len(facts.failed):,} failed pages.{older}"


def _head(facts: CrawlFacts) -> list[str]:
    snapshot, told = facts.snapshot, facts.report
    kind = "plain" if not snapshot.status.ended else "good" if report.succeeded(snapshot) else "bad"
    left = report.waiting(snapshot)
    cards = [
        ("pages done", f"{snapshot.done:,}"),
        ("failed", f"{snapshot.failed:,}"),
        ("waiting", f"{left:,}"),
        ("pages with items", f"{told['items']:,}"),
        ("pages/s", figure(told["pages_per_s"])),
        ("seconds", f"{told['seconds']:,.1f}"),
    ]
    times = f"begun {moment(snapshot.started)}"
    times += f", ended {moment(snapshot.ended)}" if snapshot.ended else ", not ended yet"
    hints = "".join(f"<li>{plain(line)}</li>" for line in hint_lines(told["hints"]))
    return [
        f"<header><h1>{plain(snapshot.name)}</h1>",
        f'<p class="verdict {kind}">{plain(report.status(snapshot))}</p>',
        f'<p class="quiet">{plain(times)}; generation {snapshot.generation}</p>',
        '<dl class="cards">',
        *(f"<div><dt>{what}</dt><dd>{number}</dd></div>" for what, number in cards),
        "</dl>",
        f"<ul>{hints}</ul>" if hints else "",
        "</header>",
    ]


def _pace(facts: CrawlFacts) -> list[str]:
    width, rows = facts.pace()
    if not rows:
        return ["<p>No page is done yet.</p>"]
    parts = [
        '<div class="sides"><div class="side">',
        *chart("pace", "Pages done, and failed, in a second"),
    ]
    parts += ["</div>"]
    if len(facts.waiting) > 1:
        parts += ['<div class="side">', *chart("waiting", "Pages that wait"), "</div>"]
    parts += ["</div>"]
    _, coarse = facts.pace(PACE_ROWS - 1)
    step = coarse[1][0] - coarse[0][0] if len(coarse) > 1 else width
    cells = [[f"{at:,.0f}", figure(done), figure(lost)] for at, done, lost in coarse]
    words = f"Pages in a second, over {step:,.0f} s each"
    heads = ["from, s", "done/s", "failed/s"]
    return [*parts, *_folded("As a table", table(heads, cells, numbers=range(3), words=words))]


def _answers(facts: CrawlFacts) -> list[str]:
    statuses = sorted(facts.statuses.items())
    depths = [(str(depth), count) for depth, count in sorted(facts.depths.items())]
    return [
        '<div class="sides"><div class="side"><h3>Status codes</h3>',
        *_bars("status", "pages", statuses, "Pages by status code"),
        '</div><div class="side"><h3>Depths</h3>',
        *_bars("links from the entry", "pages", depths, "Pages by links from the entry"),
        "</div></div>",
    ]


def _time(facts: CrawlFacts) -> list[str]:
    steps = sorted(facts.steps.items(), key=lambda pair: -pair[1][0])
    parts: list[str] = []
    if steps:
        rows = [
            [name, _bar(seconds, steps[0][1][0]), f"{seconds:,.1f}", f"{count:,}",
             f"{1_000 * seconds / count:,.0f}" if count else "-"]
            for name, (seconds, count) in steps
        ]  # fmt: skip
        heads = ["step", "", "seconds", "times", "ms each"]
        words = "Time by step, over all runs"
        parts += [
            "<h3>By step</h3>",
            *table(heads, rows, numbers=(2, 3, 4), html=(1,), words=words),
        ]
    slow = sorted(facts.slowest, key=lambda one: -one[0])
    if slow:
        rows = [[f"{ms:,}", link(page.url), page.title] for ms, _, page in slow]
        parts += ["<h3>Slowest pages</h3>"]
        parts += table(
            ["ms", "page", "title"], rows, numbers=(0,), html=(1,), words="Slowest pages"
        )
    return parts


def _hosts(facts: CrawlFacts) -> list[str]:
    hosts = sorted(facts.hosts.items(), key=lambda pair: (-pair[1].done - pair[1].failed, pair[0]))
    rows = [
        [
            name,
            f"{host.done:,}",
            f"{host.failed:,}",
            figure(host.ms / host.done) if host.done else "-",
        ]
        for name, host in hosts[:LISTED]
    ]
    heads = ["host", "done", "failed", "ms each"]
    parts = table(heads, rows, numbers=(1, 2, 3), words="Pages by host") if rows else []
    parts += _more(len(hosts))
    if routes := facts.report["routes"]:
        cells = [
            [name, f"{route['done']:,}", f"{route['failed']:,}", figure(route["seconds_per_page"])]
            for name, route in sorted(routes.items())
        ]
        heads = ["route", "done", "failed", "s each"]
        parts += table(heads, cells, numbers=(1, 2, 3), words="Pages by route")
    return parts


def _failures(facts: CrawlFacts) -> list[str]:
    if not facts.failed:
        return ["<p>No page failed for good.</p>"]
    kinds = list(facts.report["failures"].items())
    rows = []
    for kind, count in kinds[:LISTED]:
        found = meaning(kind)
        text = found.text if found else ""
        mend = found.mend.replace("NAME", facts.snapshot.name).format(kind) if found else ""
        rows.append([kind, f"{count:,}", text, mend])
    heads = ["reason", "pages", "means", "what to do"]
    parts = table(heads, rows, numbers=(1,), words="Failed pages by reason")
    parts += _pictures([one for one in facts.failed if one.picture])
    cells = [
        [link(one.url), one.reason, str(one.status or "-"), str(one.attempts), str(one.depth)]
        for one in facts.failed[:LISTED]
    ]
    heads = ["page", "reason", "status", "attempts", "depth"]
    words = "Pages that failed"
    listed = table(heads, cells, numbers=(2, 3, 4), html=(0,), words=words)
    return [
        *parts,
        *_folded(
            f"{len(facts.failed):,} {pages(len(facts.failed))}",
            [*listed, *_more(len(facts.failed))],
        ),
    ]


def _pictures(failed: Sequence[FailedFacts]) -> list[str]:
    """Return the pictures of failed pages, as far as they have room; of the others, their paths."""
    figures: list[str] = []
    left: list[str] = []
    size = gone = 0
    for one in failed:
        path = Path(one.picture or "")
        data = read_file(path.parent, path.name)
        if data is None:
            gone += 1
            continue
        if len(figures) >= PICTURES_MAX or size + len(data) > PICTURES_SIZE:
            left.append(str(path))
            continue
        size += len(data)
        words = plain(f"What Chrome showed at {one.url}: {one.reason}")
        source = base64.b64encode(data).decode()
        figures.append(
            f'<figure><img loading="lazy" alt="{words}" src="data:image/png;base64,{source}">'
            f"<figcaption>{plain(one.kind)}<br>{link(one.url)}</figcaption></figure>"
        )
    if not (figures or left or gone):
        return []
    parts = ["<h3>What Chrome showed</h3>"]
    parts += ['<div class="pictures">', *figures, "</div>"] if figures else []
    if left:
        limit = f"{PICTURES_MAX} pictures and {PICTURES_SIZE / 1e6:g} MB are in this file"
        rows = "".join(f"<li>{plain(path)}</li>" for path in left[:LISTED])
        listed = [f"<ul>{rows}</ul>", *_more(len(left))]
        parts.append(f"<p>At most {limit}. The others stay in their files:</p>")
        parts += _folded(
            f"{len(left):,} more {'picture' if len(left) == 1 else 'pictures'}", listed
        )
    if gone:
        parts.append(f'<p class="quiet">{gone:,} more could not be read.</p>')
    return parts


def _links(facts: CrawlFacts) -> list[str]:
    parts: list[str] = []
    if facts.redirected:
        rows = [[link(url), link(final)] for url, final in facts.redirects]
        words = "Pages that led elsewhere"
        parts += [f"<h3>{facts.redirected:,} {pages(facts.redirected)} led elsewhere</h3>"]
        parts += table(["page", "ended at"], rows, html=(0, 1), words=words)
        parts += _more(facts.redirected)
    if known := facts.report["known"]:
        example = f", as {link(known['example'])}" if known["example"] else ""
        parts.append(
            f"<p>{known['pages']:,} led to pages that were known already{example}: no results of"
            " them.</p>"
        )
    alike = [(title, urls) for title, urls in facts.titles.items() if len(urls) > 1]
    if alike:
        alike.sort(key=lambda pair: -len(pair[1]))
        rows = [
            [title, f"{len(urls):,}", " ".join(map(link, urls[:3]))]
            for title, urls in alike[:SHARED_TITLES]
        ]
        heads = ["title", "pages", "for example"]
        shared = table(heads, rows, numbers=(1,), html=(2,), words="Titles that pages share")
        parts += [f"<h3>{len(alike):,} titles that pages share</h3>", *shared]
        parts += _more(len(alike), SHARED_TITLES)
    return parts


#: Titles that pages share, of which the report tells.
SHARED_TITLES = 30


def _changes(facts: CrawlFacts) -> list[str]:
    changes = facts.report["changes"]
    if not (changes["known"] or report.counts_old(changes) or facts.vanished):
        return []
    parts = [f"<p>{plain(report.change_text(changes))}</p>"]
    for kind in ("changed", "new"):
        if changed := facts.changes.get(kind):
            rows = [[link(page.url), page.title] for page in changed]
            listed = table(["page", "title"], rows, html=(0,), words=f"Pages that are {kind}")
            total = facts.counts_of_changes[kind]
            parts += _folded(f"{total:,} {kind}", [*listed, *_more(total)])
    if facts.vanished:
        rows = [[link(url), reason] for url, reason in facts.vanished[:LISTED]]
        listed = table(["page", "why"], rows, html=(0,), words="Pages that vanished")
        parts += _folded(
            f"{len(facts.vanished):,} vanished", [*listed, *_more(len(facts.vanished))]
        )
    return parts


def _site(facts: CrawlFacts) -> list[str]:
    if not facts.pages:
        return []
    links = link_map(facts.pages)
    what = "folders" if len(links.nodes) < len(facts.pages) else "pages"
    words = (
        f"{len(facts.pages):,} pages as {len(links.nodes)} {what}, by the links that led to them"
    )
    other = "; dashed: other links" if links.cross else ""
    parts = [
        f"<p>{words}: from left to right, by links from the entry. A line is the link by which a"
        f" page was first found{other}. Red: with pages that failed. Pointing at a place, or the"
        " Tab key, shows its links. The same as a list is below.</p>",
        '<a class="skip here" href="#places">Past the map</a>',
        f'<div class="wide drawing" role="region" tabindex="0" aria-label="{plain(words)}">',
        links.svg(words),
        "</div>",
        *_listed_map(links, {page.id: page for page in facts.pages}),
    ]
    if len(facts.pages) >= PAGES_MAX:
        parts.append(f"<p>The first {PAGES_MAX:,} pages are in it.</p>")
    return parts


def _listed_map(links: LinkMap, by_id: dict[str, PageFacts]) -> Iterable[str]:
    room = MAPPED_MAX
    rows = []
    lists: list[str] = []
    numbered = sorted(enumerate(links.nodes), key=lambda pair: pair[1].label)
    for number, node in numbered:
        into = [f"{label} ({n:,})" for label, n in links.sources(number)[:3]]
        failed = f"{node.failed:,}" if node.failed else ""
        rows.append([node.label, f"{len(node.pages):,}", failed, node.depths, ", ".join(into)])
        named = sorted(node.pages, key=lambda page: page.url)[: min(MAPPED_EACH, room)]
        room -= len(named)
        if len(node.pages) > 1 and named:
            cells = [
                [link(page.url), page.title, page.reason or str(page.status or "-"),
                 str(page.depth), link(by_id[page.parent].url) if page.parent in by_id else ""]
                for page in named
            ]  # fmt: skip
            heads = ["page", "title", "status", "depth", "found on"]
            listed = table(heads, cells, numbers=(3,), html=(0, 4), words=f"Pages of {node.label}")
            listed += _more(len(node.pages), len(named))
            lists += _folded(f"{node.label} · {len(node.pages):,} pages", listed)
    heads = ["", "pages", "failed", "depth", "found from"]
    words = "The map as a table: places, and from where each was found"
    yield '<div id="places" tabindex="-1"></div>'
    yield from _folded("As a table", table(heads, rows, numbers=(1, 2), words=words))
    if lists:
        yield "<h3>Pages by place</h3>"
        yield from lists


def _folded(title: str, parts: Iterable[str]) -> list[str]:
    return [f"<details><summary>{plain(title)}</summary>", *parts, "</details>"]


def _more(number: int, shown: int = LISTED) -> list[str]:
    return [f'<p class="quiet">and {number - shown:,} more</p>'] if number > shown else []


def _bars(head: str, what: str, rows: Sequence[tuple[str, int]], words: str) -> list[str]:
    most = max((count for _, count in rows), default=1)
    cells = [[name, _bar(count, most), f"{count:,}"] for name, count in rows]
    return table([head, "", what], cells, numbers=(2,), html=(1,), words=words)


def _bar(value: float, most: float) -> str:
    share = 100 * value / most if most else 0
    return f'<span class="bar" style="width:{share:.1f}%"></span>'

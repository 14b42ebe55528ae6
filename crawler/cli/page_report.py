"""One page that was tried, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..definition.routes import route_of
from ..frontier.entries import brought
from ..model import Json, Page
from ..output.hints import hint_lines
from ..redaction import masked, masked_form

if TYPE_CHECKING:
    from ..browser.trial.trial_chrome import PageRecord
    from ..definition.crawl import Crawl
    from ..run.dry_run import DryRun

#: Links that are kept, errors of the console and responses that are shown, unless all are asked
#: for.
SHOWN_MAX = 10
#: Stands for the value of a cookie.
HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is shown besides the usual: all ``links``, ``headers``, ``cookies``, their ``values``,
    the ``html``.
    """

    links: bool = False
    headers: bool = False
    cookies: bool = False
    values: bool = False
    html: bool = False


@dataclass(frozen=True, slots=True)
class TriedPage:
    """A page that was tried: what came of it (``outcome``), all that it left (``record``), the line
    on robots.txt with the ``group`` that counts, and further hints, a line each.
    """

    crawl: Crawl
    outcome: DryRun
    record: PageRecord
    robots: str
    group: str | None
    hints: Sequence[str] = ()
    empty: Mapping[str, str] = field(default_factory=dict)
    saved_at: str = ""


def head_lines(tried: TriedPage, wanted: Wanted) -> Iterator[str]:
    """Yield what is shown before the item: where it is from, and how long it took."""
    result = tried.outcome.result
    full = tried.record.response or result.response
    words = [
        f"status {full.status or 'unknown'}" + (f" {full.status_text}" if full.status_text else ""),
        full.content_type or "",
        f"{result.ms:.0f} ms",
    ]
    if tried.saved_at:
        words = [words[0], f"saved at {tried.saved_at}, without a network"]
    yield "  ".join([masked(full.url), *filter(None, words)])
    if full.redirects:
        yield f"redirects: {' > '.join(map(masked, (*full.redirects, full.url)))}"
    if result.page.form is not None:
        yield f"form: {form_text(result.page.form)}"
    if tried.crawl.routes:
        yield f"route: {result.page.route or 'none'}"
    steps = ", ".join(f"{name} {ms:.0f}" for name, ms in tried.outcome.steps.items() if ms >= 1)
    yield f"steps: {steps} ms"
    if loaded := ", ".join(f"{name} {ms:.0f}" for name, ms in full.timing.items()):
        yield f"page: {loaded} ms"
    if wanted.headers:
        for title, headers in (("request", full.request_headers), ("response", full.headers)):
            yield f"{title} headers:" + ("" if headers else " not known")
            yield from (f"  {name}: {value}" for name, value in (headers or {}).items())
    if result.skipped is not None:
        yield f"skipped: {result.skipped}"


def tail_lines(tried: TriedPage, wanted: Wanted) -> Iterator[str]:
    """Yield what is shown after the item: fields without a value, links, what the page said and
    loaded, hints.
    """
    outcome, record = tried.outcome, tried.record
    if tried.empty:
        names = (f"{name} ({css})" if css else name for name, css in tried.empty.items())
        yield f"warning: no value in {', '.join(names)}"
    yield from link_lines(tried.crawl, outcome, every=wanted.links)
    full = record.response
    if full and full.console:
        errors = sum(entry["level"] == "error" for entry in full.console)
        yield f"console: {errors} errors, {len(full.console) - errors} warnings"
        yield from cut([f"  {one['level']:<8} {one['message']}" for one in full.console], SHOWN_MAX)
    if record.capture:
        captured = record.captured
        yield f"captured: {len(captured)} responses for {', '.join(record.capture)}"
        lines = [
            f"  {one.status}  {one.method}  {len(one.body):,} bytes"
            f"{' (truncated)' if one.truncated else ''}  {masked(one.url)}"
            for one in captured
        ]
        yield from cut(lines, SHOWN_MAX)
    for file in outcome.result.response.files:
        yield f"file: {file.path or file.name}  {file.size:,} bytes"
    if wanted.cookies:
        yield f"cookies: {len(record.cookies)}"
        for one in cookies_of(record, values=wanted.values):
            yield f"  {one['name']}={one['value']}  {one['domain']}{one['path']}"
    yield from (f"hint: {line}" for line in (*hint_lines(outcome.hints), *tried.hints))
    yield tried.robots


def link_lines(crawl: Crawl, outcome: DryRun, *, every: bool) -> Iterator[str]:
    """Yield the links that are kept, and the others: all of them, or the first ones, and one for
    each reason.
    """
    yield f"{len(outcome.kept)} links kept"
    kept = [
        f"  {masked(page.url)}{on_route(crawl, page)}{with_data(page)}" for page in outcome.kept
    ]
    yield from kept if every else cut(kept, SHOWN_MAX, " (--links shows all)")
    yield f"{len(outcome.dropped)} links dropped"
    if every:
        yield from (f"  {reason:<12} {masked(link.url)}" for link, reason in outcome.dropped)
        return
    reasons: dict[str, list[str]] = {}
    for link, reason in outcome.dropped:
        reasons.setdefault(reason, []).append(link.url)
    for reason, urls in reasons.items():
        yield f"  {reason:<12} {len(urls):>5}  as {masked(urls[0])}"


def cut(lines: Sequence[str], size: int, how: str = "") -> Iterator[str]:
    """Yield the first ``size`` of ``lines``, and how many there are besides."""
    yield from lines[:size]
    if len(lines) > size:
        yield f"  … and {len(lines) - size} more{how}"


def item_text(outcome: DryRun) -> str:
    """Return the item as JSON that people read."""
    return json.dumps(outcome.item, ensure_ascii=False, indent=2)


def record_of(tried: TriedPage, wanted: Wanted) -> dict[str, Json]:
    """Return all about the page as JSON: the result, the links that are kept (with the route and
    data that some bring) and dropped, the forms that hooks follow, and what it left.
    """
    outcome, record = tried.outcome, tried.record
    full = record.response or outcome.result.response
    links = [page for page in outcome.kept if page.form is None]
    forms = [page for page in outcome.kept if page.form is not None]
    return {
        "status_text": full.status_text,
        "content_type": full.content_type,
        "redirects": None if full.redirects is None else list(full.redirects),
        "headers": None if full.headers is None else dict(full.headers),
        "request_headers": None if full.request_headers is None else dict(full.request_headers),
        "console": [dict(entry) for entry in full.console or ()],
        "timings": None if full.timings is None else dict(full.timings),
        **outcome.result.record(),
        "steps": dict(outcome.steps),
        "timing": dict(full.timing),
        "empty": list(tried.empty),
        "kept": [page.url for page in links],
        "brought": {page.url: along for page in links if (along := brought(page))},
        "forms": [{"url": page.url, **brought(page)} for page in forms],
        "dropped": [{"url": link.url, "reason": reason} for link, reason in outcome.dropped],
        "captured": [
            {
                "url": one.url,
                "method": one.method,
                "status": one.status,
                "bytes": len(one.body),
                "truncated": one.truncated,
            }
            for one in record.captured
        ],
        "hints": outcome.hints,
        "advice": list(tried.hints),
        "robots_group": tried.group,
        **({"cookies": list(cookies_of(record, values=wanted.values))} if wanted.cookies else {}),
        **({"html": record.html} if wanted.html else {}),
        **({"saved_at": tried.saved_at} if tried.saved_at else {}),
    }


def cookies_of(record: PageRecord, *, values: bool) -> Iterator[dict[str, Json]]:
    """Yield the cookies of the page, with their ``values`` or with ***."""
    for one in record.cookies:
        yield {"domain": "", "path": "", **one, "value": one["value"] if values else HIDDEN}


def with_data(page: Page) -> str:
    """Return the data that the link to ``page`` brings, and its form, for a line about it."""
    data = masked(f"  {json.dumps(page.data, ensure_ascii=False)}") if page.data else ""
    return data if page.form is None else f"{data}  form {form_text(page.form)}"


def form_text(form: Mapping[str, Json]) -> str:
    """Return a form for people, without its passwords."""
    return json.dumps(masked_form(form), ensure_ascii=False)


def on_route(crawl: Crawl, page: Page) -> str:
    """Return the route that ``page`` would take, for a line about it; "" if it takes none."""
    route = route_of(crawl, page)
    return f"  (route {route.name})" if route else ""

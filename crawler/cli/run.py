"""``run``: one page of a crawl, without Redis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from ..browser.pool import Chrome
from ..config import settings as configuration
from ..definition.crawl import Crawl
from ..definition.forms import form_of
from ..definition.link_data import link_data
from ..definition.loading import load
from ..definition.network import entries_decided, guard_of, plain_headers, proxies_of, robots_names
from ..definition.routes import route_names, route_of
from ..frontier.entries import brought
from ..local.processes import kill_children
from ..model import Json, Page
from ..net.permits import Permits
from ..output.hints import hint_lines
from ..redaction import masked, masked_form
from ..run.dry_run import DryRun, dry_run
from ..services import endpoint
from .click_errors import Mistake
from .field_options import LOADING, PAGES, FieldCommand, changes_of, field_options
from .parameters import CRAWL_REFERENCE
from .terminal import echo


@click.command(cls=FieldCommand)
@click.argument("crawl", metavar="CRAWL", type=CRAWL_REFERENCE)
@click.option("--url", help="Another page of it than the entry.")
@click.option("--route", default="", help="The route that a link to the page would name.")
@click.option("--data", default="{}", metavar="JSON", help="The data that a link would bring.")
@click.option("--form", metavar="JSON", help="The form that is submitted to the page's URL.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@click.option("--after", is_flag=True, help="Call the hook after, too: it may write somewhere.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Another value for any field, as in TOML, for a crawl without code.",
)
@field_options(*PAGES, *LOADING)
def run(
    crawl: str,
    url: str | None,
    route: str,
    data: str,
    form: str | None,
    after: bool,
    as_json: bool,
    changes: tuple[str, ...],
    **fields: Any,
) -> None:
    """Run one page of CRAWL, without Redis and without following links.

    Shows what it extracts, and which links it would keep.
    """
    settings = configuration.load()
    definition = load(crawl, (*changes, *changes_of(fields)), settings.crawls)
    definition.validate()
    if route and route not in definition.routes:
        raise Mistake(f"{crawl} has no route {route}; there are: {route_names(definition)}")
    brings, form_fields = data_of(data), fields_of_form(form)
    entries = entries_decided(definition)
    with Chrome(endpoint(settings)) as chrome:
        permits = Permits(
            guard_of(definition, (host for host, private in entries.items() if private)),
            obey=definition.robots,
            proxies=proxies_of(definition, chrome.endpoint.secrets),
            names=robots_names(definition),
            headers=plain_headers(definition),
        )
        outcome = dry_run(
            *(definition, chrome, permits, url),
            route=route,
            data=brings,
            form=form_fields,
            after=after,
        )
    kill_children()  # of hooks: who waits for the end of our output would wait for theirs
    group = permits.robots_group(outcome.result.page.url)
    if as_json:
        echo(json.dumps(record(outcome) | {"robots_group": group}, ensure_ascii=False), data=True)
    else:
        echo(text(outcome, definition), data=True)
        echo(robots_text(permits, group))


def data_of(text: str) -> dict[str, Json]:
    """Return the data that the option ``--data`` gives. Raises Mistake."""
    try:
        return link_data(json.loads(text))
    except (TypeError, ValueError, RecursionError) as error:
        raise Mistake(f"--data is no object of JSON that a link could carry: {error}") from None


def fields_of_form(text: str | None) -> dict[str, Json] | None:
    """Return the form that the option ``--form`` gives. Raises Mistake."""
    try:
        return None if text is None else form_of(json.loads(text))
    except (TypeError, ValueError, RecursionError) as error:
        raise Mistake(f"--form is no object of JSON that a form could be: {error}") from None


def robots_text(permits: Permits, group: str | None) -> str:
    """Return a line on the names that are looked up in robots.txt, and the one that counts."""
    if not permits.obey:
        return "robots.txt is not asked"
    return f"robots.txt: looked up {', '.join(permits.names)}, *; the group that counts: {group}"


def record(outcome: DryRun) -> dict[str, object]:
    """Return the outcome as JSON: the result, and the links that are kept (with the route and data
    that some bring) and dropped, and the forms that hooks follow.
    """
    links = [page for page in outcome.kept if page.form is None]
    forms = [page for page in outcome.kept if page.form is not None]
    return {
        **outcome.result.record(),
        "kept": [page.url for page in links],
        "brought": {page.url: along for page in links if (along := brought(page))},
        "forms": [{"url": page.url, **brought(page)} for page in forms],
        "dropped": [{"url": link.url, "reason": reason} for link, reason in outcome.dropped],
        "hints": outcome.hints,
    }


def with_data(page: Page) -> str:
    """Return the data that the link to ``page`` brings, and its form, for a line about it."""
    data = masked(f"  {json.dumps(page.data, ensure_ascii=False)}") if page.data else ""
    return data if page.form is None else f"{data}  form {form_text(page.form)}"


def form_text(form: Mapping[str, Json]) -> str:
    """Return a form for people, without its passwords."""
    return json.dumps(masked_form(form), ensure_ascii=False)


def text(outcome: DryRun, crawl: Crawl) -> str:
    """Return the outcome for people: the page, its data, and a line per link."""
    result, response = outcome.result, outcome.result.response
    lines = [
        f"{masked(response.url)}  status {response.status or 'unknown'}  {result.ms:.0f} ms",
        *([] if result.page.form is None else [f"form: {form_text(result.page.form)}"]),
        *([f"route: {result.page.route or 'none'}"] if crawl.routes else []),
        f"skipped: {result.skipped}"
        if result.skipped is not None
        else json.dumps(result.data, ensure_ascii=False, indent=2),
        f"{len(outcome.kept)} links kept",
        *(f"  {masked(page.url)}{on_route(crawl, page)}{with_data(page)}" for page in outcome.kept),
        f"{len(outcome.dropped)} links dropped",
        *(f"  {reason:<12} {masked(link.url)}" for link, reason in outcome.dropped),
        *(f"hint: {line}" for line in hint_lines(outcome.hints)),
    ]
    return "\n".join(lines)


def on_route(crawl: Crawl, page: Page) -> str:
    """Return the route that ``page`` would take, for a line about it; "" if it takes none."""
    route = route_of(crawl, page)
    return f"  (route {route.name})" if route else ""

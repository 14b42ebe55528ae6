"""``run``: one page of a crawl, without Redis; or one that was saved, without a network."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config import settings as configuration
from ..definition.crawl import Crawl
from ..definition.empty_fields import empty_fields
from ..definition.forms import form_of
from ..definition.link_data import link_data
from ..definition.loading import load, module_path
from ..definition.routes import route_names, view_of
from ..errors import BrowserUnavailable
from ..model import Json
from ..net.permits import Permits
from ..output.saved_page import SavedPage, check_target
from .click_errors import Mistake
from .field_options import LOADING, PAGES, FieldCommand, changes_of, field_options, set_option
from .one_page import saved_chrome, saved_page_of, trial_chrome_and_permits, window_or_line
from .page_files import save
from .page_report import TriedPage, Wanted, head_lines, item_text, record_of, tail_lines
from .parameters import CRAWL_REFERENCE
from .terminal import echo, print_document

if TYPE_CHECKING:
    from ..browser.trial.trial_chrome import PageRecord, TrialChrome
    from ..run.dry_run import DryRun


@dataclass(frozen=True, slots=True)
class Order:
    """The page that is to be run: its ``url`` (None: the entry, or the saved page), ``route``,
    ``data`` and ``form`` as a link would bring them. ``reference`` and ``changes`` are what its
    crawl was loaded from.
    """

    reference: str
    changes: tuple[str, ...] = ()
    url: str | None = None
    route: str = ""
    data: dict[str, Json] = field(default_factory=dict)
    form: dict[str, Json] | None = None
    after: bool = False
    saved: SavedPage | None = None


@click.command(cls=FieldCommand)
@click.argument("crawl", metavar="CRAWL", type=CRAWL_REFERENCE)
@click.argument("page", metavar="[DIR]", required=False)
@click.option("--url", help="Another page of it than the entry.")
@click.option("--route", default="", help="The route that a link to the page would name.")
@click.option("--data", default="{}", metavar="JSON", help="The data that a link would bring.")
@click.option("--form", metavar="JSON", help="The form that is submitted to the page's URL.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@click.option("--html", is_flag=True, help="Print the rendered document instead of the item.")
@click.option("--links", is_flag=True, help="Show all links, each dropped one with its reason.")
@click.option("--headers", is_flag=True, help="Show the headers of the request and the response.")
@click.option("--cookies", is_flag=True, help="Show the cookies of the page, without values.")
@click.option("--cookie-values", is_flag=True, help="Show them with their values.")
@click.option("--show", is_flag=True, help="Show the page in a window, where there is a display.")
@click.option(
    "--save",
    "target",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Save the page in a folder: `crawler run CRAWL DIR` runs it again without a network.",
)
@click.option("--overwrite", is_flag=True, help="Replace the page that is saved there.")
@click.option("--after", is_flag=True, help="Call the hook after, too: it may write somewhere.")
@set_option()
@field_options("robots", *PAGES, *LOADING)
def run(
    crawl: str,
    page: str | None,
    url: str | None,
    route: str,
    data: str,
    form: str | None,
    as_json: bool,
    html: bool,
    links: bool,
    headers: bool,
    cookies: bool,
    cookie_values: bool,
    show: bool,
    target: Path | None,
    overwrite: bool,
    after: bool,
    changes: tuple[str, ...],
    **fields: Any,
) -> None:
    """Run one page of CRAWL, without Redis and without following links.

    Prints the item as JSON; what else is to be said of the page goes to standard error. DIR is a
    folder that --save has made: its page is run again, without a network, with the CRAWL of today;
    DIR alone, with the one that it was saved from.
    """
    if overwrite and target is None:
        raise Mistake("--overwrite is about the folder of --save")
    crawl, saved = saved_page_of(crawl, page)
    if saved and (url or form or target or show or data != "{}"):
        raise Mistake(
            f"{page or crawl} is a saved page: no --url, --data, --form, --show or --save"
        )
    if target:
        check_target(target, overwrite=overwrite)
    changes = (*changes, *changes_of(fields))
    if saved and page is None:
        crawl, changes = saved.crawl, (*saved.changes, *changes)
    definition = load(crawl, changes, configuration.load().crawls)
    definition.validate()
    if route and route not in definition.routes:
        raise Mistake(f"{crawl} has no route {route}; there are: {route_names(definition)}")
    order = Order(
        *(module_path(crawl), changes, url, route, data_of(data), fields_of_form(form)),
        after=after,
        saved=saved,
    )
    wanted = Wanted(links, headers, cookies or cookie_values, cookie_values, html)
    show = window_or_line(show)
    try:
        with tried(definition, order, target, wanted, show=show) as (one, wait):
            show_page(one, wanted, as_json=as_json)
            wait()
    except BrowserUnavailable as error:
        if not show:
            raise
        raise Mistake("Chrome opens no window on this display; leave --show out") from error


@contextmanager
def tried(
    crawl: Crawl, order: Order, target: Path | None, wanted: Wanted, *, show: bool
) -> Iterator[tuple[TriedPage, Callable[[], None]]]:
    """Run the page of ``order``, and save it in ``target``, if there is one; give what came of it,
    and what waits until a window may close. A page that fails is saved, too.
    """
    with chrome_for(crawl, order, show=show) as (chrome, permits):
        records: list[PageRecord] = []

        def on_read() -> None:
            records[:] = [chrome.record(picture=target is not None, bodies=target is not None)]

        try:
            outcome = run_order(crawl, order, chrome, permits, on_read)
        except Exception as error:
            if not records:
                on_read()
            if target:
                save(target, crawl, order, records[0], permits, chrome, failure=error)
            if wanted.html:
                print_document(records[0].html)
            raise
        if not records:  # a hook skipped the page before it was read
            on_read()
        record = records[0]
        record.html = record.html or outcome.result.response.html or ""
        if target:
            save(target, crawl, order, record, permits, chrome, outcome)
        view = view_of(crawl, outcome.result.page)
        skipped = outcome.result.skipped is not None
        empty = {} if skipped else empty_fields(view, outcome.item)
        hints: list[str] = []
        if not (order.saved or skipped):
            from ..run.http_hint import http_hint

            plain = http_hint(crawl, outcome, chrome, permits)
            hints += [plain] if plain else []
        with ExitStack() as stack:
            browser = None
            if not order.saved and (empty or show):
                browser = stack.enter_context(chrome.again())
            if browser:
                from ..run.late_fields import late_hint

                scrolled = "scroll" in outcome.hints
                late = late_hint(browser, view, outcome.item, scrolled=scrolled)
                hints += [late] if late else []
            one = tried_page(crawl, order, outcome, record, permits, hints, empty)
            yield one, wait_for_reader if show and browser else nothing


def tried_page(
    crawl: Crawl,
    order: Order,
    outcome: DryRun,
    record: PageRecord,
    permits: Permits,
    hints: list[str],
    empty: dict[str, str],
) -> TriedPage:
    """Return all that is known of the page."""
    group = permits.robots_group(outcome.result.page.url)
    saved_at = order.saved.saved_at if order.saved else ""
    robots = robots_text(permits, group)
    return TriedPage(crawl, outcome, record, robots, group, hints, empty, saved_at)


@contextmanager
def chrome_for(crawl: Crawl, order: Order, *, show: bool) -> Iterator[tuple[TrialChrome, Permits]]:
    """Give a browser for the page of ``order``, and the permits."""
    if order.saved:
        from ..run.saved_run import SavedPermits

        with saved_chrome() as chrome:
            yield chrome, SavedPermits(crawl, order.saved)
    else:
        with trial_chrome_and_permits(crawl, window=show) as pair:
            yield pair


def run_order(crawl: Crawl, order: Order, chrome: Any, permits: Permits, on_read: Any) -> DryRun:
    """Run the page. Raises PageError; an error of a hook passes through."""
    from ..run.dry_run import dry_run
    from ..run.saved_run import run_saved

    if order.saved:
        return run_saved(
            crawl, chrome, order.saved, route=order.route, after=order.after, on_read=on_read
        )
    return dry_run(
        crawl,
        chrome,
        permits,
        order.url,
        route=order.route,
        data=order.data,
        form=order.form,
        after=order.after,
        on_read=on_read,
    )


def show_page(one: TriedPage, wanted: Wanted, *, as_json: bool) -> None:
    """Print a page: what it is asked for to standard output, all else to standard error."""
    if as_json:
        echo(json.dumps(record_of(one, wanted), ensure_ascii=False), data=True)
        return
    for line in head_lines(one, wanted):
        echo(line, err=True, data=True)
    if wanted.html:
        print_document(one.record.html)
    elif one.outcome.result.skipped is None:
        echo(item_text(one.outcome), data=True)
    for line in tail_lines(one, wanted):
        echo(line, err=True, data=True)


def nothing() -> None:
    """Wait for nobody."""


def wait_for_reader() -> None:
    """Wait until somebody at the terminal has seen the window."""
    if sys.stdin.isatty():
        click.prompt("Enter closes the window", "", show_default=False, err=True, prompt_suffix=" ")


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

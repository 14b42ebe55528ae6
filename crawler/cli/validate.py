"""``validate``: every fault of a definition, before it runs; ``--live``: its own examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ..config import settings as configuration
from ..definition.browser_profile import attached_warnings
from ..definition.loading import load
from ..definition.route_checks import route_warnings
from ..definition.routes import route_names
from ..output.report import ExitStatus
from ..redaction import masked
from .click_errors import Mistake
from .parameters import CRAWL_REFERENCE
from .terminal import echo

if TYPE_CHECKING:
    from ..definition.crawl import Crawl
    from ..run.live_examples import Finding


@click.command()
@click.argument("crawl", metavar="CRAWL", type=CRAWL_REFERENCE)
@click.option("--live", is_flag=True, help="Load the pages of its field `examples`, and compare.")
@click.option("--json", "as_json", is_flag=True, help="For programs: a line of JSON per example.")
@click.pass_context
def validate(context: click.Context, crawl: str, live: bool, as_json: bool) -> None:
    """Say everything that is wrong with CRAWL at once.

    With --live, also where the pages of its own examples are not as it expects: exit status 1 then.
    """
    if as_json and not live:
        raise Mistake("--json has the findings of --live")
    settings = configuration.load()
    definition = load(crawl, crawls=settings.crawls)
    definition.validate()
    hooks = ", ".join(definition.hooks) or "none"
    routes = f"; routes: {route_names(definition)}" if definition.routes else ""
    echo(f"{definition.name}: well formed; hooks: {hooks}{routes}", err=as_json)
    tables, fields = definition.routes, definition.fields
    for line in route_warnings(tables, fields, follows=definition.follows):
        echo(f"warning: {line}", err=as_json)
    if (settings.chrome_url or "").startswith(("ws://", "wss://")):
        for line in attached_warnings(definition):
            echo(f"warning: {line}", err=as_json)
    if live:
        context.exit(show_findings(definition, as_json))


def show_findings(crawl: Crawl, as_json: bool) -> int:
    """Load the pages of the crawl's examples, say where they are not as expected, and return the
    exit status. Raises Mistake: it has no examples.
    """
    from ..run.live_examples import examples_of, look_at_examples
    from .one_page import trial_chrome_and_permits

    number = len(examples_of(crawl))
    if not number:
        raise Mistake(
            f'{crawl.name} has no examples; for example: examples = [{{url = "/books/1", expect ='
            ' {title = "Tea", price = "present"}}]'
        )
    bad = 0
    with trial_chrome_and_permits(crawl) as (chrome, permits):
        for finding in look_at_examples(crawl, chrome, permits):
            bad += not finding.is_good
            if as_json:
                echo(json.dumps(finding.record(), ensure_ascii=False), data=True)
            else:
                for line in lines_of(finding):
                    echo(line, data=True)
    text = f"{number - bad} of {number} examples as expected"
    echo(text if number > 1 or bad else "1 example as expected", err=as_json)
    return ExitStatus.CRAWL_FAILED if bad else 0


def lines_of(finding: Finding) -> Iterator[str]:
    """Yield the lines that say what came of an example."""
    route = f"  (route {finding.route})" if finding.route else ""
    where = masked(finding.example.url) + route
    if finding.is_good:
        yield f"as expected  {where}"
        return
    yield f"differs      {where}"
    if finding.failure:
        yield f"  its page failed: {finding.failure}"
    for one in finding.differences:
        yield f"  {one}"

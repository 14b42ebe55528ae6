"""Look at the examples of a definition: load each page as a crawl would, and compare its items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from ..definition.expectations import Example, plain
from ..definition.item_differences import Difference, differences
from ..definition.route_options import sound_tables
from ..definition.routes import view_of
from ..definition.selectors.tables import DEFAULT_EXTRACT
from ..errors import BrowserUnavailable, CrawlerError
from ..hooks import note_of
from ..model import Json
from ..redaction import masked
from .dry_run import dry_run
from .looks import StillLooks
from .outcome import one_line

if TYPE_CHECKING:
    from ..browser.pool import Chrome
    from ..definition.crawl import Crawl
    from ..net.permits import Permits


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of an example: the ``differences``, and why its page failed ("": it did not)."""

    example: Example
    route: str
    differences: tuple[Difference, ...] = ()
    failure: str = ""

    @property
    def is_good(self) -> bool:
        """Whether all is as expected."""
        return not (self.differences or self.failure)

    def record(self) -> dict[str, Json]:
        """Return the finding as JSON."""
        return {
            "url": self.example.url,
            "route": self.route or None,
            "good": self.is_good,
            "failure": self.failure or None,
            "differences": [
                {
                    "field": one.field,
                    "expected": one.expected,
                    "found": one.found,
                    "selector": one.selector or None,
                }
                for one in self.differences
            ],
        }


def examples_of(crawl: Crawl) -> list[Example]:
    """Return the examples of the crawl, and those of its routes, which need not name their route.
    An address without a host is of the site of the crawl's first entry. Raises DefinitionError.
    """
    tables = [("", table) for table in crawl.examples]
    for name, options in sound_tables(crawl.routes):
        tables += [(name, table) for table in options.get("examples", ())]
    return [
        Example(
            urljoin(crawl.url[0], table["url"]),
            table.get("route", route),
            table.get("data", {}),
            plain(table.get("expect")),
        )
        for route, table in tables
    ]


def look_at_examples(crawl: Crawl, chrome: Chrome, permits: Permits) -> Iterator[Finding]:
    """Yield what comes of each example, one page after the other. A page that fails, or a hook that
    raises, is a finding.

    Raises:
        BrowserUnavailable: there is no browser.
    """
    for example in examples_of(crawl):
        try:
            seen = dry_run(
                crawl,
                chrome,
                permits,
                example.url,
                route=example.route,
                data=example.data,
                looks=StillLooks(),
            )
        except BrowserUnavailable:
            raise
        except Exception as error:
            note = note_of(error)
            if not note and not isinstance(error, CrawlerError):
                raise
            what = str(error) if isinstance(error, CrawlerError) else one_line(error)
            lines = [masked(what), *(line.strip() for line in note.splitlines())]
            yield Finding(example, example.route, failure="; ".join(lines))
            continue
        result = seen.result
        if result.skipped is not None:
            why = f"a hook skips it: {result.skipped}"
            yield Finding(example, result.page.route, failure=why)
            continue
        rule = None
        view = view_of(crawl, result.page)
        if "extract" not in view.calls:
            rule = DEFAULT_EXTRACT if view.fields.extract is None else view.fields.extract
        found = differences(example.expect, result.data, rule)
        yield Finding(example, result.page.route, tuple(found))

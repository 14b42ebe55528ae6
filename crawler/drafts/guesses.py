"""Fields that a page most likely has, for who does not say any."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..definition.selectors.paths import parse_path
from ..definition.selectors.rendered import text_of
from .draft import name_problem
from .proposals import Proposal, Sample
from .sightings import json_ld_values

#: Fields that are guessed, at most.
GUESSES_MAX = 8
#: Properties of JSON-LD and microdata that say what a page is about, and the names they get.
PROPERTIES = {
    "name": "title",
    "headline": "title",
    "price": "price",
    "priceCurrency": "currency",
    "author": "author",
    "brand": "brand",
    "sku": "sku",
    "isbn": "isbn",
    "gtin13": "gtin",
    "datePublished": "published",
    "ratingValue": "rating",
    "availability": "availability",
    "description": "description",
    "startDate": "start",
    "jobTitle": "job_title",
}
#: Types of JSON-LD that are about the site, not about its page.
_OF_THE_SITE = re.compile(r"(?:WebSite|Organization|BreadcrumbList|ListItem|SearchAction)\.")


def guesses(page: Sample) -> dict[str, Proposal]:
    """Return rules for what ``page`` says of itself, by field."""
    found: dict[str, Proposal] = {}
    for name, rule in _rules(page):
        if name in found or len(found) >= GUESSES_MAX or name_problem(name, found):
            continue
        value = page.read(rule)
        known = [one.value for one in found.values()]
        if value not in (None, "", [], {}) and value not in known:
            found[name] = Proposal(rule, value, 0.0)
    return found


def _rules(page: Sample) -> Iterator[tuple[str, str]]:
    headings = page.document.elements(parse_path("h1"), page.document.root)
    if headings and text_of(headings[0]):
        yield "title", "h1"
    for path, _ in json_ld_values(page.document):
        *before, last = path.split(".")
        name = before[-1] if last == "name" and len(before) > 1 else last
        if name in PROPERTIES and not _OF_THE_SITE.match(path):
            yield PROPERTIES[name], f"jsonld:{path}"
    for one in page.document.elements(parse_path("[itemprop]"), page.document.root):
        name = one.get("itemprop")
        if name in PROPERTIES and text_of(one):
            yield PROPERTIES[name], f"[itemprop={name}]"
    yield "title", "head title"
    yield "description", "meta:description"
    yield "image", "meta:og:image"

"""A page of the definition that has moved out of bounds: where it leads, and what to write so that
it is followed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..definition.bounds import entry_pages
from ..redaction import masked
from ..urls.url import InvalidURL, parse_url

if TYPE_CHECKING:
    from ..definition.crawl import Crawl
    from ..model import Page

#: Characters of a URL that an advice names.
URL_MAX = 300


def advice(crawl: Crawl, page: Page, url: str, refusal: str) -> str:
    """Return in one line where ``page``, at depth 0, leads, and the field that has to change;
    ``refusal`` says why ``url`` is out of bounds.

    The advice is part of a reason, which is counted. So only entries get the whole URL, without
    its query; seeds, which may be many, get its host.
    """
    try:
        address = parse_url(url)
    except InvalidURL:
        return ""
    is_entry = page.id in {entry.id for entry in entry_pages(crawl)}
    path = url.partition("?")[0].partition("#")[0].split("/", 3)[3:] if is_entry else ()
    target = masked(f"{address.origin}/{''.join(path)}")[:URL_MAX]
    host = json.dumps([address.host])
    match refusal:
        case "private" | "private_address" if is_entry:
            remedy = f"to follow it, write url = {json.dumps(target)} if that is meant"
        case "private" | "private_address":
            remedy = (
                f"to follow it, write private_hosts = {host} and allow = {host} if that is meant"
            )
        case "scope" if callable(crawl.scope):
            remedy = "the function scope must accept it"
        case "scope" if is_entry:
            remedy = f"to follow it, write url = {json.dumps(target)} or allow = {host}"
        case "scope":
            remedy = f"to follow it, write allow = {host}"
        case "robots":
            remedy = "its robots.txt forbids it"
        case _:
            remedy = f"to follow it, change {refusal}"
    return f"leads to {target}; {remedy}"

"""The passwords within a definition: all that must be kept out of logs, and those in its URLs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ..redaction import password_of
from ..urls.url import parse_url
from .derived import once_per_crawl
from .steps import parse_steps

if TYPE_CHECKING:
    from .crawl import Crawl


@once_per_crawl
def secrets_of(crawl: Crawl) -> frozenset[str]:
    """Return the values that are secret: the passwords of URLs, headers, credentials, and the
    texts that steps and a log-in fill in. Raises DefinitionError.
    """
    steps = parse_steps(all_steps(crawl))
    texts = [step.value for step in steps if step.action in ("fill", "choose")]
    if crawl.login:
        texts += crawl.login["fill"].values()
    texts += (value.partition(":")[2] for value in (crawl.basic_auth or {}).values())
    texts += map(password_of, (*crawl.url, *crawl.proxy))
    return frozenset(filter(None, (*texts, *(crawl.headers or {}).values())))


def all_steps(crawl: Crawl) -> list[Mapping[str, Any]]:
    """Return the steps of the crawl and of its routes, as they were written. Raises
    DefinitionError.
    """
    tables = (table.get("steps") or () for table in crawl.routes.values())
    return [*crawl.steps, *(step for steps in tables for step in steps)]


def url_credentials(crawl: Crawl) -> dict[str, str]:
    """Return ``user:password`` by ``host:port``, as they stand in the URLs of the entries: pages
    are requested without them. Raises DefinitionError.
    """
    credentials = {}
    for url in crawl.url:
        if (parts := urlsplit(url)).username:
            address = parse_url(url)
            user, password = unquote(parts.username), unquote(parts.password or "")
            credentials[f"{address.host}:{address.port}"] = f"{user}:{password}"
    return credentials

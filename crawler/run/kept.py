"""Links, headers and cookies of a page that its result carries, where its crawl asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ..text.encodable import encodable

if TYPE_CHECKING:
    from ..definition.crawl import Crawl
    from ..model import Json, Response

#: Links of one page that its result carries, and bytes of them: some hundred of each are usual.
LINKS_MAX, LINKS_SIZE_MAX = 5_000, 262_144
#: Bytes of headers, and of cookies, that a result carries.
HEADERS_SIZE_MAX = COOKIES_SIZE_MAX = 65_536
#: The names, in the line of a result, of all that may be kept.
KEPT = ("link_urls", "status_text", "redirects", "headers", "cookies")


def kept_of(crawl: Crawl, response: Response) -> tuple[dict[str, Json], bool]:
    """Return what the line of a page's result carries besides the item, by name, and whether some
    of it was left out because there was too much.
    """
    kept: dict[str, Json] = {}
    whole: list[bool] = []
    if crawl.keep_links:
        links = [link.url for link in response.links]
        some = fitting(((url, url) for url in links[:LINKS_MAX]), LINKS_SIZE_MAX)
        kept["link_urls"] = [url for _, url in some]
        whole.append(len(some) == len(links))
    if crawl.keep_headers:
        kept["status_text"] = response.status_text
        kept["redirects"] = None if response.redirects is None else list(response.redirects)
        kept["headers"] = None
        if (headers := named(response.headers, crawl.keep_headers)) is not None:
            kept["headers"] = dict(fitting(headers.items(), HEADERS_SIZE_MAX))
            whole.append(len(kept["headers"]) == len(headers))
    if crawl.keep_cookies:
        kept["cookies"] = None
        if (cookies := named(response.cookies, crawl.keep_cookies, as_written=True)) is not None:
            kept["cookies"] = dict(fitting(cookies.items(), COOKIES_SIZE_MAX))
            whole.append(len(kept["cookies"]) == len(cookies))
    return kept, not all(whole)


def named(
    values: Mapping[str, str] | None, patterns: Iterable[str], *, as_written: bool = False
) -> dict[str, str] | None:
    """Return those of ``values`` whose name is one of ``patterns``, in which ``*`` stands for
    anything; upper case counts only if they are taken ``as_written``. None: nothing is known.
    """
    if values is None:
        return None
    wanted = [pattern if as_written else pattern.lower() for pattern in patterns]
    return {
        name: value
        for name, value in values.items()
        if any(fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in wanted)
    }


def fitting(pairs: Iterable[tuple[str, str]], size: int) -> list[tuple[str, str]]:
    """Return the first of ``pairs``, as far as their bytes are no more than ``size``."""
    fit: list[tuple[str, str]] = []
    for name, value in ((encodable(name), encodable(value)) for name, value in pairs):
        size -= len(value.encode()) + (0 if name is value else len(name))
        if size < 0:
            break
        fit.append((name, value))
    return fit

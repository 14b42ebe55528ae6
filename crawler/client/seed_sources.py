"""The sources of URLs that lie on no page: files, and sitemaps. Each is read as a stream."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urljoin

from ..definition.field_types import AUTO
from ..definition.network import guard_of, plain_headers, proxies_of
from ..errors import BrowserUnavailable, SetupError
from ..net.fetch import TIMEOUT, Answer, FetchError, fetch, unpacked
from ..net.gateway import Gateway
from ..observe.logs import logger
from ..urls import robots, sitemaps
from ..urls.modified import latest_moment
from ..urls.sitemap_xml import Entry
from ..urls.url import origin_of

if TYPE_CHECKING:
    from ..definition.crawl import Crawl
    from .seeds import KeepAlive

log = logger(__name__)

#: Seconds for one sitemap to arrive.
SITEMAP_TIMEOUT = 60.0
#: Bytes of a line that are read at once; no URL is as long.
LINE_MAX = 16_384
#: Bytes of a sitemap that are parsed at once.
CHUNK_SIZE = 65_536
_COMMENT = re.compile(r"(?:^|\s)#.*")


def check_seed_file(crawl: Crawl) -> None:
    """Raise SetupError if ``crawl`` has a file of seeds that cannot be read."""
    if crawl.seeds:
        with open_seeds(crawl.seeds) as file:
            file.read(1)


def seed_urls(
    crawl: Crawl,
    private_entries: Iterable[str],
    keep_alive: KeepAlive,
    secrets: Mapping[str, str],
    since: float | None = None,
) -> Iterator[str | Entry]:
    """Yield the URLs of the file of seeds of ``crawl``, then those of its sitemaps.

    ``keep_alive`` is called often while sitemaps are read; ``private_entries`` and ``secrets``: see
    :func:`urls_of_sitemaps`, and so is ``since``.

    Raises:
        SetupError: the file cannot be read.
    """
    if crawl.seeds:
        yield from urls_of_file(crawl.seeds)
    yield from urls_of_sitemaps(
        crawl, crawl.sitemaps, private_entries, secrets=secrets, keep_alive=keep_alive, since=since
    )


@contextmanager
def open_seeds(path: str | Path) -> Iterator[BinaryIO]:
    """Open the file of seeds at ``path``; unpack it if its name ends in ``.gz``.

    Raises:
        SetupError: it cannot be read.
    """
    try:
        with (gzip.open if str(path).endswith(".gz") else open)(path, "rb") as file:
            yield file  # type: ignore[misc]
    except (OSError, EOFError) as error:
        cause = getattr(error, "strerror", None) or error
        raise SetupError(f"the file of seeds {path} cannot be read: {cause}") from error


def urls_of_lines(file: BinaryIO) -> Iterator[str]:
    """Yield the URLs of an open file, one per line.

    A comment begins with ``#`` at the start of a line or after white space, and is left out.
    """
    encoding = "utf-8-sig"  # of the first line, which may begin with a byte order mark
    while raw := file.readline(LINE_MAX):
        line = raw.decode(encoding, "replace")
        encoding = "utf-8"
        if url := (_COMMENT.sub("", line) if "#" in line else line).strip():
            yield url


def urls_of_file(path: str | Path) -> Iterator[str]:
    """Yield the URLs of the file at ``path``. Raises SetupError if it cannot be read."""
    with open_seeds(path) as file:
        yield from urls_of_lines(file)


def urls_of_sitemaps(
    crawl: Crawl,
    locations: Iterable[str],
    private_entries: Iterable[str] = (),
    *,
    secrets: Mapping[str, str] | None = None,
    keep_alive: KeepAlive = lambda: None,
    since: float | None = None,
) -> Iterator[Entry]:
    """Yield the entries that the sitemaps at ``locations`` list, unclear ones, too. A sitemap that
    loses pages is such an entry itself.

    The location ``auto`` stands for the sitemaps that robots.txt names. A sitemap that cannot be
    read, or is not well formed, is logged as a warning. A crawl with a proxy has them fetched
    through it; ``secrets`` holds the variables that its URL may refer to. ``private_entries`` are
    kept with the crawl since it was created. Pages and sitemaps that were last modified before
    ``since``, in epoch seconds, are unclear entries with the reason ``lastmod``.
    """
    unread: list[Entry] = []

    def is_old(entry: Entry) -> bool:
        moment = latest_moment(entry.lastmod) if since and entry.lastmod else None
        return moment is not None and moment < (since or 0.0)

    def warn(url: str, trouble: str, loses: bool) -> None:
        log.warning("%s: the sitemap %s: %s", crawl.name, url, trouble)
        if loses:
            unread.append(Entry(url, unclear=True, reason="sitemap"))

    with closing(SitemapClient(crawl, private_entries, secrets or {})) as client:

        def pieces(url: str) -> Iterator[bytes]:
            keep_alive()
            body = client.sitemap(url)
            for start in range(0, len(body), CHUNK_SIZE):
                yield body[start : start + CHUNK_SIZE]

        for location in locations:
            for url in client.sitemaps_of_robots() if location == AUTO else (location,):
                for entry in sitemaps.read_sitemaps(url, pieces, tell=warn, is_old=is_old):
                    keep_alive()
                    yield entry
                yield from unread
                unread.clear()


class SitemapClient:
    """Fetches sitemaps and robots.txt as the browsers of ``crawl`` would: with its headers, and
    through its first proxy, if it has some.
    """

    def __init__(
        self, crawl: Crawl, private_entries: Iterable[str], secrets: Mapping[str, str]
    ) -> None:
        self._crawl, self._guard = crawl, guard_of(crawl, private_entries)
        self._proxies = proxies_of(crawl, secrets)
        self._gateway: Gateway | None = None

    def sitemap(self, url: str) -> bytes:
        """Return the body of the response to ``url``.

        Raises:
            OSError: no response came, or its status is no success.
        """
        try:
            response = self._fetch(url, SITEMAP_TIMEOUT, sitemaps.SIZE_MAX + 1)
        except FetchError as error:
            raise OSError(error.reason) from error
        if not 200 <= response.status < 300:
            raise OSError(f"status {response.status}")
        return response.body

    def sitemaps_of_robots(self) -> Iterator[str]:
        """Yield the sitemaps that the robots.txt of each of the crawl's sites names."""
        crawl = self._crawl
        for origin in dict.fromkeys(origin_of(url) for url in crawl.url):
            url = f"{origin}/robots.txt"
            try:
                response = self._fetch(url, TIMEOUT, robots.SIZE_MAX)
                body = unpacked(response.body, robots.SIZE_MAX)
            except FetchError as error:
                log.warning("%s: %s, which may name sitemaps: %s", crawl.name, url, error)
                continue
            named = robots.parse_robots(response.status, body).sitemaps
            if not named:
                log.warning("%s: %s (%d) names no sitemap", crawl.name, url, response.status)
            yield from (urljoin(url, one) for one in named)

    def close(self) -> None:
        """Close the way to the proxy."""
        if self._gateway:
            self._gateway.close()

    def _fetch(self, url: str, timeout: float, max_bytes: int) -> Answer:
        return fetch(
            url,
            timeout=timeout,
            max_bytes=max_bytes,
            headers=plain_headers(self._crawl),
            addresses=self._guard.addresses,
            gateway=self._port(),
        )

    def _port(self) -> int | None:
        """Return the port of the gateway to the proxy; None: there is no proxy.

        Raises:
            FetchError: the proxy is not known here: nothing goes out beside it.
        """
        if not self._proxies:
            return None
        if self._gateway is None:
            try:
                proxy = self._proxies.current()
            except BrowserUnavailable as error:
                raise FetchError(f"proxy ({error})") from error
            self._gateway = Gateway(self._guard, proxy)
        return self._gateway.port

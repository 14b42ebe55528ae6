"""Who a session without a browser is to the sites that it visits: the headers, cookies and
credentials that it sends, its own and those that hooks give for a page.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...net.cookie_jar import Cookie, CookieJar, Key
from ...net.http_client import PACKINGS, Exchange
from ...profile import Profile
from ...redaction import Secrets, names_secret
from ...secret_refs import reveal
from ...urls.url import Address, normal_host, parse_url
from ..artifacts.host_headers import Reach
from ..artifacts.page_credentials import check_header

#: What a session calls itself whose crawl names nothing, until a Chrome of this process tells.
USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " HeadlessChrome/140.0.0.0 Safari/537.36"
)
ACCEPT = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;"
    "q=0.8,application/signed-exchange;v=b3;q=0.7"
)
LANGUAGE = "en-US,en;q=0.9"
#: What a hook may say of a cookie besides its name and value.
COOKIE_OPTIONS = frozenset(("domain", "path", "secure", "httpOnly", "sameSite", "expires"))

#: Headers by their names in small letters: name, value, and whereto it goes; None: everywhere.
Given = dict[str, tuple[str, str, Reach | None]]


class HttpVisitor:
    """What a session of ``profile`` sends, whose cookies are in ``jar``. What hooks give is noted
    among its ``secrets``; ``known`` are those of this machine, by reference.
    """

    def __init__(
        self, profile: Profile, known: Mapping[str, str], jar: CookieJar, secrets: Secrets
    ) -> None:
        self.profile, self.user_agent = profile, USER_AGENT
        #: What led to the page, as its request says; "": nothing.
        self.referer = ""
        self._jar, self._secrets = jar, secrets
        self._credentials = {host: reveal(value, known) for host, value in profile.basic_auth}
        secrets.add(*(value.partition(":")[2] for value in self._credentials.values()))
        self._asked: set[str] = set()  # hosts that asked for credentials
        self._kept_headers: Given = {}
        self._cookies_before: dict[Key, Cookie | None] = {}
        self.begin_page()

    def begin_page(self) -> None:
        """Begin a page, for which hooks have given nothing yet."""
        self.referer = ""
        self._page_headers: Given = {}
        self._page_credentials: dict[str, str] = {}
        self._cookies_before = {}

    def end_page(self) -> None:
        """Take back the cookies that hooks gave for the page."""
        for key, cookie in self._cookies_before.items():
            self._jar.drop(key)
            if cookie is not None:
                self._jar.put(cookie)

    def headers_for(self, to: Address) -> dict[str, str]:
        """Return the headers of a request to ``to``, but for its cookies and conditions."""
        profile = self.profile
        headers = {
            "Host": to.netloc,
            "Connection": "keep-alive",
            "Upgrade-Insecure-Requests": "1",
            "User-Agent": profile.user_agent or self.user_agent,
            "Accept": ACCEPT,
            "Accept-Encoding": PACKINGS,
            "Accept-Language": _languages(profile.language) if profile.language else LANGUAGE,
        }
        if self.referer:
            headers["Referer"] = self.referer
        given: Given = {name.lower(): (name, value, None) for name, value in profile.headers}
        for name, value, reach in (given | self._kept_headers | self._page_headers).values():
            if reach is None or reach.includes(to.url):
                headers[next((one for one in headers if one.lower() == name.lower()), name)] = value
        if _host_and_port(to) in self._asked and (known := self._credentials_of(to)):
            coded = base64.b64encode(known.encode()).decode()
            headers["Authorization"] = f"Basic {coded}"
        return headers

    def answers(self, exchange: Exchange) -> bool:
        """Whether a host asks for credentials that were not sent, and that can be, as Basic wants
        them. They are sent from then on.
        """
        to = parse_url(exchange.url)
        host = _host_and_port(to)
        if host in self._asked or self._credentials_of(to) is None:
            return False
        if "basic" in _question(exchange):
            self._asked.add(host)
        return host in self._asked

    def knows_more_than_basic(self, exchange: Exchange) -> bool:
        """Whether a host asks for credentials that are known, and that only Chrome can give, as
        Digest wants them.
        """
        knows = self._credentials_of(parse_url(exchange.url)) is not None
        return knows and "basic" not in _question(exchange) and "digest" in _question(exchange)

    def give_headers(
        self,
        headers: Mapping[str, str],
        here: Callable[[], str],
        *,
        keep: bool,
        to: str | Sequence[str],
    ) -> None:
        """Send ``headers`` with this page, whose URL is ``here``, or with all from now on; see
        :meth:`Browser.headers`.
        """
        if isinstance(to, str) and to not in ("host", "site", "all"):
            raise ValueError(f'to is "host", "site", "all" or a list of hosts, not {to!r}')
        for name, value in headers.items():
            check_header(name, value)
            if names_secret(name):
                self._secrets.add(value, value.partition(" ")[2])
        reach = None
        if to != "all":
            others = () if isinstance(to, str) else tuple(map(normal_host, to))
            reach = Reach(here(), site=to == "site", others=others)
        into = self._kept_headers if keep else self._page_headers
        into |= {name.lower(): (name, value, reach) for name, value in headers.items()}

    def give_cookie(self, name: str, value: str, url: str, *, keep: bool, **options: Any) -> None:
        """Send a cookie with requests for ``url``; see :meth:`Browser.cookie`."""
        target = parse_url(url)
        printable = name.isprintable() and value.isprintable() and ";" not in name + value
        if options.keys() - COOKIE_OPTIONS or not printable:
            raise ValueError(f"there is no such cookie {name!r} for {target.url}")
        domain = str(options.get("domain") or "")
        cookie = Cookie(
            name,
            value,
            f".{domain.lstrip('.').lower()}" if domain else target.host,
            str(options.get("path") or "/"),
            bool(options.get("secure", target.scheme == "https")),
            bool(options.get("httpOnly")),
            str(options.get("sameSite") or ""),
            options.get("expires"),
        )
        self._secrets.add(value)
        before = self._jar.drop(cookie.key)
        self._jar.put(cookie)
        if not keep:
            self._cookies_before.setdefault(cookie.key, before)

    def give_credentials(self, user: str, password: str, url: str, *, keep: bool) -> None:
        """Tell the host of ``url`` this user and password when it asks."""
        host = _host_and_port(parse_url(url))
        self._secrets.add(password)
        into = self._credentials if keep else self._page_credentials
        into[host] = f"{user}:{password}"
        self._asked.discard(host)

    def _credentials_of(self, to: Address) -> str | None:
        known = self._credentials | self._page_credentials
        return known.get(_host_and_port(to)) or known.get(to.netloc) or known.get(to.host)


def _host_and_port(to: Address) -> str:
    return f"{to.host}:{to.port}"


def _question(exchange: Exchange) -> str:
    return (exchange.header("www-authenticate") or "").lower()


def _languages(value: str) -> str:
    """Return the header for the languages "de-CH,de", as Chrome writes it."""
    if ";" in value:
        return value
    names = [name.strip() for name in value.split(",") if name.strip()]
    return ",".join(
        name if not place else f"{name};q={max(1, 10 - place) / 10:.1f}"
        for place, name in enumerate(names)
    )

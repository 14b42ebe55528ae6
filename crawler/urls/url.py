"""URLs: whether one can be fetched at all, how to recognise it when it comes again, and on which
host it is.

A page is fetched by its URL as it was found. The *canonical* form only serves as the key by which
it is recognised, so it may leave out parts that do not change the page. Hosts are read as Chrome
reads them (WHATWG URL), so that an odd spelling of an address (``0x7f.1``, ``127。0。0。1``) is the
address here, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cached_property, lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import idna
from w3lib.url import canonicalize_url

#: Longest URL, in characters, that is fetched. Longer ones are traps more often than pages.
LENGTH_MAX = 2_083
DEFAULT_PORTS = {"http": 80, "https": 443}
#: Parameters that advertisers and newsletters add to a URL; ``*`` stands for anything. None of
#: them changes the page.
TRACKING_PARAMS = (
    "utm_*", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "gad_source", "gad_campaignid", "_ga",
    "_gl", "srsltid", "s_kwcid",
    "fbclid", "igshid", "igsh", "msclkid", "yclid", "ysclid", "twclid", "ttclid", "li_fat_id",
    "epik", "rb_clickid", "wickedid",
    "mc_cid", "mc_eid", "mkt_tok", "_hsenc", "_hsmi", "__hssc", "__hstc", "__hsfp",
    "hsctatracking", "vero_id", "oly_anon_id", "oly_enc_id",
    "mtm_*", "piwik_*", "pk_campaign", "pk_kwd", "pk_source", "pk_medium", "pk_content",
)  # fmt: skip
#: Parameters that hold nothing but a session. ``sid`` and ``s`` are not among them: on many sites
#: they choose the page.
SESSION_PARAMS = ("jsessionid", "phpsessid", "aspsessionid*", "cfid", "cftoken", "zenid", "oscsid")

_URL = re.compile(
    r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.IGNORECASE | re.DOTALL
)
_PLAIN_HOST = re.compile(
    r"(?=[^.]*[a-z])[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.[a-z][a-z_-]{0,62}"
)
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_FORBIDDEN_IN_HOST = re.compile(r"[\x00-\x20\x7f#/:<>?@\[\\\]^|%]")
_EDGE = "".join(map(chr, range(0x21)))
_TAB_OR_BREAK = re.compile(r"[\t\r\n]")
_SESSION_IN_PATH = re.compile(r";jsessionid=[^/;]*|/\([as]\([^)/]*\)\)(?=/)", re.IGNORECASE)
#: Paths and pairs that w3lib leaves as they are: nothing to encode, no ``/./`` or ``/../`` to
#: resolve. A test compares both.
_PLAIN_PATH = re.compile(r"(?:/(?!\.)[A-Za-z0-9_.~-]*)+")
_PLAIN_PAIR = re.compile(r"[A-Za-z0-9_.~-]+=[A-Za-z0-9_.~-]*")


class InvalidURL(ValueError):
    """No page can be fetched from this URL. ``reason`` is one word: scheme, malformed, port, length
    or characters.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Address(NamedTuple):
    """The parts of a valid URL. ``host`` is in lower case, in punycode and without brackets;
    ``port`` is never None.
    """

    url: str  # as it was found, without white space around it, user and password, and its fragment
    scheme: str
    host: str
    port: int
    path: str
    query: str | None
    fragment: str

    @property
    def netloc(self) -> str:
        """Host, and port where it is not the scheme's own; no userinfo."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port, as in the ``Origin`` header."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def lane(self) -> str:
        """The name under which pages of one server wait together: the host, and ``_port`` where it
        is no default port; without a colon.
        """
        host = self.host.replace(":", "-")
        return host if self.port in DEFAULT_PORTS.values() else f"{host}_{self.port}"


def parse_url(url: str) -> Address:
    """Return the parts of ``url``, which must be absolute.

    Raises:
        InvalidURL: it cannot be fetched; says why in one word.
    """
    if len(url) > LENGTH_MAX:
        raise InvalidURL("length")  # before the cache, which should not hold it
    return _parse(url)


@lru_cache(maxsize=8_192)
def _parse(url: str) -> Address:
    url = url.strip(_EDGE)
    if _UNSAFE.search(url):
        url = _TAB_OR_BREAK.sub("", url)  # as browsers do: a link may be wrapped in its text
        if _UNSAFE.search(url):
            raise InvalidURL("characters")
    # browsers take it for a slash; ``http://good.example\@evil.example/`` must not mean two things
    if "\\" in url:
        head, mark, tail = _partition(url)
        url = head.replace("\\", "/") + mark + tail
    match = _URL.fullmatch(url)
    if match is None:
        raise InvalidURL(
            "scheme" if not url.lower().startswith(("http:", "https:")) else "malformed"
        )
    scheme, netloc, path, query, fragment = match.groups()
    scheme = scheme.lower()
    host, port = _host_and_port(netloc.rpartition("@")[2])
    if "@" in netloc:  # a password in a link is not sent, logged or kept
        path_on = url[match.end(2) :]
        url = f"{url[: match.start(2)]}{netloc.rpartition('@')[2]}{path_on}"
        return _parse(url)
    bare = url[: match.start(5) - 1] if fragment is not None else url
    return Address(
        bare,
        scheme,
        host,
        DEFAULT_PORTS[scheme] if port is None else port,
        path or "/",
        query,
        fragment or "",
    )


def _partition(url: str) -> tuple[str, str, str]:
    """Return ``url`` before, at and after the first ``?`` or ``#``."""
    cut = re.search(r"[?#]", url)
    return (url[: cut.start()], cut.group(), url[cut.end() :]) if cut else (url, "", "")


def _host_and_port(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        host += bracket
        if rest and not rest.startswith(":"):
            raise InvalidURL("malformed")
        port = rest[1:]
    else:
        host, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise InvalidURL("port")
    return normal_host(host), int(port) if port else None


@lru_cache(maxsize=4_096)
def normal_host(host: str) -> str:
    """Return ``host`` as Chrome would write it: in lower case and punycode, addresses in their
    usual spelling, without brackets and without a dot at the end.

    Raises:
        InvalidURL: no host can have this name.
    """
    if _PLAIN_HOST.fullmatch(host) and len(host) <= 253 and "xn--" not in host:
        return host
    if host.startswith("[") and host.endswith("]"):
        try:
            # a zone means something on this machine only; browsers refuse it as well
            if "%" in host:
                raise InvalidURL("malformed")
            return IPv6Address(host[1:-1]).compressed
        except AddressValueError:
            raise InvalidURL("malformed") from None
    if "%" in host:
        try:
            host = unquote_to_bytes(host).decode()
        except UnicodeDecodeError:
            raise InvalidURL("malformed") from None
    host = _ascii(host).removesuffix(".")
    labels = host.split(".")
    if (
        _FORBIDDEN_IN_HOST.search(host)
        or len(host) > 253
        or not all(0 < len(label) <= 63 for label in labels)
    ):
        raise InvalidURL("malformed")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(labels)
    return host


def _ascii(host: str) -> str:
    """Return ``host`` in lower case and punycode, by UTS 46; as in browsers, without its rules for
    registrars.
    """
    if host.isascii():
        return host.lower()
    try:
        mapped = idna.uts46_remap(host, std3_rules=False, transitional=False)
        return ".".join(
            label if label.isascii() else f"xn--{label.encode('punycode').decode()}"
            for label in mapped.split(".")
        )
    except (idna.IDNAError, UnicodeError):
        raise InvalidURL("malformed") from None


def _ipv4(labels: list[str]) -> str:
    """Return the address that browsers make of numbers: one to four of them, decimal, octal (0…) or
    hexadecimal (0x…).
    """
    try:
        numbers = [_number(label.lower()) for label in labels]
    except ValueError:
        raise InvalidURL("malformed") from None
    *first, last = numbers
    if (
        len(numbers) > 4
        or any(number > 255 for number in first)
        or last >= 256 ** (5 - len(numbers))
    ):
        raise InvalidURL("malformed")
    return str(
        IPv4Address(sum(number << (8 * (3 - place)) for place, number in enumerate(first)) + last)
    )


def _number(label: str) -> int:
    if not _NUMBER.fullmatch(label):
        raise ValueError(label)
    if label.startswith("0x"):
        return int(label[2:] or "0", 16)
    return int(label, 8) if label.startswith("0") else int(label)


def why_invalid(url: str) -> str | None:
    """Return why ``url`` cannot be fetched, in one word (scheme, malformed, port, length,
    characters); None if it can.
    """
    try:
        parse_url(url)
    except InvalidURL as invalid:
        return invalid.reason
    return None


def host_of(url: str) -> str:
    """Return the host of ``url``, in lower case, in punycode and without brackets. Raises
    InvalidURL.
    """
    return parse_url(url).host


@lru_cache(maxsize=8_192)
def origin_of(url: str) -> str:
    """Return scheme, host and port of ``url``. Raises InvalidURL."""
    return parse_url(url).origin


def domain_of(host: str) -> str:
    """Return the registrable domain of ``host`` (``books.toscrape.com`` → ``toscrape.com``); the
    host itself if it has none.
    """
    return _suffixes().cached(host)


def has_known_suffix(host: str) -> bool:
    """Whether names can be registered under the last part of ``host``."""
    return bool(_suffixes().extract(host).suffix)


class _Suffixes:
    """The public suffix list of tldextract. It never looks for a newer one, on the network or on
    the disk.
    """

    def __init__(self) -> None:
        from tldextract import TLDExtract  # 0.1 s, and only some crawls need it

        self.extract = TLDExtract(suffix_list_urls=(), cache_dir=None)
        self.cached = lru_cache(maxsize=4_096)(self.domain)

    def domain(self, host: str) -> str:
        return self.extract(host).top_domain_under_public_suffix or host


@lru_cache(maxsize=1)
def _suffixes() -> _Suffixes:
    return _Suffixes()


@dataclass(frozen=True)
class Rules:
    """The rules by which pages are told apart.

    ``keep_fragment``: the fragment, after ``#``, chooses the page (apps that route by it).
    ``ignore_tracking``: advertisers' parameters and session ids do not choose it.
    ``ignore_params``: these parameters do not, either; ``*`` stands for anything, in lower or upper
    case.
    """

    keep_fragment: bool = False
    ignore_tracking: bool = True
    ignore_params: tuple[str, ...] = field(default=())

    @cached_property
    def ignored(self) -> re.Pattern[str] | None:
        """Matches one ``name=value`` that makes no difference; None if all of them do."""
        tracking = TRACKING_PARAMS + SESSION_PARAMS if self.ignore_tracking else ()
        names = (*tracking, *self.ignore_params)
        return re.compile("|".join(map(translate, names)), re.IGNORECASE) if names else None

    def canonical(self, url: str | Address) -> str:
        """Return the form by which a page is recognised. Path and query keep their case:
        ``?v=dQw4`` is not ``?v=dqw4``. The order of different parameters makes no difference; the
        order and the number of values of one parameter do.

        Raises:
            InvalidURL: see :func:`parse_url`.
        """
        address = parse_url(url) if isinstance(url, str) else url
        path, query = address.path, address.query or ""
        if self.ignore_tracking and (";" in path or "(" in path):
            path = _SESSION_IN_PATH.sub("", path) or "/"
        head = f"{address.scheme}://{address.netloc}{path}"
        if not _PLAIN_PATH.fullmatch(path):
            head = str(canonicalize_url(head))
        pairs = query.split("&") if query else []
        if self.ignored is not None:
            pairs = [pair for pair in pairs if not self.ignored.match(pair.partition("=")[0])]
        if pairs and (query := _canonical_query(pairs)):
            head = f"{head}?{query}"
        if self.keep_fragment and address.fragment:
            head += _canonical_fragment(address.fragment)
        return head

    def target(self, address: Address) -> str:
        """Return the URL that the browser is sent to: as it was found, with its fragment only where
        that chooses the page.
        """
        if self.keep_fragment and address.fragment:
            return f"{address.url}#{address.fragment}"
        return address.url


def _canonical_query(pairs: Iterable[str]) -> str:
    """Return a query of ``pairs``, ordered by their names.

    Values of one name keep their order and their repetitions. Words without ``=`` are values of one
    name that is left out (``?2&1``), if there are several of them.
    """
    words = sum(1 for pair in pairs if pair and "=" not in pair)
    named = []
    for pair in pairs:
        form = pair if _PLAIN_PAIR.fullmatch(pair) else _canonical_pair(pair)
        if words > 1 and "=" not in pair:
            named.append(("", form.removesuffix("=")))
        else:
            named.append((form.partition("=")[0], form))
    return "&".join(form for _, form in sorted(named, key=itemgetter(0)) if form)


@lru_cache(maxsize=8_192)
def _canonical_pair(pair: str) -> str:
    """Return one parameter as w3lib writes it; "" if there is nothing in it."""
    # the mark at the end keeps a space before it
    return str(canonicalize_url(f"http://host/?{pair}&")).partition("?")[2]


def _canonical_fragment(fragment: str) -> str:
    """Return ``fragment`` as w3lib writes it, with its ``#``."""
    whole = str(canonicalize_url(f"http://host/#{fragment}", keep_fragments=True))
    return whole.removeprefix("http://host/")


DEFAULT_RULES = Rules()

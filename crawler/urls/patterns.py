"""Patterns that bound a crawl, as its author writes them: kinds of scope, hostnames, regular
expressions, and endings of files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .url import has_known_suffix, normal_host

#: Kinds of scope (see ``scope.Scope``).
SCOPE_KINDS = ("same-host", "same-domain", "same-origin", "all")
#: Endings of links that lead to no page.
DENY_EXTENSIONS = (
    "7z", "7zip", "apk", "bz2", "cab", "deb", "dmg", "gz", "img", "iso", "jar", "msi", "pkg", "rar",
    "rpm", "tar", "tgz", "xz", "zip", "zst",
    "avif", "bmp", "cdr", "drw", "dxf", "eps", "gif", "heic", "ico", "jpeg", "jpg", "mng", "pct",
    "png", "ps", "psd", "psp", "svg", "tif", "tiff", "webp",
    "aac", "aiff", "au", "flac", "m4a", "mid", "mp3", "oga", "ogg", "opus", "ra", "wav", "wma",
    "3gp", "asf", "asx", "avi", "flv", "m4v", "mkv", "mov", "mp4", "mpg", "mpeg", "ogv", "qt", "rm",
    "swf", "webm", "wmv",
    "doc", "docm", "docx", "dotx", "epub", "key", "mobi", "odg", "odp", "ods", "odt", "pdf", "potx",
    "pps", "ppt", "pptx", "rtf", "xls", "xlsm", "xlsx", "xltm",
    "bat", "bin", "class", "css", "csv", "dll", "eot", "exe", "hta", "js", "mjs", "otf", "parquet",
    "rss", "so", "ttf", "wasm", "whl", "woff", "woff2",
)  # fmt: skip
_HOST_PATTERN = re.compile(r"\w(?:[\w-]*\w)?(?:\.\w(?:[\w-]*\w)?)+|localhost|\[[0-9a-fA-F:.]+\]")
#: Suffixes that no registry gives out, and that people use at home and in tests.
_OWN_SUFFIXES = frozenset((
    "arpa", "corp", "example", "home", "internal", "intranet", "invalid", "lan", "local",
    "localdomain", "localhost", "onion", "test",
))  # fmt: skip


def parse_pattern(item: str | re.Pattern[str]) -> str | re.Pattern[str]:
    """Return the meaning of an item of ``allow`` or ``deny``: a hostname (str), or a regular
    expression that is searched in the URL.

    A plain name with a dot, ``localhost`` and an address are hostnames. A text with a slash, or
    with a character that means something in a regular expression, is an expression:
    ``books.toscrape.com`` is a hostname, ``/reviews/`` and ``page-\\d+`` are not.

    Raises:
        re.error: it is no regular expression.
        InvalidURL: it looks like a hostname, but no host can have this name.
    """
    if isinstance(item, str) and _HOST_PATTERN.fullmatch(item):
        return normal_host(item)
    return re.compile(item)


def is_doubtful_host(item: str, hosts: Iterable[str]) -> bool:
    """Whether ``item`` reads as a hostname but is none that exists (``logout.php``): its author
    meant to search in URLs. Names within one of ``hosts`` exist.
    """
    if not _HOST_PATTERN.fullmatch(item) or item.startswith("["):
        return False
    last = item.rpartition(".")[2].lower()
    if last in _OWN_SUFFIXES or last.isdigit():
        return False
    is_known = any(is_within(host, (item.lower(),)) for host in hosts)
    return not is_known and not has_known_suffix(item)


def is_within(host: str, names: Iterable[str]) -> bool:
    """Whether ``host`` is one of ``names``, or a subdomain of one."""
    return any(host == name or host.endswith("." + name) for name in names)

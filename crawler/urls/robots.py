"""The rules for crawlers in a robots.txt (RFC 9309). Pure: its status and body are handed in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from protego import Protego

from .robots_rules import CompiledRules

#: The name under which groups of a robots.txt address us.
AGENT = "celery-crawler"
#: Bytes that are read; RFC 9309 asks for at least 500 KiB, and lets the rest be ignored.
SIZE_MAX = 512_000
#: Seconds: longest Crawl-delay that is obeyed.
DELAY_MAX = 60.0
#: Seconds for which an answer holds; and for which the lack of one does.
KEEP, KEEP_UNREACHABLE = 86_400.0, 300.0
#: Statuses that say that our request was at fault, or its time: not that there is no file.
_OUR_FAULTS = frozenset((406, 407, 408, 413, 415, 417, 421, 425, 426, 429, 431))
_AGENT_LINE = re.compile(r"(\s*user[- ]?agent\s*:\s*)([^#]*)(.*)", re.IGNORECASE | re.DOTALL)
#: The name in ``Mozilla/5.0 (compatible; ExampleBot/2.0; +https://…)``.
_COMPATIBLE = re.compile(r"\(compatible;\s*([A-Za-z][\w.-]*)", re.IGNORECASE)
_TOKEN = re.compile(r"[^\s/*;,()]+")


def product_token(user_agent: str) -> str | None:
    """Return the name that a crawler gives itself in ``user_agent``; None if it is a browser's.

    ``ExampleBot/2.0 (+https://…)`` and ``Mozilla/5.0 (compatible; ExampleBot/2.0)`` are both
    ExampleBot.
    """
    if match := _COMPATIBLE.search(user_agent):
        return match[1]
    token = _TOKEN.match(user_agent.strip())
    return token[0] if token and token[0].lower() not in ("mozilla", "opera") else None


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one site. They hold for ``keep`` seconds; then the file is fetched again.

    ``group`` is the name, in lower case, of the group that counts: one of ours, or ``*``.
    """

    group: str = "*"
    everything: bool | None = None  # allowed or forbidden as a whole; None: as the file says
    crawl_delay: float | None = None
    sitemaps: tuple[str, ...] = ()
    keep: float = KEEP
    _compiled: CompiledRules | None = field(default=None, repr=False, compare=False)

    def allowed(self, url: str) -> bool:
        """Whether ``url``, on this site, may be fetched."""
        if self.everything is not None:
            return self.everything
        return self._compiled is None or self._compiled.allowed(url)

    @property
    def effort(self) -> int:
        """The pieces of URLs that were compared so far: two to eight a microsecond."""
        return self._compiled.effort if self._compiled else 0


def parse_robots(
    status: int | None, body: bytes | str = b"", names: Sequence[str] = (AGENT,)
) -> Rules:
    """Return the rules that an answer to ``/robots.txt`` means, after its redirects.

    The group of the first of ``names`` that the file has counts; else that of ``*``.

    A file that does not exist (4xx) allows all. A site that cannot answer (no ``status``, 1xx, 5xx,
    and the 4xx that mean a fault of the request, or ask for patience) forbids all, for now. Any
    other status that is no success allows all, and so does a file without rules.
    """
    if status is None or status < 200 or status >= 500 or status in _OUR_FAULTS:
        return Rules(everything=False, keep=KEEP_UNREACHABLE)
    if not 200 <= status < 300:
        return Rules(everything=True)
    lines = [_named_by_token(line) for line in decode_robots(body).splitlines()]
    groups = {name for _, name in lines if name}
    group = next((name.lower() for name in names if name.lower() in groups), "*")
    file = Protego.parse("\n".join(line for line, _ in lines))
    delay = file.crawl_delay(group)
    return Rules(
        group,
        crawl_delay=min(max(float(delay), 0.0), DELAY_MAX) if delay else None,
        sitemaps=tuple(file.sitemaps),
        _compiled=CompiledRules(file, group),
    )


def decode_robots(body: bytes | str) -> str:
    """Return the text of a robots.txt, by its mark (UTF-16), else as UTF-8; without marks and zero
    bytes.
    """
    text = body[:SIZE_MAX]
    if isinstance(text, bytes):
        is_utf_16 = text.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = text.decode("utf-16" if is_utf_16 else "utf-8", "replace")
    return text.lstrip("\ufeff").replace("\0", "")


def _named_by_token(line: str) -> tuple[str, str]:
    """Return ``line``, and the name of the group that it begins ("" if it begins none).

    A group is named by its product token alone, in lower case: ``ExampleBot/2.0`` is
    ``examplebot``.
    """
    match = _AGENT_LINE.fullmatch(line)
    token = _TOKEN.search(match[2]) if match else None
    if match is None or token is None:
        return line, ""
    return f"{match[1]}{token[0].lower()}", token[0].lower()

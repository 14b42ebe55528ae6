"""The rules for crawlers in a robots.txt (RFC 9309). Pure: its status and body are handed in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from protego import Protego

#: The name under which groups of a robots.txt address us.
AGENT = "celery-crawler"
#: Bytes that are read; RFC 9309 asks for at least 500 KiB, and lets the rest be ignored.
SIZE_MAX = 512_000
#: Seconds: longest Crawl-delay that is obeyed.
DELAY_MAX = 60.0
#: Seconds for which an answer holds; and for which the lack of one does.
KEEP, KEEP_UNREACHABLE = 86_400.0, 300.0


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one site for ``agent``. They hold for ``keep`` seconds; then the file is fetched
    again.
    """

    agent: str = AGENT
    everything: bool | None = None  # allowed or forbidden as a whole; None: as the file says
    crawl_delay: float | None = None
    sitemaps: tuple[str, ...] = ()
    keep: float = KEEP
    _file: Any = field(default=None, repr=False, compare=False)

    def allowed(self, url: str) -> bool:
        """Whether ``url``, on this site, may be fetched."""
        if self.everything is not None:
            return self.everything
        return bool(self._file.can_fetch(url, self.agent))


def parse_robots(status: int | None, body: bytes | str = b"", agent: str = AGENT) -> Rules:
    """Return the rules that an answer to ``/robots.txt`` means, after at most five redirects.

    A file that does not exist (4xx) allows all. A site that cannot answer (no ``status``, 5xx, and
    429, which asks for patience) forbids all, for now. Any other status that is no success allows
    all, and so does a file without rules.
    """
    if status is None or status >= 500 or status == 429:
        return Rules(agent, everything=False, keep=KEEP_UNREACHABLE)
    if not 200 <= status < 300:
        return Rules(agent, everything=True)
    text = body[:SIZE_MAX] if isinstance(body, str) else body[:SIZE_MAX].decode("utf-8", "replace")
    file = Protego.parse(text.lstrip("\ufeff").replace("\0", ""))
    delay = file.crawl_delay(agent)
    return Rules(
        agent,
        crawl_delay=min(max(float(delay), 0.0), DELAY_MAX) if delay else None,
        sitemaps=tuple(file.sitemaps),
        _file=file,
    )

"""The place where Chrome is, and the limits of its sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ...profile import Profile
from .bare_endpoint import is_bare

#: The Chromes whose pages are fetched over Chrome's own protocol: those that this process starts,
#: remote ones as well, or none.
Devtools = Literal["local", "all", "none"]


@dataclass(frozen=True)
class Endpoint:
    """The place where Chrome is, and when it is given up or replaced.

    Times are seconds, sizes bytes.
    """

    # of a Selenium Grid, a ChromeDriver, or a bare DevTools endpoint (ws, wss); None: a Chrome on
    # this machine
    url: str | None = None
    binary: str | None = None  # of Chrome; None: find_chrome()
    driver: str | None = None  # ChromeDriver; None: find_driver()
    # folder of local Chromes, where sweep() looks for leftovers; None: the temporary one
    state: Path | None = None
    # folder of the files that pages leave, one below it for each crawl; None: they are not kept
    files: Path | None = None
    page_load_timeout: float = 60.0
    script_timeout: float = 30.0
    # for any answer of the endpoint; None: page_load_timeout + 15
    command_timeout: float | None = None
    session_timeout: float = 300.0  # for a new session: includes waiting in a Grid's queue
    recycle_pages: int = 500
    recycle_age: float = 1_800.0
    idle_timeout: float = 120.0  # after which a remote session without work is given back
    # of a local ChromeDriver and its Chrome; None: not measured
    recycle_memory: int | None = 1 << 30
    flags: tuple[str, ...] = ()  # more of Chrome's
    window: bool = False  # whether a local Chrome shows its window, to somebody at this machine
    # sessions of one worker that share a local Chrome; 1: each has its own
    shared: int = 1
    # what crawls may refer to, by name
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    # the Chromes whose pages are fetched over Chrome's own protocol, where it can be reached
    devtools: Devtools = "local"

    def load_timeout(self, profile: Profile) -> float:
        """Return the seconds in which a page of ``profile`` must load: its own, if they are less
        than those of this endpoint.
        """
        return min(self.page_load_timeout, profile.page_load_timeout or self.page_load_timeout)

    @property
    def uses_devtools(self) -> bool:
        """Whether pages are to be fetched over Chrome's own protocol."""
        is_near = self.url is None or is_bare(self.url)  # a bare one speaks nothing else
        return self.devtools == "all" or (self.devtools == "local" and is_near)

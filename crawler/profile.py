"""The profile of a crawl's browser sessions: language, device, blocked loads, what is kept."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Profile:
    """The wishes of a crawl for its sessions. Another profile means another session, so crawls
    share no cookies.
    """

    crawl: str
    user_agent: str | None = None
    language: str | None = None  # as in Accept-Language
    window: tuple[int, int] = (1280, 1024)
    # seconds; None, or more than the endpoint's: as the endpoint says
    page_load_timeout: float | None = None
    load_strategy: str = "normal"  # or "eager": images and frames are not waited for
    images: bool = True
    # kinds of things (emulation.KINDS), and patterns of addresses, that are not loaded
    block: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()  # sent with every request, to every host
    timezone: str | None = None  # as in "Europe/Zurich"
    geolocation: tuple[float, float, float] | None = None  # latitude, longitude, metres of accuracy
    mobile: bool = False  # a phone, whose screen is ``window``
    scale: float = 1.0  # pixels of a phone's screen for one of its page
    exchanges: bool = False  # whether headers, redirects and the like are kept
    # names, in lower case, of headers of responses whose values are told though they are secrets
    headers_shown: tuple[str, ...] = ()
    # whether hooks may want to speak Chrome's own protocol on a line of their own
    line: bool = False
    captures: bool = False  # whether responses that pages load are captured
    console: bool = False  # whether the console's errors and warnings are kept
    timings: bool = False  # whether the timings of a page's parts are kept
    # "user:password" by host, or a reference
    basic_auth: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    references: tuple[str, ...] = ()  # all that the crawl refers to, and a worker must know
    downloads: bool = False  # whether they are saved
    download_limit: int = 100_000_000  # bytes per page
    download_timeout: float = 60.0  # seconds per page
    watch: bool = False  # whether pages are watched for what they load
    # after which a session is replaced, if it is not before; None: as the endpoint says
    pages: int | None = None
    flags: tuple[str, ...] = ()
    interstitial_wait: float = 5.0  # seconds within which a declared refresh is a link; 0: none
    frames: str = "links"  # what documents in frames are; see the field of a crawl
    conditional: bool = False  # whether pages by HTTP are asked for only if they have changed
    keep_fragment: bool = False  # whether what follows # in a link chooses a page

    @property
    def network_log(self) -> bool:
        """Whether Chrome keeps its log of requests."""
        return self.exchanges or self.captures

    @property
    def loads_images(self) -> bool:
        """Whether images are loaded."""
        return self.images and "image" not in self.block

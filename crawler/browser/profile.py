"""What a crawl asks of its browser sessions, and what a new session is asked to be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from selenium.webdriver import ChromeOptions


@dataclass(frozen=True)
class Profile:
    """What a crawl asks of its sessions. Another profile means another session, so crawls share no
    cookies.
    """

    crawl: str
    user_agent: str | None = None
    language: str | None = None  # as in Accept-Language
    window: tuple[int, int] = (1280, 1024)
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
    console: bool = False
    timings: bool = False
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

    @property
    def loads_images(self) -> bool:
        """Whether images are loaded."""
        return self.images and "image" not in self.block


def options_for(
    profile: Profile, flags: Iterable[str], *, page_load_timeout: float, script_timeout: float
) -> ChromeOptions:
    """What a new session is asked to be; its crawl's own command line flags come after ``flags``,
    so they count.
    """
    if profile.load_strategy not in ("normal", "eager"):
        raise ValueError(f"load_strategy is 'normal' or 'eager', not {profile.load_strategy!r}")
    options = ChromeOptions()
    width, height = profile.window
    for flag in (*flags, f"--window-size={width},{height}", *profile.flags):
        options.add_argument(flag)
    if profile.user_agent:
        options.add_argument(f"--user-agent={profile.user_agent}")
    if profile.language:
        options.add_argument(f"--accept-lang={profile.language}")
    if not profile.loads_images:
        options.add_argument("--blink-settings=imagesEnabled=false")
    if "font" in profile.block:
        options.add_argument("--disable-remote-fonts")
    logs = {
        **({"performance": "ALL"} if profile.exchanges else {}),
        **({"browser": "ALL"} if profile.console else {}),
    }
    if logs:
        options.set_capability("goog:loggingPrefs", logs)
    if profile.exchanges:
        options.add_experimental_option(
            "perfLoggingPrefs", {"enableNetwork": True, "enablePage": False}
        )
    # A PDF is a download everywhere: a headless shell has no viewer.
    prefs: dict[str, object] = {
        "profile.default_content_setting_values.notifications": 2,
        "plugins.always_open_pdf_externally": True,
    }
    if profile.downloads:
        prefs["download.prompt_for_download"] = False
    else:
        prefs["download_restrictions"] = 3
    if profile.language:
        prefs["intl.accept_languages"] = profile.language
    options.add_experimental_option("prefs", prefs)
    # The log is written beside the program; without the blocker any page may open windows, as many
    # as it likes.
    options.add_experimental_option("excludeSwitches", ["enable-logging", "disable-popup-blocking"])
    if not profile.basic_auth:
        # Else an image that asks for a password holds its page up, for a dialog that nobody sees,
        # until the page-load time-out.
        options.add_experimental_option("localState", {"auth.schemes": "none"})
    options.page_load_strategy = profile.load_strategy
    options.unhandled_prompt_behavior = "dismiss"
    options.timeouts = {
        "pageLoad": round(page_load_timeout * 1000),
        "script": round(script_timeout * 1000),
        "implicit": 0,
    }
    return options

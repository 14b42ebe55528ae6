"""Chrome's options for a profile: flags, preferences, capabilities."""

from __future__ import annotations

from collections.abc import Iterable

from selenium.webdriver import ChromeOptions

from ...profile import Profile

#: Flags of every Chrome.
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-extensions",
    "--disable-component-update",
    "--mute-audio",
    "--disable-default-apps",
    "--disable-background-networking",
    "--disable-domain-reliability",
    "--no-first-run",
    "--no-pings",
    "--no-default-browser-check",
    "--deny-permission-prompts",
    # For a headless shell, which has no pop-up blocker. A window shares the process of the page
    # that opened it: it may hang both.
    "--block-new-web-contents",
)
#: Separates our words from Chrome's in an error, of which it repeats so many characters.
SAYS, OUTPUT_MAX = "; it says: ", 1_000
HEADLESS = "--headless=new"
NO_SANDBOX = "--no-sandbox"
#: For a machine whose shared memory is small.
NO_SHARED_MEMORY = "--disable-dev-shm-usage"
#: Through a pipe Chrome notices that its driver is gone, and goes, too; but then it opens no port,
#: on which its own protocol could be spoken.
PIPE = "--remote-debugging-pipe"
#: Flags of a proxy, of which a browser that runs already is told in another way.
PROXY, BYPASS = "--proxy-server", "--proxy-bypass-list"
#: Flag of a Chrome whose pages are fetched over its own protocol. With RenderDocument each page of
#: a site gets a frame and a compositor of its own, although the process stays: a third of what a
#: small page costs. Without it one limit outlives a page: how often a tab may go elsewhere by
#: itself. So a tab whose page did is given up, which only that protocol tells in time.
KEEP_FRAME = "--disable-features=RenderDocument,BackForwardCache"


def options_for(
    profile: Profile, flags: Iterable[str], *, page_load_timeout: float, script_timeout: float
) -> ChromeOptions:
    """Return the options of a new session. Time-outs are in seconds.

    The crawl's own command line flags come after ``flags``, so they count.
    """
    if profile.load_strategy not in ("normal", "eager"):
        raise ValueError(f"load_strategy is 'normal' or 'eager', not {profile.load_strategy!r}")
    options = ChromeOptions()
    width, height = profile.window
    for flag in (*flags, f"--window-size={width},{height}", *profile.flags, *flags_of(profile)):
        options.add_argument(flag)
    logs = {
        **({"performance": "ALL"} if profile.network_log else {}),
        **({"browser": "ALL"} if profile.console else {}),
    }
    if logs:
        options.set_capability("goog:loggingPrefs", logs)
    if profile.network_log:
        options.add_experimental_option(
            "perfLoggingPrefs", {"enableNetwork": True, "enablePage": False}
        )
    options.add_experimental_option("prefs", preferences_of(profile))
    # The log is written beside the program; without the blocker any page may open windows, as many
    # as it likes.
    options.add_experimental_option("excludeSwitches", ["enable-logging", "disable-popup-blocking"])
    if not profile.basic_auth:
        # Else an image that asks for a password holds its page up, for a dialog that no one sees,
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


def flags_of(profile: Profile) -> list[str]:
    """Return the command line flags for what ``profile`` sets besides its own flags."""
    flags = []
    if profile.user_agent:
        flags.append(f"--user-agent={profile.user_agent}")
    if profile.language:
        flags.append(f"--accept-lang={profile.language}")
    if not profile.loads_images:
        flags.append("--blink-settings=imagesEnabled=false")
    if "font" in profile.block:
        flags.append("--disable-remote-fonts")
    return flags


def preferences_of(profile: Profile) -> dict[str, object]:
    """Return the preferences of a new Chrome profile."""
    preferences: dict[str, object] = {
        "profile.default_content_setting_values.notifications": 2,
        # A PDF is a download everywhere: a headless shell has no viewer.
        "plugins.always_open_pdf_externally": True,
    }
    if profile.downloads:
        preferences["download.prompt_for_download"] = False
    else:
        preferences["download_restrictions"] = 3
    if profile.language:
        preferences["intl.accept_languages"] = profile.language
    return preferences


def attach(options: ChromeOptions, address: str) -> None:
    """Change ``options`` to those of a session in the Chrome at ``address``, which runs already:
    what only its start decides is left out.
    """
    logs = options.experimental_options.get("perfLoggingPrefs")
    options._arguments.clear()  # what `arguments` gives is a copy
    options.experimental_options.clear()
    options.add_experimental_option("debuggerAddress", address)
    if logs:
        options.add_experimental_option("perfLoggingPrefs", logs)


def flag_of(flags: Iterable[str], name: str) -> str:
    """Return the value of the flag ``name`` among ``flags``; the last counts. "": it has none."""
    values = [flag.partition("=")[2] for flag in flags if flag.partition("=")[0] == name]
    return values[-1] if values else ""

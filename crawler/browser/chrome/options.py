"""Chrome's options for a profile: flags, preferences, capabilities."""

from __future__ import annotations

from collections.abc import Iterable

from selenium.webdriver import ChromeOptions

from ...profile import Profile


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

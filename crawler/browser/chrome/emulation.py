"""Emulation: another user agent, place, language or device than Chrome's own, and blocked loads.

Each new tab is told: the DevTools protocol forgets it with the tab. Windows that a page opens by
itself are not told; they are closed after the page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...profile import Profile
from ..transport.javascript import watcher

if TYPE_CHECKING:
    from ..transport.webdriver import Driver

#: Touch points that a phone's screen tells apart.
TOUCH_POINTS = 5
#: The user agent of a phone that is not described further; Chrome for Android says this of every
#: phone.
PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/{version}.0.0.0 Mobile Safari/537.36"
)
#: Endings of the addresses of media: there is no flag for them, and the protocol blocks by address
#: only.
MEDIA = tuple(
    "mp4 m4v webm ogv mov m3u8 mpd ts mp3 m4a ogg oga opus wav flac aac".split()  # noqa: SIM905
)
STYLES = ("css",)
#: Kinds of things that can be blocked by flags, which costs nothing, and by the endings of their
#: addresses.
FLAG_KINDS = ("image", "font")
ENDINGS = {"media": MEDIA, "style": STYLES}
KINDS = (*FLAG_KINDS, *ENDINGS)
#: The endings of those that flags block, for a browser that takes no flags of ours.
FLAG_ENDINGS = {
    "image": tuple("png jpg jpeg gif webp avif svg ico bmp".split()),  # noqa: SIM905
    "font": ("woff2", "woff", "ttf", "otf", "eot"),
}

_CHROME = re.compile(r"Chrome/(\d+)((?:\.\d+){0,3})")
#: A word of a user agent, and the platform as client hints name it and as navigator does.
_PLATFORMS = (
    ("Android", "Android", "Linux armv81"),
    ("iPhone", "iOS", "iPhone"),
    ("iPad", "iOS", "iPad"),
    ("Windows", "Windows", "Win32"),
    ("Mac OS X", "macOS", "MacIntel"),
    ("CrOS", "Chrome OS", "Linux x86_64"),
    ("Linux", "Linux", "Linux x86_64"),
)


def apply(driver: Driver, profile: Profile, watch: str) -> None:
    """Tell the tab at hand all that ``profile`` asks for.

    ``watch`` is the property in which watch.js keeps what pages load, if the profile wants that.
    """
    tell = driver.cdp
    if agent := user_agent(profile, driver):
        tell("Emulation.setUserAgentOverride", **agent)
    if profile.language:
        tell("Emulation.setLocaleOverride", locale=first_language(profile.language))
    if profile.timezone:
        tell("Emulation.setTimezoneOverride", timezoneId=profile.timezone)
    if profile.geolocation:
        apply_geolocation(driver, *profile.geolocation)
    if profile.mobile:
        apply_mobile(driver, profile)
    elif driver.flagless is not None:
        width, height = profile.window
        size = {"width": width, "height": height, "deviceScaleFactor": 0, "mobile": False}
        tell("Emulation.setDeviceMetricsOverride", **size)
    patterns = blocked(profile, flags=driver.flagless is None)
    if patterns or profile.headers:
        tell("Network.enable")
    if patterns:
        tell("Network.setBlockedURLs", urls=patterns)
    if profile.headers:
        tell("Network.setExtraHTTPHeaders", headers=dict(profile.headers))
    if profile.watch:
        tell("Page.addScriptToEvaluateOnNewDocument", source=watcher(watch))


def apply_geolocation(driver: Driver, latitude: float, longitude: float, accuracy: float) -> None:
    """Tell the tab where it is; ``accuracy`` is in metres."""
    driver.cdp("Browser.setPermission", permission={"name": "geolocation"}, setting="granted")
    driver.cdp(
        "Emulation.setGeolocationOverride",
        latitude=latitude,
        longitude=longitude,
        accuracy=accuracy,
    )


def apply_mobile(driver: Driver, profile: Profile) -> None:
    """Tell the tab that it is a phone."""
    width, height = profile.window
    driver.cdp(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=profile.scale,
        mobile=True,
    )
    driver.cdp("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=TOUCH_POINTS)


def blocked(profile: Profile, *, flags: bool) -> list[str]:
    """Return the patterns of addresses, as the protocol takes them, for what ``profile`` blocks and
    no flag does; without ``flags`` none does.
    """
    patterns = []
    endings = ENDINGS if flags else ENDINGS | FLAG_ENDINGS
    images = () if profile.loads_images or "image" in profile.block else ("image",)
    for item in (*profile.block, *images):
        if item in endings:
            for ending in endings[item]:
                patterns += [f"*.{ending}", f"*.{ending}?*"]
        elif item not in FLAG_KINDS:
            patterns.append(item)
    return patterns


def user_agent(profile: Profile, driver: Driver) -> dict[str, Any]:
    """Return the user agent, for requests, navigator and client hints; empty: Chrome's own.

    A user agent that is no Chrome's sends no client hints, as such a browser does not.
    """
    agent = profile.user_agent
    if not agent and profile.language and not profile.mobile:
        agent = driver.flagless  # which is told the language with its own name
    if not agent:
        if not profile.mobile:
            return {}
        version = re.match(r"\d+", str(driver.capabilities.get("browserVersion", "")))
        agent = PHONE.format(version=version[0] if version else "140")
    override: dict[str, Any] = {"userAgent": agent}
    if profile.language:
        override["acceptLanguage"] = profile.language
    platform, navigator = next((names for word, *names in _PLATFORMS if word in agent), ("", ""))
    if navigator:
        override["platform"] = navigator
    if chrome := _CHROME.search(agent):
        hints = client_hints(*chrome.groups())
        mobile = profile.mobile or "Mobile" in agent
        override["userAgentMetadata"] = {**hints, "platform": platform, "mobile": mobile}
    return override


def client_hints(major: str, rest: str) -> dict[str, Any]:
    """Return the client hints of a Chrome of this version, without platform and kind of device."""
    brands = [{"brand": brand, "version": major} for brand in ("Chromium", "Google Chrome")]
    full = f"{major}{rest or '.0.0.0'}"
    return {
        "brands": [*brands, {"brand": "Not)A;Brand", "version": "24"}],
        "fullVersionList": [{**brand, "version": full} for brand in brands],
        "platformVersion": "",
        "architecture": "",
        "model": "",
    }


def first_language(languages: str) -> str:
    """Return the language that is wanted most: "de-CH" of "de-CH,de;q=0.9"."""
    return languages.split(",")[0].split(";")[0].strip()

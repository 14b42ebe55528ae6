"""What a tab pretends to be, and what it does not load. Each new tab is told: the DevTools protocol
forgets it with the tab.

Windows that a page opens by itself are not told; they are closed after the page.
"""

from __future__ import annotations

import re
from typing import Any

from ...profile import Profile
from ..steps import watcher
from ..transport.webdriver import Driver

#: Touch points that a phone's screen tells apart.
TOUCH_POINTS = 5
#: What a phone that is not described further calls itself; Chrome for Android says this of every
#: phone.
PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/{version}.0.0.0 Mobile Safari/537.36"
)
#: Endings of addresses by which media are recognised: there is no flag for them, and the protocol
#: blocks by address only.
MEDIA = (
    "mp4",
    "m4v",
    "webm",
    "ogv",
    "mov",
    "m3u8",
    "mpd",
    "ts",
    "mp3",
    "m4a",
    "ogg",
    "oga",
    "opus",
    "wav",
    "flac",
    "aac",
)
STYLES = ("css",)
#: Kinds of things that can be blocked by flags, which costs nothing, and by the endings of their
#: addresses.
FLAG_KINDS = ("image", "font")
ENDINGS = {"media": MEDIA, "style": STYLES}
KINDS = (*FLAG_KINDS, *ENDINGS)

_CHROME = re.compile(r"Chrome/(\d+)((?:\.\d+){0,3})")
#: By what is found in a user agent: platform as client hints name it, and as navigator does.
_PLATFORMS = (
    ("Android", "Android", "Linux armv81"), ("iPhone", "iOS", "iPhone"), ("iPad", "iOS", "iPad"), ("Windows", "Windows", "Win32"),
    ("Mac OS X", "macOS", "MacIntel"), ("CrOS", "Chrome OS", "Linux x86_64"), ("Linux", "Linux", "Linux x86_64"),
)  # fmt: skip


def apply(driver: Driver, profile: Profile, watch: str) -> None:
    """Tell the tab at hand all that ``profile`` asks for; ``watch`` is where watch.js keeps what
    pages load, if it is to.
    """
    tell = driver.cdp
    if agent := user_agent(profile, driver):
        tell("Emulation.setUserAgentOverride", **agent)
    if profile.language:
        tell("Emulation.setLocaleOverride", locale=first_language(profile.language))
    if profile.timezone:
        tell("Emulation.setTimezoneOverride", timezoneId=profile.timezone)
    if profile.geolocation:
        latitude, longitude, accuracy = profile.geolocation
        tell("Browser.setPermission", permission={"name": "geolocation"}, setting="granted")
        tell(
            "Emulation.setGeolocationOverride",
            latitude=latitude,
            longitude=longitude,
            accuracy=accuracy,
        )
    if profile.mobile:
        width, height = profile.window
        tell(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=profile.scale,
            mobile=True,
        )
        tell("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=TOUCH_POINTS)
    patterns = blocked(profile.block)
    if patterns or profile.headers:
        tell("Network.enable")
    if patterns:
        tell("Network.setBlockedURLs", urls=patterns)
    if profile.headers:
        tell("Network.setExtraHTTPHeaders", headers=dict(profile.headers))
    if profile.watch:
        tell("Page.addScriptToEvaluateOnNewDocument", source=watcher(watch))


def blocked(block: tuple[str, ...]) -> list[str]:
    """The patterns of addresses, as the protocol takes them, for what is not blocked by a flag."""
    patterns = []
    for item in block:
        if item in ENDINGS:
            patterns += [
                pattern for ending in ENDINGS[item] for pattern in (f"*.{ending}", f"*.{ending}?*")
            ]
        elif item not in FLAG_KINDS:
            patterns.append(item)
    return patterns


def user_agent(profile: Profile, driver: Driver) -> dict[str, Any]:
    """What the tab calls itself, in requests, in navigator and in client hints; empty: what it is.

    A user agent that is no Chrome's sends no client hints, as such a browser does not.
    """
    agent = profile.user_agent
    if not agent:
        if not profile.mobile:
            return {}
        version = re.match(r"\d+", str(driver.capabilities.get("browserVersion", "")))
        agent = PHONE.format(version=version[0] if version else "140")
    said: dict[str, Any] = {"userAgent": agent}
    if profile.language:
        said["acceptLanguage"] = profile.language
    platform, navigator = next((names for word, *names in _PLATFORMS if word in agent), ("", ""))
    if navigator:
        said["platform"] = navigator
    if chrome := _CHROME.search(agent):
        major, rest = chrome.groups()
        brands = [{"brand": brand, "version": major} for brand in ("Chromium", "Google Chrome")]
        said["userAgentMetadata"] = {
            "brands": [*brands, {"brand": "Not)A;Brand", "version": "24"}],
            "fullVersionList": [
                {**brand, "version": f"{major}{rest or '.0.0.0'}"} for brand in brands
            ],
            "platform": platform,
            "platformVersion": "",
            "architecture": "",
            "model": "",
            "mobile": profile.mobile or "Mobile" in agent,
        }
    return said


def first_language(languages: str) -> str:
    """The one that is wanted most: "de-CH" of "de-CH,de;q=0.9"."""
    return languages.split(",")[0].split(";")[0].strip()

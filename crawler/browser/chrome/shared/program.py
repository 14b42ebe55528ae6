"""Start a Chrome that several sessions share, as ChromeDriver would start one for each.

What only the start of a Chrome decides (flags, preferences) its sessions have in common; so a
session joins one that was started as it wants it, or starts another. A proxy is none of that: each
session has a browser context, and its own way out.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from selenium.webdriver import ChromeOptions

from ....errors import BrowserUnavailable
from ....local.processes import birth
from ....local.programs import environment_of_program
from ..endpoint import Endpoint
from ..folders import delete
from ..options import BYPASS, OUTPUT_MAX, PROXY, SAYS
from .seats import (
    About,
    Seat,
    end,
    find_seat,
    gate,
    launch,
    my_group,
    new_folder,
    sit_down,
    write_about,
)

#: Flags with which ChromeDriver starts a Chrome.
DRIVER_FLAGS = (
    "--allow-pre-commit-input",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-client-side-phishing-detection",
    "--disable-features=IgnoreDuplicateNavs,Prewarm",
    "--disable-hang-monitor",
    "--disable-prompt-on-repost",
    "--enable-automation",
    "--log-level=0",
    "--no-service-autorun",
    "--password-store=basic",
    "--test-type=webdriver",
    "--use-mock-keychain",
)
#: Flags with which sessions join, and with which it ends when its processes have.
SHARED_FLAGS = ("--remote-debugging-pipe", "--remote-debugging-port=0", "--no-startup-window")
#: Flags whose values are lists: Chrome heeds the last one only.
LISTS = ("--disable-features", "--enable-features")
#: Preferences that ChromeDriver writes: nothing that asks, warns or fetches by itself.
PREFERENCES = {
    "autofill.enabled": False,
    "browser.check_default_browser": False,
    "dns_prefetching.enabled": False,
    "profile.password_manager_enabled": False,
    "safebrowsing.enabled": False,
    "search.suggest_enabled": False,
    "translate.enabled": False,
}
LOCAL_STATE = {"background_mode.enabled": False, "ssl.rev_checking.enabled": False}
#: Seconds that a Chrome may take to listen. It takes 0.4 on an idle machine.
START_TIMEOUT = 60.0
#: Seconds between two looks whether Chrome listens.
LOOK = 0.01


def take_seat(endpoint: Endpoint, binary: str, options: ChromeOptions) -> Seat:
    """Return a seat in a shared Chrome that was started with ``options``: in one of this worker's,
    or in a new one.

    Raises:
        BrowserUnavailable: none starts.
    """
    state = (endpoint.state or Path(tempfile.gettempdir())).absolute()
    flags = merged((*DRIVER_FLAGS, *options.arguments, *SHARED_FLAGS))
    preferences = nested(PREFERENCES | options.experimental_options.get("prefs", {}))
    local_state = nested(LOCAL_STATE | options.experimental_options.get("localState", {}))
    decided = json.dumps([binary, flags, preferences, local_state], sort_keys=True)
    kind = hashlib.sha256(decided.encode()).hexdigest()
    with gate(my_group()):
        if seat := find_seat(state, kind, endpoint.shared, endpoint.recycle_age):
            return seat
        folder = new_folder(state)
        profile = folder.resolve() / "profile"
        write_json(profile / "Default" / "Preferences", preferences)
        write_json(profile / "Local State", local_state)
        command = [binary, *flags, f"--user-data-dir={profile}"]
        environment = environment_of_program(TMPDIR=str(folder.resolve()))
        try:
            process = launch(command, folder, environment)
        except OSError as error:
            delete(folder)
            raise BrowserUnavailable(f"{binary} does not start: {error}") from error
        url = wait_for_address(process, profile / "DevToolsActivePort")
        about = About(process.pid, birth(process.pid) or 0, url, kind, time.time())
        if not url:
            output = (folder / "output").read_text(errors="replace")
            end(about)
            delete(folder)
            raise BrowserUnavailable(
                f"{binary} does not start{SAYS}{' '.join(output.split())[-OUTPUT_MAX:]}"
            )
        write_about(folder, about)
        if (seat := sit_down(folder, about, endpoint.shared)) is None:
            raise BrowserUnavailable(f"the new Chrome in {folder} has no seat")
        return seat


def wait_for_address(process: subprocess.Popen[bytes], path: Path) -> str:
    """Return the websocket of a Chrome that is starting, which it writes to ``path``; "": it has
    ended, or takes too long.
    """
    limit = time.monotonic() + START_TIMEOUT
    while time.monotonic() < limit and process.poll() is None:
        text = path.read_text() if path.exists() else ""
        port, _, rest = text.partition("\n")
        if rest:
            return f"ws://127.0.0.1:{port}{rest}"
        time.sleep(LOOK)
    return ""


def merged(flags: Iterable[str]) -> list[str]:
    """Return ``flags`` without those of proxies, which each session has for itself, and with one
    flag for each list.
    """
    kept: dict[str, str] = {}
    for flag in flags:
        name, _, value = flag.partition("=")
        if name in LISTS and name in kept:
            kept[name] = f"{kept[name]},{value}"
        elif name not in (PROXY, BYPASS):
            kept[name] = flag
    return list(kept.values())


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return preferences whose names have dots as Chrome writes them: one object in the other."""
    whole: dict[str, Any] = {}
    for name, value in values.items():
        *above, last = name.split(".")
        place = whole
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    return whole


def write_json(path: Path, value: object) -> None:
    """Write ``value`` to ``path``, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    path.chmod(0o600)

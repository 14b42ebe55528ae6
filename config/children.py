"""The environment of processes that this one starts, without the secrets of ours."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from .settings import PREFIX, variable, withdrawn

#: Variables that Chrome, its driver and a Redis server may need, by name or by its beginning: where
#: programs, fonts, libraries, certificates and the screen are, languages, and the way out. All
#: others may hold what a page that breaks out of Chrome must not find.
PROGRAM_VARIABLES = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|HOSTNAME|TERM|TZ|LANG|LANGUAGE|LC_\w+|TMPDIR|TEMP|TMP"
    r"|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|DBUS_\w+_ADDRESS|XDG_\w+|GTK_\w+|QT_\w+|G_\w+|GSETTINGS_\w+"
    r"|(?:LD|DYLD)_\w+|MALLOC_\w+|LIBGL_\w+|MESA_\w+|GALLIUM_\w+|VK_\w+|EGL_\w+|NVIDIA_\w+|CUDA_\w+"
    r"|FONTCONFIG_\w+|FC_\w+|SSL_CERT_\w+|NSS_\w+|SSLKEYLOGFILE|CHROME_\w+|CHROMIUM_\w+|NIX_\w+|SNAP\w*"
    r"|PULSE_\w+|ALSA_\w+|SYSTEMROOT|WINDIR|COMSPEC|PATHEXT|APPDATA|LOCALAPPDATA|PROGRAM\w*|SE_\w+"
    r"|(?:HTTP|HTTPS|FTP|ALL|NO|AUTO)_PROXY",
    re.IGNORECASE,
)


#: Variables whose whole value is a secret.
SECRETS = (variable("api_tokens"), variable("webhook_secret"))


def program_environment(**more: str) -> dict[str, str]:
    """Return the environment for a program that is not ours (Chrome, its driver, a Redis server),
    with the variables ``more``.

    Of this process's variables it has those in ``PROGRAM_VARIABLES``, and no password of a proxy.
    """
    kept = {
        name: _without_password(value) if name.upper().endswith("_PROXY") else value
        for name, value in os.environ.items()
        if PROGRAM_VARIABLES.fullmatch(name)
    }
    return kept | more


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def withdraw_secrets(secret_prefix: str) -> None:
    """Take our secrets out of the environment of this process: the variables that begin with
    ``secret_prefix``, tokens, and URLs with a password. What a hook starts does not inherit them.

    :func:`~crawler.config.settings.load` and ``secrets`` know them on.
    """
    for name, value in tuple(os.environ.items()):
        if name.startswith(PREFIX) and (
            name.startswith(secret_prefix) or name in SECRETS or "@" in value
            or "password=" in value
        ):  # fmt: skip
            withdrawn[name] = os.environ.pop(name)


@contextmanager
def secrets_inherited() -> Iterator[None]:
    """Let processes that are started in this block inherit the secrets: they do runs."""
    back = {name: value for name, value in withdrawn.items() if name not in os.environ}
    os.environ.update(back)
    try:
        yield
    finally:
        for name in back:
            os.environ.pop(name, None)

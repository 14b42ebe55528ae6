"""Chrome: where it is, a warm session on it, one page after another, and the live page that hooks
see.

What is true of navigation, and was measured, is told where it is dealt with: ``navigate.py`` (what
document is there?), ``driver.py`` (what if there is no answer?), ``local.py`` (what if we die?).
Nothing here knows the frontier or the environment.
"""

from .driver import end_session, parted
from .local import find_chrome, find_driver, sweep
from .navigate import LINKS_MAX, Browser
from .page import LivePage
from .profile import Profile
from .registry import Registry
from .session import Chrome, Endpoint

__all__ = [
    "LINKS_MAX",
    "Browser",
    "Chrome",
    "Endpoint",
    "LivePage",
    "Profile",
    "Registry",
    "end_session",
    "find_chrome",
    "find_driver",
    "parted",
    "sweep",
]
